"""What a person reads, and what a policy judges, of an extrinsic and of a message.

The fee is not in the signed bytes: the chain computes it from weight and length when it includes the
extrinsic, so the preview says that it cannot tell, and shows the tip, which is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from quorate.chains.chain import Level, Risk
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.chains.polkadot.calls import BATCHES, Call
from quorate.chains.polkadot.extrinsic import Extrinsic, mortality
from quorate.chains.polkadot.networks import Network
from quorate.chains.polkadot.ss58 import to_address
from quorate.chains.sheet import Sheet, show_message
from quorate.chains.text import plain

MAX_RAW: Final = 200
"""Bytes shown of a call or a remark that is not text."""


class Page:
    """A sheet together with the network, whose number addresses are written with."""

    __slots__ = ("network", "sheet")

    def __init__(self, sheet: Sheet, network: Network) -> None:
        self.sheet = sheet
        self.network = network

    def address(self, account: bytes) -> str:
        """An account as this chain writes it."""
        return to_address(account, self.network.prefix)

    def amount(self, units: int) -> str:
        """An exact amount of the chain's coin."""
        return self.sheet.chain.amount(units)


def show_extrinsic(page: Page, extrinsic: Extrinsic, call: Call | None) -> None:
    """Fields: scheme, calls, recipients, amount, sends_all, bonded, payees, tip, nonce, immortal,
    spec_version, transaction_version, call_hash, call_length."""
    sheet = page.sheet
    sheet.fields |= {
        "scheme": extrinsic.scheme,
        "calls": (),
        "recipients": (),
        "amount": 0,
        "sends_all": False,
        "bonded": 0,
        "payees": (),
        "tip": extrinsic.tip,
        "nonce": extrinsic.nonce,
        "immortal": extrinsic.immortal,
        "spec_version": extrinsic.spec_version,
        "transaction_version": extrinsic.transaction_version,
        "call_hash": "0x" + blake2b_256(extrinsic.call).hex(),
        "call_length": len(extrinsic.call),
    }
    if call is None:
        _show_unknown(page, extrinsic)
    else:
        _show_call(page, call)
    _show_tip(page, extrinsic.tip)
    sheet.add("Fee", "set by the chain when it includes the extrinsic; the signature does not bound it")
    _show_validity(sheet, extrinsic)
    versions = f"spec version {extrinsic.spec_version}, transaction version {extrinsic.transaction_version}"
    sheet.add("Runtime", versions)
    if extrinsic.metadata_hash:
        sheet.add("Metadata hash", "0x" + extrinsic.metadata_hash.hex())
    sheet.add("Nonce", f"{extrinsic.nonce}, {extrinsic.scheme} key")


def show_content(sheet: Sheet, scheme: str, content: bytes) -> None:
    """Fields: scheme, and those of `show_message`."""
    show_message(sheet, content)
    sheet.fields["scheme"] = scheme
    sheet.add("Form", f"signed between <Bytes> and </Bytes>, {scheme} key")


def _show_unknown(page: Page, extrinsic: Extrinsic) -> None:
    call = extrinsic.call
    page.sheet.title = f"Submit a call on {page.sheet.chain.name} that is not understood"
    about = f"pallet {call[0]}, call {call[1]}, BLAKE2b-256 hash 0x{blake2b_256(call).hex()}"
    page.sheet.add(
        "Unknown call",
        f"{about}; what it does is not known here for this runtime",
        Level.CAUTION,
        Risk.UNKNOWN_CALL,
    )
    page.sheet.add("Call data", _raw(call))


def _show_call(page: Page, call: Call) -> None:
    sheet = page.sheet
    inner = tuple(call.flat())
    sheet.fields["calls"] = tuple(each.name for each in inner)
    sent = [each for each in inner if "recipient" in each.arguments]
    sheet.fields["recipients"] = tuple(page.address(each.arguments["recipient"]) for each in sent)
    sheet.fields["amount"] = sum(each.arguments.get("amount", 0) for each in sent)
    sheet.fields["sends_all"] = any(each.name == "balances.transfer_all" for each in inner)
    bonds = ("staking.bond", "staking.bond_extra")
    sheet.fields["bonded"] = sum(each.arguments["amount"] for each in inner if each.name in bonds)
    payees = (each.arguments.get("payee") for each in inner)
    sheet.fields["payees"] = tuple(page.address(payee) for payee in payees if isinstance(payee, bytes))
    if call.name not in BATCHES:
        _SHOWN[call.name](page, call.arguments)
        return
    for number, each in enumerate(inner, 1):
        sheet.add(f"Call {number}", each.name)
        _SHOWN[each.name](page, each.arguments)
    sheet.title = f"{len(inner)} calls in one batch on {sheet.chain.name}"
    sheet.add("Batch", _BATCH[call.name])


def _show_tip(page: Page, tip: int) -> None:
    if not tip:
        return
    amount = int(str(page.sheet.fields["amount"]))
    coin = 10**page.sheet.chain.decimals
    if 0 < amount < tip or tip >= coin:
        text = f"{page.amount(tip)}: a large gift to whoever makes the block"
        page.sheet.add("Tip", text, Level.DANGER, Risk.HIGH_FEE)
    else:
        page.sheet.add("Tip", f"{page.amount(tip)} to whoever makes the block", Level.CAUTION)


def _show_validity(sheet: Sheet, extrinsic: Extrinsic) -> None:
    era = mortality(extrinsic.era)
    if era is None:
        sheet.add("Valid", "for ever, until this account uses the nonce", Level.CAUTION)
    else:
        period, phase = era
        block = f"0x{extrinsic.block_hash.hex()}"
        sheet.add("Valid", f"{period} blocks (phase {phase}) from block {block}")


def _transfer(page: Page, arguments: Mapping[str, Any]) -> None:
    amount = page.amount(arguments["amount"])
    page.sheet.title = f"Send {amount} on {page.sheet.chain.name}"
    page.sheet.add("To", page.address(arguments["recipient"]))
    page.sheet.add("Amount", amount)


def _transfer_allow_death(page: Page, arguments: Mapping[str, Any]) -> None:
    _transfer(page, arguments)
    page.sheet.add("Account", "ceases to exist if less than the chain's minimum remains in it")


def _transfer_all(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Send everything on {page.sheet.chain.name}"
    page.sheet.add("To", page.address(arguments["recipient"]))
    page.sheet.add("Amount", "all that can be transferred, whatever that is then", Level.DANGER)
    if not arguments["keep_alive"]:
        page.sheet.add(
            "Account", "ceases to exist if nothing remains in it", Level.CAUTION, Risk.ACCOUNT_DELETION
        )


def _remark(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Leave a remark on {page.sheet.chain.name}"
    try:
        text = plain(arguments["remark"].decode())
    except UnicodeDecodeError:
        text = _raw(arguments["remark"])
    page.sheet.add("Remark", f"│ {text}")


def _bond(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Bond {page.amount(arguments['amount'])} on {page.sheet.chain.name}"
    page.sheet.add("Bonded", f"{page.amount(arguments['amount'])}, locked until unbonded")
    if "payee" in arguments:
        _payee(page, arguments)


def _unbond(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Unbond {page.amount(arguments['amount'])} on {page.sheet.chain.name}"
    page.sheet.add("Unbonded", f"{page.amount(arguments['amount'])}, after the chain's waiting time")


def _rebond(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Bond again {page.amount(arguments['amount'])} on {page.sheet.chain.name}"
    page.sheet.add("Bonded again", page.amount(arguments["amount"]))


def _withdraw(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Withdraw what was unbonded on {page.sheet.chain.name}"
    page.sheet.add("Withdraws", f"what has waited long enough ({arguments['slashing_spans']} slashing spans)")


def _nominate(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Nominate {len(arguments['targets'])} validators on {page.sheet.chain.name}"
    for target in arguments["targets"]:
        page.sheet.add("Validator", page.address(target))


def _chill(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Stop nominating on {page.sheet.chain.name}"
    page.sheet.add("Effect", "this account neither nominates nor validates from the next era on")


def _set_payee(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Choose where rewards go on {page.sheet.chain.name}"
    _payee(page, arguments)


def _payee(page: Page, arguments: Mapping[str, Any]) -> None:
    payee = arguments["payee"]
    if isinstance(payee, bytes):
        page.sheet.add("Rewards to", f"{page.address(payee)}, now and later", Level.CAUTION)
    else:
        page.sheet.add("Rewards to", payee)


def _payout(page: Page, arguments: Mapping[str, Any]) -> None:
    page.sheet.title = f"Pay out rewards of era {arguments['era']} on {page.sheet.chain.name}"
    page.sheet.add("Validator", page.address(arguments["validator"]))


def _raw(data: bytes) -> str:
    return f"0x{data[:MAX_RAW].hex()}{'…' if len(data) > MAX_RAW else ''} ({len(data)} bytes)"


_BATCH: Final = {
    "utility.batch": "stops at the first call that fails; those before it stay",
    "utility.batch_all": "all or none",
    "utility.force_batch": "goes on where a call fails",
}

_SHOWN: Final[Mapping[str, Callable[[Page, Mapping[str, Any]], None]]] = {
    "system.remark": _remark,
    "system.remark_with_event": _remark,
    "balances.transfer_allow_death": _transfer_allow_death,
    "balances.transfer_keep_alive": _transfer,
    "balances.transfer_all": _transfer_all,
    "staking.bond": _bond,
    "staking.bond_extra": _bond,
    "staking.unbond": _unbond,
    "staking.withdraw_unbonded": _withdraw,
    "staking.nominate": _nominate,
    "staking.chill": _chill,
    "staking.set_payee": _set_payee,
    "staking.payout_stakers": _payout,
    "staking.rebond": _rebond,
}
