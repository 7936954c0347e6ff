"""Echo broadcast: what one party sends to all is the same for all, or the liar is shown.

A plain broadcast travels through relays, and its sender may sign two versions. After collecting a broadcast,
every party tells the others a digest of all envelopes it has seen; equal digests mean equal views. On a
difference the parties exchange the envelopes themselves, and two different envelopes in one slot, both
signed, are the evidence (Goldwasser-Lindell, "Secure Multi-Party Computation without Agreement", 2005).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeVar

import msgspec

from quorate.encoding import encode
from quorate.errors import Blame, ProofRejected, QuorateError, Suspicion
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session.envelope import EVERYBODY, Envelope
from quorate.session.evidence import Exhibit
from quorate.session.message import Message, PartyId, Path, Rule, tag_of
from quorate.session.party import Party
from quorate.session.spec import MAX_PARTIES

M = TypeVar("M", bound=Message)


class Echo(Message, frozen=True, tag="echo.digest"):
    """The digest of all envelopes of one broadcast, one's own included."""

    digest: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Seen(Message, frozen=True, tag="echo.seen"):
    """The envelopes themselves, sorted by sender; sent only when digests differ."""

    envelopes: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=MAX_PARTIES)]


def rules(path: Path, seen_limit: int) -> tuple[Rule, Rule]:
    """The slots an echo on `path` needs; `seen_limit` bounds all envelopes of the broadcast together."""
    return Rule(Echo, path, limit=64), Rule(Seen, path, limit=seen_limit)


async def broadcast(party: Party, message: M, *, step: str = "") -> dict[PartyId, M]:
    """Broadcast, gather everybody's, and make sure that all have the same. Others' messages, sorted.

    Raises `Blame` on whoever signed two versions. If views differ and nobody can show two signed
    versions, someone lied about its view: `Suspicion` of those whose digest does not match what they sent.
    """
    party.broadcast(message)
    others = await party.gather(type(message))
    await confirm(party, type(message), step=step)
    return others


async def confirm(
    party: Party, kind: type[Message], *, senders: Iterable[PartyId] | None = None, step: str = ""
) -> None:
    """Compare views of a broadcast of `kind` that has been gathered from `senders` (default: all)."""
    asked = party.parties if senders is None else tuple(senders)
    views = {name: data for name, data in party.envelopes(kind).items() if name in asked}
    if party.me in asked:
        views[party.me] = party.own_envelope(kind)
    mine = _digest(party, views)
    party.broadcast(Echo(mine))
    echoes = await party.gather(Echo)
    if all(echo.digest == mine for echo in echoes.values()):
        return
    party.broadcast(Seen(tuple(views[name] for name in sorted(views))))
    seen = await party.gather(Seen)
    for reporter, report in seen.items():
        shown = _shown(party, report, kind)
        for sender, envelope in shown.items():
            if sender in views and envelope != views[sender]:
                exhibits = [encode(Exhibit(views[sender], b"")), encode(Exhibit(envelope, b""))]
                raise Blame(
                    f"{sender} told different parties different things ({tag_of(kind)})",
                    parties=[sender],
                    step=step or tag_of(kind),
                    evidence=exhibits,
                )
        if echoes[reporter].digest != mine:
            raise Suspicion(
                f"{reporter} reported a view of {tag_of(kind)} that it could not show",
                parties=[party.me, reporter],
                step=step or tag_of(kind),
            )
    raise QuorateError("echo: views differ without a difference")  # pragma: no cover - excluded above


def _digest(party: Party, views: dict[PartyId, bytes]) -> bytes:
    fields = [field for name in sorted(views) for field in (name.encode(), views[name])]
    return digest(Tag.ECHO, party.session_id, party.path.encode(), *fields)


def _shown(party: Party, report: Seen, kind: type[Message]) -> dict[PartyId, bytes]:
    """The envelopes of a report that their senders really signed for this very broadcast."""
    shown: dict[PartyId, bytes] = {}
    for data in report.envelopes:
        try:
            envelope = Envelope.parse(data)
            if envelope.sender not in party.parties:
                continue
            envelope.verify(party.identity_of(envelope.sender))
        except (QuorateError, ProofRejected):
            continue
        here = (envelope.session, envelope.path, envelope.tag, envelope.recipient)
        if here == (party.session_id, party.path, tag_of(kind), EVERYBODY):
            shown[envelope.sender] = data
    return shown
