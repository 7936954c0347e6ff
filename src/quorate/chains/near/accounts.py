"""Accounts and access keys of NEAR.

An account has a name (``alice.near``) and any number of access keys; which keys it has only the chain knows.
The one exception is the implicit account of an Ed25519 key: its name is the key in hexadecimal, and the key
has full access until somebody takes it away. A secp256k1 key has no such account (the ``0x`` accounts belong
to Ethereum wallets and a contract, not to an access key); it signs for accounts it has been added to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.near.borsh import Reader
from quorate.encoding import base58
from quorate.errors import Malformed

MIN_ACCOUNT: Final = 2
MAX_ACCOUNT: Final = 64
"""Characters of an account's name, by the protocol."""

ED25519: Final = 0
SECP256K1: Final = 1

CURVES: Final = {ED25519: "ed25519", SECP256K1: "secp256k1"}
SCHEMES: Final = {ED25519: "ed25519", SECP256K1: "ecdsa"}
SIGNATURE_LENGTHS: Final = {ED25519: 64, SECP256K1: 65}
_KEY_LENGTHS: Final = {ED25519: 32, SECP256K1: 64}

_ACCOUNT: Final = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A public key as NEAR writes it: 32 bytes, or both coordinates of a point of secp256k1.

    Keys that others add may be anything of the right length, as on the chain; `of` gives a wallet's own,
    which are points.
    """

    curve: int
    data: bytes

    @classmethod
    def of(cls, public_key: Any) -> AccessKey:
        """From a wallet's key: 32 bytes of Ed25519, 33 or 65 of secp256k1, or a point. Raises `Malformed`."""
        if isinstance(public_key, bytes):
            data = public_key
        elif isinstance(public_key, int) or not hasattr(public_key, "to_bytes"):
            raise Malformed(f"public key: expected bytes or a point, not {type(public_key).__name__}")
        else:
            data = bytes(public_key.to_bytes())
        return cls(SECP256K1, _coordinates(data)) if len(data) in (33, 65) else cls(ED25519, _subgroup(data))

    @classmethod
    def read(cls, reader: Reader) -> AccessKey:
        """From its encoding."""
        curve = reader.number(1)
        if curve not in _KEY_LENGTHS:
            raise Malformed(f"{reader.what}: there is no key of type {curve}")
        return cls(curve, reader.take(_KEY_LENGTHS[curve]))

    @classmethod
    def from_text(cls, text: object, where: str) -> AccessKey:
        """From ``ed25519:...`` or ``secp256k1:...``."""
        name, _, digits = text.partition(":") if isinstance(text, str) else ("", "", "")
        for curve, known in CURVES.items():
            if name == known:
                return cls(curve, base58.decode(digits, _KEY_LENGTHS[curve], where))
        raise Malformed(f"{where}: expected ed25519: or secp256k1: and base 58")

    @property
    def compressed(self) -> bytes:
        """The key as groups encode it: 32 bytes, or 33."""
        if self.curve == ED25519:
            return self.data
        return bytes([2 + (self.data[63] & 1)]) + self.data[:32]

    def to_bytes(self) -> bytes:
        """Its encoding."""
        return bytes([self.curve]) + self.data

    def __str__(self) -> str:
        return f"{CURVES[self.curve]}:{base58.encode(self.data)}"


def implicit_account(key: AccessKey) -> str:
    """The account an Ed25519 key has without asking anybody; empty for another key."""
    return key.data.hex() if key.curve == ED25519 else ""


def check_account(name: object, where: str) -> str:
    """The name, if it is one. Raises `Malformed` naming `where`."""
    if (
        not isinstance(name, str)
        or not MIN_ACCOUNT <= len(name) <= MAX_ACCOUNT
        or not _ACCOUNT.fullmatch(name)
    ):
        raise Malformed(
            f"{where}: an account is {MIN_ACCOUNT} to {MAX_ACCOUNT} small letters and digits, in parts that "
            "single - _ or . separate"
        )
    return name


def _subgroup(data: bytes) -> bytes:
    from nacl.bindings import crypto_core_ed25519_is_valid_point

    if len(data) != 32 or not crypto_core_ed25519_is_valid_point(data):
        raise Malformed("public key: not a point of ed25519's prime-order subgroup, nor of secp256k1")
    return data


def _coordinates(data: bytes) -> bytes:
    from btclib_secp256k1 import keys

    try:
        return bytes(keys.serialize(keys.parse(data), False))[1:]
    except (ValueError, TypeError):
        raise Malformed("public key: not a point of secp256k1 in 33 or 65 bytes") from None
