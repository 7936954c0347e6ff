"""A node's part: rules 1 to 5 of docs/protocols/register.md, as one pure function on a row and a question.

Whoever calls `step` makes the row durable, in one transaction, before the reply leaves. Every handler is
idempotent: the same question again gives the same vote. Nothing here reads a clock; `Context.now` serves the
slot check and local validity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from quorate.account.register.certificates import (
    Certificate,
    Committee,
    Proof,
    State,
    Subject,
    installed_statement,
    prepare_statement,
)
from quorate.account.register.entries import SLOT_SECONDS, SLOT_TOLERANCE, Entry, owns
from quorate.account.register.messages import (
    Behind,
    Commit,
    Conflict,
    Decided,
    Denied,
    Head,
    Headed,
    Installed,
    Lock,
    NeedEntry,
    Pending,
    Prepare,
    Question,
    Reason,
    Refusal,
    Reply,
    StaleView,
    Stated,
    VersionConflict,
    Voted,
    WrongEpoch,
    WrongSlot,
)
from quorate.account.register.rows import Row
from quorate.account.register.rules import Login, Rules
from quorate.errors import LimitExceeded, LocalError, Malformed, ProofRejected, Refused

ABSTAINS: Final = "abstains"
"""The rule by which a node does not vote: its rows are older than what it has signed."""

FINISHED: Final = "finished"
"""The rule by which a node does not vote: it has signed the end of its epoch."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a step depends on beside its row: who we are, who is in office, the rules, the time, who asks.

    `committees` gives the committee of any epoch up to ours. `silent` names the rule by which we do not vote
    at present (`ABSTAINS`, `FINISHED`), empty if we do. `successor` is the committee after the one we are
    of, once it is known: whoever asks us is told of it.
    """

    network: str
    member: int
    committee: Committee
    committees: Callable[[int], Committee | None]
    rules: Rules
    now: float
    sign: Callable[[bytes], bytes]
    login: Login | None = None
    silent: str = ""
    successor: Committee | None = None


class _Refuse(Exception):  # control flow inside this module
    def __init__(self, reason: Reason) -> None:
        super().__init__()
        self.reason = reason


def step(row: Row, question: Question, context: Context) -> tuple[Row, Reply]:
    """The row after a question, and the reply. A refusal leaves the row as it was."""
    subject = Subject(context.network, question.account)
    try:
        match question:
            case Decided():
                return _decided(row, question, context, subject)
            case Head():
                _require_epoch(question.epoch, context)
                _require_voting(context)
                return row, _head(row, question, context, subject)
            case Lock():
                _require_open(row, question.entry.version, question.view.epoch, context)
                return _lock(row, question, context, subject)
            case Prepare():
                _require_open(row, question.version, question.view.epoch, context)
                return _prepare(row, question, context, subject)
            case Commit():
                certificate = question.certificate
                _require_open(row, certificate.version, certificate.view.epoch, context)
                return _commit(row, question, context, subject)
            case _:
                raise LocalError(f"{type(question).__name__} is not about a row")
    except _Refuse as refusal:
        return row, refuse(question, refusal.reason, context)
    except Refused as denied:
        return row, refuse(question, Denied(denied.code[:64], str(denied)[:512]), context)
    except ProofRejected as rejected:
        return row, refuse(question, Denied("proof", str(rejected)[:512]), context)
    except (Malformed, LimitExceeded) as malformed:
        return row, refuse(question, Denied("malformed", str(malformed)[:512]), context)


def refuse(question: Question, reason: Reason, context: Context) -> Refusal:
    """A refusal, signed."""
    signature = context.sign(Refusal.statement(context.network, question, reason))
    return Refusal(context.member, reason, signature)


def _require_epoch(epoch: int, context: Context) -> None:
    if epoch != context.committee.epoch:
        raise _Refuse(WrongEpoch(context.committee.epoch, context.committee.record))


def _require_voting(context: Context) -> None:
    if context.silent == FINISHED and context.successor is not None:
        raise _Refuse(WrongEpoch(context.successor.epoch, context.successor.record))
    if context.silent:
        raise _Refuse(Denied(context.silent, "this node does not vote in this epoch"))


def _require_open(row: Row, version: int, epoch: int, context: Context) -> None:
    """What every vote asks first: our epoch, and the version right above our head."""
    _require_epoch(epoch, context)
    _require_voting(context)
    if version <= row.version and row.entry is not None and row.proof is not None:
        raise _Refuse(VersionConflict(row.entry, row.proof))
    if version > row.version + 1:
        raise _Refuse(Behind(row.version))


def _head(row: Row, head: Head, context: Context, subject: Subject) -> Reply:
    """Rule 1."""
    pending = row.certificate
    commit = None
    if pending is not None and pending.view.epoch == context.committee.epoch:
        # Of our own epoch a certificate is held only since we signed COMMIT on it: the same signature again.
        statement = subject.voted(Proof.kind, pending.version, pending.view, pending.hash)
        commit = context.sign(statement)
    epoch = context.committee.epoch
    return Headed(
        member=context.member,
        nonce=head.nonce,
        epoch=epoch,
        version=row.version,
        hash=row.hash,
        entry=None if head.known == row.hash else row.entry,
        proof=row.proof,
        pending=pending,
        body=None if pending is None else row.body(pending.hash),
        commit=commit,
        signature=context.sign(
            Headed.statement(subject, head.nonce, epoch, row.version, row.hash, pending),
        ),
    )


def _lock(row: Row, lock: Lock, context: Context, subject: Subject) -> tuple[Row, Reply]:
    """Rule 2."""
    entry, view = lock.entry, lock.view
    wanted = entry.hash
    if view < row.promised:
        raise _Refuse(StaleView(row.promised))
    # The certificate that is in the way helps a device more than the lock behind it, so it comes first.
    obliging = _open_obligation(row, lock) if view.is_open else None
    held = row.lock
    if held is not None and (held.view > view or (held.view == view and held.hash != wanted)):
        raise _Refuse(Conflict(held.view, held.hash))
    if not view.is_open:
        obliging = _justified(lock, context, subject)
    if obliging is not None and obliging.hash != wanted:
        raise _Refuse(Denied("obliged", "the states oblige to the entry of the highest certificate"))
    _check_entry(row, entry, context)
    if obliging is None and (held is None or held.view != view):
        context.rules.admit(row.entry, entry, context.now, context.login)
    statement = subject.voted(Certificate.kind, entry.version, view, wanted)
    return row.with_lock(view, entry), Voted(context.member, context.sign(statement))


def _open_obligation(row: Row, lock: Lock) -> Certificate | None:
    """In the open view a certificate that is held obliges: it may be decided, perhaps in an earlier epoch."""
    if lock.just:
        raise _Refuse(Denied("view", "the open view takes no justification"))
    held = row.certificate
    if held is None:
        return None
    body = row.body(held.hash)
    if held.hash != lock.entry.hash and body is not None:
        raise _Refuse(Pending(held, body))
    return held


def _justified(lock: Lock, context: Context, subject: Subject) -> Certificate | None:
    """The highest certificate among E states of distinct members for this view, each of them verified."""
    states, version, view = lock.just, lock.entry.version, lock.view
    members = [state.member for state in states]
    if any(left >= right for left, right in pairwise(members)):
        raise _Refuse(Denied("just", "the states are not of distinct members in ascending order"))
    if len(states) < context.committee.echo:
        raise _Refuse(Denied("just", f"{len(states)} states, {context.committee.echo} are needed"))
    highest: Certificate | None = None
    for state in states:
        certificate = state.certificate
        statement = State.statement(subject, version, view, certificate)
        context.committee.check_one(state.member, statement, state.signature)
        if certificate is None:
            continue
        if certificate.version != version or certificate.view >= view:
            raise _Refuse(Denied("just", "a state shows a certificate that is not of an earlier view"))
        certificate.check(subject, context.committees(certificate.view.epoch))
        if highest is None or certificate.view > highest.view:
            highest = certificate
    return highest


def _check_entry(row: Row, entry: Entry, context: Context) -> None:
    """Pure validity: the chain here, what the records say in `Rules`."""
    if entry.network != context.network:
        raise _Refuse(Denied("network", "the entry is of another network"))
    if entry.version != row.version + 1 or entry.parent != row.hash:
        raise _Refuse(Denied("parent", "the entry does not follow our head"))
    context.rules.check(row.entry, entry)


def _prepare(row: Row, prepare: Prepare, context: Context, subject: Subject) -> tuple[Row, Reply]:
    """Rule 3."""
    view = prepare.view
    _check_turn(row, prepare, context, subject)
    if view < row.promised:
        raise _Refuse(StaleView(row.promised))
    after = row.with_promise(view)
    certificate = row.certificate
    signature = context.sign(State.statement(subject, prepare.version, view, certificate))
    body = None if certificate is None else row.body(certificate.hash)
    return after, Stated(State(context.member, certificate, signature), body)


def _check_turn(row: Row, prepare: Prepare, context: Context, subject: Subject) -> None:
    slot, begins = prepare.view.slot, prepare.view.slot * SLOT_SECONDS
    if prepare.view.is_open:
        raise _Refuse(Denied("view", "the open view is nobody's to prepare"))
    if not begins - SLOT_TOLERANCE <= context.now < begins + SLOT_SECONDS + SLOT_TOLERANCE:
        raise _Refuse(WrongSlot(int(context.now)))
    signers = None if row.entry is None else context.rules.signers(row.entry)
    if signers is None and context.login is not None and context.login.device != prepare.owner:
        raise _Refuse(Denied("owner", "a first entry is prepared by the device that is logged in"))
    if not owns(slot, prepare.owner, signers):
        raise _Refuse(Denied("owner", "the slot is another factor's"))
    statement = prepare_statement(subject, prepare.version, prepare.view)
    context.rules.identity(prepare.owner).verify(statement, prepare.signature)


def _commit(row: Row, commit: Commit, context: Context, subject: Subject) -> tuple[Row, Reply]:
    """Rule 4."""
    certificate = commit.certificate
    certificate.check(subject, context.committee)
    if certificate.view < row.promised:
        raise _Refuse(StaleView(row.promised))
    entry = row.body(certificate.hash) or commit.entry
    if entry is None:
        raise _Refuse(NeedEntry())
    if entry.hash != certificate.hash:
        raise _Refuse(Denied("entry", "the entry is not the certificate's"))
    statement = subject.voted(Proof.kind, certificate.version, certificate.view, certificate.hash)
    voted = Voted(context.member, context.sign(statement))
    return row.with_certificate(certificate, entry), voted


def _decided(row: Row, decided: Decided, context: Context, subject: Subject) -> tuple[Row, Reply]:
    """Rule 5. Also for who abstains or has finished: a head is proven, not voted for."""
    entry, proof = decided.entry, decided.proof
    if entry.version > row.version:
        if proof.view.epoch > context.committee.epoch:
            raise _Refuse(WrongEpoch(context.committee.epoch, context.committee.record))
        if (proof.version, proof.hash) != (entry.version, entry.hash):
            raise _Refuse(Denied("entry", "the entry is not the proof's"))
        proof.check(subject, context.committees(proof.view.epoch))
        row = Row.fresh(context.committee.epoch, entry, proof)
    elif row.entry is not None and row.proof is not None and entry.hash != row.hash:
        raise _Refuse(VersionConflict(row.entry, row.proof))
    statement = installed_statement(subject, row.version, row.hash)
    return row, Installed(context.member, context.sign(statement))
