"""Output scripts: those of a wallet's key, and what any other one says to a person.

A key has two scripts that pay to it and to nobody else: P2WPKH (BIP 141), and P2TR whose output key is the
key tweaked with the empty script tree (BIP 341 section "Constructing and spending Taproot outputs", BIP 86).
P2TR with a script tree is spent with the key as well, but whoever satisfies a leaf may spend it too; it is
signed for, and never taken for the wallet's own when it appears among the outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from quorate.chains.bitcoin.hashes import tagged
from quorate.chains.bitcoin.library import load
from quorate.chains.bitcoin.networks import Encoding
from quorate.errors import Malformed

_PROGRAM_VERSIONS: Final[Mapping[int, int]] = {0: 0} | {0x50 + version: version for version in range(1, 17)}

_ANCHOR: Final = bytes.fromhex("51024e73")
"""Pay-to-anchor: an output meant for anybody, with which a stuck transaction's fee is raised."""


class Kind(StrEnum):
    """The two kinds of output that are signed for, by their usual names."""

    P2WPKH = "p2wpkh"
    P2TR = "p2tr"


@dataclass(frozen=True, slots=True)
class Key:
    """One secp256k1 public key (33 bytes, compressed) and its scripts."""

    public: bytes
    hash: bytes
    """RIPEMD-160 of SHA-256 of `public`."""

    @classmethod
    def of(cls, public_key: Any) -> Key:
        """From 33 or 65 bytes (SEC 1), or a point with ``to_bytes()``. Raises `Malformed`."""
        if isinstance(public_key, bytes):
            return _key(public_key)
        if isinstance(public_key, int) or not hasattr(public_key, "to_bytes"):
            raise Malformed(f"public key: expected bytes or a point, not {type(public_key).__name__}")
        return _key(public_key.to_bytes())

    @property
    def x_only(self) -> bytes:
        """BIP 340's form: the x coordinate."""
        return self.public[1:]

    @property
    def witness_script(self) -> bytes:
        """The P2WPKH output script."""
        return b"\x00\x14" + self.hash

    def tweak(self, merkle_root: bytes = b"") -> bytes:
        """The 32-byte TapTweak of BIP 341: hashed from the key and the root of its script tree, if any."""
        return tagged("TapTweak", self.x_only + merkle_root)

    def output_key(self, merkle_root: bytes = b"") -> bytes:
        """BIP 341's Q = P + tweak*G, x only."""
        return _tweaked(self.x_only, self.tweak(merkle_root))

    def taproot_script(self, merkle_root: bytes = b"") -> bytes:
        """The P2TR output script."""
        return b"\x51\x20" + self.output_key(merkle_root)

    @property
    def scripts(self) -> Mapping[Kind, bytes]:
        """What pays to this key and nobody else; the default kind first."""
        return {Kind.P2TR: self.taproot_script(), Kind.P2WPKH: self.witness_script}

    @property
    def unsigned_scripts(self) -> frozenset[bytes]:
        """Older scripts of the same key, for which nothing is signed here: P2PKH, P2SH-P2WPKH, P2PK."""
        nested = b"\xa9\x14" + load().hashes.hash160(self.witness_script) + b"\x87"
        return frozenset([key_hash_script(self.hash), nested, b"\x21" + self.public + b"\xac"])


def key_hash_script(key_hash: bytes) -> bytes:
    """P2PKH; also BIP 143's script code of P2WPKH."""
    return b"\x76\xa9\x14" + key_hash + b"\x88\xac"


def program(script: bytes) -> tuple[int, bytes] | None:
    """Version and bytes of a witness program (BIP 141), or None when the script is none."""
    if not 4 <= len(script) <= 42 or script[0] not in _PROGRAM_VERSIONS or script[1] != len(script) - 2:
        return None
    return _PROGRAM_VERSIONS[script[0]], script[2:]


@lru_cache(maxsize=1024)
def address(script: bytes, encoding: Encoding) -> str:
    """The address of an output script, or empty when there is no form for it (BIP 173, BIP 350, base58)."""
    library = load()
    if len(script) == 25 and script == key_hash_script(script[3:23]):
        return str(library.base58.encode_check(encoding.key_hash + script[3:23]))
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
        return str(library.base58.encode_check(encoding.script_hash + script[2:22]))
    found = program(script)
    if found is None or (found[0] == 0 and len(found[1]) not in (20, 32)):
        return ""
    return str(library.bech32.encode(encoding.prefix, *found))


def unprotected(script: bytes) -> bool:
    """Whether today's rules let anybody spend it: a witness program of a version still without a meaning."""
    found = program(script)
    if found is None or script == _ANCHOR:
        return False
    version, data = found
    return version > 1 or (version == 1 and len(data) != 32)


def unspendable(script: bytes) -> bool:
    """Whether nobody ever can: P2TR with an output key that is no point of the curve."""
    from btclib_secp256k1 import xonly

    return len(script) == 34 and script[:2] == b"\x51\x20" and not xonly.pubkey_verify(script[2:])


def returned(script: bytes) -> bytes | None:
    """What an OP_RETURN output carries after its opcode, pushes included; None for another script."""
    return script[1:] if script[:1] == b"\x6a" else None


def pushed(script: bytes) -> bytes | None:
    """The data of a script that is one push in its shortest form; None when it is anything else."""
    if not script:
        return b""
    first, rest = script[0], script[1:]
    if 1 <= first <= 75 and len(rest) == first:
        return rest
    if first == 0x4C and rest and rest[0] > 75 and len(rest) == 1 + rest[0]:
        return rest[1:]
    return None


@lru_cache(maxsize=256)
def _key(public_key: bytes) -> Key:
    from btclib_secp256k1 import keys

    try:
        public = bytes(keys.serialize(keys.parse(public_key), True))
    except (ValueError, TypeError):
        raise Malformed("public key: not a point of secp256k1 in 33 or 65 bytes") from None
    return Key(public, bytes(load().hashes.hash160(public)))


@lru_cache(maxsize=1024)
def _tweaked(x_only: bytes, tweak: bytes) -> bytes:
    from btclib_secp256k1 import xonly

    try:
        return bytes(xonly.tweak_add(x_only, tweak)[0])
    except ValueError:
        # a tweak above the order, or one that gives the identity: nobody has ever met a hash like that
        raise Malformed("taproot: the tweak gives no key") from None
