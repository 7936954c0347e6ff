"""OT setup of a pair: what two parties make once and every multiplication between them draws on.

Steps 1.1 to 1.4 of docs/protocols/ecdsa.md; steps A1 and A2 of docs/protocols/oblivious-transfer.md. Both
directions run side by side, so that each party is once the sender (with a Delta of its own) and once the
receiver, and both contribute to one seed for zero-sharing. Three messages each way at most; nothing is
accepted before both have shown that they hold the same.

The result belongs to no key and no curve: one setup serves every wallet of the pair. An *instance* is
(pair, shard, generation); hosts shard node pairs by account, so that one Delta is not one secret for all
users, and count generations up with every fresh setup (quarantine, daily replacement).

Assumes that the parties have agreed on shard and generation in the session's payload.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from quorate.encoding import Confidential, decode, encode
from quorate.errors import CheckFailed, LocalError, Malformed, ProofRejected
from quorate.groups import SECP256K1, Group
from quorate.primitives import base_ot
from quorate.primitives.commitment import commit, opens
from quorate.primitives.correlation import ReceiverState, SenderState
from quorate.primitives.parameters import STANDARD, OTParameters
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.schemes.ecdsa.faults import Disagreement, suspect
from quorate.secret import Secret
from quorate.session import (
    Declaration,
    Message,
    Party,
    PartyId,
    Path,
    PublicIdentity,
    Rule,
    SessionSpec,
    roster_digest,
)

MAX_SHARDS: Final = 64
"""Instances of one pair that are live at once. More would cost nodes memory (8 kB each) and set-up time,
fewer would put more users' nonces behind one Delta."""

Octets32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Choice(Message, frozen=True, tag="ecdsa.setup.choice"):
    """Step 1.1: base-OT message of the future sender; commitment to a half of the zero-sharing seed."""

    commitment: Octets32
    transfers: bytes


class Response(Message, frozen=True, tag="ecdsa.setup.response"):
    """Step 1.2, sealed: base-OT answer of the future receiver, trees and proof; our half of the seed."""

    transfers: bytes
    half: Octets32
    salt: Octets32


class Confirmation(Message, frozen=True, tag="ecdsa.setup.confirmation"):
    """Step 1.3: the proof that we hold what the messages say we hold."""

    digest: Octets32


SETUP: Final = Declaration(
    "ecdsa.setup",
    1,
    Rule(Choice, limit=40_000),
    Rule(Response, unicast=True, limit=80_000),
    Rule(Confirmation, limit=128),
)


@dataclass(frozen=True, slots=True)
class PairSetup:
    """One end of an instance. `fingerprint` is equal at both ends and secret to nobody."""

    peer: PartyId
    shard: int
    generation: int
    sender: SenderState = field(repr=False)
    receiver: ReceiverState = field(repr=False)
    zero_seed: Secret[bytes] = field(repr=False)
    fingerprint: bytes

    @property
    def parameters(self) -> OTParameters:
        return self.sender.parameters

    def to_bytes(self) -> bytes:
        """The canonical encoding, secrets inside: for the vault only."""
        return encode(
            _Stored(
                self.peer,
                self.shard,
                self.generation,
                self.sender.to_bytes(),
                self.receiver.to_bytes(),
                self.zero_seed.reveal(),
                self.fingerprint,
            )
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> PairSetup:
        """Read `to_bytes`. Raises `Malformed`."""
        stored = decode(_Stored, data)
        return cls(
            stored.peer,
            stored.shard,
            stored.generation,
            SenderState.from_bytes(stored.sender),
            ReceiverState.from_bytes(stored.receiver),
            Secret(stored.zero_seed),
            stored.fingerprint,
        )


def instance_payload(shard: int, generation: int) -> bytes:
    """What a setup session's payload is: the instance both parties mean."""
    if not (0 <= shard < MAX_SHARDS and 0 <= generation < 1 << 32):
        raise LocalError(f"an instance has a shard below {MAX_SHARDS} and a 32-bit generation")
    return encode((shard, generation))


def suite(group: Group, parameters: OTParameters) -> str:
    """The suite of a session of this package: a group and the OT sizes."""
    return f"{group.name}/{parameters.name}"


def propose_setup(roster: Mapping[PartyId, PublicIdentity], shard: int, generation: int) -> SessionSpec:
    """What either of the two parties in `roster` proposes to make this instance."""
    return SessionSpec(
        SETUP.name,
        SETUP.version,
        suite(SECP256K1, STANDARD),
        b"",
        0,
        tuple(sorted(roster)),
        roster_digest(roster),
        2,
        "instance",
        instance_payload(shard, generation),
    )


async def set_up(
    party: Party,
    shard: int,
    generation: int,
    *,
    parameters: OTParameters = STANDARD,
    group: Group = SECP256K1,
) -> PairSetup:
    """Make one instance with the one other party of the session.

    `group` carries the base transfers and is secp256k1 whatever curve the wallets use; the simulator passes
    its toy group. Raises `Suspicion` or `Blame` when a check fails and `Disagreement` when the ends differ;
    then nothing was set up, and a new session may try again.
    """
    (peer,) = _pair(party)
    if party.spec.payload != instance_payload(shard, generation):
        raise LocalError("this session was agreed for another instance")
    # 1.1
    half, salt = party.rng(32), party.rng(32)
    commitment = commit(Tag.ECDSA_SETUP_NONCE, _context(party.session_id, party.path, party.me), half, salt)
    chooser, transfers = base_ot.choose(group, parameters, _direction(party, party.me, peer), party.rng)
    mine = Choice(commitment, transfers)
    party.broadcast(mine)
    theirs = await party.receive(Choice, peer)
    # 1.2
    lengths = base_ot.message_lengths(group, parameters)
    if len(theirs.transfers) != lengths[0]:
        party.blame(Choice, [peer], f"its transfers are not of {lengths[0]} bytes", step="1.2")
    try:
        receiver, answer = base_ot.respond(
            group, parameters, _direction(party, peer, party.me), party.rng, theirs.transfers
        )
    except (CheckFailed, Malformed) as error:
        suspect(party, peer, error, "1.2")
    party.send(peer, Response(answer, half, salt))
    response = await party.receive(Response, peer)
    # 1.3
    if len(response.transfers) != lengths[1]:
        party.blame(Response, [peer], f"its transfers are not of {lengths[1]} bytes", step="1.3")
    if not half_fits(party.session_id, party.path, peer, theirs.commitment, response):
        party.blame((Choice, Response), [peer], "its half of the seed is not the committed one", step="1.3")
    try:
        sender = base_ot.finish(chooser, response.transfers)
    except (CheckFailed, Malformed) as error:
        suspect(party, peer, error, "1.3")
    halves = {party.me: half, peer: response.half}
    seed = digest(Tag.ECDSA_SETUP_SEED, _context(party.session_id, party.path, ""), *_sorted(halves))
    setups = {party.me: sender.fingerprint(), peer: receiver.fingerprint()}
    fingerprint = digest(
        Tag.ECDSA_SETUP_FINGERPRINT,
        _context(party.session_id, party.path, ""),
        *_sorted(setups),
        *_sorted({party.me: commitment, peer: theirs.commitment}),
    )
    party.broadcast(Confirmation(_confirmation(party.me, seed, fingerprint)))
    # 1.4
    confirmed = await party.receive(Confirmation, peer)
    if Secret(confirmed.digest) != Secret(_confirmation(peer, seed, fingerprint)):
        raise Disagreement(
            f"{party.me} and {peer} came out of their setup with different results; make a new one",
            parties=[party.me, peer],
            step="1.4",
        )
    return PairSetup(peer, shard, generation, sender, receiver, Secret(seed), fingerprint)


def half_fits(session_id: bytes, path: Path, who: PartyId, commitment: bytes, response: Response) -> bool:
    """Step 1.3: whether the half of the seed that `who` sent is the one it had committed to."""
    try:
        opens(
            commitment, Tag.ECDSA_SETUP_NONCE, _context(session_id, path, who), response.half, response.salt
        )
    except ProofRejected:
        return False
    return True


def _pair(party: Party) -> Sequence[PartyId]:
    if len(party.parties) != 2:
        raise LocalError("an OT setup is between two parties")
    return party.others


def _context(session_id: bytes, path: Path, who: PartyId) -> bytes:
    """The session binds pair, shard and generation (its parties and its payload)."""
    return digest(Tag.ECDSA_SETUP, session_id, path.encode(), who.encode())


def _direction(party: Party, sender: PartyId, receiver: PartyId) -> bytes:
    return digest(
        Tag.ECDSA_SETUP,
        party.session_id,
        party.path.encode(),
        sender.encode(),
        receiver.encode(),
        b"transfers",
    )


def _confirmation(who: PartyId, seed: bytes, fingerprint: bytes) -> bytes:
    return digest(Tag.ECDSA_SETUP_CONFIRMATION, seed, fingerprint, who.encode())


def _sorted(fields: dict[PartyId, bytes]) -> list[bytes]:
    return [fields[name] for name in sorted(fields)]


class _Stored(Confidential, frozen=True):
    peer: str
    shard: Annotated[int, msgspec.Meta(ge=0, lt=MAX_SHARDS)]
    generation: Annotated[int, msgspec.Meta(ge=0)]
    sender: bytes
    receiver: bytes
    zero_seed: Octets32
    fingerprint: Octets32
