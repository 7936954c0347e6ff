"""The preview of EIP-712 typed data: every signed value, and a warning where it hands out tokens.

Permits are recognised by the shapes of ERC-2612, DAI and Permit2. A shape that is not recognised is shown
all the same, value by value, with the caution that holds for any typed data: somebody else can act on it.
"""

from __future__ import annotations

from typing import Any

from quorate.chains.chain import Level, Risk
from quorate.chains.ethereum.preview import show_spender
from quorate.chains.ethereum.typed_data import TypedData
from quorate.chains.sheet import Sheet
from quorate.chains.text import MAX_TEXT, plain


def show_typed_data(sheet: Sheet, data: TypedData) -> None:
    """Fields: primary_type, domain_name, chain_id (None when the domain names none), verifying_contract.

    For permits also token, spender, amount, deadline.
    """
    contract = data.domain.get("verifyingContract", "")
    name = str(data.domain.get("name", ""))
    sheet.title = f"Sign typed data: {data.primary_type}"
    sheet.fields |= {
        "primary_type": data.primary_type,
        "domain_name": name,
        "chain_id": data.chain_id,
        "verifying_contract": contract,
    }
    version = f" version {plain(data.domain['version'], 40)}" if "version" in data.domain else ""
    sheet.add("Application", f"{plain(name, 80) or 'unnamed'}{version} (its own words)")
    sheet.add("Contract", contract or "none named")
    if data.chain_id is None:
        sheet.add("Valid on", "every chain: the data names none", Level.CAUTION, Risk.ANY_CHAIN)
    if "salt" in data.domain:
        sheet.add("Salt", data.domain["salt"])
    if data.primary_type.startswith("Permit"):
        _show_permit(sheet, data)
    else:
        sheet.add(
            "Note",
            "whoever holds this signature can use it; it may move tokens without a transaction of yours",
        )
    for leaf in data.leaves():
        cut = isinstance(leaf.value, str) and len(leaf.value) > MAX_TEXT
        level = Level.CAUTION if cut else Level.PLAIN
        sheet.add(leaf.path, f"{_shown(leaf.value)} ({leaf.type})", level)


def _show_permit(sheet: Sheet, data: TypedData) -> None:
    message = data.message
    sheet.title = "Sign a permit: somebody else can take tokens with it"
    sheet.add(
        "Warning",
        "this signature alone lets the spender take tokens; no transaction of yours follows",
        Level.DANGER,
        Risk.PERMIT,
    )
    sheet.risks.add(Risk.TOKEN_APPROVAL)
    inner = message.get("details", message.get("permitted", message))
    if not isinstance(inner, dict):
        return  # a batch: its values are all listed below
    spender = message.get("spender")
    token = inner.get("token", sheet.fields["verifying_contract"])
    amount = _number(inner.get("amount", inner.get("value")))
    if "allowed" in message and message["allowed"] is True:  # DAI: all or nothing
        amount = (1 << 256) - 1
    for name, value in (("spender", spender), ("token", token), ("amount", amount)):
        if isinstance(value, str | int):
            sheet.fields[name] = value
    deadline = _number(message.get("deadline", message.get("expiry", message.get("sigDeadline"))))
    if deadline is not None:
        sheet.fields["deadline"] = deadline
    if isinstance(token, str) and token:
        sheet.add("Token", plain(token))
    if isinstance(spender, str) and amount is not None:
        show_spender(sheet, plain(spender), amount)


def _number(value: Any) -> int | None:
    # canonical numbers are decimal text; a field of that name with another type is not a number
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else None


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return plain(value) if value else "empty"
    return "empty"
