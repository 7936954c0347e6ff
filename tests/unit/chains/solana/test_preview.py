"""What a person reads of Solana's instructions: what they say, nothing that hides, and dangers as such."""

from collections.abc import Sequence
from typing import Any

import pytest
from solders.pubkey import Pubkey
from solders.token.associated import get_associated_token_address
from tests.chains.scalar_key import ScalarKey

from quorate.chains import Decoded, Level, Risk
from quorate.chains.chain import Request
from quorate.chains.solana import NETWORKS, Solana, programs
from quorate.chains.solana.fees import LAMPORTS_PER_SIGNATURE, MAX_COMPUTE_UNITS, MAX_USUAL_FEE
from quorate.chains.solana.instructions import UNLIMITED
from quorate.chains.solana.message import Instruction, Lookup, Message
from quorate.chains.solana.preview import MAX_SHOWN
from quorate.encoding import base58

SOLANA = Solana()
KEY = ScalarKey(12345)
ME = SOLANA.address(KEY.public_key)
CHAIN = NETWORKS[0].caip2
BLOCK = bytes([9]) * 32
TO, MINT, MINE, THEIRS, OTHER = (base58.encode(bytes([byte]) * 32) for byte in (21, 22, 23, 24, 25))
UNKNOWN = base58.encode(bytes([26]) * 32)

Call = tuple[str, Sequence[str], bytes]


def build(
    *calls: Call, version: str = "legacy", lookups: tuple[Lookup, ...] = (), payer: str = ME
) -> Message:
    """A message of these calls; every account but the signers is written to."""
    signers = list(dict.fromkeys([payer, ME]))
    accounts = dict.fromkeys(name for _, names, _ in calls for name in names if not name.startswith("table"))
    called = dict.fromkeys(program for program, _, _ in calls)
    others = [name for name in accounts if name not in signers and name not in called]
    keys = [*signers, *others, *called]
    places = {name: index for index, name in enumerate(keys)} | {
        f"table {index}": len(keys) + index for index in range(10)
    }
    instructions = tuple(
        Instruction(places[program], bytes(places[name] for name in names), data)
        for program, names, data in calls
    )
    decoded = tuple(base58.decode(name, 32, "key") for name in keys)
    return Message(version, len(signers), 0, len(called), decoded, BLOCK, instructions, lookups)


def show(*calls: Call, **more: Any) -> Decoded:
    payload = Request(1, CHAIN, ME, "transaction", build(*calls, **more).to_bytes()).to_payload()
    return SOLANA.decode(payload, KEY.public_key)


def number(value: int, size: int = 8) -> bytes:
    return value.to_bytes(size, "little")


def key(address: str) -> bytes:
    return base58.decode(address, 32, "key")


def send(lamports: int, to: str = TO, source: str = ME) -> Call:
    return programs.SYSTEM, (source, to), number(2, 4) + number(lamports)


def price(micro_lamports: int) -> Call:
    return programs.COMPUTE_BUDGET, (), b"\3" + number(micro_lamports)


def units(count: int) -> Call:
    return programs.COMPUTE_BUDGET, (), b"\2" + number(count, 4)


def test_a_transfer() -> None:
    decoded = show(units(200_000), price(50_000), send(1_500_000_000))
    assert decoded.preview.text() == (
        "Send 1.5 SOL on Solana\n"
        f"   Asked on     Solana ({CHAIN}); the transaction names no network but by its blockhash\n"
        f"   Account      {ME}\n"
        "   1.           compute units at most: 200000\n"
        "   2.           millionths of a lamport for a compute unit: 50000\n"
        f"   3.           send 1.5 SOL to {TO}\n"
        "   Fee at most  0.000015 SOL (1 signature, up to 200000 compute units at 0.05 lamports)\n"
        f"   Valid        for about a minute and a half after the block {base58.encode(BLOCK)}"
    )
    assert not decoded.risks
    assert dict(decoded.fields) == {
        "version": "legacy",
        "fee_payer": ME,
        "signers": (ME,),
        "blockhash": base58.encode(BLOCK),
        "nonce_account": "",
        "programs": (programs.COMPUTE_BUDGET, programs.SYSTEM),
        "calls": (
            "compute-budget.setComputeUnitLimit",
            "compute-budget.setComputeUnitPrice",
            "system.transfer",
        ),
        "unknown_calls": 0,
        "value": 1_500_000_000,
        "to": TO,
        "recipients": (TO,),
        "tokens": (),
        "spenders": (),
        "authorities": (),
        "lookup_tables": (),
        "max_fee_total": 15_000,
    }


def test_several_transfers_add_up_and_have_no_single_recipient() -> None:
    decoded = show(send(5), send(6, OTHER), send(7, TO, OTHER))
    assert decoded.preview.title == "Run 3 instructions on Solana"
    assert decoded.fields["value"] == 11
    assert decoded.fields["to"] == ""
    assert decoded.fields["recipients"] == (TO, OTHER)
    assert f"send 0.000000007 SOL of {OTHER} to {TO}" in decoded.preview.text()


def test_an_unknown_program_is_shown_raw() -> None:
    decoded = show((UNKNOWN, (ME, TO), b"\xde\xad"))
    text = decoded.preview.text()
    assert decoded.preview.title == "Call a program on Solana"
    assert (
        f"UNKNOWN call of program {UNKNOWN}; it may do whatever the signers of this transaction may" in text
    )
    assert "data 0xdead (2 bytes)" in text
    assert f"account {ME} (signs, written to)" in text
    assert f"account {TO} (written to)" in text
    assert decoded.risks == {Risk.UNKNOWN_CALL}
    assert decoded.fields["calls"] == ("unknown",)
    assert decoded.fields["unknown_calls"] == 1
    assert "without data" in show((UNKNOWN, (), b"")).preview.text()


def test_data_of_an_unknown_program_is_cut_and_counted() -> None:
    shown = show((UNKNOWN, (), bytes(MAX_SHOWN))).preview.text()
    assert f"{'00' * MAX_SHOWN} ({MAX_SHOWN} bytes)" in shown
    cut = show((UNKNOWN, (), bytes(MAX_SHOWN + 1))).preview.text()
    assert f"{'00' * MAX_SHOWN}… ({MAX_SHOWN + 1} bytes)" in cut


@pytest.mark.parametrize(
    "call",
    [
        (programs.SYSTEM, (ME, TO), number(2, 4) + number(5) + b"\0"),
        (programs.SYSTEM, (ME, TO), number(2, 4) + number(5)[:-1]),
        (programs.SYSTEM, (ME, TO, OTHER), number(2, 4) + number(5)),
        (programs.SYSTEM, (ME,), number(2, 4) + number(5)),
        (programs.SYSTEM, (ME, TO), number(99, 4)),
        (programs.SYSTEM, (ME, TO), b"\2"),
        (programs.SYSTEM, (), b""),
        (programs.TOKEN, (MINE, TO), b"\3" + number(5)),
        (programs.TOKEN, (MINE, ME), b"\6\2\2" + key(OTHER)),
        (programs.TOKEN, (MINE, ME), b"\6\2"),
        (programs.TOKEN, (MINE,), b"\x11\0"),
        (programs.TOKEN_2022, (MINE, MINT, TO, ME), b"\x1a\1" + number(5) + b"\6" + number(0)),
        (programs.COMPUTE_BUDGET, (), b"\0" + number(5)),
        (programs.COMPUTE_BUDGET, (ME,), b"\2" + number(5, 4)),
        (programs.MEMO, (), b"\xff"),
        (programs.TOKEN_ACCOUNT, (ME, MINE, ME, MINT, programs.SYSTEM, programs.TOKEN), b"\2"),
        (programs.SYSTEM, (ME, TO), number(3, 4) + key(ME) + number(1 << 60) + bytes(48)),
    ],
)
def test_what_is_not_exactly_a_known_instruction_is_unknown(call: Call) -> None:
    decoded = show(call)
    assert decoded.fields["calls"] == ("unknown",)
    assert Risk.UNKNOWN_CALL in decoded.risks
    assert decoded.fields["value"] == 0


def test_creating_an_account() -> None:
    data = number(0, 4) + number(10**9) + number(165) + key(programs.TOKEN)
    decoded = show((programs.SYSTEM, (ME, MINE), data))
    assert (
        f"create the account {MINE} of 165 bytes with 1 SOL, owned by the program {programs.TOKEN}"
        in decoded.preview.text()
    )
    assert decoded.fields["value"] == 10**9
    seeded = number(3, 4) + key(ME) + number(4) + b"seed" + number(7) + number(8) + key(programs.TOKEN)
    for accounts in ((ME, MINE), (ME, MINE, OTHER)):
        decoded = show((programs.SYSTEM, accounts, seeded))
        assert decoded.fields["calls"] == ("system.createAccountWithSeed",)
        assert decoded.fields["value"] == 7


def test_handing_the_account_to_a_program_is_a_danger() -> None:
    decoded = show((programs.SYSTEM, (ME,), number(1, 4) + key(UNKNOWN)))
    assert decoded.preview.title == "VERY DANGEROUS: hand an account to a program on Solana"
    assert f"hand the account {ME} with everything in it to the program {UNKNOWN}" in decoded.preview.text()
    assert decoded.risks == {Risk.OWNERSHIP}
    assert decoded.fields["authorities"] == (UNKNOWN,)


def test_a_durable_nonce_is_said_to_live_on() -> None:
    sysvar = base58.encode(bytes([33]) * 32)
    decoded = show((programs.SYSTEM, (MINE, sysvar, ME), number(4, 4)), send(5))
    assert decoded.preview.title == "Send 0.000000005 SOL on Solana"
    assert f"without end, until the nonce account {MINE} moves on" in decoded.preview.text()
    assert decoded.preview.level is Level.CAUTION
    assert decoded.fields["nonce_account"] == MINE
    # the network finds the nonce where our table, being stricter, sees an unknown call
    loose = show((programs.SYSTEM, (MINE, sysvar, ME), number(4, 4) + b"\0"), send(5))
    assert loose.fields["nonce_account"] == MINE
    assert loose.fields["unknown_calls"] == 1
    second = show(send(5), (programs.SYSTEM, (MINE, sysvar, ME), number(4, 4)))
    assert second.fields["nonce_account"] == ""


def test_other_nonce_instructions() -> None:
    sysvar, rent = (base58.encode(bytes([byte]) * 32) for byte in (33, 34))
    decoded = show((programs.SYSTEM, (MINE, TO, sysvar, rent, ME), number(5, 4) + number(7)))
    assert decoded.fields["recipients"] == (TO,)
    assert "Withdraw 0.000000007 SOL from a nonce account" in decoded.preview.title
    for authority, risks in ((ME, set()), (OTHER, {Risk.OWNERSHIP})):
        decoded = show((programs.SYSTEM, (MINE, ME), number(7, 4) + key(authority)))
        assert decoded.risks == risks
        assert decoded.fields["authorities"] == (authority,)
    decoded = show((programs.SYSTEM, (MINE, sysvar, rent), number(6, 4) + key(OTHER)))
    assert decoded.risks == {Risk.OWNERSHIP}


def test_making_room_is_a_caution() -> None:
    assert show((programs.SYSTEM, (ME,), number(8, 4) + number(9))).preview.level is Level.CAUTION


@pytest.mark.parametrize("program", [programs.TOKEN, programs.TOKEN_2022])
def test_token_transfers(program: str) -> None:
    decoded = show((program, (MINE, TO, ME), b"\3" + number(5_000_000)))
    assert decoded.preview.title == "Transfer tokens on Solana"
    assert f"transfer 5000000 smallest units from {MINE} to {TO}" in decoded.preview.text()
    checked = show((program, (MINE, MINT, TO, ME), b"\x0c" + number(5_000_000) + b"\6"))
    assert f"transfer 5 tokens of {MINT} from {MINE} to {TO}" in checked.preview.text()
    assert checked.fields["tokens"] == (MINT,)
    assert checked.fields["recipients"] == (TO,)
    assert checked.fields["calls"] == (f"{programs.NAMES[program]}.transferChecked",)
    assert not decoded.risks
    assert not checked.risks


def test_the_signers_of_a_multisignature_are_shown() -> None:
    decoded = show((programs.TOKEN, (MINE, TO, OTHER, ME, UNKNOWN), b"\3" + number(5)))
    assert f"with the signers {ME}, {UNKNOWN}" in decoded.preview.text()


def test_a_token_account_made_first_tells_whose_it_is() -> None:
    account = str(get_associated_token_address(Pubkey.from_string(OTHER), Pubkey.from_string(MINT)))
    accounts = (ME, account, OTHER, MINT, programs.SYSTEM, programs.TOKEN)
    transfer = (programs.TOKEN, (MINE, MINT, account, ME), b"\x0c" + number(5) + b"\0")
    for data in (b"", b"\0", b"\1"):
        decoded = show((programs.TOKEN_ACCOUNT, accounts, data), transfer)
        assert decoded.preview.title == "Transfer tokens on Solana"
        assert f"to {account} (of wallet {OTHER})" in decoded.preview.text()
    assert f"to {account} (of" not in show(transfer, (programs.TOKEN_ACCOUNT, accounts, b"\1")).preview.text()
    alone = show((programs.TOKEN_ACCOUNT, accounts, b"\1"))
    assert alone.preview.title == "Create a token account on Solana"


def test_approvals() -> None:
    decoded = show((programs.TOKEN, (MINE, OTHER, ME), b"\4" + number(UNLIMITED - 1)))
    assert decoded.preview.level is Level.CAUTION
    assert decoded.risks == {Risk.TOKEN_APPROVAL}
    assert decoded.fields["spenders"] == (OTHER,)
    decoded = show((programs.TOKEN, (MINE, MINT, OTHER, ME), b"\x0d" + number(UNLIMITED) + b"\0"))
    assert decoded.preview.title == "VERY DANGEROUS: let another account spend tokens on Solana"
    assert f"let {OTHER} spend the tokens in {MINE} WITHOUT LIMIT, now and later" in decoded.preview.text()
    assert decoded.risks == {Risk.TOKEN_APPROVAL, Risk.UNLIMITED_APPROVAL}
    assert not show((programs.TOKEN, (MINE, ME), b"\5")).risks


@pytest.mark.parametrize(
    ("role", "text"),
    [(0, "mint more"), (1, "freeze accounts"), (2, "own the token account"), (3, "close"), (9, "number 9")],
)
def test_authorities_handed_over_are_dangers(role: int, text: str) -> None:
    decoded = show((programs.TOKEN, (MINE, ME), b"\6" + bytes([role]) + b"\1" + key(OTHER)))
    assert decoded.preview.level is Level.DANGER
    assert decoded.risks == {Risk.OWNERSHIP}
    assert f"let {OTHER}" in decoded.preview.text()
    assert text in decoded.preview.text()
    assert decoded.fields["authorities"] == (OTHER,)
    nobody = show((programs.TOKEN, (MINE, ME), b"\6" + bytes([role]) + b"\0"))
    assert "let nobody" in nobody.preview.text()
    assert nobody.fields["authorities"] == ()


def test_other_token_instructions() -> None:
    assert "mint 5 smallest units" in show((programs.TOKEN, (MINT, TO, ME), b"\7" + number(5))).preview.text()
    assert (
        "destroy 5 smallest units"
        in show((programs.TOKEN, (MINE, MINT, ME), b"\x08" + number(5))).preview.text()
    )
    for to, level in ((ME, Level.PLAIN), (OTHER, Level.CAUTION)):
        decoded = show((programs.TOKEN, (MINE, to, ME), b"\x09"))
        assert decoded.preview.level is level
        assert decoded.fields["recipients"] == (to,)
    assert "count the SOL" in show((programs.TOKEN, (MINE,), b"\x11")).preview.text()


def test_a_memo_cannot_pretend_to_be_ours() -> None:
    for program in (programs.MEMO, programs.MEMO_1):
        decoded = show(send(5), (program, (ME,), "paid\n!! Account  x\u202e".encode()))
        assert "memo │ paid\\u{a}!! Account  x\\u{202e}" in decoded.preview.text()
        assert decoded.preview.title == "Send 0.000000005 SOL on Solana"


def test_accounts_of_lookup_tables_are_named_by_their_place() -> None:
    table = Lookup(bytes([50]) * 32, b"\5", b"\6")
    decoded = show(
        (programs.SYSTEM, (ME, "table 0"), number(2, 4) + number(10**6)), version="v0", lookups=(table,)
    )
    place = f"entry 5 of table {base58.encode(table.table)}"
    assert f"send 0.001 SOL to {place}" in decoded.preview.text()
    assert (
        "2 accounts (1 of them used) stand in tables on the chain, which cannot be read here"
        in decoded.preview.text()
    )
    assert decoded.risks == {Risk.UNRESOLVED}
    assert decoded.fields["recipients"] == (place,)
    assert decoded.fields["lookup_tables"] == (base58.encode(table.table),)
    unknown = show((UNKNOWN, ("table 0", "table 1"), b""), version="v0", lookups=(table,)).preview.text()
    assert f"account {place} (written to)" in unknown
    assert f"account entry 6 of table {base58.encode(table.table)}\n" in unknown


def test_a_fee_somebody_else_pays() -> None:
    decoded = show(send(5), payer=OTHER)
    assert f"Fee       0.00001 SOL (2 signatures), paid by {OTHER}" in decoded.preview.text()
    assert f"Signers   2: {OTHER}, {ME}" in decoded.preview.text()
    assert decoded.fields["max_fee_total"] == 0
    assert decoded.fields["fee_payer"] == OTHER


def test_fees_that_are_unusually_high() -> None:
    usual = (MAX_USUAL_FEE - LAMPORTS_PER_SIGNATURE) * 10**6 // MAX_COMPUTE_UNITS
    assert not show(price(usual), send(0)).risks
    decoded = show(price(usual + 1), send(0))
    assert decoded.risks == {Risk.HIGH_FEE}
    assert "up to 1400000 compute units" in decoded.preview.text()
    assert show(send(LAMPORTS_PER_SIGNATURE - 1)).risks == {Risk.HIGH_FEE}
    assert not show(send(LAMPORTS_PER_SIGNATURE)).risks


def test_a_price_is_counted_even_where_it_is_not_in_its_usual_form() -> None:
    decoded = show((programs.COMPUTE_BUDGET, (), b"\3" + number(1000) + b"more"), units(10**9), send(10**9))
    assert decoded.fields["max_fee_total"] == LAMPORTS_PER_SIGNATURE + 1400
    assert decoded.fields["unknown_calls"] == 1


def test_signatures_checked_by_programs_cost_as_much_as_the_transactions() -> None:
    program = "Ed25519SigVerify111111111111111111111111111"
    assert show((program, (), b"\3\0")).fields["max_fee_total"] == 4 * LAMPORTS_PER_SIGNATURE
    assert show((program, (), b"")).fields["max_fee_total"] == LAMPORTS_PER_SIGNATURE


def test_every_known_instruction_has_its_line() -> None:
    from quorate.chains.solana.instructions import SHOWN

    tables = {
        f"{programs.NAMES[program]}.{row.name}"
        for program, (_, table) in programs._TABLES.items()
        for row in table.values()
    }
    assert tables | {"memo.memo"} == set(SHOWN)
