"""What a person reads, and what a policy judges, of a PSBT.

Every input and every output is a line. An output that is not ours stands there with its address, or as what
it is when it has none; the fee is what the inputs hold beyond the outputs, and nothing is rounded except the
fee rate. Fields: see docs/chains.md.
"""

from __future__ import annotations

from typing import Final

from quorate.chains.bitcoin.fields import OUTPUT_INTERNAL_KEY
from quorate.chains.bitcoin.networks import ENCODINGS, MAINNET, Encoding
from quorate.chains.bitcoin.psbt import LOCKTIME_THRESHOLD
from quorate.chains.bitcoin.scripts import address, pushed, returned, unprotected, unspendable
from quorate.chains.bitcoin.spending import Spending, inputs_of
from quorate.chains.bitcoin.wire import FINAL_SEQUENCE, Output
from quorate.chains.chain import Level, Risk
from quorate.chains.sheet import Sheet
from quorate.chains.text import decimal, plain

HIGH_FEE_RATE: Final = 500
"""Satoshi for a virtual byte above which the fee is called high. The dearest days on record needed about as
much for the next block; more is a slip of the pen."""

MAX_SHOWN_SCRIPT: Final = 100
"""Bytes of an unknown script or of data that are written out; longer ones are cut and say so."""


def show_spending(sheet: Sheet, spending: Spending) -> None:
    """Lines and fields of a PSBT."""
    chain, transaction = sheet.chain, spending.transaction
    encoding = ENCODINGS[chain.caip2]
    own = {entry.index for entry in spending.own}
    paid = spending.paid
    value = sum(output.value for _, output in paid)
    sheet.fields |= {
        "txid": transaction.txid,
        "psbt_version": spending.psbt.version,
        "version": transaction.version,
        "locktime": transaction.locktime,
        "replaceable": any(entry.sequence < FINAL_SEQUENCE - 1 for entry in transaction.inputs),
        "inputs": len(transaction.inputs),
        "own_inputs": len(own),
        "outputs": len(transaction.outputs),
        "destinations": tuple(_destination(output, encoding) for _, output in paid),
        "amounts": tuple(str(output.value) for _, output in paid),
        "value": value,
        "change": spending.returned,
        "spent": spending.spent - spending.returned,
        "fee": spending.psbt.fee,
        "size": spending.size,
        "data": tuple(data.hex() for _, output in paid if (data := returned(output.script)) is not None),
        "unknown_outputs": sum(1 for _, output in paid if _unknown(output, encoding)),
    }
    if paid:
        sheet.title = f"Send {chain.amount(value)} on {chain.name}"
    else:
        sheet.title = f"Move this account's own coins on {chain.name}"
    _show_network(sheet)
    _show_inputs(sheet, spending, encoding)
    _show_outputs(sheet, spending, encoding)
    _show_fee(sheet, spending, value)
    sheet.add("Account pays", f"{chain.amount(spending.spent - spending.returned)} in all, the fee included")
    _show_time(sheet, spending)


def _show_network(sheet: Sheet) -> None:
    """Nothing that is signed names the network: real coins can be shown as worthless ones."""
    if sheet.chain.caip2 != MAINNET:
        text = "a transaction names no network: if the main one has these inputs, real coins are spent"
        sheet.add("Beware", text, Level.CAUTION, Risk.ANY_CHAIN)


def _show_inputs(sheet: Sheet, spending: Spending, encoding: Encoding) -> None:
    chain = sheet.chain
    for entry, output, ours in inputs_of(spending):
        where = address(output.script, encoding) or f"script {_raw(output.script)}"
        if ours is not None:
            tree = ", which has a script tree besides" if ours.merkle_root else ""
            text = f"{chain.amount(output.value)} of this account at {where}{tree} ({entry.name})"
            sheet.add("Spends", text)
        else:
            text = f"{chain.amount(output.value)} that is not this account's, at {where} ({entry.name})"
            sheet.add("Also spends", text, Level.CAUTION)


def _show_outputs(sheet: Sheet, spending: Spending, encoding: Encoding) -> None:
    chain = sheet.chain
    for index, output in enumerate(spending.transaction.outputs):
        amount = chain.amount(output.value)
        if index in spending.change:
            sheet.add("Change", f"{amount} back to this account at {address(output.script, encoding)}")
        elif returned(output.script) is not None:
            _show_data(sheet, output)
        elif unprotected(output.script):
            text = f"{amount} to {address(output.script, encoding)}, which today anybody can spend from"
            sheet.add("To", text, Level.DANGER, Risk.UNKNOWN_CALL)
        elif unspendable(output.script):
            text = f"{amount} to {address(output.script, encoding)}, from which nobody can ever spend"
            sheet.add("To", text, Level.DANGER, Risk.UNKNOWN_CALL)
        elif _unknown(output, encoding):
            text = f"{amount} to a script without an address: {_raw(output.script)}"
            sheet.add("To script", text, Level.CAUTION, Risk.UNKNOWN_CALL)
        elif spending.psbt.outputs[index].get(OUTPUT_INTERNAL_KEY) == spending.key.x_only:
            text = (
                f"{amount} to {address(output.script, encoding)}; the PSBT says that this account's key can "
                "spend it, but others may be able to as well, so it counts as paid"
            )
            sheet.add("To", text, Level.CAUTION)
        else:
            sheet.add("To", f"{amount} to {address(output.script, encoding)}")


def _show_data(sheet: Sheet, output: Output) -> None:
    carried = returned(output.script) or b""
    data = pushed(carried)
    try:
        text = data.decode() if data is not None else None
    except UnicodeDecodeError:
        text = None
    shown = f"“{plain(text)}”" if text else _raw(carried)
    sheet.add("Data", f"{shown} ({len(carried)} bytes, published for ever)")
    if output.value:
        lost = f"{sheet.chain.amount(output.value)} sent along with the data can never be spent again"
        sheet.add("Burns", lost, Level.DANGER)


def _show_fee(sheet: Sheet, spending: Spending, value: int) -> None:
    fee, size = spending.psbt.fee, spending.size
    if size is None:
        text, rate_is_high = f"{sheet.chain.amount(fee)} (the size depends on what others sign)", False
    else:
        rate = decimal(fee * 100 // size, 2)
        rate_is_high = fee > HIGH_FEE_RATE * size
        text = f"{sheet.chain.amount(fee)} ({rate} sat/vB for {size} vB)"
    if 0 < value < fee:
        sheet.add("Fee", f"{text}: more than the amount sent", Level.CAUTION, Risk.HIGH_FEE)
    elif rate_is_high:
        text = f"{text}: more than {HIGH_FEE_RATE} sat/vB"
        sheet.add("Fee", text, Level.CAUTION, Risk.HIGH_FEE)
    else:
        sheet.add("Fee", text)


def _show_time(sheet: Sheet, spending: Spending) -> None:
    locktime = spending.transaction.locktime
    if locktime and any(entry.sequence != FINAL_SEQUENCE for entry in spending.transaction.inputs):
        when = f"block {locktime}" if locktime < LOCKTIME_THRESHOLD else f"{locktime} (Unix time)"
        sheet.add("Not before", when)
    if sheet.fields["replaceable"]:
        sheet.add(
            "Replaceable", "until it is confirmed, another transaction that you sign may take its place"
        )
    sheet.add("Transaction", spending.transaction.txid)


def _destination(output: Output, encoding: Encoding) -> str:
    return address(output.script, encoding) or f"script:{output.script.hex()}"


def _unknown(output: Output, encoding: Encoding) -> bool:
    return returned(output.script) is None and not address(output.script, encoding)


def _raw(script: bytes) -> str:
    if not script:
        return "empty"
    cut = f"… ({len(script)} bytes)" if len(script) > MAX_SHOWN_SCRIPT else ""
    return f"0x{script[:MAX_SHOWN_SCRIPT].hex()}{cut}"
