"""One line for each instruction that is understood, and what all of them come to.

Token amounts are in smallest units, since the mint's decimals are not in the bytes, except where the
instruction itself carries them and the program checks them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.chains.chain import Level, Risk
from quorate.chains.sheet import Sheet
from quorate.chains.solana.programs import Call
from quorate.chains.text import decimal, plain

UNLIMITED: Final = 1 << 63
"""Approvals from here on have no limit in practice; wallets write the largest 64-bit number."""


@dataclass(slots=True)
class Story:
    """What the instructions come to, gathered while they are shown."""

    account: str
    calls: list[str] = field(default_factory=list)
    value: int = 0
    recipients: list[str] = field(default_factory=list)
    mints: list[str] = field(default_factory=list)
    spenders: list[str] = field(default_factory=list)
    authorities: list[str] = field(default_factory=list)
    wallets: dict[str, str] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    minor: list[str] = field(default_factory=list)
    nonce: str = ""

    def who(self, token_account: str) -> str:
        """A token account, with its wallet where this transaction makes sure of it."""
        wallet = self.wallets.get(token_account)
        return f"{token_account} (of wallet {wallet})" if wallet else token_account


def _system_transfer(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    amount, accounts = call.fields["lamports"], call.accounts
    _moves(story, amount, accounts["from"], accounts["to"])
    shown = sheet.chain.amount(_number(amount))
    story.titles.append(f"send {shown}")
    sheet.add(label, f"send {shown}{_of(story, accounts['from'])} to {accounts['to']}")


def _system_create(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    accounts, owner = call.accounts, str(call.fields["owner"])
    shown = sheet.chain.amount(_number(call.fields["lamports"]))
    _moves(story, call.fields["lamports"], accounts["from"], accounts["new"])
    story.titles.append("create an account")
    sheet.add(
        label,
        f"create the account {accounts['new']} of {call.fields['space']} bytes with {shown}"
        f"{_of(story, accounts['from'])}, owned by the program {owner}",
    )


def _system_assign(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    owner = str(call.fields["owner"])
    story.authorities.append(owner)
    story.titles.append("hand an account to a program")
    sheet.add(
        label,
        f"hand the account {call.accounts['account']} with everything in it to the program {owner}",
        Level.DANGER,
        Risk.OWNERSHIP,
    )


def _advance_nonce(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    sheet.add(label, f"move the nonce account {call.accounts['nonce']} on")


def _withdraw_nonce(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    shown = sheet.chain.amount(_number(call.fields["lamports"]))
    story.recipients.append(call.accounts["to"])
    story.titles.append(f"withdraw {shown} from a nonce account")
    sheet.add(
        label, f"withdraw {shown} from the nonce account {call.accounts['nonce']} to {call.accounts['to']}"
    )


def _nonce_authority(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    authority = str(call.fields.get("new_authority") or call.fields["authority"])
    own = authority == story.account
    story.authorities.append(authority)
    story.titles.append("set up a nonce account")
    sheet.add(
        label,
        f"let {authority} control the nonce account {call.accounts['nonce']} and what it holds",
        Level.PLAIN if own else Level.CAUTION,
        None if own else Risk.OWNERSHIP,
    )


def _allocate(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    story.titles.append("make room in an account")
    sheet.add(
        label, f"give the account {call.accounts['account']} {call.fields['space']} bytes", Level.CAUTION
    )


def _token_transfer(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    story.recipients.append(call.accounts["to"])
    story.titles.append("transfer tokens")
    to = story.who(call.accounts["to"])
    sheet.add(label, f"transfer {_tokens(story, call)} from {call.accounts['source']} to {to}")


def _token_approve(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    amount, delegate = _number(call.fields["amount"]), call.accounts["delegate"]
    story.spenders.append(delegate)
    story.titles.append("let another account spend tokens")
    sheet.risks.add(Risk.TOKEN_APPROVAL)
    source = call.accounts["source"]
    if amount >= UNLIMITED:
        text = f"let {delegate} spend the tokens in {source} WITHOUT LIMIT, now and later"
        sheet.add(label, f"{text} ({amount} smallest units)", Level.DANGER, Risk.UNLIMITED_APPROVAL)
    else:
        sheet.add(label, f"let {delegate} spend up to {_tokens(story, call)} in {source}", Level.CAUTION)


def _token_revoke(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    story.titles.append("withdraw a token approval")
    sheet.add(label, f"let nobody else spend the tokens in {call.accounts['source']} any more")


_ROLES: Final = {
    0: "mint more of the token",
    1: "freeze accounts of the token",
    2: "own the token account",
    3: "close the token account",
}


def _token_authority(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    role, to = _number(call.fields["role"]), str(call.fields["new_authority"])
    right = _ROLES.get(role, f"hold the authority number {role} over")
    if to:
        story.authorities.append(to)
    story.titles.append("hand over an authority")
    text = f"let {to or 'nobody'} {right} {call.accounts['account']}, instead of {call.accounts['authority']}"
    sheet.add(label, text, Level.DANGER, Risk.OWNERSHIP)


def _token_mint(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    story.recipients.append(call.accounts["to"])
    story.mints.append(call.accounts["mint"])
    story.titles.append("mint tokens")
    to = story.who(call.accounts["to"])
    sheet.add(label, f"mint {call.fields['amount']} smallest units of {call.accounts['mint']} to {to}")


def _token_burn(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    story.titles.append("burn tokens")
    sheet.add(label, f"destroy {_tokens(story, call)} in {call.accounts['source']}", Level.CAUTION)


def _token_close(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    to = call.accounts["to"]
    story.recipients.append(to)
    story.titles.append("close a token account")
    own = to == story.account
    sheet.add(
        label,
        f"close the token account {call.accounts['account']}; the SOL in it goes to {to}",
        Level.PLAIN if own else Level.CAUTION,
    )


def _token_sync(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    sheet.add(label, f"count the SOL in the token account {call.accounts['account']} as tokens")


def _token_account(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    accounts = call.accounts
    story.wallets[accounts["account"]] = accounts["wallet"]
    story.minor.append("create a token account")
    sheet.add(
        label,
        f"create the token account {accounts['account']} of wallet {accounts['wallet']} "
        f"for {accounts['mint']}, its deposit paid by {accounts['payer']}",
    )


def _memo(sheet: Sheet, story: Story, call: Call, label: str) -> None:
    sheet.add(label, f"memo │ {plain(str(call.fields['text']))}")


def _budget(text: str) -> Callable[[Sheet, Story, Call, str], None]:
    def show(sheet: Sheet, story: Story, call: Call, label: str) -> None:
        sheet.add(label, f"{text}: {next(iter(call.fields.values()))}")

    return show


def _moves(story: Story, lamports: Any, source: str, to: str) -> None:
    story.recipients.append(to)
    if source == story.account:
        story.value += _number(lamports)


def _of(story: Story, source: str) -> str:
    return "" if source == story.account else f" of {source}"


def _tokens(story: Story, call: Call) -> str:
    amount = _number(call.fields["amount"])
    mint = call.accounts.get("mint", "")
    if mint:
        story.mints.append(mint)
    if "decimals" in call.fields:
        return f"{decimal(amount, _number(call.fields['decimals']))} tokens of {mint}"
    return f"{amount} smallest units" + (f" of {mint}" if mint else "")


def _number(value: Any) -> int:
    return int(value)


_TOKENS: Final = {
    "transfer": _token_transfer,
    "transferChecked": _token_transfer,
    "approve": _token_approve,
    "approveChecked": _token_approve,
    "revoke": _token_revoke,
    "setAuthority": _token_authority,
    "mintTo": _token_mint,
    "burn": _token_burn,
    "closeAccount": _token_close,
    "syncNative": _token_sync,
}

SHOWN: Final[Mapping[str, Callable[[Sheet, Story, Call, str], None]]] = {
    "system.transfer": _system_transfer,
    "system.createAccount": _system_create,
    "system.createAccountWithSeed": _system_create,
    "system.assign": _system_assign,
    "system.advanceNonce": _advance_nonce,
    "system.withdrawNonce": _withdraw_nonce,
    "system.initializeNonce": _nonce_authority,
    "system.authorizeNonce": _nonce_authority,
    "system.allocate": _allocate,
    **{f"token.{name}": show for name, show in _TOKENS.items()},
    **{f"token-2022.{name}": show for name, show in _TOKENS.items()},
    "token-account.create": _token_account,
    "token-account.createIdempotent": _token_account,
    "memo.memo": _memo,
    "compute-budget.requestHeapFrame": _budget("heap bytes"),
    "compute-budget.setComputeUnitLimit": _budget("compute units at most"),
    "compute-budget.setComputeUnitPrice": _budget("millionths of a lamport for a compute unit"),
    "compute-budget.setLoadedAccountsDataSizeLimit": _budget("bytes of accounts at most"),
}
