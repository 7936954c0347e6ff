"""The backup file: a share of each key of one wallet, sealed under a password.

With the device it signs without the nodes, with the nodes without the device; alone it is worth nothing, to
its owner and to a thief. The header is readable and says what the file is; the box holds the backup's own
keys and its share under Argon2id and AES-256-GCM (`PassphraseSeal`), bound to the header. The file is JSON,
so that it can be looked at, printed and kept for years. One with a single key is of version 1; where the
wallet has more, version 2 lists the others under ``more``.

Written by the backup's own process (`quorate.device.backup.process`); nothing in this version opens it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from quorate.encoding import Confidential, decode, encode
from quorate.entropy import Rng
from quorate.errors import LocalError, Malformed, Unavailable
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.sharing.keyshare import KeyShare
from quorate.vault.files import read_small, write_new
from quorate.vault.seals import MIN_PASSPHRASE, PassphraseSeal

FORMAT: Final = "quorate-backup"
VERSION: Final = 1
MANY_KEYS: Final = 2
"""The version of a file with more keys than one."""


@dataclass(frozen=True, slots=True)
class Backup:
    """Where a new wallet's backup goes, and its password. Raises `LocalError` for a password too short."""

    path: Path
    password: Secret[str]
    exists: bool = False
    """Whether the file is there and gets shares of further keys."""

    @classmethod
    def to(cls, path: Path | str, password: str) -> Backup:
        """A backup file at `path`. What is there already is never overwritten."""
        if len(password) < MIN_PASSPHRASE:
            raise LocalError(f"the backup's password needs at least {MIN_PASSPHRASE} characters")
        return cls(Path(path).expanduser().absolute(), Secret(password))

    @classmethod
    def at(cls, path: Path | str, password: str) -> Backup:
        """The backup file that is there, to be given shares of further keys of its wallet."""
        return cls(Path(path).expanduser().absolute(), Secret(password), exists=True)

    def check_place(self) -> Backup:
        """Itself. Raises `Unavailable` unless a file can be written there."""
        if self.path.exists():
            raise Unavailable(f"{self.path} exists already; a backup never replaces a file: choose another")
        if not self.path.parent.is_dir():
            raise Unavailable(f"{self.path.parent} is no directory; make it first")
        return self


class KeyHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is said of each further key."""

    curve: str
    key: str
    epoch: int
    public_key: str
    structure: str

    @classmethod
    def of(cls, share: KeyShare) -> KeyHeader:
        """The header of a share."""
        point = share.public_key.to_bytes().hex()
        return cls(share.group.name, share.key_id.hex(), share.epoch, point, str(share.structure))


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What anybody who finds the file may read, of the wallet's first key. Byte strings are in hex."""

    format: Literal["quorate-backup"]
    version: Literal[1, 2]
    network: str
    factor: str
    key: str
    epoch: int
    public_key: str
    structure: str
    more: tuple[KeyHeader, ...] = ()

    @classmethod
    def of(cls, network: str, share: KeyShare, *more: KeyShare) -> Header:
        """The header of a file with these shares."""
        return cls(
            FORMAT,
            MANY_KEYS if more else VERSION,
            network,
            share.me,
            share.key_id.hex(),
            share.epoch,
            share.public_key.to_bytes().hex(),
            str(share.structure),
            tuple(KeyHeader.of(other) for other in more),
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """The ids of all keys, the first one first."""
        return (self.key, *(other.key for other in self.more))

    def context(self) -> bytes:
        """What the box is bound to: every field."""
        fields = msgspec.structs.asdict(self)
        more = [msgspec.structs.astuple(other) for other in fields.pop("more")]
        named: list[list[object]] = [[name, str(fields[name])] for name in sorted(fields)]
        if self.version == VERSION:
            return b"quorate/backup/v1" + encode(named)
        return b"quorate/backup/v2" + encode([*named, ["more", more]])


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    header: Header
    box: str


class _Content(Confidential, frozen=True):
    seed: bytes
    share: bytes


class _Contents(Confidential, frozen=True):
    seed: bytes
    shares: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened backup: its keys, its share of the wallet's first key, and of `more`."""

    keys: KeyPair
    share: KeyShare
    more: tuple[KeyShare, ...] = ()
    seed: Secret[bytes] = field(default_factory=lambda: Secret(b""))

    @property
    def shares(self) -> tuple[KeyShare, ...]:
        """All shares, the first key's first."""
        return (self.share, *self.more)


def write(
    path: Path,
    network: str,
    seed: bytes,
    share: KeyShare,
    password: str,
    rng: Rng,
    *,
    more: Sequence[KeyShare] = (),
    replace: bool = False,
) -> None:
    """Seal and write a backup file, durably, readable by its owner only.

    With `replace` what is there gives way in one step: only for a file that holds all of its shares again.
    """
    header = Header.of(network, share, *more)
    if more:
        content = encode(_Contents(seed, tuple(one.to_bytes() for one in (share, *more))))
    else:
        content = encode(_Content(seed, share.to_bytes()))
    box = PassphraseSeal(password, rng=rng).wrap(content, header.context())
    file = _File(header, base64.b64encode(box).decode())
    data = msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"
    if path.exists() and not replace:
        raise Unavailable(f"{path} exists already; a backup never replaces a file")
    write_new(path, data, draft=path.with_name(path.name + ".draft"))


def read_header(path: Path) -> Header:
    """What a backup file says of itself. Raises `Unavailable` or `Malformed`."""
    return _parse(path).header


def open_backup(path: Path, password: str, rng: Rng) -> Opened:
    """Open a backup file. Raises `Unavailable` for a wrong password or a changed file, `Malformed`."""
    file = _parse(path)
    try:
        box = base64.b64decode(file.box, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed(f"{path}: the box is not base64") from None
    inside = PassphraseSeal(password, rng=rng).unwrap(box, file.header.context())
    if file.header.version == VERSION:
        one = decode(_Content, inside)
        content = _Contents(one.seed, (one.share,))
    else:
        content = decode(_Contents, inside)
    shares = [KeyShare.from_bytes(share) for share in content.shares]
    if not shares or Header.of(file.header.network, *shares) != file.header:
        raise Malformed(f"{path}: the share inside is another than the header says")
    seed = Secret(content.seed)
    return Opened(KeyPair(seed), shares[0], tuple(shares[1:]), seed)


def _parse(path: Path) -> _File:
    try:
        data: Any = read_small(path)
    except FileNotFoundError:
        raise Unavailable(f"there is no backup file at {path}") from None
    try:
        return msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"{path} is no backup file: {error}") from None
