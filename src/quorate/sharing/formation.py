"""Forming a wallet's key between a committee and a device: ``2 of (committee, device@2)``.

The committee shares s with P1 = s G; the device draws u with U = u G. The key is what the line through
(1, s) and (2, u) gives at 0, so X = 2 P1 - U, and neither side had it or could choose it: the device is
bound to U before P1 exists for it, and proves that it knows u (else U = 2 P1 - xG would make x its own).
Steps carry the numbers of docs/protocols/wallet-formation.md.

The device never takes part in key generation and learns only public parts of it. No second factor is dealt
here: larger structures come by a refresh (`quorate.sharing.refresh`) in which each factor opens its own.
Nothing is stored and no statement is signed here; the layers above do both with what is returned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected, Suspicion
from quorate.groups import Group, Point, Scalar
from quorate.primitives.commitment import SALT_LENGTH, commit, opens
from quorate.primitives.proofs import SchnorrProof
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import Declaration, Message, Party, PartyId, Rule, echo
from quorate.sharing.access import AccessStructure
from quorate.sharing.expression import MAX_MEMBERS
from quorate.sharing.generation import CommitteeKey, GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.line import COMMITTEE_POINT, weights
from quorate.sharing.polynomial import Commitment
from quorate.sharing.quorums import Quorums
from quorate.sharing.statements import Digest, Grant, KeyFormed, Name, Structure, to_sign

DEVICE_POINT: Final = 2
MAX_KEYS: Final = 16
"""Committee keys of one formation: one for each value that the largest threshold would need, and to spare."""


class FormationRequest(Canonical):
    """The session's payload, made by the device: what is formed, and H(U, salt).

    The nodes bring the keys of `grants`, in that order: the first is s, a second serves the first refresh.
    Whether a grant holds is for the layer above, which knows the committees.
    """

    network: Name
    account: Digest
    index: Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]
    structure: Structure
    device_commitment: Digest
    grants: Annotated[tuple[Grant, ...], msgspec.Meta(min_length=1, max_length=MAX_KEYS)]


class Contribution(Message, tag="formation.contribution"):
    """Step 1, of all: the commitment to a chain code contribution."""

    commitment: Digest


class Assigned(Message, tag="formation.assigned"):
    """Step 2, of the nodes: the committee keys, as (key id, commitment); the first is s."""

    keys: Annotated[
        tuple[
            tuple[Digest, Annotated[tuple[Point, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]],
            ...,
        ],
        msgspec.Meta(min_length=1, max_length=MAX_KEYS),
    ]


class Form(Message, tag="formation.form"):
    """Step 3, of the device: U opened, with a proof that u is known."""

    share: Point
    salt: Digest
    proof: SchnorrProof


class Reveal(Message, tag="formation.reveal"):
    """Step 3, of all: the chain code contribution opened."""

    chain_code: Digest
    salt: Digest


class Agreed(Message, tag="formation.agreed"):
    """Step 4, of all: the digest of the KEY-FORMED statement each has come to."""

    statement: Digest


DECLARATION: Final = Declaration(
    "formation",
    2,
    Rule(Contribution, limit=64),
    *echo.rules("", (MAX_MEMBERS + 1) * 512),
    Rule(Assigned, limit=MAX_KEYS * (MAX_MEMBERS * 35 + 64)),
    Rule(Form, limit=256),
    Rule(Reveal, limit=128),
    Rule(Agreed, limit=64),
)


@dataclass(frozen=True, slots=True)
class DeviceSecret:
    """What the device draws before it asks: u and the salt of its commitment."""

    share: Secret[Scalar]
    salt: bytes

    @classmethod
    def draw(cls, group: Group, rng: Rng) -> DeviceSecret:
        return cls(Secret(group.random_scalar(rng)), rng(SALT_LENGTH))

    def point(self, group: Group) -> Point:
        """U."""
        return group.generator.multiply(self.share.reveal())

    def commitment(self, group: Group, *, network: str, account: bytes, index: int) -> bytes:
        """H(place, U, salt): what the votes for a pool key, and the payload, fix."""
        place = encode((network, account, index, group.name))
        return commit(Tag.FORMATION_DEVICE, place, self.point(group).to_bytes(), self.salt)

    def request(
        self,
        group: Group,
        *,
        network: str,
        account: bytes,
        index: int,
        structure: AccessStructure,
        grants: tuple[Grant, ...],
    ) -> FormationRequest:
        """The payload that commits to U."""
        committed = self.commitment(group, network=network, account=account, index=index)
        return FormationRequest(network, account, index, str(structure), committed, grants)


@dataclass(frozen=True, slots=True)
class Formed:
    """What a formation gives one party. `keys` are a node's own parts, empty at the device."""

    share: KeyShare
    committee: CommitteeKey
    spare: tuple[CommitteeKey, ...]
    keys: tuple[GeneratedKey, ...]
    statement: KeyFormed


async def form_as_node(party: Party, pool: Sequence[GeneratedKey]) -> Formed:
    """A node's seat. `pool` holds this node's parts of the granted keys, in the order of the grants."""
    request, structure, device = read_request(party)
    nodes = tuple(structure.nodes)
    keys = tuple(pool)
    if len(keys) != len(request.grants) or any(key.public.nodes != nodes for key in keys):
        raise Malformed("the keys are not those granted, shared by the nodes of the structure, in its order")
    seat = _Seat.take(party)
    # 1. commit to the chain code: the device's U is fixed by the payload
    party.broadcast(seat.contribution)
    contributions = await seat.compare(party)
    # 2. assign
    own = [key.public for key in keys]
    mine = Assigned(tuple((key.key_id, key.commitment.points) for key in own))
    party.broadcast(mine)
    assigned = await party.gather(Assigned, [name for name in party.others if name != device])
    public = agree({**assigned, party.me: mine}, party.me, structure)
    # 3. the device's share, opened and proven; chain code
    form = await party.receive(Form, device)
    try:
        check_form(party.session_id, request, public[0], form)
    except ProofRejected as error:
        party.blame(Form, [device], str(error), step="3")
    chain_code = await seat.reveal(party, public[0], contributions)
    formed = _formed(
        party.spec.epoch, request, structure, party.me, public, form.share, keys[0].share, chain_code, keys
    )
    # 4. agree
    await _agree(party, formed.statement)
    return formed


async def form_as_device(party: Party, secret: DeviceSecret) -> Formed:
    """The device's seat; `secret` is the one the payload commits to."""
    request, structure, device = read_request(party)
    if device != party.me:
        raise Malformed(f"the structure's device is {device}, not {party.me}")
    check_device(request, party.group, secret.point(party.group), secret.salt)
    seat = _Seat.take(party)
    # 1. commit to the chain code
    party.broadcast(seat.contribution)
    contributions = await seat.compare(party)
    # 2. all nodes must have assigned the same keys
    public = agree(await party.gather(Assigned), party.me, structure)
    # 3. open U, prove u
    share = secret.point(party.group)
    bound = proof_context(party.session_id, request, public[0], share)
    proof = SchnorrProof.prove(Tag.FORMATION_PROOF, bound, secret.share.reveal(), share, party.rng)
    party.broadcast(Form(share, secret.salt, proof))
    chain_code = await seat.reveal(party, public[0], contributions)
    formed = _formed(
        party.spec.epoch, request, structure, party.me, public, share, secret.share, chain_code, ()
    )
    # 4. agree
    await _agree(party, formed.statement)
    return formed


# --- the mathematics of each step ---------------------------------------------------------------------


def read_request(party: Party) -> tuple[FormationRequest, AccessStructure, PartyId]:
    """The payload, its structure and the device's name. Raises `Malformed` unless they fit the session."""
    request = decode(FormationRequest, party.spec.payload)
    structure = AccessStructure.parse(request.structure)
    factors = structure.factors
    if (
        str(structure) != request.structure
        or structure.root.needed != 2
        or len(structure.root.members) != 2
        or structure.committee() is None
        or list(factors.values()) != [DEVICE_POINT]
        or len(structure.nodes) + 1 != len(structure.leaves)
    ):
        raise Malformed("a key is formed as '2 of (committee, device@2)'; other structures come by refresh")
    structure.check_seats()
    device = next(iter(factors))
    present = set(party.parties) - {device}
    quorums = Quorums.standard(len(structure.nodes), structure_degree(structure))
    if device not in party.parties or not present <= set(structure.nodes):
        raise Malformed("formation is between the device and nodes of the structure")
    if len(present) < quorums.echo:
        raise Malformed(f"{len(present)} of {len(structure.nodes)} nodes are too few to form a key")
    return request, structure, device


def structure_degree(structure: AccessStructure) -> int:
    """The degree of the committee's sharing. Raises `Malformed` without a committee."""
    committee = structure.committee()
    if committee is None:
        raise Malformed(f"{structure} has no committee")
    return committee.needed - 1


def agree(
    assigned: Mapping[PartyId, Assigned], me: PartyId, structure: AccessStructure
) -> tuple[CommitteeKey, ...]:
    """The keys that all nodes assigned. Raises `Suspicion` of those who differ from an echo quorum.

    Who differs is not blamed: that a key is not the generated one shows only to those who generated it.
    """
    nodes, degree = tuple(structure.nodes), structure_degree(structure)
    counted = Counter(assigned.values())
    best, count = counted.most_common(1)[0]
    if count != len(assigned):
        enough = count >= Quorums.standard(len(nodes), degree).echo
        others = [name for name, message in assigned.items() if not (enough and message == best)]
        raise Suspicion("nodes assigned different keys", parties=[me, *others], step="2")
    shapes = {len(points) for _, points in best.keys}
    if shapes != {degree + 1} or len({key_id for key_id, _ in best.keys}) != len(best.keys):
        raise Suspicion("nodes assigned keys of another shape", parties=[me, *assigned], step="2")
    return tuple(CommitteeKey(key_id, nodes, Commitment(points)) for key_id, points in best.keys)


def proof_context(
    session_id: bytes, request: FormationRequest, committee: CommitteeKey, share: Point
) -> bytes:
    """What the proof of u is bound to: place, key, P1, U, structure."""
    place = _place(request, committee.group)
    return encode((session_id, place, committee.key_id, committee.public_key, share, request.structure))


def check_device(request: FormationRequest, group: Group, share: Point, salt: bytes) -> None:
    """Raises `ProofRejected` unless U is the one the payload commits to."""
    opens(request.device_commitment, Tag.FORMATION_DEVICE, _place(request, group), share.to_bytes(), salt)


def check_form(session_id: bytes, request: FormationRequest, committee: CommitteeKey, form: Form) -> None:
    """Raises `ProofRejected` unless U is the committed one, u is known, and X is a key."""
    check_device(request, committee.group, form.share, form.salt)
    bound = proof_context(session_id, request, committee, form.share)
    form.proof.verify(Tag.FORMATION_PROOF, bound, form.share)
    if public_key(committee, form.share).is_identity:
        raise ProofRejected("the device's share is twice the committee's: there would be no key")


def public_key(committee: CommitteeKey, share: Point) -> Point:
    """X = 2 P1 - U: the line through (1, s) and (2, u) at 0."""
    group = committee.group
    lam = weights([DEVICE_POINT], group.order)
    return committee.public_key.multiply_public(group.scalar(lam[COMMITTEE_POINT])) + (
        share.multiply_public(group.scalar(lam[DEVICE_POINT]))
    )


def _place(request: FormationRequest, group: Group) -> bytes:
    return encode((request.network, request.account, request.index, group.name))


def _formed(
    epoch: int,
    request: FormationRequest,
    structure: AccessStructure,
    me: PartyId,
    public: tuple[CommitteeKey, ...],
    device_share: Point,
    share: Secret[Scalar],
    chain_code: bytes,
    keys: tuple[GeneratedKey, ...],
) -> Formed:
    committee = public[0]
    device = next(iter(structure.factors))
    shares = {name: committee.public_share(name) for name in structure.nodes} | {device: device_share}
    x = public_key(committee, device_share)
    own = KeyShare(committee.key_id, epoch, structure, x, shares, me, share, chain_code)
    statement = KeyFormed(
        request.network,
        request.account,
        committee.group.name,
        committee.key_id,
        str(structure),
        x.to_bytes(),
        tuple(point.to_bytes() for point in committee.commitment.points),
        ((device, device_share.to_bytes()),),
        digest(Tag.CHAIN_CODE, chain_code),
    )
    return Formed(own, committee, public[1:], keys, statement)


async def _agree(party: Party, statement: KeyFormed) -> None:
    mine = to_sign(statement)
    party.broadcast(Agreed(mine))
    said = await party.gather(Agreed)
    others = [name for name, message in said.items() if message.statement != mine]
    if others:
        # every input was compared or committed, so a difference is a lie about it; but not a provable one
        raise Suspicion("they came to another key", parties=[party.me, *others], step="4")


@dataclass(frozen=True, slots=True)
class _Seat:
    """One party's chain code contribution, and how all of them come together."""

    bound: bytes
    chain_code: bytes
    salt: bytes

    @classmethod
    def take(cls, party: Party) -> _Seat:
        return cls(encode((party.session_id, party.me)), party.rng(32), party.rng(SALT_LENGTH))

    @property
    def contribution(self) -> Contribution:
        return Contribution(commit(Tag.FORMATION_CHAIN_CODE, self.bound, self.chain_code, self.salt))

    async def compare(self, party: Party) -> dict[PartyId, Contribution]:
        """Everybody's commitments, the same for all."""
        contributions = await party.gather(Contribution)
        await echo.confirm(party, Contribution, step="1")
        return contributions

    async def reveal(
        self, party: Party, key: CommitteeKey, contributions: Mapping[PartyId, Contribution]
    ) -> bytes:
        """Open, check the others' openings, and hash all of them into the chain code."""
        party.broadcast(Reveal(self.chain_code, self.salt))
        reveals = await party.gather(Reveal)
        false = []
        for name, message in reveals.items():
            bound = encode((party.session_id, name))
            committed = contributions[name].commitment
            try:
                opens(committed, Tag.FORMATION_CHAIN_CODE, bound, message.chain_code, message.salt)
            except ProofRejected:
                false.append(name)
        party.blame((Contribution, Reveal), false, "the chain code contribution is not the committed one")
        parts = {name: message.chain_code for name, message in reveals.items()} | {party.me: self.chain_code}
        return digest(Tag.CHAIN_CODE, key.key_id, encode(sorted(parts.items())))
