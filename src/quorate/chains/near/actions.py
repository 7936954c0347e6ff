"""What a NEAR transaction does: its actions, as `nearcore`'s `Action` enumerates and encodes them.

Numbers 0 to 10 are read. Later ones (and the gas keys among permissions) are refused by number: an encoding
without lengths cannot be skipped, so nothing behind them could be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from quorate.chains.near.accounts import ED25519, SIGNATURE_LENGTHS, AccessKey, check_account
from quorate.chains.near.borsh import Reader, number, octets, option, text
from quorate.errors import LimitExceeded, Malformed, Refused

MAX_ACTIONS: Final = 100
"""Of one transaction, by the protocol (max_actions_per_receipt); each is shown to a person."""

MAX_METHOD_NAME: Final = 256
"""Bytes of a method's name, by the protocol."""

MAX_METHOD_NAMES: Final = 2_000
"""Bytes of all method names a function-call key is limited to, by the protocol."""


@dataclass(frozen=True, slots=True)
class CreateAccount:
    """Makes the receiver exist."""


@dataclass(frozen=True, slots=True)
class DeployContract:
    """Puts code on the receiver."""

    code: bytes


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Calls the receiver's code."""

    method: str
    arguments: bytes
    gas: int
    deposit: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """Sends yoctoNEAR to the receiver."""

    deposit: int


@dataclass(frozen=True, slots=True)
class Stake:
    """Locks yoctoNEAR for a validator that signs with `key`."""

    amount: int
    key: AccessKey


@dataclass(frozen=True, slots=True)
class CallPermission:
    """A key that may only call `methods` (any, if none is named) of `receiver`, spending `allowance` on gas
    (no limit, if None)."""

    allowance: int | None
    receiver: str
    methods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddKey:
    """Gives the receiver another access key: of full access, if `permission` is None."""

    key: AccessKey
    nonce: int
    permission: CallPermission | None


@dataclass(frozen=True, slots=True)
class DeleteKey:
    """Takes an access key away."""

    key: AccessKey


@dataclass(frozen=True, slots=True)
class DeleteAccount:
    """Ends the receiver; what it holds goes to the beneficiary."""

    beneficiary: str


@dataclass(frozen=True, slots=True)
class DelegateAction:
    """NEP-366: actions of `sender`, which somebody else submits and pays for."""

    sender: str
    receiver: str
    actions: tuple[Action, ...]
    nonce: int
    max_block_height: int
    key: AccessKey

    def to_bytes(self) -> bytes:
        """Its encoding, without the number that is hashed before it."""
        head = text(self.sender) + text(self.receiver) + write_actions(self.actions)
        return head + number(self.nonce, 8) + number(self.max_block_height, 8) + self.key.to_bytes()


@dataclass(frozen=True, slots=True)
class Delegate:
    """Submits somebody's delegate action, with that somebody's signature."""

    inner: DelegateAction
    curve: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class DeployGlobalContract:
    """Publishes code for accounts to use, under its hash or (`by_account`) under the publisher's name."""

    code: bytes
    by_account: bool


@dataclass(frozen=True, slots=True)
class UseGlobalContract:
    """Makes published code the receiver's: by the code's hash, or by its publisher, who may change it."""

    source: bytes | str


Action: TypeAlias = (
    CreateAccount
    | DeployContract
    | FunctionCall
    | Transfer
    | Stake
    | AddKey
    | DeleteKey
    | DeleteAccount
    | Delegate
    | DeployGlobalContract
    | UseGlobalContract
)

DELEGATE: Final = 8


def read_actions(reader: Reader, *, delegable: bool = False) -> tuple[Action, ...]:
    """A list of actions; within a delegate action none may be one itself."""
    count = reader.number(4)
    if count > MAX_ACTIONS:
        raise LimitExceeded(f"{reader.what}: {count} actions, at most {MAX_ACTIONS} are executed")
    actions = tuple(_read(reader, delegable) for _ in range(count))
    if sum(isinstance(action, Delegate) for action in actions) > 1:
        # the protocol's rule, which also bounds how much a person is shown
        raise Malformed(f"{reader.what}: submits two delegate actions; the network takes one")
    return actions


def write_actions(actions: Sequence[Action]) -> bytes:
    """Inverse of `read_actions`."""
    return number(len(actions), 4) + b"".join(_write(action) for action in actions)


def read_delegate(reader: Reader) -> DelegateAction:
    """A delegate action without a signature."""
    return DelegateAction(
        account(reader),
        account(reader),
        read_actions(reader, delegable=True),
        reader.number(8),
        reader.number(8),
        AccessKey.read(reader),
    )


def account(reader: Reader) -> str:
    """An account's name."""
    return check_account(reader.text(), reader.what)


def _read(reader: Reader, delegable: bool) -> Action:
    kind = reader.number(1)
    if kind >= len(_READERS):
        raise Refused(
            f"{reader.what}: has an action of kind {kind}, which is not read here", code="unsupported-action"
        )
    if delegable and kind == DELEGATE:
        raise Malformed(f"{reader.what}: a delegate action within another")
    return _READERS[kind](reader)


def _write(action: Action) -> bytes:
    kind = _KINDS.index(type(action))
    return bytes([kind]) + _fields(action)


def _fields(action: Action) -> bytes:
    match action:
        case CreateAccount():
            return b""
        case DeployContract(code):
            return octets(code)
        case FunctionCall(method, arguments, gas, deposit):
            return text(method) + octets(arguments) + number(gas, 8) + number(deposit, 16)
        case Transfer(deposit):
            return number(deposit, 16)
        case Stake(amount, key):
            return number(amount, 16) + key.to_bytes()
        case AddKey(key, nonce, permission):
            return key.to_bytes() + number(nonce, 8) + _permission(permission)
        case DeleteKey(key):
            return key.to_bytes()
        case DeleteAccount(beneficiary):
            return text(beneficiary)
        case Delegate(inner, curve, signature):
            return inner.to_bytes() + bytes([curve]) + signature
        case DeployGlobalContract(code, by_account):
            return octets(code) + bytes([by_account])
        case UseGlobalContract(source):
            return b"\1" + text(source) if isinstance(source, str) else b"\0" + source


def _permission(permission: CallPermission | None) -> bytes:
    if permission is None:
        return b"\1"
    allowance = None if permission.allowance is None else number(permission.allowance, 16)
    methods = b"".join(text(method) for method in permission.methods)
    return (
        b"\0" + option(allowance) + text(permission.receiver) + number(len(permission.methods), 4) + methods
    )


def _read_call(reader: Reader) -> Action:
    method = reader.text()
    if not method or len(method.encode()) > MAX_METHOD_NAME:
        raise LimitExceeded(f"{reader.what}: a method's name has 1 to {MAX_METHOD_NAME} bytes")
    return FunctionCall(method, reader.octets(), reader.number(8), reader.number(16))


def _read_add_key(reader: Reader) -> Action:
    key, nonce, kind = AccessKey.read(reader), reader.number(8), reader.number(1)
    if kind > 1:
        raise Refused(
            f"{reader.what}: adds a key with a permission of kind {kind}, which is not read here",
            code="unsupported-action",
        )
    if kind == 1:
        return AddKey(key, nonce, None)
    allowance = reader.number(16) if reader.flag() else None
    # any text: the protocol does not ask that this be an account's name
    receiver, count, size = reader.text(), reader.number(4), 0
    methods: list[str] = []
    for _ in range(count):
        methods.append(reader.text())
        size += len(methods[-1].encode()) + 1  # summed up anew for each, empty names would take a second
        if size > MAX_METHOD_NAMES:
            raise LimitExceeded(f"{reader.what}: more than {MAX_METHOD_NAMES} bytes of method names")
    return AddKey(key, nonce, CallPermission(allowance, receiver, tuple(methods)))


def _read_signed_delegate(reader: Reader) -> Action:
    inner, curve = read_delegate(reader), reader.number(1)
    if curve not in SIGNATURE_LENGTHS:
        raise Malformed(f"{reader.what}: there is no signature of type {curve}")
    signature = reader.take(SIGNATURE_LENGTHS[curve])
    if curve == ED25519 and signature[63] & 0xE0:
        # nearcore's own check when it reads one: s is below 2^253
        raise Malformed(f"{reader.what}: a signature that no key can have made")
    return Delegate(inner, curve, signature)


def _read_global(reader: Reader) -> Action:
    return DeployGlobalContract(reader.octets(), reader.flag())


def _read_use_global(reader: Reader) -> Action:
    return UseGlobalContract(account(reader) if reader.flag() else reader.take(32))


_READERS: Final[tuple[Callable[[Reader], Action], ...]] = (
    lambda reader: CreateAccount(),
    lambda reader: DeployContract(reader.octets()),
    _read_call,
    lambda reader: Transfer(reader.number(16)),
    lambda reader: Stake(reader.number(16), AccessKey.read(reader)),
    _read_add_key,
    lambda reader: DeleteKey(AccessKey.read(reader)),
    lambda reader: DeleteAccount(account(reader)),
    _read_signed_delegate,
    _read_global,
    _read_use_global,
)

_KINDS: Final[tuple[type, ...]] = (
    CreateAccount,
    DeployContract,
    FunctionCall,
    Transfer,
    Stake,
    AddKey,
    DeleteKey,
    DeleteAccount,
    Delegate,
    DeployGlobalContract,
    UseGlobalContract,
)
