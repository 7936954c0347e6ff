"""Accounts: where they are, and which of them a key owns.

``address = pedersen("STARKNET_CONTRACT_ADDRESS", deployer, salt, class hash, pedersen(constructor data))``
modulo 2^251 - 256, the deployer being 0 for an account that pays for its own deployment (docs.starknet.io,
"Contract address"). The classes named here are those whose constructor is known; with any other class the key
must merely be among the constructor's data, and the preview says that the class is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec

from quorate.chains.starknet.felts import FELT_BYTES, Felt, number, numbers, short_string
from quorate.chains.starknet.hashes import pedersen_chain
from quorate.encoding import Canonical
from quorate.errors import Malformed
from quorate.groups import Point, group_named

MAX_CONSTRUCTOR: Final = 32
"""Felts of a constructor's data. Known accounts have one to five."""

_PREFIX: Final = short_string("STARKNET_CONTRACT_ADDRESS")
_ADDRESS_BOUND: Final = (1 << 251) - 256


class Deployment(Canonical):
    """How the account was, or is to be, made."""

    class_hash: Felt
    salt: Felt
    constructor: Annotated[tuple[Felt, ...], msgspec.Meta(min_length=1, max_length=MAX_CONSTRUCTOR)]

    def address(self) -> int:
        """Where the account is. Raises `Malformed` for what is no felt."""
        data = pedersen_chain(numbers(self.constructor, "deployment constructor"))
        fields = [
            _PREFIX,
            0,
            number(self.salt, "deployment salt"),
            number(self.class_hash, "deployment class_hash"),
            data,
        ]
        return pedersen_chain(fields) % _ADDRESS_BOUND

    @property
    def known_as(self) -> Class | None:
        """The class, if it is one of those named here."""
        return CLASSES.get(int.from_bytes(self.class_hash, "big"))

    def is_owned_by(self, key: bytes) -> bool:
        """Whether a key's x coordinate is where the class keeps its owner; anywhere, for an unknown class."""
        kind = self.known_as
        x = key[-FELT_BYTES:]
        return self.constructor == kind.constructor(x) if kind is not None else x in self.constructor


@dataclass(frozen=True, slots=True)
class Class:
    """A class of accounts: a short name, one for people, and what its constructor takes for an owner."""

    name: str
    title: str
    constructor: Callable[[bytes], tuple[bytes, ...]]


def _felt(value: int) -> bytes:
    return value.to_bytes(FELT_BYTES, "big")


def _owner_alone(x: bytes) -> tuple[bytes, ...]:
    return (x,)


def _starknet_signer_without_guardian(x: bytes) -> tuple[bytes, ...]:
    # enum Signer: 0 is a Starknet key; Option: 1 is None
    return (_felt(0), x, _felt(1))


CLASSES: Final = {
    # OpenZeppelin Contracts for Cairo 0.17.0, as the guide of starknet.js names it; its default account
    0x540D7F5EC7ECF317E68D48564934CB99259781B1EE3CEDBBC37EC5337F8E688: Class(
        "openzeppelin", "OpenZeppelin account 0.17.0", _owner_alone
    ),
    # OpenZeppelin Contracts for Cairo 0.8.1, as Starknet's development node deploys it
    0x061DAC032F228ABEF9C6626F995015233097AE253A7F72D68552DB02F2971B8F: Class(
        "openzeppelin-0.8.1", "OpenZeppelin account 0.8.1", _owner_alone
    ),
    # Argent account 0.4.0, now called Ready; without a guardian
    0x036078334509B514626504EDC9FB252328D1A240E4E948BEF8D0C08DFF45927F: Class(
        "ready", "Ready (Argent) account 0.4.0", _starknet_signer_without_guardian
    ),
}


def deployment_of(key: bytes, class_hash: int) -> Deployment:
    """The account of a key under one of `CLASSES`, with the key as salt, as wallets do it."""
    x = key[-FELT_BYTES:]
    return Deployment(_felt(class_hash), x, CLASSES[class_hash].constructor(x))


def public_key_bytes(public_key: Any) -> bytes:
    """The compressed form (33 bytes, SEC 1) of a key on the STARK curve. Raises `Malformed`."""
    if isinstance(public_key, Point):
        if public_key.group.name != "stark":
            raise Malformed(f"public key: an account here has no key on {public_key.group.name}")
        return public_key.to_bytes()
    if not isinstance(public_key, bytes):
        raise Malformed(f"public key: expected bytes or a point, not {type(public_key).__name__}")
    return group_named("stark").point_from_bytes(public_key).to_bytes()
