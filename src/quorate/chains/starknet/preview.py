"""What a person reads, and what a policy judges, of Starknet's transactions."""

from __future__ import annotations

from typing import Final

from quorate.chains.chain import Level, Risk
from quorate.chains.sheet import Sheet
from quorate.chains.starknet.account import Deployment
from quorate.chains.starknet.calls import Call, read
from quorate.chains.starknet.felts import address, numbers, written
from quorate.chains.starknet.hashes import poseidon
from quorate.chains.starknet.transaction import DeployAccount, Invoke, InvokeV1
from quorate.chains.starknet.typed_data import TypedData
from quorate.chains.text import MAX_TEXT, decimal, plain

STRK: Final = 0x04718F5A0FC34CC1AF16A1CDEE98FFB20C31F5CD61D6AB07201858F4287C938D
"""The token that fees are paid in, on both networks (docs.starknet.io, "Important addresses")."""

UNLIMITED: Final = (1 << 96) - 1
"""Tokens that count in 96 bits use this as "all"; 10^10 whole tokens of 18 decimals are far above it."""

QUIET_FEE: Final = 100 * 10**18
"""In FRI. A bound above 100 STRK is a mistake or worse, whatever is sent."""

MAX_DATA: Final = 8
"""Felts of an unknown call's data that are shown."""


def show_invoke(sheet: Sheet, transaction: Invoke | InvokeV1, sender: int) -> None:
    """Fields: version, nonce, class, calls, contracts, recipients, spenders, amount, max_fee, fee_token, tip,
    calldata_length."""
    new = isinstance(transaction, Invoke)
    data = numbers(transaction.calldata, "invoke calldata")
    sheet.fields |= {
        "version": 3 if new else 1,
        "nonce": transaction.nonce,
        "class": _class_name(transaction.deployment),
        "calls": (),
        "contracts": (),
        "recipients": (),
        "spenders": (),
        "amount": 0,
        "calldata_length": len(data),
    }
    calls = read(data) if transaction.deployment.known_as is not None else None
    if calls is None:
        sheet.title = f"Run something that is not understood on {sheet.chain.name}"
        about = f"{len(data)} felts, Poseidon hash {written(poseidon(data))}"
        sheet.add(
            "Unknown calls",
            f"{about}; what this account makes of them is not known here",
            Level.CAUTION,
            Risk.UNKNOWN_CALL,
        )
        _show_data(sheet, data)
    else:
        _show_calls(sheet, calls, sender)
    if isinstance(transaction, Invoke):
        _show_fee(sheet, transaction.max_fee, transaction.tip)
    else:
        _show_old_fee(sheet, transaction.max_fee)
    sheet.add("Nonce", f"{transaction.nonce}, version {3 if new else 1}")


def show_deployment(sheet: Sheet, transaction: DeployAccount) -> None:
    """Fields: version, class, class_hash, max_fee, fee_token, tip."""
    deployment = transaction.deployment
    sheet.title = f"Deploy this account on {sheet.chain.name}"
    sheet.fields |= {
        "version": 3,
        "class": _class_name(deployment),
        "class_hash": address(int.from_bytes(deployment.class_hash, "big")),
    }
    sheet.add("Class hash", str(sheet.fields["class_hash"]))
    for value in numbers(deployment.constructor, "deployment constructor"):
        sheet.add("Constructor", written(value))
    _show_fee(sheet, transaction.max_fee, transaction.tip)


def show_typed_data(sheet: Sheet, data: TypedData) -> None:
    """Fields: primary_type, domain_name, domain_version."""
    name, version = str(data.domain["name"]), str(data.domain["version"])
    sheet.title = f"Sign typed data: {data.primary_type}"
    sheet.fields |= {"primary_type": data.primary_type, "domain_name": name, "domain_version": version}
    sheet.add("Application", f"{plain(name, 80)} version {plain(version, 40)} (its own words)")
    if data.primary_type.startswith("OutsideExecution"):  # SNIP-9
        sheet.title = "Let somebody else run calls from this account"
        sheet.add(
            "Warning",
            "whoever holds this signature can have this account run the calls below, without a transaction "
            "of yours",
            Level.DANGER,
            Risk.PERMIT,
        )
    else:
        sheet.add(
            "Note",
            "whoever holds this signature can use it; it may move tokens without a transaction of yours",
        )
    for leaf in data.leaves():
        text = str(leaf.value).lower() if isinstance(leaf.value, bool) else str(leaf.value or "empty")
        level = Level.CAUTION if len(text) > MAX_TEXT else Level.PLAIN
        sheet.add(leaf.path, f"{plain(text)} ({leaf.type})", level)


def show_class(sheet: Sheet, deployment: Deployment) -> None:
    """Which class the account has, and a warning where it is not known who else may own it."""
    kind = deployment.known_as
    if kind is not None:
        sheet.add("Account class", kind.title)
        return
    sheet.add(
        "Account class",
        f"{written(int.from_bytes(deployment.class_hash, 'big'))}, not known here: the key is among its "
        "constructor's data, others may own it too",
        Level.CAUTION,
    )


def _class_name(deployment: Deployment) -> str:
    return deployment.known_as.name if deployment.known_as is not None else ""


def _show_calls(sheet: Sheet, calls: tuple[Call, ...], sender: int) -> None:
    sheet.fields |= {
        "calls": tuple(call.name or written(call.selector) for call in calls),
        "contracts": tuple(address(call.contract) for call in calls),
        "recipients": _accounts(calls, "recipient"),
        "spenders": _accounts(calls, "spender"),
        "amount": sum(call.arguments["amount"] for call in calls if _pays(call, sender)),
    }
    for number, call in enumerate(calls, 1):
        if len(calls) != 1:
            sheet.add(f"Call {number}", call.name or "not understood")
        _show_call(sheet, call, sender)
    if len(calls) != 1:
        sheet.title = f"{len(calls)} calls in one transaction on {sheet.chain.name}"


def _pays(call: Call, sender: int) -> bool:
    """Whether STRK of this account moves; who has approved itself takes them by `transfer_from` as well."""
    return (
        call.contract == STRK
        and "recipient" in call.arguments
        and call.arguments.get("owner", sender) == sender
    )


def _accounts(calls: tuple[Call, ...], name: str) -> tuple[str, ...]:
    return tuple(address(call.arguments[name]) for call in calls if name in call.arguments)


def _show_call(sheet: Sheet, call: Call, sender: int) -> None:
    if call.contract == sender:
        sheet.title = f"Change this account on {sheet.chain.name}"
        sheet.add(
            "Asks account",
            f"itself to run selector {written(call.selector)}: it may change its owner or its code",
            Level.DANGER,
            Risk.OWNERSHIP,
        )
    if not call.name:
        sheet.title = sheet.title or f"Call a contract on {sheet.chain.name}"
        about = f"selector {written(call.selector)} of {address(call.contract)}"
        sheet.add(
            "Unknown call",
            f"{about}, {len(call.data)} felts; what it does is not known here",
            Level.CAUTION,
            Risk.UNKNOWN_CALL,
        )
        _show_data(sheet, call.data)
    elif "spender" in call.arguments:
        _show_approval(sheet, call)
    else:
        _show_transfer(sheet, call)


def _show_transfer(sheet: Sheet, call: Call) -> None:
    amount = call.arguments["amount"]
    sheet.title = sheet.title or f"Transfer tokens on {sheet.chain.name}"
    if call.contract == STRK and call.name == "transfer":
        sheet.title = f"Send {sheet.chain.amount(amount)} on {sheet.chain.name}"
        sheet.add("To", address(call.arguments["recipient"]))
        sheet.add("Amount", sheet.chain.amount(amount))
        return
    sheet.add("Asks contract", f"{address(call.contract)} to {call.name}; only its code decides what happens")
    if "owner" in call.arguments:
        sheet.add("Tokens of", address(call.arguments["owner"]))
    sheet.add("Tokens to", address(call.arguments["recipient"]))
    sheet.add("Token amount", f"{amount} smallest units")


def _show_approval(sheet: Sheet, call: Call) -> None:
    amount, spender = call.arguments["amount"], address(call.arguments["spender"])
    sheet.add("Asks contract", f"{address(call.contract)} to {call.name}; only its code decides what happens")
    if amount == 0 and call.name == "approve":
        sheet.title = sheet.title or f"Withdraw a token approval on {sheet.chain.name}"
        sheet.add("Spender", f"{spender} may spend nothing any more")
        return
    sheet.title = sheet.title or f"Let another account spend tokens on {sheet.chain.name}"
    sheet.risks.add(Risk.TOKEN_APPROVAL)
    if amount >= UNLIMITED:
        text = f"{spender} may spend these tokens WITHOUT LIMIT, now and later ({amount} smallest units)"
        sheet.add("Spender", text, Level.DANGER, Risk.UNLIMITED_APPROVAL)
    else:
        sheet.add("Spender", f"{spender} may spend up to {amount} smallest units", Level.CAUTION)


def _show_data(sheet: Sheet, data: tuple[int, ...]) -> None:
    for value in data[:MAX_DATA]:
        sheet.add("Data", written(value))
    if len(data) > MAX_DATA:
        sheet.add("", f"{len(data) - MAX_DATA} more felts are signed but not shown", Level.CAUTION)


def _show_fee(sheet: Sheet, fee: int, tip: int) -> None:
    sheet.fields |= {"max_fee": fee, "fee_token": "STRK", "tip": tip}
    amount = int(str(sheet.fields.get("amount", 0)))
    if 0 < amount < fee or fee > QUIET_FEE:
        what = "more than the amount sent" if 0 < amount < fee else "far more than transactions cost"
        text = f"{decimal(fee, 18)} STRK: {what}"
        sheet.add("Fee at most", text, Level.CAUTION, Risk.HIGH_FEE)
    else:
        sheet.add("Fee at most", f"{decimal(fee, 18)} STRK")
    if tip:
        sheet.add("Tip", f"{tip} FRI for each unit of L2 gas, included above")


def _show_old_fee(sheet: Sheet, fee: int) -> None:
    sheet.fields |= {"max_fee": fee, "fee_token": "ETH", "tip": 0}
    sheet.add("Fee at most", f"{decimal(fee, 18)} ETH")
