"""Transactions of an account, and the hashes that are signed.

Version 3 (docs.starknet.io, "Transactions", "Transaction hash calculation"):
``poseidon(prefix, 3, address, poseidon(tip, bounds...), poseidon(), chain, nonce, modes, ...)``, then for
``invoke`` ``poseidon()`` for the account's deployment data and ``poseidon(calldata)``, for ``deploy_account``
``poseidon(constructor), class hash, salt``. Paymaster data and deployment data are empty and both
data-availability modes are 0: the protocol admits nothing else, so the body has no fields for them. Bounds
are three since version 0.13.4; a request whose `l1_data_gas` is absent is of the older form with two.

Version 1 is Pedersen over ``("invoke", 1, address, 0, chain(calldata), max fee, chain, nonce)``.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from quorate.chains.starknet.account import Deployment
from quorate.chains.starknet.felts import Felt, number, numbers, short_string, written
from quorate.chains.starknet.hashes import pedersen_chain, poseidon
from quorate.encoding import Canonical

MAX_CALLDATA: Final = 3_000
"""Felts of an invocation's calldata, which fill most of a payload. Starknet itself allows 5,000."""

MAX_OLD_CALLDATA: Final = 512
"""The same of version 1, whose hash takes a third of a millisecond of every signer's time for each felt. The
calls that anybody reads take a few dozen."""

MAX_WORD: Final = (1 << 63) - 1
"""Nonces, tips and amounts of gas; the protocol has 64 bits for the latter two."""

PRICE_BYTES: Final = 16

_INVOKE: Final = short_string("invoke")
_DEPLOY_ACCOUNT: Final = short_string("deploy_account")
_L1_GAS: Final = short_string("L1_GAS")
_L2_GAS: Final = short_string("L2_GAS")
_L1_DATA: Final = short_string("L1_DATA")

Word: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_WORD)]
Price: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=PRICE_BYTES, max_length=PRICE_BYTES)]
Calldata: TypeAlias = Annotated[tuple[Felt, ...], msgspec.Meta(max_length=MAX_CALLDATA)]
OldCalldata: TypeAlias = Annotated[tuple[Felt, ...], msgspec.Meta(max_length=MAX_OLD_CALLDATA)]


class Bound(Canonical):
    """The most of one resource, and the most for a unit of it (in FRI, 16 bytes big-endian)."""

    max_amount: Word
    max_price: Price

    @property
    def price(self) -> int:
        """The price as an integer."""
        return int.from_bytes(self.max_price, "big")

    def felt(self, resource: int) -> int:
        """Name, amount and price in one felt, as the hash takes them."""
        return resource << 192 | self.max_amount << 128 | self.price

    def as_rpc(self) -> dict[str, str]:
        """As JSON-RPC has it."""
        return {"max_amount": written(self.max_amount), "max_price_per_unit": written(self.price)}


class Bounds(Canonical):
    """Limits of the three resources that are paid for; `l1_data_gas` is None in the older form."""

    l1_gas: Bound
    l2_gas: Bound
    l1_data_gas: Bound | None

    def felts(self) -> list[int]:
        """In the order of the hash."""
        data = [] if self.l1_data_gas is None else [self.l1_data_gas.felt(_L1_DATA)]
        return [self.l1_gas.felt(_L1_GAS), self.l2_gas.felt(_L2_GAS), *data]

    def as_rpc(self) -> dict[str, dict[str, str]]:
        """As JSON-RPC has it."""
        fields = {"l1_gas": self.l1_gas.as_rpc(), "l2_gas": self.l2_gas.as_rpc()}
        return fields if self.l1_data_gas is None else {**fields, "l1_data_gas": self.l1_data_gas.as_rpc()}


class Invoke(Canonical):
    """The body of ``invoke``: call contracts from an account that exists, version 3."""

    deployment: Deployment
    nonce: Word
    bounds: Bounds
    tip: Word
    calldata: Calldata

    def hash(self, chain: int) -> int:
        """The transaction's hash, which is signed."""
        calldata = numbers(self.calldata, "invoke calldata")
        return invoke_hash(self.deployment.address(), chain, self.nonce, self.tip, self.bounds, calldata)

    @property
    def max_fee(self) -> int:
        """The most it can cost, in FRI."""
        return _max_fee(self.bounds, self.tip)

    def as_rpc(self) -> dict[str, object]:
        """The transaction as ``starknet_addInvokeTransaction`` takes it, without its signature."""
        return {
            "type": "INVOKE",
            "version": "0x3",
            "sender_address": written(self.deployment.address()),
            "calldata": [written(value) for value in numbers(self.calldata, "invoke calldata")],
            "account_deployment_data": [],
            **_common_rpc(self.nonce, self.tip, self.bounds),
        }


class InvokeV1(Canonical):
    """The body of ``invoke-v1``: the same for chains that still take version 1; the fee is in WEI."""

    deployment: Deployment
    nonce: Word
    max_fee: Word
    calldata: OldCalldata

    def hash(self, chain: int) -> int:
        """The transaction's hash, which is signed."""
        calldata = numbers(self.calldata, "invoke calldata")
        return invoke_v1_hash(self.deployment.address(), chain, self.nonce, self.max_fee, calldata)

    def as_rpc(self) -> dict[str, object]:
        """The transaction as ``starknet_addInvokeTransaction`` takes it, without its signature."""
        return {
            "type": "INVOKE",
            "version": "0x1",
            "sender_address": written(self.deployment.address()),
            "calldata": [written(value) for value in numbers(self.calldata, "invoke calldata")],
            "max_fee": written(self.max_fee),
            "nonce": written(self.nonce),
        }


class DeployAccount(Canonical):
    """The body of ``deploy-account``: make the account, which pays for it; version 3, nonce 0."""

    deployment: Deployment
    bounds: Bounds
    tip: Word

    def hash(self, chain: int) -> int:
        """The transaction's hash, which is signed."""
        return deploy_account_hash(self.deployment, chain, self.tip, self.bounds)

    @property
    def max_fee(self) -> int:
        """The most it can cost, in FRI."""
        return _max_fee(self.bounds, self.tip)

    def as_rpc(self) -> dict[str, object]:
        """The transaction as ``starknet_addDeployAccountTransaction`` takes it, without its signature."""
        constructor = numbers(self.deployment.constructor, "deployment constructor")
        return {
            "type": "DEPLOY_ACCOUNT",
            "version": "0x3",
            "class_hash": written(number(self.deployment.class_hash, "deployment class_hash")),
            "contract_address_salt": written(number(self.deployment.salt, "deployment salt")),
            "constructor_calldata": [written(value) for value in constructor],
            **_common_rpc(0, self.tip, self.bounds),
        }


Transaction: TypeAlias = Invoke | InvokeV1 | DeployAccount


def invoke_hash(
    address: int, chain: int, nonce: int, tip: int, bounds: Bounds, calldata: tuple[int, ...]
) -> int:
    """The hash of an invocation, version 3."""
    common = _common(_INVOKE, address, chain, nonce, tip, bounds)
    return poseidon([*common, poseidon([]), poseidon(calldata)])


def deploy_account_hash(deployment: Deployment, chain: int, tip: int, bounds: Bounds) -> int:
    """The hash of an account's deployment, version 3."""
    common = _common(_DEPLOY_ACCOUNT, deployment.address(), chain, 0, tip, bounds)
    constructor = poseidon(numbers(deployment.constructor, "deployment constructor"))
    class_hash = number(deployment.class_hash, "deployment class_hash")
    return poseidon([*common, constructor, class_hash, number(deployment.salt, "deployment salt")])


def invoke_v1_hash(
    address: int, chain: int, nonce: int, max_fee: int, calldata: tuple[int, ...], version: int = 1
) -> int:
    """The hash of an invocation, version 1 (another `version` only to check published examples)."""
    return pedersen_chain([_INVOKE, version, address, 0, pedersen_chain(calldata), max_fee, chain, nonce])


def _common(prefix: int, address: int, chain: int, nonce: int, tip: int, bounds: Bounds) -> list[int]:
    fee = poseidon([tip, *bounds.felts()])
    return [prefix, 3, address, fee, poseidon([]), chain, nonce, 0]


def _max_fee(bounds: Bounds, tip: int) -> int:
    # the tip is paid for each unit of L2 gas, on top of its price
    data = 0 if bounds.l1_data_gas is None else bounds.l1_data_gas.max_amount * bounds.l1_data_gas.price
    l2 = bounds.l2_gas.max_amount * (bounds.l2_gas.price + tip)
    return bounds.l1_gas.max_amount * bounds.l1_gas.price + l2 + data


def _common_rpc(nonce: int, tip: int, bounds: Bounds) -> dict[str, object]:
    return {
        "nonce": written(nonce),
        "tip": written(tip),
        "resource_bounds": bounds.as_rpc(),
        "paymaster_data": [],
        "nonce_data_availability_mode": "L1",
        "fee_data_availability_mode": "L1",
    }
