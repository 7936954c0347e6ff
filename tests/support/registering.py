"""A test's device brings wallets into the register of nodes in this process, by function call."""

from collections.abc import Callable, Mapping
from typing import Any

from quorate.account.authority import (
    AuthorityRecord,
    AuthorityRules,
    Evidence,
    make_entry,
    record_of,
    wallet_of,
)
from quorate.account.register import Entry, Question, Reply
from quorate.account.register.asking import Ask, Heard, Look, Procedure, Sleep, Tell
from quorate.account.register.certificates import Subject
from quorate.account.register.client import Client, Signer
from quorate.account.register.offices import committee_of
from quorate.account.register.procedures import install, read, write
from quorate.account.requests import LiveRequest
from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, Malformed, Refused
from quorate.node.node import Node
from quorate.session import KeyPair
from quorate.sharing.epochs import epoch_number, user_epoch
from quorate.sharing.statements import KeyFormed
from quorate.testing.committee import LocalCommittee


def drive(procedure: Procedure[Any], ask: Callable[[int, Question], Reply | None], now: float) -> Any:
    """A procedure to its end; slots are not waited for, so a test has no rivals but its own."""
    heard: Heard | None = None
    while True:
        try:
            doing = next(procedure) if heard is None else procedure.send(heard)
        except StopIteration as stop:
            return stop.value
        replies: Mapping[int, Reply] = {}
        match doing:
            case Ask():
                found = {member: ask(member, question) for member, question in doing.questions.items()}
                replies = {
                    member: reply
                    for member, reply in found.items()
                    if reply is not None and doing.believes(doing.questions[member], member, reply)
                }
            case Tell():
                for member, question in doing.questions.items():
                    ask(member, question)
            case Sleep():
                raise TimeoutError("the register of this test waits for a slot")
            case Look():
                pass
        heard = Heard(replies, now)


def register_client(committee: LocalCommittee, account: bytes, keys: KeyPair) -> Client:
    """A device's view of its register, as the nodes' committee is now."""
    node = next(iter(committee.nodes.values()))
    rules = AuthorityRules(committee.network, node.committee.at)

    def of(epoch: int) -> Any:
        record = node.committee.at(epoch)
        return None if record is None else committee_of(record)

    return Client(
        Subject(committee.network, account),
        committee_of(node.committee.record),
        of,
        lambda way: None,
        rules.signers,
        Signer(keys.public.to_bytes(), keys.sign),
    )


def enter(
    committee: LocalCommittee, account: bytes, keys: KeyPair, live: LiveRequest, *, staged_at: str = ""
) -> Entry:
    """Bring a wallet that is staged into the register, and have R nodes act on it.

    `staged_at`: the node whose word counts for the factors' keys. Raises `Refused`, `Missing`.
    """
    hand_over(committee)
    client = register_client(committee, account, keys)
    nodes = committee.nodes

    def ask(member: int, question: Question) -> Reply | None:
        node = nodes.get(client.committee.names[member])
        if node is None or node.config.name in committee.down:
            return None
        try:
            answer = node.register.answer(encode(question), account, keys.public.to_bytes())
        except (Refused, Malformed, LimitExceeded):
            return None
        found: Reply = decode(Reply, answer)  # type: ignore[arg-type]
        return found

    statement = live.statement
    staged = _staged([nodes[staged_at]] if staged_at else nodes.values(), live)
    factors = {factor.name: (factor.kind, factor.keys) for factor in staged.record.factors}
    wallet = wallet_of(live, staged.record.curve, factors)
    evidence = Evidence(((staged.made_in, live),))

    def propose(head: Entry | None) -> Entry:
        record = AuthorityRecord(committee.network, account, (wallet,))
        if head is not None:
            record = record_of(head).with_wallet(wallet)
        return make_entry(head, record, evidence, wallet.founding[:16], keys.public, keys.sign)

    now = next(iter(nodes.values())).clock()
    head = drive(read(client, system_rng), ask, now)
    known = None if head is None else record_of(head).wallet(statement.key_id)
    done = head if known == wallet else drive(write(client, propose), ask, now)
    drive(install(client), ask, now)
    return done


def hand_over(committee: LocalCommittee) -> None:
    """Carry last words between nodes that have no links, after their committee has changed."""
    nodes = committee.nodes.values()
    parcels = [
        encode(handed)
        for node in nodes
        if node.register.service.has_last_word
        for handed in node.register.last_words()
    ]
    for node in nodes:
        for parcel in parcels:
            node.register.take_in(parcel)


def _staged(nodes: Any, live: LiveRequest) -> Any:
    statement = live.statement
    user = 0 if isinstance(statement, KeyFormed) else user_epoch(statement.epoch)
    error: Refused | None = None
    for node in nodes:
        assert isinstance(node, Node)
        try:
            return node.keybook.staged(statement.key_id, epoch_number(node.committee.epoch, user))
        except Refused as refused:
            error = refused
    assert error is not None
    raise error
