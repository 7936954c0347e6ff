"""What a procedure may ask for, and how it asks all members of a committee one thing.

A refusal that says what a member lacks is met by sending that; one that shows something new (a later head, a
certificate in the way, another committee) ends the question, for it changes what is to be done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import msgspec

from quorate.account.register.client import Client
from quorate.account.register.entries import Entry
from quorate.account.register.messages import (
    Behind,
    Commit,
    Decided,
    NeedEntry,
    Pending,
    Question,
    Refusal,
    Reply,
    VersionConflict,
    WrongEpoch,
)

PATIENCE: Final = 1.5
"""Seconds until a question counts as unanswered and the next step is tried without the answer."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask these members; gather the replies that `believes` accepts until `enough`, all, or `patience`."""

    questions: Mapping[int, Question]
    believes: Callable[[Question, int, Reply], bool]
    enough: Callable[[Mapping[int, Reply]], bool]
    patience: float = PATIENCE


@dataclass(frozen=True, slots=True)
class Tell:
    """Send, and do not wait for replies."""

    questions: Mapping[int, Question]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Until this moment in Unix seconds."""

    until: float


@dataclass(frozen=True, slots=True)
class Look:
    """At the clock."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Replies by member, and the time."""

    replies: Mapping[int, Reply]
    now: float


T = TypeVar("T")
Doing: TypeAlias = Ask | Tell | Sleep | Look
Procedure: TypeAlias = Generator[Doing, Heard, T]


class Moved(Exception):
    """The head or the committee changed under a step; whoever runs the steps looks again."""


def ask(
    client: Client,
    question: Question,
    enough: Callable[[Mapping[int, Reply]], bool],
    *,
    entry: Entry | None = None,
) -> Procedure[Heard]:
    """Ask all; bring those up to date that say what they lack, and ask them again. Raises `Moved`."""
    heard = yield Ask(everybody(client, question), client.believes, enough)
    replies = dict(heard.replies)
    if client.learn(replies.values()):
        raise Moved
    again: dict[int, Question] = {}
    behind = []
    for member, reply in sorted(replies.items()):
        reason = reply.reason if isinstance(reply, Refusal) else None
        if isinstance(reason, NeedEntry) and isinstance(question, Commit):
            again[member] = msgspec.structs.replace(question, entry=entry)
        elif isinstance(reason, Behind) and client.version:
            again[member] = question if entry is None else _with_entry(question, entry)
            behind.append(member)
    if not again or _reached(replies, enough):
        return Heard(replies, heard.now)
    if behind and client.entry is not None and client.proof is not None:
        decided = Decided(client.entry, client.proof)
        yield Ask(dict.fromkeys(behind, decided), client.believes, lambda found: False)
    heard = yield Ask(again, client.believes, lambda found: enough({**replies, **found}))
    replies.update(heard.replies)
    if client.learn(heard.replies.values()):
        raise Moved
    return Heard(replies, heard.now)


def _with_entry(question: Question, entry: Entry) -> Question:
    return msgspec.structs.replace(question, entry=entry) if isinstance(question, Commit) else question


def quorum(client: Client, kind: type, needed: int = 0) -> Callable[[Mapping[int, Reply]], bool]:
    """Enough: E votes of this kind, so many refusals that there cannot be, or news that change the plan."""
    members, needed = len(client.committee.names), needed or client.committee.echo
    epoch = client.committee.epoch

    def enough(replies: Mapping[int, Reply]) -> bool:
        refusals = [reply.reason for reply in replies.values() if isinstance(reply, Refusal)]
        if any(_is_news(reason, epoch) for reason in refusals) or count(replies, kind) >= needed:
            return True
        final = sum(1 for reason in refusals if not isinstance(reason, Behind | NeedEntry))
        return members - final < needed

    return enough


def _is_news(reason: object, epoch: int) -> bool:
    return isinstance(reason, VersionConflict | Pending) or (
        isinstance(reason, WrongEpoch) and reason.epoch > epoch
    )


def _reached(replies: Mapping[int, Reply], enough: Callable[[Mapping[int, Reply]], bool]) -> bool:
    """Whether the votes alone are enough."""
    return enough({member: reply for member, reply in replies.items() if not isinstance(reply, Refusal)})


def everybody(client: Client, question: Question) -> dict[int, Question]:
    """One question to every member."""
    return dict.fromkeys(range(len(client.committee.names)), question)


def count(replies: Mapping[int, Reply], kind: type) -> int:
    """How many replies are of this kind."""
    return sum(1 for reply in replies.values() if isinstance(reply, kind))


def silent_members(client: Client, replies: Mapping[int, Reply], kind: type) -> list[str]:
    """The names of those who gave no reply of this kind."""
    names = client.committee.names
    return [name for index, name in enumerate(names) if not isinstance(replies.get(index), kind)]
