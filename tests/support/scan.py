"""Looking for secrets where they must not be: in the memory of stopped processes, and in files.

A value is sought in every form it could lie in: 32 bytes in both orders, the digits of a CPython integer,
hex, base64 at each alignment, decimal text. `Search` looks for many values at once: any occurrence of fifteen
bytes or more covers one aligned word of eight, so that only aligned words are looked up, and what matches is
then compared whole.

Memory is read through ``/proc`` (Linux), which a parent may do with its children. Everything readable and
private is read, in windows that overlap by more than the longest form.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

WINDOW: Final = 16 << 20
OVERLAP: Final = 128
"""More than the longest form, which is 78 decimal digits; a multiple of a word."""

_WORD: Final = 8
_DIGIT_BITS: Final = sys.int_info.bits_per_digit
_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
_TABLE_BITS: Final = 20


def reason_to_skip() -> str | None:
    """Why memory cannot be searched here, if it cannot."""
    if sys.platform != "linux":
        return "the memory of another process is read through /proc, which only Linux has"
    with contextlib.suppress(OSError, ValueError):
        if os.geteuid() and int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text()) > 1:
            return "this kernel lets no process read its children's memory (yama.ptrace_scope)"
    return None


def forms(value: int) -> dict[str, bytes]:
    """Every form a value of 32 bytes is sought in, by name."""
    octets = value.to_bytes(32, "big")
    found = {
        "32 bytes big-endian": octets,
        "32 bytes little-endian": octets[::-1],
        "CPython digits": digits(value),
        "hex": octets.hex().encode(),
        "HEX": octets.hex().upper().encode(),
        "decimal": str(value).encode(),
    }
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + octets)
        # Characters that also hold bits of a neighbour are left out.
        text = text[-(-8 * offset // 6) : 8 * (offset + 32) // 6]
        found[f"base64 at {offset}"] = text
        found[f"base64url at {offset}"] = text.replace(b"+", b"-").replace(b"/", b"_")
    return found


def digits(value: int) -> bytes:
    """The digits of a Python integer as they lie in memory: 30 bits each, in words of 32, lowest first."""
    found = b""
    while value:
        found += (value & ((1 << _DIGIT_BITS) - 1)).to_bytes(4, "little")
        value >>= _DIGIT_BITS
    return found


class Search:
    """Looks for values by name; what is found is a set of (name, form)."""

    def __init__(self, values: Mapping[str, int]) -> None:
        self._at: defaultdict[int, list[tuple[int, bytes, tuple[str, str]]]] = defaultdict(list)
        for name, value in values.items():
            for form, needle in forms(value).items():
                if len(needle) < 2 * _WORD or len(set(needle)) < 4:
                    raise ValueError(f"{name} as {form} is too plain to be searched for")
                for offset in range(_WORD):
                    word = int.from_bytes(needle[offset : offset + _WORD], "little")
                    self._at[word].append((offset, needle, (name, form)))
        self._words = np.array(sorted(self._at), dtype=np.uint64)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        self._table[self._slots(self._words)] = True

    @staticmethod
    def _slots(words: Any) -> Any:
        return (words * _HASH) >> np.uint64(64 - _TABLE_BITS)

    def window(self, data: memoryview | bytes) -> set[tuple[str, str]]:
        """What lies whole in `data`, whose first byte stands at a multiple of eight."""
        usable = len(data) - len(data) % _WORD
        words = np.frombuffer(data, dtype=np.uint64, count=usable // _WORD)
        maybe = np.flatnonzero(self._table[self._slots(words)])
        maybe = maybe[np.isin(words[maybe], self._words)]
        found = set()
        for index in maybe.tolist():
            for offset, needle, label in self._at[int(words[index])]:
                start = index * _WORD - offset
                if start >= 0 and bytes(data[start : start + len(needle)]) == needle:
                    found.add(label)
        return found

    def process(self, pid: int) -> set[tuple[str, str]]:
        """What lies in the readable private memory of a stopped process."""
        found: set[tuple[str, str]] = set()
        room = memoryview(bytearray(WINDOW))
        with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for start, end in private_regions(pid):
                at = start
                while at < end:
                    wanted = min(WINDOW, end - at)
                    try:
                        count = os.preadv(memory.fileno(), [room[:wanted]], at)
                    except OSError:  # a mapping of a file that ends before it: there is nothing there
                        break
                    if count <= 0:
                        break
                    found |= self.window(room[:count])
                    if at + count >= end:
                        break
                    at += max(count - OVERLAP, _WORD) // _WORD * _WORD
        return found

    def files(self, *roots: Path) -> set[tuple[str, str, str]]:
        """What lies in the files at and under `roots`: (file, name, form)."""
        found = set()
        for path in _files(roots):
            with path.open("rb") as file:
                data = file.read(WINDOW)
                while data:
                    found |= {(str(path), *label) for label in self.window(data)}
                    rest = file.read(WINDOW - OVERLAP)
                    data = data[-(OVERLAP + len(data) % _WORD) :] + rest if rest else b""
        return found


def _files(roots: Iterable[Path]) -> Iterator[Path]:
    for root in roots:
        yield from [root] if root.is_file() else sorted(path for path in root.rglob("*") if path.is_file())


def private_regions(pid: int) -> list[tuple[int, int]]:
    """The readable private mappings of a process, joined where one follows another."""
    found: list[tuple[int, int]] = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        where, rights, _, _, _, *name = line.split(maxsplit=5)
        if not (rights.startswith("r") and rights.endswith("p")) or name[:1] in (["[vvar]"], ["[vsyscall]"]):
            continue
        start, end = (int(part, 16) for part in where.split("-"))
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


@contextlib.contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """These processes stand still inside."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        ends = time.monotonic() + 10
        while any(_state(pid) not in "Tt" for pid in pids):
            if time.monotonic() > ends:
                raise TimeoutError(
                    f"processes that do not stop: {[p for p in pids if _state(p) not in 'Tt']}"
                )
            time.sleep(0.002)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


def _state(pid: int) -> str:
    """The letter of ``man 5 proc_pid_stat``; T is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
