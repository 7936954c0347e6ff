"""A table of parties for tests that feed sessions by hand, and protocols small enough to see through."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.groups import Group, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.secret import Secret
from quorate.session import (
    Declaration,
    Identity,
    Journal,
    KeyPair,
    Message,
    Party,
    ProtocolRun,
    Rule,
    Session,
    SessionSpec,
    Slot,
    roster_digest,
    tag_of,
)
from quorate.session.envelope import seal_info, write
from quorate.testing import unsafe_identity
from quorate.testing.dice import seed_of
from quorate.testing.toss import TOSS, toss

ALICE, BOB, CAROL = "alice", "bob", "carol"


class Whisper(Message, frozen=True, tag="test.whisper"):
    number: Scalar


WHISPER = Declaration("whisper", 1, Rule(Whisper, unicast=True, limit=64))


async def whisper(party: Party) -> Scalar:
    """Everybody tells everybody a number, under seal; the sum of what one heard."""
    for other in party.others:
        party.send(other, Whisper(party.group.random_scalar(party.rng)))
    heard = await party.gather(Whisper)
    return sum((heard[name].number for name in heard), party.group.scalar(0))


@cache
def real_identity(name: str) -> KeyPair:
    return KeyPair(Secret(seed_of("identity", name)))


class Table:
    """The agreement and the keys of a session; makes its seats, and envelopes that no honest seat would."""

    def __init__(
        self,
        declaration: Declaration = TOSS,
        parties: Sequence[str] = (ALICE, BOB, CAROL),
        *,
        group: Group = TOY_GROUP,
        real: bool = False,
        payload: bytes = b"",
    ) -> None:
        make = real_identity if real else unsafe_identity
        self.declaration = declaration
        self.group = group
        self.identities: dict[str, Identity] = {name: make(name) for name in parties}
        self.roster = {name: identity.public for name, identity in self.identities.items()}
        self.spec = SessionSpec(
            protocol=declaration.name,
            version=declaration.version,
            suite=group.name,
            key=b"",
            epoch=0,
            parties=tuple(sorted(parties)),
            roster=roster_digest(self.roster),
            threshold=len(parties),
            purpose="test",
            payload=payload,
            nonces=tuple(seed_of("nonce", name) for name in sorted(parties)),
        )

    def seat(
        self, who: str, run: ProtocolRun[Any] = toss, *, journal: Journal | None = None, **other: Any
    ) -> Session[Any]:
        given = {
            "spec": self.spec,
            "me": who,
            "identity": self.identities[who],
            "roster": self.roster,
            "declaration": self.declaration,
            "group": self.group,
            "run": run,
            "rng": SeededRng(seed_of("rng", who)),
            "journal": journal,
        }
        return Session(**{**given, **other})

    def envelope(
        self,
        sender: str,
        message: Message | None,
        recipient: str = "",
        *,
        path: str = "",
        tag: str = "",
        body: bytes | None = None,
        session: bytes = b"",
        signer: str = "",
        sealed: bool = True,
    ) -> bytes:
        """Any envelope at all, signed by `signer` (by default its sender)."""
        content = encode(message) if body is None else body
        slot = Slot(path, tag or tag_of(type(message)), sender, recipient)
        where = session or self.spec.id
        if recipient and sealed:
            content = self.roster[recipient].seal(
                content, seal_info(where, slot), SeededRng(seed_of(str(slot)))
            )
        return write(where, slot, content, self.identities[signer or sender])


def settle(*seats: Session[Any]) -> None:
    """Bring everything to everybody until nothing is left to say."""
    under_way = [data for seat in seats for data in seat.start()]
    while under_way:
        data = under_way.pop(0)
        for seat in seats:
            under_way += seat.receive(data)
