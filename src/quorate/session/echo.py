"""Echo broadcast: what one party sends to all is the same for all, or the liar is shown.

A plain broadcast travels through relays, and its sender may sign two versions. After collecting a broadcast,
every party tells the others a digest of all envelopes it has seen; equal digests mean equal views. On a
difference the parties exchange the envelopes themselves, and two different envelopes in one slot, both
signed, are the evidence (Goldwasser-Lindell, "Secure Multi-Party Computation without Agreement", 2005).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, NoReturn, TypeVar

import msgspec

from quorate.encoding import encode
from quorate.errors import Blame, LocalError, Missing, QuorateError
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session.envelope import EVERYBODY, Envelope
from quorate.session.evidence import Exhibit
from quorate.session.identity import PublicIdentity
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

    Raises `Blame` on whoever signed two versions, or vouched for a view that it then could not show. Either
    way the evidence needs no secret, so nobody is merely suspected.
    """
    party.broadcast(message)
    others = await party.gather(type(message))
    await confirm(party, type(message), step=step)
    return others


async def confirm(
    party: Party, kind: type[Message], *, senders: Iterable[PartyId] | None = None, step: str = ""
) -> None:
    """Compare views of a broadcast of `kind` that has been gathered from `senders` (default: all)."""
    views = gathered(party, kind, senders)
    party.broadcast(Echo(view_digest(party, views)))
    await compare(party, kind, views, Echo, lambda echo: echo.digest, step=step)


def gathered(
    party: Party, kind: type[Message], senders: Iterable[PartyId] | None = None
) -> dict[PartyId, bytes]:
    """The envelopes of a broadcast as we have them, our own included: our view."""
    asked = party.parties if senders is None else tuple(senders)
    views = {name: data for name, data in party.envelopes(kind).items() if name in asked}
    if party.me in asked:
        views[party.me] = party.own_envelope(kind)
    if set(views) != set(asked):
        # with gaps the views of two honest parties would differ, and one of them would be blamed for it
        raise ValueError(f"an echo compares a broadcast that has come from all; {tag_of(kind)} has not")
    return views


async def compare(
    party: Party,
    kind: type[Message],
    views: dict[PartyId, bytes],
    vouched: type[M],
    digest_of: Callable[[M], bytes],
    *,
    step: str = "",
) -> dict[PartyId, M]:
    """Everybody's broadcast of type `vouched`, which holds the digest of its view; others', sorted.

    For protocols that carry the digest in a message of their own and so save the round of `confirm`.

    Views are shown as soon as two digests differ, not when all have come. Who told two parties different
    things can be silent to one of them; that one would wait for it until the deadline, and would itself be
    missed by those who wait for what it has to show.
    """
    mine = view_digest(party, views)
    step = step or tag_of(kind)
    said: dict[PartyId, M] = {}
    shown: dict[PartyId, Seen] = {}
    differing: list[PartyId] = []
    arriving = party.messages(vouched, Seen)
    try:
        while len(said) < len(party.others) or differing:
            sender, message = await anext(arriving)
            if isinstance(message, Seen):
                shown[sender] = message
            elif isinstance(message, vouched):
                said[sender] = message
                if digest_of(message) != mine:
                    if not differing:
                        party.broadcast(Seen(tuple(views[name] for name in sorted(views))))
                    differing.append(sender)
            # Only those who vouched for another view have anything to show. Whoever agrees with us may have
            # been told another digest than we were, and shows what is no news.
            if sender in differing and sender in shown:
                _judge(party, kind, views, vouched, digest_of(said[sender]), sender, shown[sender], step)
    except Missing:
        _miss(party, vouched, said, differing)
    return dict(sorted(said.items()))


def _judge(
    party: Party,
    kind: type[Message],
    views: Mapping[PartyId, bytes],
    vouched: type[Message],
    digest_: bytes,
    reporter: PartyId,
    report: Seen,
    step: str,
) -> NoReturn:
    """Another view than ours is shown: it, or a message in it, is somebody's lie."""
    roster = {name: party.identity_of(name) for name in views}
    if not shows(party.session_id, party.path, roster, kind, digest_, report):
        party.blame(
            (vouched, Seen), [reporter], f"vouched for a view of {tag_of(kind)} it can't show", step=step
        )
    for sender, envelope in shown_views(party.session_id, party.path, roster, kind, report).items():
        if envelope != views[sender]:
            _accuse(party, kind, sender, views[sender], envelope, step)
    raise LocalError("echo: views differ without a difference")  # pragma: no cover - excluded above


def _miss(
    party: Party, vouched: type[Message], said: Collection[PartyId], differing: Sequence[PartyId]
) -> NoReturn:
    """At the deadline: who differs and has shown nothing; if nobody differs, who has said nothing."""
    silent = list(differing) or [name for name in party.others if name not in said]
    tag = tag_of(Seen if differing else vouched)
    needed = 1 if differing else len(party.others)
    raise Missing(f"no answer from {', '.join(silent)} ({tag})", parties=silent, step=tag, needed=needed)


def _accuse(
    party: Party, kind: type[Message], sender: PartyId, ours: bytes, theirs: bytes, step: str
) -> NoReturn:
    if sender == party.me:
        raise LocalError(f"somebody shows a {tag_of(kind)} signed with our key that we did not send")
    raise Blame(
        f"{sender} told different parties different things ({tag_of(kind)})",
        parties=[sender],
        step=step,
        evidence=[encode(Exhibit(ours, b"")), encode(Exhibit(theirs, b""))],
    )


def view_digest(party: Party, views: Mapping[PartyId, bytes]) -> bytes:
    """The digest that stands for a view."""
    return _digest(party.session_id, party.path, views)


def shows(
    session: bytes,
    path: Path,
    roster: Mapping[PartyId, PublicIdentity],
    kind: type[Message],
    vouched: bytes,
    report: Seen,
) -> bool:
    """Whether a report holds everybody's envelope, as its sender signed it, and is the view vouched for.

    If not, the reporter contradicts itself; a stranger can tell by the same function. `roster` names
    exactly those whose broadcast it was.
    """
    shown = shown_views(session, path, roster, kind, report)
    return list(shown) == sorted(roster) and _digest(session, path, shown) == vouched


def shown_views(
    session: bytes, path: Path, roster: Mapping[PartyId, PublicIdentity], kind: type[Message], report: Seen
) -> dict[PartyId, bytes]:
    """The envelopes of a report that their senders really signed for this very broadcast."""
    shown: dict[PartyId, bytes] = {}
    for data in report.envelopes:
        try:
            envelope = Envelope.parse(data)
            if envelope.sender not in roster:
                continue
            envelope.verify(roster[envelope.sender])
        except QuorateError:
            continue
        here = (envelope.session, envelope.path, envelope.tag, envelope.recipient)
        if here == (session, path, tag_of(kind), EVERYBODY):
            shown[envelope.sender] = data
    return shown


def _digest(session: bytes, path: Path, views: Mapping[PartyId, bytes]) -> bytes:
    fields = [field for name in sorted(views) for field in (name.encode(), views[name])]
    return digest(Tag.ECHO, session, path.encode(), *fields)
