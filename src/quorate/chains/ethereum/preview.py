"""What a person reads, and what a policy judges, of each kind of request.

One function for each kind fills a `Sheet`: lines in reading order, risks, and flat fields. The rule of the
wording: state what the signed bytes say, never what they are probably for; amounts are exact; a token's
amounts are in its smallest units, because only the contract knows its decimals; what is not understood is
called unknown.
"""

from __future__ import annotations

from typing import Any, Final

from quorate.chains.chain import Level, Risk
from quorate.chains.ethereum.address import checksummed, keccak
from quorate.chains.ethereum.calls import PRACTICALLY_UNLIMITED, Call, decode_call
from quorate.chains.ethereum.signature import recover
from quorate.chains.ethereum.transaction import NAMES, Authorization, SignedAuthorization, Transaction
from quorate.chains.sheet import Sheet
from quorate.chains.text import decimal


def show_transaction(sheet: Sheet, transaction: Transaction) -> None:
    """Fields: type, chain_id, nonce, to, value, gas, max_fee_total, creates_contract, data_length, selector,
    delegates, and those of `_show_call`."""
    chain = sheet.chain
    to = checksummed(transaction.to) if transaction.to else ""
    sheet.fields |= {
        "type": transaction.kind,
        "chain_id": transaction.chain_id,
        "nonce": transaction.nonce,
        "to": to,
        "value": transaction.value,
        "gas": transaction.gas,
        "max_fee_total": transaction.max_fee_total,
        "creates_contract": transaction.to is None,
        "data_length": len(transaction.data),
        "selector": "",
        "delegates": tuple(checksummed(entry.authorization.address) for entry in transaction.authorizations),
    }
    if transaction.to is None:
        _show_creation(sheet, transaction)
    else:
        sheet.title = f"Send {chain.amount(transaction.value)} on {chain.name}"
        sheet.add("To", to)
    sheet.add("Amount", chain.amount(transaction.value))
    if transaction.to is not None and transaction.data:
        _show_call(sheet, transaction)
    for entry in transaction.authorizations:
        _show_delegation_entry(sheet, entry)
    _show_fee(sheet, transaction)
    if transaction.access_list:
        keys = sum(len(entry) for _, entry in transaction.access_list)
        sheet.add("Access list", f"{len(transaction.access_list)} addresses, {keys} storage keys")
    sheet.add("Nonce", f"{transaction.nonce}, {NAMES[transaction.kind]}")


def show_authorization(sheet: Sheet, authorization: Authorization) -> None:
    """Fields: chain_id, nonce, delegate."""
    delegate = checksummed(authorization.address)
    sheet.fields |= {"chain_id": authorization.chain_id, "nonce": authorization.nonce, "delegate": delegate}
    if authorization.address == bytes(20):
        sheet.title = "Take code away from this account"
        sheet.add("Effect", "the account's code is removed", Level.CAUTION, Risk.DELEGATION)
    else:
        sheet.title = "VERY DANGEROUS: hand this account to code"
        sheet.add(
            "Effect",
            f"this account's code becomes {delegate}; that code can move everything the account owns, "
            "now and later, until another authorization replaces it",
            Level.DANGER,
            Risk.DELEGATION,
        )
    sheet.add("Nonce", str(authorization.nonce))


def show_blind(sheet: Sheet, digest: bytes) -> None:
    """Fields: digest."""
    sheet.title = "Sign a bare digest without knowing what it means"
    sheet.unbound()
    sheet.fields["digest"] = "0x" + digest.hex()
    sheet.add(
        "Digest",
        f"0x{digest.hex()}; it may be any transaction, permit or delegation of this account on any chain",
        Level.DANGER,
        Risk.BLIND,
    )
    sheet.risks.add(Risk.ANY_CHAIN)


def _show_creation(sheet: Sheet, transaction: Transaction) -> None:
    size, digest = len(transaction.data), keccak(transaction.data).hex()
    sheet.title = f"Deploy a contract on {sheet.chain.name}"
    sheet.add(
        "Deploys",
        f"a new contract from {size} bytes of code (Keccak hash 0x{digest})",
        Level.CAUTION,
        Risk.CONTRACT_CREATION,
    )


def _show_fee(sheet: Sheet, transaction: Transaction) -> None:
    price = decimal(transaction.max_fee or transaction.gas_price, 9)
    total = transaction.max_fee_total
    text = f"{sheet.chain.amount(total)} ({transaction.gas} gas at up to {price} gwei)"
    if 0 < transaction.value < total:
        sheet.add("Fee at most", f"{text}: more than the amount sent", Level.CAUTION, Risk.HIGH_FEE)
    else:
        sheet.add("Fee at most", text)
    sheet.add("Total at most", sheet.chain.amount(total + transaction.value))


def _show_delegation_entry(sheet: Sheet, entry: SignedAuthorization) -> None:
    inner = entry.authorization
    authority = recover(entry.parts, keccak(inner.preimage()))
    who = checksummed(authority) if authority else "an account that cannot be told (the signature is invalid)"
    reach = " on every chain" if inner.chain_id == 0 else ""
    effect = f"the code of {who}{reach} becomes {checksummed(inner.address)} (at nonce {inner.nonce})"
    sheet.title = f"VERY DANGEROUS: delegate to code on {sheet.chain.name}"
    sheet.add("Delegation", effect, Level.DANGER, Risk.DELEGATION)
    if inner.chain_id == 0:
        sheet.risks.add(Risk.ANY_CHAIN)


def _show_call(sheet: Sheet, transaction: Transaction) -> None:
    """Fields: selector, call, and those of a known call: token, recipient, spender, owner, amount."""
    data = transaction.data
    sheet.title = f"Call a contract on {sheet.chain.name}"
    sheet.fields["selector"] = "0x" + data[:4].hex()
    call = decode_call(data)
    if call is None:
        rest = f"selector 0x{data[:4].hex()}, {len(data)} bytes in all, Keccak hash 0x{keccak(data).hex()}"
        sheet.add("Unknown call", f"{rest}; what it does is not known here", Level.CAUTION, Risk.UNKNOWN_CALL)
        return
    token = sheet.fields["to"]
    arguments = call.arguments
    sheet.fields |= {"call": call.signature, "token": token}
    sheet.fields |= {
        name: arguments[name]
        for name in ("recipient", "spender", "owner", "amount", "token_id", "approved", "deadline")
        if name in arguments
    }
    sheet.add("Asks contract", f"{token} to {call.name}; only its code decides what happens")
    _CALLS[call.name](sheet, call)


def _show_transfer(sheet: Sheet, call: Call) -> None:
    sheet.title = f"Transfer tokens on {sheet.chain.name}"
    if "owner" in call.arguments:
        sheet.add("Tokens of", call.arguments["owner"])
    sheet.add("Tokens to", call.arguments["recipient"])
    if "token_id" in call.arguments:
        sheet.add("Token id", str(call.arguments["token_id"]))
    elif "owner" in call.arguments:
        sheet.add("Token amount", f"{call.arguments['amount']} smallest units, or the token of that number")
    else:
        sheet.add("Token amount", f"{call.arguments['amount']} smallest units")


def _show_approval(sheet: Sheet, call: Call) -> None:
    amount = call.arguments["amount"]
    if amount == 0 and call.name == "approve":
        sheet.title = f"Withdraw a token approval on {sheet.chain.name}"
        sheet.add("Spender", f"{call.arguments['spender']} may spend nothing any more")
        return
    sheet.title = f"Let another account spend tokens on {sheet.chain.name}"
    show_spender(sheet, call.arguments["spender"], amount)
    if call.name == "approve":
        sheet.add("Or", "take the one token of that number, if the contract is a collection (ERC-721)")


def _show_permit(sheet: Sheet, call: Call) -> None:
    sheet.title = f"Submit a token permit on {sheet.chain.name}"
    sheet.add("Tokens of", call.arguments["owner"])
    show_spender(sheet, call.arguments["spender"], call.arguments["amount"])
    sheet.add("Until", f"{call.arguments['deadline']} (Unix time)")


def _show_all(sheet: Sheet, call: Call) -> None:
    if not call.arguments["approved"]:
        sheet.title = f"Withdraw a token approval on {sheet.chain.name}"
        sheet.add("Spender", f"{call.arguments['spender']} may no longer take tokens of this collection")
        return
    sheet.title = f"Let another account take ALL tokens of a collection on {sheet.chain.name}"
    sheet.add(
        "Spender",
        f"{call.arguments['spender']} may take every token of this collection, now and later",
        Level.DANGER,
        Risk.UNLIMITED_APPROVAL,
    )
    sheet.risks.add(Risk.TOKEN_APPROVAL)


def show_spender(sheet: Sheet, spender: str, amount: int) -> None:
    """The line that says who may spend how much afterwards."""
    sheet.risks.add(Risk.TOKEN_APPROVAL)
    if amount >= PRACTICALLY_UNLIMITED:
        text = f"{spender} may spend these tokens WITHOUT LIMIT, now and later ({amount} smallest units)"
        sheet.add("Spender", text, Level.DANGER, Risk.UNLIMITED_APPROVAL)
    else:
        sheet.add("Spender", f"{spender} may spend up to {amount} smallest units", Level.CAUTION)


_CALLS: Final[dict[str, Any]] = {
    "transfer": _show_transfer,
    "transferFrom": _show_transfer,
    "safeTransferFrom": _show_transfer,
    "approve": _show_approval,
    "increaseAllowance": _show_approval,
    "permit": _show_permit,
    "setApprovalForAll": _show_all,
}
