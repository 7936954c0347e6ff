"""What a person reads, and what a policy judges, of Solana's requests.

An instruction is shown in one line (an unknown one in as many as it needs), in the order of execution, since
all of them happen or none. An unknown program may do whatever those who sign may do, and the line says so.
"""

from __future__ import annotations

from typing import Final

from quorate.chains.chain import Level, Line, Risk
from quorate.chains.sheet import Sheet, show_message
from quorate.chains.solana import programs
from quorate.chains.solana.fees import MAX_USUAL_FEE, Fee, fee_of
from quorate.chains.solana.instructions import SHOWN, Story
from quorate.chains.solana.message import Instruction, Message
from quorate.chains.solana.offchain import OffChain, domain_text
from quorate.chains.solana.programs import decode_call
from quorate.chains.text import decimal
from quorate.encoding import base58

MAX_SHOWN: Final = 200
"""Bytes shown of an unknown instruction's data."""

_ADVANCE_NONCE: Final = (4).to_bytes(4, "little")


def show_transaction(sheet: Sheet, message: Message) -> None:
    """Fields: see docs/chains.md."""
    account = sheet.lines[1].value
    story = Story(account, nonce=_durable_nonce(message))
    sheet.lines[0] = _asked_on(sheet)
    for index, instruction in enumerate(message.instructions):
        _show_instruction(sheet, story, message, instruction, index)
    _show_tables(sheet, message)
    fee = fee_of(message)
    _show_fee(sheet, story, message, fee)
    _show_signers(sheet, message)
    _show_lifetime(sheet, story, message)
    names = message.names()
    sheet.title = _title(sheet, story)
    sheet.fields |= {
        "version": message.version,
        "fee_payer": names[0],
        "signers": names[: message.required],
        "blockhash": base58.encode(message.blockhash),
        "nonce_account": story.nonce,
        "programs": tuple(dict.fromkeys(names[entry.program] for entry in message.instructions)),
        "calls": tuple(story.calls),
        "unknown_calls": story.calls.count("unknown"),
        "value": story.value,
        "to": story.recipients[0] if len(set(story.recipients)) == 1 else "",
        "recipients": tuple(dict.fromkeys(story.recipients)),
        "tokens": tuple(dict.fromkeys(story.mints)),
        "spenders": tuple(dict.fromkeys(story.spenders)),
        "authorities": tuple(dict.fromkeys(story.authorities)),
        "lookup_tables": tuple(base58.encode(lookup.table) for lookup in message.lookups),
        "max_fee_total": fee.total if names[0] == account else 0,
    }


def show_off_chain(sheet: Sheet, message: OffChain) -> None:
    """Fields: format, domain, signers, length, text."""
    show_message(sheet, message.text.encode())
    sheet.title = "Sign an off-chain message"
    signers = tuple(base58.encode(key) for key in message.signers)
    if signers:
        sheet.add("Application", f"{domain_text(message.domain)} (as it calls itself)")
    else:
        sheet.add("Form", "the Solana CLI's, which names neither signer nor application")
    if len(signers) > 1:
        sheet.add("Signers", ", ".join(signers))
    kind = "off-chain" if signers else "off-chain-short"
    sheet.fields |= {"format": kind, "domain": domain_text(message.domain), "signers": signers}


def show_bare(sheet: Sheet, text: bytes) -> None:
    """Fields: format, domain (empty), signers, length, text."""
    show_message(sheet, text)
    sheet.title = "Sign bare text"
    sheet.add(
        "Form", "without the prefix that keeps off-chain messages apart from everything else", Level.CAUTION
    )
    sheet.fields |= {"format": "bare", "domain": "", "signers": (sheet.lines[1].value,)}


def _asked_on(sheet: Sheet) -> Line:
    chain = sheet.chain
    text = f"{chain.name} ({chain.caip2}); the transaction names no network but by its blockhash"
    return Line("Asked on", text)


def _title(sheet: Sheet, story: Story) -> str:
    on = f"on {sheet.chain.name}"
    titles = story.titles or story.minor
    title = titles[0] if len(titles) == 1 else f"run {len(story.calls)} instructions"
    if any(line.level is Level.DANGER for line in sheet.lines):
        return f"VERY DANGEROUS: {title} {on}"
    return f"{title[0].upper()}{title[1:]} {on}"


def _show_instruction(
    sheet: Sheet, story: Story, message: Message, instruction: Instruction, index: int
) -> None:
    label = f"{index + 1}."
    call = decode_call(message, instruction)
    if call is None or call.key not in SHOWN:
        _show_unknown(sheet, story, message, instruction, label)
        return
    story.calls.append(call.key)
    SHOWN[call.key](sheet, story, call, label)
    if call.cosigners:
        sheet.add("", f"with the signers {', '.join(call.cosigners)}")


def _show_unknown(sheet: Sheet, story: Story, message: Message, instruction: Instruction, label: str) -> None:
    names, data = message.names(), instruction.data
    known = programs.NAMES.get(names[instruction.program])
    program = f"{names[instruction.program]}{f' ({known})' if known else ''}"
    shown = data[:MAX_SHOWN].hex() + ("…" if len(data) > MAX_SHOWN else "")
    story.calls.append("unknown")
    story.titles.append("call a program")
    sheet.add(
        label,
        f"UNKNOWN call of program {program}; it may do whatever the signers of this transaction may",
        Level.CAUTION,
        Risk.UNKNOWN_CALL,
    )
    sheet.add("", f"data 0x{shown} ({len(data)} bytes)" if data else "without data")
    for position in instruction.accounts:
        role = _role(message, position)
        sheet.add("", f"account {names[position]}{f' ({role})' if role else ''}")


def _role(message: Message, position: int) -> str:
    named, required = len(message.keys), message.required
    if position >= named:
        written = position - named < sum(len(lookup.writable) for lookup in message.lookups)
        return "written to" if written else ""
    if position < required:
        return "signs, written to" if position < required - message.readonly_signed else "signs"
    return "written to" if position < named - message.readonly_unsigned else ""


def _durable_nonce(message: Message) -> str:
    """The nonce account that stands in for a recent block, found as loosely as the network looks for it: a
    transaction that is said to expire soon must do so."""
    first, names = message.instructions[0], message.names()
    if names[first.program] == programs.SYSTEM and first.data[:4] == _ADVANCE_NONCE and first.accounts:
        return names[first.accounts[0]]
    return ""


def _show_tables(sheet: Sheet, message: Message) -> None:
    if not message.lookups:
        return
    named, count = len(message.keys), len(message.looked_up)
    indices = {index for entry in message.instructions for index in entry.accounts}
    used = sum(index >= named for index in indices)
    sheet.add(
        "Lookup tables",
        f"{count} accounts ({used} of them used) stand in tables on the chain, which cannot be read here",
        Level.CAUTION,
        Risk.UNRESOLVED,
    )


def _show_fee(sheet: Sheet, story: Story, message: Message, fee: Fee) -> None:
    payer = message.names()[0]
    text = f"{sheet.chain.amount(fee.total)} ({fee.signatures} signature{'s' if fee.signatures > 1 else ''}"
    text += f", up to {fee.units} compute units at {decimal(fee.price, 6)} lamports)" if fee.price else ")"
    if payer != story.account:
        sheet.add("Fee", f"{text}, paid by {payer}")
    elif fee.total > MAX_USUAL_FEE or 0 < story.value < fee.total:
        sheet.add("Fee at most", f"{text}: unusually high", Level.CAUTION, Risk.HIGH_FEE)
    else:
        sheet.add("Fee at most", text)


def _show_signers(sheet: Sheet, message: Message) -> None:
    if message.required > 1:
        sheet.add("Signers", f"{message.required}: {', '.join(message.names()[: message.required])}")


def _show_lifetime(sheet: Sheet, story: Story, message: Message) -> None:
    blockhash = base58.encode(message.blockhash)
    if story.nonce:
        sheet.add(
            "Valid",
            f"without end, until the nonce account {story.nonce} moves on from {blockhash}",
            Level.CAUTION,
        )
    else:
        sheet.add("Valid", f"for about a minute and a half after the block {blockhash}")
