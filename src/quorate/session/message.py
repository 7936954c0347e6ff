"""Messages, and the slots a protocol declares for them.

A message type is a frozen struct with a `tag` that is unique in the whole package, for example
``class Commit(Message, tag="toss.commit")``. On the wire it is a MessagePack array that begins with the
tag; points and scalars are byte strings that the session's group parses on reading.

A protocol declares beforehand which message types it will ever read, on which paths, sealed or in clear,
and how large they may be. Whatever fits no rule never enters the inbox.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from quorate.encoding import MAX_MESSAGE_BYTES, Confidential

PartyId: TypeAlias = str
"""A party's name in a session: lower-case letters, digits and dashes, at most 32."""

Path: TypeAlias = str
"""Which fork of a protocol speaks: labels joined by "/"; the root is the empty string."""

_PARTY: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LABEL: Final = re.compile(r"[a-z0-9-]{1,32}")

MAX_PATH_BYTES: Final = 128
"""Four labels of full length; no protocol of ours nests deeper."""

MAX_FORKS_BY_NUMBER: Final = 64
"""``*`` in a rule's path also admits the numbers below this, for forks that are counted, not named."""


ENVELOPE_OVERHEAD: Final = 1024
"""More than addressing, box and signature ever add to an encoded message."""


class Message(Confidential, frozen=True, tag="message"):
    """Base of every protocol message. Subclasses give their own ``tag=``.

    Only the tag prints: what a message holds may be meant for one party.
    """

    def __repr__(self) -> str:
        return f"<{tag_of(type(self))}>"


def tag_of(kind: type[Message]) -> str:
    """The tag that names a message type on the wire."""
    tag = kind.__struct_config__.tag
    if not isinstance(tag, str) or tag == "message":
        raise TypeError(f"{kind.__name__} declares no tag of its own")
    return tag


def is_party_id(text: str) -> bool:
    """Whether `text` can name a party."""
    return _PARTY.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether `text` can name a fork."""
    return _LABEL.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of slot: message type, the path it lives on, its form, its size limit.

    `path` may hold ``*`` for one label that is a party of the session or a number below
    `MAX_FORKS_BY_NUMBER`. `unicast` slots are sealed to one recipient, others are signed broadcasts.
    `limit` bounds the encoded message, in bytes.
    """

    kind: type[Message]
    path: Path = ""
    unicast: bool = False
    limit: int = 1 << 16

    def __post_init__(self) -> None:
        if not 0 < self.limit <= MAX_MESSAGE_BYTES:
            raise ValueError(f"{tag_of(self.kind)}: the limit must be 1 to {MAX_MESSAGE_BYTES} bytes")
        if self.path and not all(label == "*" or is_label(label) for label in self.path.split("/")):
            raise ValueError(f"{tag_of(self.kind)}: {self.path!r} is no path")


class Declaration:
    """The name, version and slots of a protocol.

    A message type may have several rules, one for each path it lives on; in all of them it is a broadcast,
    or in all of them unicast. `sender_limit` bounds what one sender may have stored in one session's inbox,
    in bytes of envelopes: an early message is kept, a flood is not. By default it is the sum over all rules
    (64-fold for ``*`` paths), capped at 8 MiB.

    A `tolerant` protocol goes on without liars: what provably deviates (two messages in one slot, a message
    that does not read) is noted as `Party.deviations` and does not end the session. Whoever must hear from
    everybody is not tolerant; an asynchronous protocol with a bound on liars is.
    """

    MAX_SENDER_BYTES: Final = 8 << 20

    def __init__(
        self,
        name: str,
        version: int,
        *rules: Rule,
        sender_limit: int | None = None,
        tolerant: bool = False,
    ) -> None:
        self.name = name
        self.version = version
        self.rules = rules
        self.tolerant = tolerant
        self._by_tag: dict[str, list[Rule]] = {}
        for rule in rules:
            same = self._by_tag.setdefault(tag_of(rule.kind), [])
            if any(rule.path == other.path for other in same):
                raise ValueError(f"{name}: {tag_of(rule.kind)} is declared twice on one path")
            if any(rule.kind is not other.kind or rule.unicast != other.unicast for other in same):
                raise ValueError(f"{name}: the rules of {tag_of(rule.kind)} contradict each other")
            same.append(rule)
        total = sum(
            (rule.limit + ENVELOPE_OVERHEAD) * (MAX_FORKS_BY_NUMBER if "*" in rule.path else 1)
            for rule in rules
        )
        self.sender_limit = min(total, self.MAX_SENDER_BYTES) if sender_limit is None else sender_limit

    def within(self, sender_limit: int) -> Declaration:
        """The same protocol with another limit: where the agreement tells how much an honest party says."""
        return Declaration(
            self.name, self.version, *self.rules, sender_limit=sender_limit, tolerant=self.tolerant
        )

    def rule(self, tag: str, path: Path, parties: tuple[PartyId, ...]) -> Rule | None:
        """The rule that admits a slot, or None."""
        for rule in self._by_tag.get(tag, ()):
            if _admits(rule.path, path, parties):
                return rule
        return None

    def is_unicast(self, kind: type[Message]) -> bool:
        """Whether messages of this type are sealed to one; `KeyError` when the protocol never declared it."""
        return self._by_tag[tag_of(kind)][0].unicast


@lru_cache(maxsize=4096)
def _admits(pattern: Path, path: Path, parties: tuple[PartyId, ...]) -> bool:
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given) or len(path) > MAX_PATH_BYTES:
        return False
    return all(
        _is_fork(label, parties) if pattern_label == "*" else label == pattern_label
        for pattern_label, label in zip(wanted, given, strict=True)
    )


def _is_fork(label: str, parties: tuple[PartyId, ...]) -> bool:
    if label in parties:
        return True
    plain = label.isascii() and label.isdigit() and (label == "0" or not label.startswith("0"))
    return plain and len(label) <= 2 and int(label) < MAX_FORKS_BY_NUMBER
