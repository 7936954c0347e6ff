"""Bundles: the data keys of a whole batch in one file, each of which can be destroyed on its own.

A pool of a thousand keys wants a data key for each, since each is used, and erased, at a time of its own. A
thousand small files would cost a thousand syncs to make. So a bundle holds all of them in one box under the
root key, and destroying one rewrites the file: the new one is durable under another name before it takes the
place of the old one, which is then overwritten and unlinked. A crash leaves the old file or the new one, and
what it leaves in the room of drafts is erased at the next opening.

Overwriting one key in place was rejected: a torn sector would take its neighbours, keys of other wallets,
with it. Deriving the keys from one seed was rejected: then none could be destroyed without all.

A scope inside a bundle is written ``<bundle>#<position>``, the whole bundle ``<bundle>#*``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import LimitExceeded, LocalError, Malformed, Unavailable
from quorate.vault import files
from quorate.vault.steps import Step, no_step

MAX_BUNDLE: Final = 1024
"""Keys in one file: 32 kB, which a destruction rewrites in about a millisecond. A batch is as large."""

ALL: Final = "*"

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_DESTROYED: Final = bytes(_KEY_BYTES)


def member(bundle: str, position: int | str) -> str:
    """The scope of one key of a bundle; of all of them, for `ALL`."""
    return f"{bundle}#{position}"


def is_member(scope: str) -> bool:
    """Whether a scope names a key inside a bundle."""
    return "#" in scope


class Bundles:
    """The bundle files of one directory of data keys, whose owner holds the lock between processes."""

    def __init__(
        self, path: Callable[[str], Path], drafts: Path, root: AESGCM, rng: Rng, step: Step = no_step
    ) -> None:
        self._path = path
        self._drafts = drafts
        self._root = root
        self._rng = rng
        self._step = step

    def make(self, bundle: str, count: int) -> list[AESGCM]:
        """`count` fresh keys, durably. Replaces a bundle of this name: the orphan of a crash, as the caller
        knows who has stored nothing under it."""
        if not 1 <= count <= MAX_BUNDLE:
            raise LimitExceeded(f"a bundle holds 1 to {MAX_BUNDLE} data keys, not {count}")
        keys = self._rng(count * _KEY_BYTES)
        self._write(bundle, keys)
        return [AESGCM(keys[at : at + _KEY_BYTES]) for at in range(0, len(keys), _KEY_BYTES)]

    def cipher(self, scope: str) -> AESGCM:
        """The AEAD under one key. Raises `Unavailable` when it was destroyed or never made."""
        bundle, position = _parsed(scope)
        keys = self._read(bundle)
        key = keys[position * _KEY_BYTES : (position + 1) * _KEY_BYTES]
        if not key:
            raise Unavailable(
                f"the data key of {scope} is not there; the whole bundle was erased, or another"
            )
        if key == _DESTROYED:
            raise Unavailable(f"{scope} was erased for ever")
        return AESGCM(key)

    def exists(self, scope: str) -> bool:
        """Whether rows of `scope` can be opened."""
        try:
            self.cipher(scope)
        except Unavailable:
            return False
        return True

    def destroy(self, scope: str) -> None:
        """Make what was sealed under `scope` unreadable, durably and for ever. Repeating it does nothing."""
        bundle, _, position = scope.rpartition("#")
        path = self._path(bundle)
        if not path.exists():
            return
        if position == ALL:
            files.erase(path, step=self._step)
            return
        bundle, number = _parsed(scope)
        keys = self._read(bundle)
        start = number * _KEY_BYTES
        if keys[start : start + _KEY_BYTES] in (b"", _DESTROYED):
            return
        self._write(bundle, keys[:start] + _DESTROYED + keys[start + _KEY_BYTES :])

    def _read(self, bundle: str) -> bytes:
        path = self._path(bundle)
        try:
            stored = decode(_Stored, files.read_small(path))
            keys = self._root.decrypt(
                stored.box[:_NONCE_BYTES], stored.box[_NONCE_BYTES:], _context(stored.bundle)
            )
        except FileNotFoundError:
            return b""
        except (Malformed, InvalidTag, ValueError):
            raise Unavailable(
                f"the data keys of {bundle} ({path}) are damaged, or of another vault; restore that file"
            ) from None
        if stored.bundle != bundle:
            raise Unavailable(f"{path} holds the data keys of another bundle; restore that file")
        return keys

    def _write(self, bundle: str, keys: bytes) -> None:
        nonce = self._rng(_NONCE_BYTES)
        box = nonce + self._root.encrypt(nonce, keys, _context(bundle))
        path = self._path(bundle)
        files.replace(path, encode(_Stored(1, bundle, box)), room=self._drafts, step=self._step)


def sweep(drafts: Path, step: Step) -> None:
    """Erase what a crash has left in the room of drafts: keys that were never used, or that are destroyed.

    A file with a second name is the one in place: only the name here goes.
    """
    for draft in drafts.iterdir():
        if draft.stat().st_nlink > 1:
            step("unlink second name")
            draft.unlink()
        else:
            files.erase(draft, step=step)
    files.sync_directory(drafts)


def _parsed(scope: str) -> tuple[str, int]:
    bundle, _, position = scope.rpartition("#")
    if not position.isdigit() or not bundle:
        raise LocalError(f"{scope} names no key of a bundle")
    return bundle, int(position)


class _Stored(Canonical, frozen=True):
    version: int
    bundle: str
    box: bytes


def _context(bundle: str) -> bytes:
    return encode(("quorate/vault/bundle/v1", bundle))
