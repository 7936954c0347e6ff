"""What a person reads, and what a policy judges, of NEAR's requests.

All actions of a transaction act on one receiver, which is often the account itself: then a key, code or a
deletion concerns the wallet, and the preview says so as loudly as it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from quorate.chains.chain import Level, Risk
from quorate.chains.near import hashing
from quorate.chains.near.accounts import AccessKey, implicit_account
from quorate.chains.near.actions import (
    Action,
    AddKey,
    CallPermission,
    CreateAccount,
    Delegate,
    DelegateAction,
    DeleteAccount,
    DeleteKey,
    DeployContract,
    DeployGlobalContract,
    FunctionCall,
    Stake,
    Transfer,
    UseGlobalContract,
)
from quorate.chains.near.calls import Call, decode_call
from quorate.chains.near.transaction import Message, Transaction
from quorate.chains.sheet import Sheet, show_message
from quorate.chains.text import decimal, plain

MAX_SHOWN: Final = 200
"""Bytes shown of arguments that are no text."""


@dataclass(slots=True)
class _Story:
    """What the actions come to, gathered while they are shown."""

    account: str
    receiver: str
    key: AccessKey
    names: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    value: int = 0
    staked: int = 0
    gas: int = 0
    methods: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    spenders: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    full: int = 0
    deleted: list[str] = field(default_factory=list)

    @property
    def own(self) -> bool:
        """Whether the wallet's own account is acted on."""
        return self.account == self.receiver


def show_transaction(sheet: Sheet, transaction: Transaction) -> None:
    """Fields: see docs/chains.md."""
    _show(sheet, transaction.key, transaction.receiver, transaction.actions)
    sheet.add("Nonce", f"{transaction.nonce}, valid for about a day after its block")
    sheet.fields |= {"nonce": transaction.nonce}


def show_delegate(sheet: Sheet, action: DelegateAction) -> None:
    """Fields: those of a transaction, and max_block_height."""
    _show(sheet, action.key, action.receiver, action.actions)
    sheet.title = f"Let a relayer: {sheet.title[0].lower()}{sheet.title[1:]}"
    sheet.add(
        "Relayer",
        f"whoever gets the signature may submit this once, until block {action.max_block_height}",
        Level.CAUTION,
        Risk.PERMIT,
    )
    sheet.fields |= {"nonce": action.nonce, "max_block_height": action.max_block_height}


def show_near_message(sheet: Sheet, message: Message, key: AccessKey) -> None:
    """Fields: length, text, recipient, nonce, callback_url, implicit, key."""
    show_message(sheet, message.message.encode())
    account = sheet.lines[1].value
    sheet.title = "Sign a message (NEP-413)"
    _show_key(sheet, key, account)
    sheet.add("Recipient", f"│ {plain(message.recipient)}")
    if message.callback_url is not None:
        sheet.add("Sent to", f"│ {plain(message.callback_url)}")
    sheet.fields |= {
        "recipient": message.recipient,
        "nonce": message.nonce.hex(),
        "callback_url": message.callback_url or "",
    }


def _show(sheet: Sheet, key: AccessKey, receiver: str, actions: Sequence[Action]) -> None:
    story = _Story(sheet.lines[1].value, receiver, key)
    chain = sheet.chain
    sheet.lines[0] = type(sheet.lines[0])(
        "Asked on", f"{chain.name} ({chain.caip2}); the signature names no network but by a block"
    )
    _show_key(sheet, key, story.account)
    sheet.add("Acts on", f"{receiver}{' (this account itself)' if story.own else ''}")
    for index, action in enumerate(actions):
        _show_action(sheet, story, action, f"{index + 1}.")
    if story.gas:
        sheet.add("Gas", f"{decimal(story.gas, 12)} Tgas at most for calls; its price is the chain's to say")
    sheet.add("Total", f"{chain.amount(story.value)} and the fee, which the bytes do not bound")
    titles = story.titles
    title = titles[0] if len(titles) == 1 else f"do {len(actions)} things"
    dangerous = any(line.level is Level.DANGER for line in sheet.lines)
    start = f"VERY DANGEROUS: {title}" if dangerous else f"{title[0].upper()}{title[1:]}"
    sheet.title = f"{start} on {chain.name}"
    sheet.fields |= {
        "to": receiver,
        "actions": tuple(story.names),
        "value": story.value,
        "staked": story.staked,
        "gas": story.gas,
        "methods": tuple(story.methods),
        "unknown_calls": story.names.count("unknown"),
        "recipients": tuple(dict.fromkeys(story.recipients)),
        "spenders": tuple(dict.fromkeys(story.spenders)),
        "keys_added": tuple(story.added),
        "full_access_keys_added": story.full,
        "keys_deleted": tuple(story.deleted),
    }


def _show_key(sheet: Sheet, key: AccessKey, account: str) -> None:
    own = account == implicit_account(key)
    sheet.fields |= {"key": str(key), "implicit": own}
    if not own:
        sheet.add("Key", f"{key}; whether the account has it, and with which rights, only the chain knows")


def _show_action(sheet: Sheet, story: _Story, action: Action, label: str) -> None:
    match action:
        case CreateAccount():
            _note(story, "create-account", "create an account")
            sheet.add(label, f"create the account {story.receiver}")
        case Transfer(deposit):
            shown = sheet.chain.amount(deposit)
            _note(story, "transfer", f"send {shown}")
            _pay(story, deposit)
            story.recipients.append(story.receiver)
            sheet.add(label, f"send {shown} to {story.receiver}")
        case Stake(amount, key):
            shown = sheet.chain.amount(amount)
            _note(story, "stake", f"stake {shown}")
            story.staked = amount
            sheet.add(label, f"lock {shown} in all as a validator's stake, with the key {key}", Level.CAUTION)
        case FunctionCall():
            _show_call(sheet, story, action, label)
        case DeployContract() | UseGlobalContract() | DeployGlobalContract():
            _show_code(sheet, story, action, label)
        case AddKey() | DeleteKey():
            _show_access(sheet, story, action, label)
        case DeleteAccount(beneficiary):
            _note(story, "delete-account", "delete an account")
            story.recipients.append(beneficiary)
            what = f"delete the account {story.receiver}; its NEAR goes to {beneficiary}, if that exists"
            sheet.add(label, f"{what}, and its tokens may be lost", Level.DANGER, Risk.ACCOUNT_DELETION)
        case Delegate():
            _show_relayed(sheet, story, action, label)


def _show_call(sheet: Sheet, story: _Story, action: FunctionCall, label: str) -> None:
    story.gas += action.gas
    story.methods.append(action.method)
    _pay(story, action.deposit)
    deposit = f", with {sheet.chain.amount(action.deposit)}" if action.deposit else ""
    call = decode_call(action)
    if call is None:
        story.names.append("unknown")
        story.titles.append("call a contract")
        text = f"UNKNOWN call of contract {story.receiver}{deposit}; what it does is not known here"
        sheet.add(label, text, Level.CAUTION, Risk.UNKNOWN_CALL)
        sheet.add("", f"method │ {plain(action.method)}")
        sheet.add("", f"arguments {_arguments(action.arguments)}")
        return
    story.names.append(call.method)
    title, text = _CALLS[call.method]
    story.titles.append(title)
    level, risk = _judged(story, call)
    line = text.format(**call.arguments)
    sheet.add(label, f"ask contract {story.receiver} to {line}{deposit}; only its code decides", level, risk)
    for name, value in call.arguments.items():
        if name in _QUOTED:
            sheet.add(
                "", f"{_QUOTED[name]} │ {plain(value)}", Level.CAUTION if name == "msg" else Level.PLAIN
            )


_CALLS: Final = {
    "ft_transfer": ("transfer tokens", "transfer {amount} smallest units to {receiver_id}"),
    "ft_transfer_call": (
        "transfer tokens",
        "transfer {amount} smallest units to the contract {receiver_id} and call it",
    ),
    "nft_transfer": ("transfer a token", "transfer one of its tokens to {receiver_id}"),
    "nft_transfer_call": (
        "transfer a token",
        "transfer one of its tokens to the contract {receiver_id} and call it",
    ),
    "nft_approve": ("let another account take a token", "let {account_id} take one of its tokens"),
    "nft_revoke": ("withdraw a token approval", "let {account_id} no longer take one of its tokens"),
    "nft_revoke_all": ("withdraw token approvals", "let nobody else take one of its tokens any more"),
}

_QUOTED: Final = {"token_id": "token", "memo": "memo", "msg": "which is told"}


def _judged(story: _Story, call: Call) -> tuple[Level, Risk | None]:
    if "receiver_id" in call.arguments:
        story.recipients.append(call.arguments["receiver_id"])
    if call.method == "nft_approve":
        story.spenders.append(call.arguments["account_id"])
        return Level.CAUTION, Risk.TOKEN_APPROVAL
    return Level.PLAIN, None


def _show_code(
    sheet: Sheet,
    story: _Story,
    action: DeployContract | UseGlobalContract | DeployGlobalContract,
    label: str,
) -> None:
    if isinstance(action, DeployGlobalContract):
        _note(story, "deploy-global-contract", "publish code")
        how = "under this account's name, which may change it" if action.by_account else "under its hash"
        text = f"publish {_code(action.code)} for others, {how}; its storage is paid for and not refunded"
        sheet.add(label, text, Level.CAUTION, Risk.CONTRACT_CREATION)
        return
    if isinstance(action, DeployContract):
        _note(story, "deploy-contract", "hand an account to code")
        what = _code(action.code)
    else:
        _note(story, "use-global-contract", "hand an account to code")
        if isinstance(action.source, str):
            what = f"the code that {action.source} publishes, now and later,"
        else:
            what = f"the published code with the SHA-256 hash {action.source.hex()}"
    if story.own:
        text = f"run {what} as this account; it can move everything the account owns"
        sheet.add(label, text, Level.DANGER, Risk.DELEGATION)
    else:
        sheet.add(label, f"put {what} on {story.receiver}", Level.CAUTION, Risk.CONTRACT_CREATION)


def _show_access(sheet: Sheet, story: _Story, action: AddKey | DeleteKey, label: str) -> None:
    mine = action.key == story.key
    if isinstance(action, DeleteKey):
        _note(story, "delete-key", "take a key away")
        story.deleted.append(str(action.key))
        text = f"take the key {action.key} away from {story.receiver}"
        if mine and story.own:
            text += ", which is this wallet's own: it can never sign for the account again"
            sheet.add(label, text, Level.DANGER, Risk.OWNERSHIP)
        else:
            sheet.add(label, text, Level.CAUTION)
        return
    _note(story, "add-key", "let another key use an account")
    story.added.append(str(action.key))
    if action.permission is not None:
        _show_permission(sheet, story, action.key, action.permission, label)
        return
    story.full += 1
    text = f"let the key {action.key} do EVERYTHING with {story.receiver}, now and later"
    if mine:
        sheet.add(label, f"{text}; it is this wallet's own key")
    else:
        sheet.add(label, text, Level.DANGER if story.own else Level.CAUTION, Risk.OWNERSHIP)


def _show_permission(
    sheet: Sheet, story: _Story, key: AccessKey, permission: CallPermission, label: str
) -> None:
    allowance = permission.allowance
    spends = "gas without limit" if allowance is None else f"up to {sheet.chain.amount(allowance)} of gas"
    sheet.add(
        label, f"let the key {key} call a contract for {story.receiver}, spending {spends}", Level.CAUTION
    )
    sheet.add("", f"contract │ {plain(permission.receiver)}")
    methods = ", ".join(plain(method) for method in permission.methods)
    sheet.add("", f"methods │ {methods}" if methods else "any of its methods")


def _show_relayed(sheet: Sheet, story: _Story, action: Delegate, label: str) -> None:
    inner = action.inner
    _note(story, "delegate", "submit somebody's actions")
    sheet.add(
        label,
        f"submit what {inner.sender} asks of {inner.receiver} and pay for it, deposits too "
        "(the signature on it is not checked here):",
        Level.CAUTION,
    )
    theirs = _Story(inner.sender, inner.receiver, inner.key)
    aside = Sheet(sheet.chain, inner.sender)
    for index, entry in enumerate(inner.actions):
        _show_action(aside, theirs, entry, f"{label}{index + 1}.")
    story.gas += theirs.gas
    # the network takes deposits from whoever submits, whoever receives them
    deposits = [entry.deposit for entry in inner.actions if isinstance(entry, FunctionCall | Transfer)]
    story.value += sum(deposits)
    if any(deposits):
        story.recipients.append(inner.receiver)
    ours = inner.sender == story.account
    if ours:
        sheet.risks |= aside.risks
    for line in aside.lines[2:]:
        # somebody else's account is at stake: loud for them, not for this wallet
        sheet.add(line.label, line.value, line.level if ours else min(line.level, Level.CAUTION))


def _note(story: _Story, name: str, title: str) -> None:
    story.names.append(name)
    story.titles.append(title)


def _pay(story: _Story, deposit: int) -> None:
    if not story.own:
        story.value += deposit


def _code(code: bytes) -> str:
    return f"{len(code)} bytes of code (SHA-256 {hashing.plain(code).hex()})"


def _arguments(data: bytes) -> str:
    try:
        return f"│ {plain(data.decode())} ({len(data)} bytes)"
    except UnicodeDecodeError:
        return f"0x{data[:MAX_SHOWN].hex()}{'…' if len(data) > MAX_SHOWN else ''} ({len(data)} bytes)"
