"""Data keys: one for each key and epoch (and for a few other scopes), in files outside the database.

Rows are sealed under a data key; the data key is sealed under the root key; the root key under a seal. So
destroying one small file erases an epoch from the database, its WAL, its replicas and every backup of it,
which no DELETE can do. This is why the directory is *not* in the same backup as the database.

A scope is a short text: ``epoch:<key>:<epoch>``, ``journal:<session>``, ``identity``. Its key is made before
anything is sealed under it, survives a power cut from that moment, and is destroyed by `destroy`. With
`forever` a tombstone stays, so that a file copied back from somewhere is refused too. What a file cannot
promise: old blocks on flash, copy-on-write snapshots, and somebody who restores this whole directory. See
``docs/protocols/vault.md`` for what bounds those.

Scopes that belong together may lie in one file (`quorate.vault.bundles`), as ``bundle#position``.

Several processes may share the directory; a key that one of them destroys is refused by all.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import Malformed, Unavailable
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.vault import bundles, files
from quorate.vault.seals import Seal
from quorate.vault.steps import Step, no_step

MAX_CACHED: Final = 4096
"""Unwrapped keys kept in memory. A miss costs one small file; a node with a million wallets keeps few hot."""

_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ROOT_CONTEXT: Final = b"quorate/vault/root-key/v1"


class DataKeys:
    """The data keys of one directory. Thread-safe."""

    def __init__(self, directory: Path, seal: Seal, *, rng: Rng, step: Step = no_step) -> None:
        """Open the directory, or begin an empty one. Asks the seal once. Raises `Unavailable`."""
        self._directory = directory
        self._rng = rng
        self._step = step
        self._lock = threading.Lock()
        self._open: dict[str, AESGCM] = {}
        files.make_private_directory(directory)
        for room in (self._keys, self._drafts):
            files.make_private_directory(room)
        with files.locked(directory / "lock"):
            bundles.sweep(self._drafts, step)
            self._root = self._open_root(seal) if self._root_path.exists() else self._make_root(seal)
        self._bundles = bundles.Bundles(self._bundle_path, self._drafts, self._root, rng, step)

    def cipher(self, scope: str, *, create: bool = False) -> AESGCM:
        """The AEAD under the data key of `scope`; `create` makes the key where none is.

        Raises `Unavailable` when it was destroyed or never made. A key of a bundle is made by `make_bundle`.
        """
        if bundles.is_member(scope):
            return self._bundles.cipher(scope)
        path = self._path(scope)
        with self._lock:
            known = self._open.get(scope)
            if known is not None and path.exists():  # another process may have destroyed it
                return known
            self._open.pop(scope, None)
            cipher = self._load(scope, path) or (self._make(scope, path) if create else None)
            if cipher is None:
                raise Unavailable(f"the data key of {scope} is not in {self._directory}: {_WHY_MISSING}")
            if len(self._open) >= MAX_CACHED:
                self._open.clear()
            self._open[scope] = cipher
            return cipher

    def exists(self, scope: str) -> bool:
        """Whether rows of `scope` can be opened."""
        if bundles.is_member(scope):
            return self._bundles.exists(scope)
        path = self._path(scope)
        return path.exists() and not _tombstone(path).exists()

    def make_bundle(self, bundle: str, count: int) -> list[AESGCM]:
        """The AEADs of `count` new scopes ``bundle#0``, ``bundle#1``, ..., durably in one file."""
        with self._lock, files.locked(self._directory / "lock"):
            self._room(self._bundle_path(bundle))
            return self._bundles.make(bundle, count)

    def destroy(self, scope: str, *, forever: bool) -> None:
        """Make everything sealed under `scope` unreadable, durably. Repeating it does nothing.

        `forever`: the scope never gets a key again. Without it a new, different key may be made later.
        """
        if bundles.is_member(scope):
            with self._lock, files.locked(self._directory / "lock"):
                self._bundles.destroy(scope)
            return
        path = self._path(scope)
        with self._lock:
            self._open.pop(scope, None)
            with files.locked(self._directory / "lock"):
                grave = _tombstone(path)
                if forever and not grave.exists():
                    self._room(path)
                    self._step("tombstone")
                    grave.touch(mode=files.PRIVATE_FILE)
                    files.sync_directory(path.parent)
                files.erase(path, step=self._step)

    @property
    def _root_path(self) -> Path:
        return self._directory / "root.key"

    @property
    def _keys(self) -> Path:
        return self._directory / "keys"

    @property
    def _drafts(self) -> Path:
        return self._directory / "drafts"

    def _path(self, scope: str) -> Path:
        # Hashed: a scope may hold any character, and a directory of a million files wants 256 rooms.
        name = digest(Tag.VAULT_SCOPE, scope.encode()).hex()[:40]
        return self._keys / name[:2] / f"{name}.key"

    def _bundle_path(self, bundle: str) -> Path:
        return self._path(bundle).with_suffix(".bundle")

    def _load(self, scope: str, path: Path) -> AESGCM | None:
        if _tombstone(path).exists():
            raise Unavailable(f"{scope} was erased for ever")
        try:
            stored = decode(_WrappedKey, files.read_small(path))
        except FileNotFoundError:
            return None
        except Malformed:
            raise Unavailable(f"the data key of {scope} ({path}) is damaged; restore that file") from None
        try:
            key = self._root.decrypt(stored.box[:_NONCE_BYTES], stored.box[_NONCE_BYTES:], _context(scope))
        except (InvalidTag, ValueError):
            raise Unavailable(
                f"the data key of {scope} ({path}) belongs to another vault or scope, or was changed; "
                "restore that file"
            ) from None
        return AESGCM(key)

    def _make(self, scope: str, path: Path) -> AESGCM:
        with files.locked(self._directory / "lock"):
            made_meanwhile = self._load(scope, path)
            if made_meanwhile is not None:
                return made_meanwhile
            self._room(path)
            key, nonce = self._rng(_KEY_BYTES), self._rng(_NONCE_BYTES)
            box = nonce + self._root.encrypt(nonce, key, _context(scope))
            wrapped = encode(_WrappedKey(1, scope, box))
            files.write_new(path, wrapped, draft=self._drafts / path.name, step=self._step)
            return AESGCM(key)

    def _room(self, path: Path) -> None:
        if not path.parent.exists():
            files.make_private_directory(path.parent)

    def _make_root(self, seal: Seal) -> AESGCM:
        if any(self._keys.iterdir()):
            raise Unavailable(
                f"{self._root_path} is missing, but data keys are there; "
                "restore it from a copy of this directory"
            )
        root = self._rng(_KEY_BYTES)
        stored = encode(_SealedRoot(1, seal.kind, seal.wrap(root, _ROOT_CONTEXT)))
        files.write_new(self._root_path, stored, draft=self._drafts / "root.key", step=self._step)
        return AESGCM(root)

    def _open_root(self, seal: Seal) -> AESGCM:
        try:
            stored = decode(_SealedRoot, files.read_small(self._root_path))
        except Malformed:
            raise Unavailable(
                f"{self._root_path} is damaged; restore it from a copy of this directory"
            ) from None
        if stored.kind != seal.kind:
            raise Unavailable(
                f"{self._directory} was sealed with {stored.kind!r}, not with {seal.describe()}; "
                f"configure the seal {stored.kind}:"
            )
        return AESGCM(seal.unwrap(stored.box, _ROOT_CONTEXT))


class _WrappedKey(Canonical, frozen=True):
    version: int
    scope: str
    box: bytes


class _SealedRoot(Canonical, frozen=True):
    version: int
    kind: str
    box: bytes


_WHY_MISSING: Final = (
    "its epoch or session was erased, or the database is older or newer than this directory. If an epoch was "
    "erased this is as it should be; otherwise restore the directory that belongs to this database"
)


def _context(scope: str) -> bytes:
    return encode(("quorate/vault/data-key/v1", scope))


def _tombstone(path: Path) -> Path:
    return path.with_suffix(".gone")
