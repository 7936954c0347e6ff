"""What a watch-only wallet is given: an origin, an xpub, output descriptors with checksums.

BIP 44, 84 and 86 place an account's key at ``m/purpose'/coin'/account'``, three hardened steps below a seed.
A shared key has no seed. By convention its root is *recorded* as the key at that place: programs that want an
account key at depth 3 take it, and an address below it has the path that people know (``m/84'/0'/0'/0/7``).
The fingerprint in a descriptor's origin is that of the root itself, because there is no master key; a PSBT
made by the watching wallet carries it, which is how `Origin.below` recognises our keys.

Descriptors are text by BIP 380 (checksum), 382 (`wpkh`) and 386 (`tr`: the key committed to an empty script
tree, as BIP 341 recommends, so that nobody can hide a script in it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quorate.errors import Malformed
from quorate.groups import Point
from quorate.schemes.derivation.bip32 import HARDENED, ExtendedKey, Version, hash160
from quorate.schemes.derivation.path import checked_path, write_path

RECEIVE: Final = 0
CHANGE: Final = 1
"""The two chains below an account key (BIP 44)."""

_CHARACTERS: Final = (
    "0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ "
)
_CHECKSUM_CHARACTERS: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)
_CHECKSUM_LENGTH: Final = 8


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the root is recorded to be: ``m/purpose'/coin'/0'``."""

    purpose: int
    coin: int

    @property
    def steps(self) -> tuple[int, int, int]:
        """The three steps as BIP 32 numbers."""
        return (self.purpose + HARDENED, self.coin + HARDENED, HARDENED)

    def path(self, below: Sequence[int] = ()) -> str:
        """For people: ``m/84'/0'/0'/0/7``."""
        text = f"m/{self.purpose}'/{self.coin}'/0'"
        return f"{text}/{write_path(below)}" if below else text

    def account(self, root: Point, chain_code: bytes) -> ExtendedKey:
        """The root as the extended key at this place. Its parent is unknown, so those bytes are zero."""
        return ExtendedKey(root, chain_code, depth=3, index=HARDENED)

    def below(self, root: Point, fingerprint: bytes, steps: Sequence[int]) -> str | None:
        """The path under `root` of a key that a PSBT describes by its master's fingerprint and all steps.

        None if it is not below this origin. The caller still derives the key and compares: what a file
        says of a key is a hint.
        """
        if fingerprint != hash160(root.to_bytes())[:4] or tuple(steps[:3]) != self.steps:
            return None
        rest = tuple(steps[3:])
        return None if any(step >= HARDENED for step in rest) else write_path(checked_path(rest))


ETHEREUM: Final = Origin(44, 60)
BITCOIN_SEGWIT: Final = Origin(84, 0)
BITCOIN_TAPROOT: Final = Origin(86, 0)
TESTNET_SEGWIT: Final = Origin(84, 1)
TESTNET_TAPROOT: Final = Origin(86, 1)

_FUNCTIONS: Final = {84: "wpkh", 86: "tr"}


def descriptor(origin: Origin, root: Point, chain_code: bytes, chain: int = RECEIVE) -> str:
    """All addresses of one chain below the root: ``wpkh([f00dbabe/84h/0h/0h]xpub.../0/*)#checksum``.

    The origin's purpose says which kind of address, its coin whether this is a test network. Raises
    `Malformed` for an origin whose addresses have no descriptor.
    """
    function = _function(origin)
    version = Version.XPUB if origin.coin == 0 else Version.TPUB
    key = origin.account(root, chain_code)
    place = f"{key.fingerprint.hex()}/{origin.purpose}h/{origin.coin}h/0h"
    (chain,) = checked_path([chain])
    return with_checksum(f"{function}([{place}]{key.to_text(version)}/{chain}/*)")


def root_descriptor(origin: Origin, root: Point) -> str:
    """The one address of the root itself, which no ranged descriptor contains."""
    key = root.to_bytes()
    return with_checksum(f"{_function(origin)}({(key[1:] if origin.purpose == 86 else key).hex()})")


def with_checksum(script: str) -> str:
    """``script#checksum``. Raises `Malformed` for a character that descriptors don't have."""
    checksum = _polymod([*_symbols(script), *[0] * _CHECKSUM_LENGTH]) ^ 1
    letters = (
        _CHECKSUM_CHARACTERS[checksum >> 5 * place & 31] for place in reversed(range(_CHECKSUM_LENGTH))
    )
    return f"{script}#{''.join(letters)}"


def check_descriptor(text: str) -> str:
    """The script part of a descriptor with a checksum. Raises `Malformed` if it is missing or wrong."""
    script, hash_sign, _ = text.rpartition("#")
    if not hash_sign or with_checksum(script) != text:
        raise Malformed("descriptor: the checksum is missing or wrong")
    return script


def _function(origin: Origin) -> str:
    if origin.purpose not in _FUNCTIONS:
        raise Malformed(f"{origin.path()}: addresses there have no output descriptor")
    return _FUNCTIONS[origin.purpose]


def _symbols(script: str) -> list[int]:
    values = [_CHARACTERS.find(character) for character in script]
    if -1 in values:
        raise Malformed("descriptor: a character that descriptors don't have")
    symbols: list[int] = []
    for start in range(0, len(values), 3):
        three = values[start : start + 3]
        symbols += [value & 31 for value in three]
        groups = 0
        for value in three:
            groups = groups * 3 + (value >> 5)
        symbols.append(groups)
    return symbols


def _polymod(symbols: Sequence[int]) -> int:
    check = 1
    for symbol in symbols:
        top = check >> 35
        check = (check & 0x7FFFFFFFF) << 5 ^ symbol
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check
