"""FROST's first round: nonces drawn, their commitments exchanged. No message is known, or none is needed.

Steps 1.0 to 1.3 of docs/protocols/frost.md, RFC 9591 section 5.1 with several nonce pairs at a time. As the
first half of a cold signature one pair; as a session of its own (`PREPARE`), a batch for later.

Assumes that the session's parties are exactly the quorum. Never journaled: a session that crashes is lost,
and its nonces with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated

import msgspec

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import LocalError
from quorate.groups import Point
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.schemes.faults import Disagreement
from quorate.schemes.quorum import Quorum, Signer
from quorate.schemes.schnorr.frost import Nonces
from quorate.schemes.schnorr.messages import MAX_BATCH, Commitments
from quorate.schemes.schnorr.prepared import Preparation, Prepared
from quorate.schemes.schnorr.suite import Commitment, Suite
from quorate.session import Party, PartyId, Path


class Batch(Canonical, frozen=True):
    """The payload of a session that prepares: for how many signatures."""

    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_BATCH)]

    def to_payload(self) -> bytes:
        """The session's payload."""
        return encode(self)

    @classmethod
    def from_payload(cls, payload: bytes) -> Batch:
        """Read `to_payload`. Raises `Malformed`."""
        return decode(cls, payload, limit=64)


async def prepare(party: Party, signer: Signer, suite: Suite, *, count: int = 1) -> list[Prepared]:
    """Make our share of `count` prepared signatures with the quorum of `signer`.

    Raises `Disagreement` if others come with another record of the key, `Blame` for a message of another
    size, `Missing`.
    """
    check_inputs(party, signer, suite)
    if not 1 <= count <= MAX_BATCH:
        raise LocalError(f"1 to {MAX_BATCH} signatures are prepared at a time, not {count}")
    quorum = signer.quorum
    ssid = preparing_id(party.session_id, party.path, quorum, suite, count)
    # 1.1
    part = signer.part.reveal()
    rng = of_session(party.rng, ssid)
    drawn = [Nonces.draw(suite, part, rng) for _ in range(count)]
    identifier = quorum.signers.index(party.me) + 1
    mine = [nonces.commit(identifier) for nonces in drawn]
    own = tuple(point for row in mine for point in (row.hiding, row.binding))
    party.broadcast(Commitments(ssid, own))
    # 1.2
    said = await party.gather(Commitments)
    for peer, message in said.items():
        if message.ssid != ssid:
            pair = sorted((party.me, peer))
            what = "differ in their records of the key (public shares, signers, suite)"
            raise Disagreement(f"{' and '.join(pair)} {what}", parties=pair, step="1.2")
    wrong = [peer for peer, message in said.items() if len(message.points) != 2 * count]
    party.blame(Commitments, wrong, f"it does not show {count} pairs of nonces", step="1.2")
    # 1.3
    shown = {peer: message.points for peer, message in said.items()} | {party.me: own}
    return [
        Prepared(_public(quorum, suite, party.me, ssid, index, shown), nonces)
        for index, nonces in enumerate(drawn)
    ]


def preparing_id(session_id: bytes, path: Path, quorum: Quorum, suite: Suite, count: int) -> bytes:
    """Step 1.0: what all commitments of a session are for."""
    return digest(
        Tag.SCHNORR_SESSION,
        session_id,
        path.encode(),
        quorum.digest(),
        suite.name.encode(),
        count.to_bytes(2, "big"),
    )


def of_session(rng: Rng, ssid: bytes) -> Rng:
    """`rng`, with everything it gives hashed with the session and its place there.

    For a generator that gives the same again, as in a copy of a running machine: nonces of two sessions
    differ all the same, so long as one other signer's nonce of the session is fresh. It makes no bad
    generator good.
    """
    places = itertools.count()

    def draw(length: int) -> bytes:
        place = next(places).to_bytes(4, "big")
        return digest(Tag.SCHNORR_NONCE, ssid, place, rng(length), length=length)

    return draw


def check_inputs(party: Party, signer: Signer, suite: Suite) -> None:
    """Whether this session may use this key's share with this suite. Raises `LocalError`."""
    quorum, spec = signer.quorum, party.spec
    if signer.me != party.me or quorum.signers != party.parties:
        raise LocalError("the session's parties are not the quorum's signers")
    if (spec.key, spec.epoch, spec.suite) != (quorum.key_id, quorum.epoch, suite.session_suite):
        raise LocalError("the session was agreed for another key, epoch or suite")
    if quorum.group is not party.group:
        raise LocalError(f"{suite.name} signs with keys of {suite.curve}, not of {quorum.group.name}")


def _public(
    quorum: Quorum,
    suite: Suite,
    me: PartyId,
    ssid: bytes,
    index: int,
    shown: Mapping[PartyId, tuple[Point, ...]],
) -> Preparation:
    rows = [
        Commitment(place, *shown[name][2 * index : 2 * index + 2])
        for place, name in enumerate(quorum.signers, start=1)
    ]
    return Preparation(
        digest(Tag.SCHNORR_PREPARED, ssid, index.to_bytes(2, "big")),
        suite.name,
        quorum.key_id,
        quorum.epoch,
        quorum.digest(),
        quorum.signers,
        me,
        tuple(rows),
    )
