"""Seals: what the vault's root key is locked under. A port, so that hardware can stand behind it.

A seal wraps a short secret so that only the seal can open it again. The vault asks once for each process:
it wraps one root key, and everything else hangs on that (`quorate.vault.datakeys`). A passphrase and a key
file are here. A Secure Enclave, Android Keystore, TPM or PKCS#11 token fits the same three verbs: it never
shows its own key (`exportable` is False), may want a person's touch (`requires_presence`, and then `unwrap`
may raise `PresenceDenied`), and may be slow.

A seal that lives elsewhere registers a function ``open(rest, rng, ask) -> Seal`` in the entry point group
``quorate.seals`` under its scheme. The two of this package are found without reading package metadata,
which would cost a command its start-up time.
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Final, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import LimitExceeded, LocalError, Malformed, Remedy, Unavailable
from quorate.secret import Secret
from quorate.vault.files import PRIVATE_FILE, make_private_directory, read_small, sync, sync_directory

MAX_WRAPPED_BYTES: Final = 1 << 12
"""A seal wraps keys, not documents; hardware often stops at a few hundred bytes."""

Ask: TypeAlias = Callable[[str], str]
"""Asks a person (or the configuration) for a passphrase; the argument says what for."""


def open_seal(url: str, *, rng: Rng, ask: Ask) -> Seal:
    """The seal that `url` names: ``passphrase:``, ``keyfile:/path``, or a registered scheme.

    Raises `Unavailable` when it is unknown or cannot be used, and says what to do.
    """
    scheme, _, rest = url.partition(":")
    if scheme == PassphraseSeal.kind:
        return PassphraseSeal(ask("passphrase of this vault"), rng=rng)
    if scheme == KeyFileSeal.kind:
        return KeyFileSeal.load(Path(rest), rng=rng)
    for found in entry_points(group="quorate.seals", name=scheme):
        seal: Seal = found.load()(rest, rng, ask)
        return seal
    raise Unavailable(
        f"no seal is called {scheme!r}; use passphrase: or keyfile:/path/to/file, or install the package "
        "that brings it"
    )


class PresenceDenied(LocalError):
    """The person was asked to confirm at the device that holds the seal, and did not."""

    remedy = Remedy.RETRY

    def __init__(self, seal: str) -> None:
        super().__init__(f"{seal} wanted a confirmation and did not get it; try again and confirm")


class Seal(ABC):
    """Wraps short secrets. Thread-safe; synchronous, because hardware calls are."""

    kind: ClassVar[str]
    """The scheme of its URL; stored beside what it wrapped, so that a wrong seal is named as such."""

    requires_presence: ClassVar[bool] = False
    """Whether `unwrap` may wait for a person's touch, face or PIN."""

    exportable: ClassVar[bool] = True
    """Whether somebody who copies the disk and knows what the person knows can open it elsewhere."""

    @abstractmethod
    def wrap(self, secret: bytes, context: bytes) -> bytes:
        """Seal `secret` (at most `MAX_WRAPPED_BYTES`) to `context`, which `unwrap` must repeat."""

    @abstractmethod
    def unwrap(self, box: bytes, context: bytes) -> bytes:
        """What was wrapped. Raises `Unavailable` (wrong seal), `Malformed`, `PresenceDenied`."""

    @abstractmethod
    def describe(self) -> str:
        """A few words for people: which seal this is. Never a secret."""


class Argon2Cost(Canonical, frozen=True):
    """What one guess at a passphrase costs (RFC 9106). Stored beside the box, bounded when read."""

    memory_kib: int = 64 * 1024
    passes: int = 3
    lanes: int = 4

    def check(self) -> Argon2Cost:
        """Itself. A box from a stranger's disk must neither weaken the seal nor eat all memory."""
        fits = (
            MIN_MEMORY_KIB <= self.memory_kib <= MAX_MEMORY_KIB
            and MIN_PASSES <= self.passes <= MAX_PASSES
            and 1 <= self.lanes <= MAX_LANES
        )
        if not fits:
            raise LimitExceeded(
                f"Argon2id with {self.memory_kib} KiB, {self.passes} passes, {self.lanes} lanes is outside "
                "what this program accepts; the sealed file was not written by it, or was tampered with"
            )
        return self


MIN_MEMORY_KIB: Final = 19 * 1024
MIN_PASSES: Final = 2
"""The least that OWASP recommends for Argon2id; anything weaker was not chosen by us."""

MAX_MEMORY_KIB: Final = 1 << 20
MAX_PASSES: Final = 16
MAX_LANES: Final = 16
"""One GiB and a few seconds: more would let a planted file stop a small server."""

MIN_PASSPHRASE: Final = 8
"""Characters. Argon2id slows guessing; it cannot save a word that is in every list."""

_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class _PassphraseBox(Canonical, frozen=True):
    version: int
    cost: Argon2Cost
    salt: bytes
    nonce: bytes
    sealed: bytes


class PassphraseSeal(Seal):
    """Argon2id over a passphrase, then AES-256-GCM. Each call costs one Argon2id: 0.1 to 0.2 s by default."""

    kind = "passphrase"

    def __init__(self, passphrase: str, *, rng: Rng, cost: Argon2Cost | None = None) -> None:
        if len(passphrase) < MIN_PASSPHRASE:
            raise Unavailable(
                f"the passphrase is shorter than {MIN_PASSPHRASE} characters; choose a longer one"
            )
        self._passphrase = Secret(passphrase.encode())
        self._rng = rng
        self._cost = (cost or Argon2Cost()).check()

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        _check_length(secret)
        salt, nonce = self._rng(_SALT_BYTES), self._rng(_NONCE_BYTES)
        key = self._stretch(salt, self._cost)
        sealed = AESGCM(key).encrypt(nonce, secret, _bound(context, self._cost, salt))
        return encode(_PassphraseBox(1, self._cost, salt, nonce, sealed))

    def unwrap(self, box: bytes, context: bytes) -> bytes:
        opened = decode(_PassphraseBox, box, limit=2 * MAX_WRAPPED_BYTES)
        if opened.version != 1 or len(opened.salt) != _SALT_BYTES or len(opened.nonce) != _NONCE_BYTES:
            raise Malformed("this is not a box of the passphrase seal")
        key = self._stretch(opened.salt, opened.cost.check())
        try:
            return AESGCM(key).decrypt(opened.nonce, opened.sealed, _bound(context, opened.cost, opened.salt))
        except InvalidTag:
            raise Unavailable(
                "the passphrase does not open this vault; type it again (or the sealed file was changed: "
                "restore it from a backup)"
            ) from None

    def describe(self) -> str:
        return "a passphrase"

    def _stretch(self, salt: bytes, cost: Argon2Cost) -> bytes:
        return Argon2id(
            salt=salt,
            length=_KEY_BYTES,
            iterations=cost.passes,
            lanes=cost.lanes,
            memory_cost=cost.memory_kib,
        ).derive(self._passphrase.reveal())


class KeyFileSeal(Seal):
    """AES-256-GCM under 32 random bytes in a file that only its owner may read: for unattended services.

    It protects a stolen database and its backups, not a stolen disk; keep the file on another volume.
    """

    kind = "keyfile"

    def __init__(self, key: bytes, path: Path, *, rng: Rng) -> None:
        self._cipher = AESGCM(key)
        self._path = path
        self._rng = rng

    @classmethod
    def create(cls, path: Path, *, rng: Rng) -> KeyFileSeal:
        """Write a new key file (mode 0600). Raises `Unavailable` where a file already is."""
        make_private_directory(path.absolute().parent)
        key = rng(_KEY_BYTES)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)
        except FileExistsError:
            raise Unavailable(f"{path} exists already; a key file is never overwritten") from None
        except PermissionError:
            raise Unavailable(f"{path} cannot be created by this user; choose another place") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            sync(descriptor)
        sync_directory(path.absolute().parent)
        return cls(key, path, rng=rng)

    @classmethod
    def load(cls, path: Path, *, rng: Rng) -> KeyFileSeal:
        """Read the key file. Raises `Unavailable` when it is missing, open to others, or no key file."""
        try:
            status = path.stat()
        except FileNotFoundError:
            raise Unavailable(f"the key file {path} does not exist; mount it, or restore it") from None
        except PermissionError:
            raise Unavailable(f"the key file {path} may not be read by this user; chown it") from None
        if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
            raise Unavailable(f"others may read the key file {path}; run: chmod 600 {path}")
        key = read_small(path)
        if len(key) != _KEY_BYTES:
            raise Unavailable(
                f"{path} holds {len(key)} bytes where a key file holds {_KEY_BYTES}; is it the right file?"
            )
        return cls(key, path, rng=rng)

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        _check_length(secret)
        nonce = self._rng(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, context)

    def unwrap(self, box: bytes, context: bytes) -> bytes:
        try:
            return self._cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise Unavailable(
                f"the key file {self._path} does not open this vault; give the one it was made with "
                "(or the sealed file was changed: restore it from a backup)"
            ) from None

    def describe(self) -> str:
        return f"the key file {self._path}"


def _bound(context: bytes, cost: Argon2Cost, salt: bytes) -> bytes:
    return encode((context, cost, salt))


def _check_length(secret: bytes) -> None:
    if len(secret) > MAX_WRAPPED_BYTES:
        raise LimitExceeded(f"a seal wraps at most {MAX_WRAPPED_BYTES} bytes, not {len(secret)}")
