"""The instructions that are understood: of the system, token, token account, budget and memo programs.

A row of the table says how an instruction's data begins, which fields follow, and which accounts it takes. An
instruction is known only if its data has exactly these fields and its accounts are exactly these (the token
programs may add the signers of a multisignature). Everything else is unknown, and shown raw: the programs
ignore what stands behind the fields, but a reader who does so too shows less than is signed.

Sources: the programs' own instruction enumerations (agave's ``system_instruction``, ``compute_budget``;
solana-program's ``spl-token``, ``spl-associated-token-account``, ``spl-memo``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from quorate.chains.solana.message import Instruction, Message
from quorate.encoding import base58

SYSTEM: Final = "11111111111111111111111111111111"
TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
TOKEN_ACCOUNT: Final = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
COMPUTE_BUDGET: Final = "ComputeBudget111111111111111111111111111111"
MEMO: Final = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
MEMO_1: Final = "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"

NAMES: Final = {
    SYSTEM: "system",
    TOKEN: "token",
    TOKEN_2022: "token-2022",
    TOKEN_ACCOUNT: "token-account",
    COMPUTE_BUDGET: "compute-budget",
    MEMO: "memo",
    MEMO_1: "memo",
}

SIGNATURE_CHECKS: Final = frozenset(
    {
        "Ed25519SigVerify111111111111111111111111111",
        "KeccakSecp256k11111111111111111111111111111",
        "Secp256r1SigVerify1111111111111111111111111",
    }
)
"""Programs whose data begins with a number of signatures, which the fee counts like the transaction's."""

Value: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Call:
    """A known instruction: ``system.transfer``, its fields, and its accounts by the role they play."""

    program: str
    name: str
    fields: Mapping[str, Value]
    accounts: Mapping[str, str]
    cosigners: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How a policy names it."""
        return f"{self.program}.{self.name}"


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    fields: tuple[tuple[str, str], ...]
    accounts: tuple[str, ...]


def _row(name: str, fields: str, accounts: str) -> _Row:
    pairs = (field.split(":") for field in fields.split())
    return _Row(name, tuple((field, kind) for field, kind in pairs), tuple(accounts.split()))


_SYSTEM: Final = {
    0: _row("createAccount", "lamports:u64 space:u64 owner:key", "from new"),
    1: _row("assign", "owner:key", "account"),
    2: _row("transfer", "lamports:u64", "from to"),
    3: _row(
        "createAccountWithSeed",
        "base:key seed:text lamports:u64 space:u64 owner:key",
        "from new base_signer?",
    ),
    4: _row("advanceNonce", "", "nonce recent_blockhashes authority"),
    5: _row("withdrawNonce", "lamports:u64", "nonce to recent_blockhashes rent authority"),
    6: _row("initializeNonce", "authority:key", "nonce recent_blockhashes rent"),
    7: _row("authorizeNonce", "new_authority:key", "nonce authority"),
    8: _row("allocate", "space:u64", "account"),
}

_TOKEN: Final = {
    3: _row("transfer", "amount:u64", "source to authority"),
    4: _row("approve", "amount:u64", "source delegate authority"),
    5: _row("revoke", "", "source authority"),
    6: _row("setAuthority", "role:u8 new_authority:key?", "account authority"),
    7: _row("mintTo", "amount:u64", "mint to authority"),
    8: _row("burn", "amount:u64", "source mint authority"),
    9: _row("closeAccount", "", "account to authority"),
    12: _row("transferChecked", "amount:u64 decimals:u8", "source mint to authority"),
    13: _row("approveChecked", "amount:u64 decimals:u8", "source mint delegate authority"),
    17: _row("syncNative", "", "account"),
}

_COMPUTE_BUDGET: Final = {
    1: _row("requestHeapFrame", "bytes:u32", ""),
    2: _row("setComputeUnitLimit", "units:u32", ""),
    3: _row("setComputeUnitPrice", "micro_lamports:u64", ""),
    4: _row("setLoadedAccountsDataSizeLimit", "bytes:u32", ""),
}

_CREATE: Final = "payer account wallet mint system_program token_program rent?"
_TOKEN_ACCOUNT: Final = {0: _row("create", "", _CREATE), 1: _row("createIdempotent", "", _CREATE)}

_TABLES: Final = {
    SYSTEM: (4, _SYSTEM),
    TOKEN: (1, _TOKEN),
    TOKEN_2022: (1, _TOKEN),
    COMPUTE_BUDGET: (1, _COMPUTE_BUDGET),
    TOKEN_ACCOUNT: (1, _TOKEN_ACCOUNT),
}


def decode_call(message: Message, instruction: Instruction) -> Call | None:
    """The known instruction these bytes are, or None."""
    names = message.names()
    program = names[instruction.program]
    accounts = [names[index] for index in instruction.accounts]
    data = instruction.data
    if program in (MEMO, MEMO_1):
        return _memo(data, tuple(accounts))
    if program not in _TABLES:
        return None
    width, table = _TABLES[program]
    if program == TOKEN_ACCOUNT and not data:
        data = b"\0"  # the program's first version had no data at all
    row = table.get(int.from_bytes(data[:width], "little")) if len(data) >= width else None
    if row is None:
        return None
    fields = _fields(data[width:], row.fields)
    cosigners = tuple(accounts[len(row.accounts) :])
    many = program in (TOKEN, TOKEN_2022) and row.name != "syncNative"
    needed = sum(not role.endswith("?") for role in row.accounts)
    if fields is None or len(accounts) < needed or (cosigners and not many):
        return None
    roles = zip(row.accounts, accounts, strict=False)
    return Call(NAMES[program], row.name, fields, {role.rstrip("?"): name for role, name in roles}, cosigners)


def _memo(data: bytes, signers: tuple[str, ...]) -> Call | None:
    try:
        return Call("memo", "memo", {"text": data.decode()}, {}, signers)
    except UnicodeDecodeError:
        return None


def _fields(data: bytes, layout: tuple[tuple[str, str], ...]) -> Mapping[str, Value] | None:
    """The values of exactly these fields, or None."""
    values: dict[str, Value] = {}
    for name, kind in layout:
        size = _size(kind, data)
        if size is None or len(data) < size:
            return None
        values[name], data = _value(kind, data[:size]), data[size:]
    return None if data else values


def _size(kind: str, data: bytes) -> int | None:
    if kind == "text":
        return 8 + int.from_bytes(data[:8], "little")
    if kind == "key?":
        return {b"\0": 1, b"\1": 33}.get(data[:1])
    return {"u8": 1, "u32": 4, "u64": 8, "key": 32}[kind]


def _value(kind: str, data: bytes) -> Value:
    if kind == "text":
        return data[8:].hex()
    if kind == "key":
        return base58.encode(data)
    if kind == "key?":
        return base58.encode(data[1:]) if data[0] else ""
    return int.from_bytes(data, "little")
