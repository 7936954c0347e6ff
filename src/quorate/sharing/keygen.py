"""Key generation between nodes in four rounds; all nodes present, all confirm.

Pedersen's idea (every node deals, the key is the sum of the deals) in the form of Lindell 2022
(ePrint 2022/374, protocol 6.1): deals are committed before any is shown, so nobody chooses its own after
seeing the others', and everybody proves knowledge of its constant term. Feldman shares make a wrong deal
provable: shares travel sealed, and the recipient can open that one box to a stranger. Steps carry the
numbers of docs/protocols/key-generation.md.

`count` keys are made in one run. Assumes distinct nodes that know each other's identities (the session's
roster). Does not survive an absent node: it ends with `Missing`, and nothing of it may be used. One round
of silence at the end can leave one node with keys and another without; both are pending until the layer
above has seen that all have them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import Abort, Malformed, ProofRejected, Remedy
from quorate.groups import Group, Point, Scalar
from quorate.primitives.commitment import SALT_LENGTH, commit, opens
from quorate.primitives.proofs import SchnorrProof
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import Message, Party, PartyId, Path, Rule, echo
from quorate.sharing.expression import MAX_MEMBERS
from quorate.sharing.generation import MAX_BATCH, CommitteeKey, GeneratedKey
from quorate.sharing.polynomial import Commitment, Polynomial, total

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Points = Annotated[tuple[Point, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]

OPEN_LIMIT: Final = MAX_BATCH * (MAX_MEMBERS * 35 + 75) + 128
"""The largest opening: `MAX_BATCH` keys of the highest degree, each with its proof."""


class Commit(Message, tag="keygen.commit"):
    """Step 1: the commitment to everything step 2 opens."""

    commitment: Digest


class Open(Message, tag="keygen.open"):
    """Step 2: Feldman commitments, a proof for each constant term; the chain code stays committed."""

    commitments: Annotated[tuple[Points, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
    proofs: Annotated[tuple[SchnorrProof, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
    chain_code: Digest
    salt: Digest


class Shares(Message, tag="keygen.shares"):
    """Step 3, sealed: the recipient's point on each polynomial."""

    values: Annotated[tuple[Scalar, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Reveal(Message, tag="keygen.reveal"):
    """Step 3: the opened chain code contribution."""

    chain_code: Digest
    salt: Digest


class Confirm(Message, tag="keygen.confirm"):
    """Step 4: knowledge of the final shares, bound to everything agreed. This is also the confirmation."""

    proofs: Annotated[tuple[SchnorrProof, ...], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


def rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of this protocol on a fork at `path`."""
    return (
        Rule(Commit, path, limit=128),
        Rule(Open, path, limit=OPEN_LIMIT),
        Rule(Shares, path, unicast=True, limit=64 + 40 * MAX_BATCH),
        Rule(Reveal, path, limit=128),
        Rule(Confirm, path, limit=64 + 80 * MAX_BATCH),
        *echo.rules(path, MAX_MEMBERS * (OPEN_LIMIT + 512)),
    )


async def generate(
    party: Party,
    *,
    degree: int,
    count: int,
    context: bytes,
    nodes: Sequence[PartyId] | None = None,
) -> tuple[GeneratedKey, ...]:
    """`count` fresh keys shared by polynomials of `degree` among the parties of this session (or fork).

    `context` is what the keys are for; `nodes` the order in which parties take the points 1..n. Raises
    `Blame` with evidence for every deviation, `Suspicion` for a view that nobody can show, `Missing`.
    """
    order = tuple(party.parties) if nodes is None else tuple(nodes)
    if sorted(order) != sorted(party.parties):
        raise Malformed("key generation is among exactly the parties of its session")
    if not 0 <= degree < len(order) or not 1 <= count <= MAX_BATCH:
        raise Malformed(f"{count} keys of degree {degree} between {len(order)} nodes cannot be generated")
    setting = Setting(party.group, encode((party.session_id, party.path, context)), degree, count, order)

    # 1. commit
    deal = Deal.random(setting, party.rng)
    opening = open_deal(setting, party.me, deal, party.rng)
    mine = Commit(commitment_to(setting, party.me, opening))
    party.broadcast(mine)
    commits = await party.gather(Commit)

    # 2. open, prove
    party.broadcast(opening)
    opened = await party.gather(Open)
    false = [p for p in opened if not _holds(check_commitment, setting, p, commits[p], opened[p])]
    party.blame((Commit, Open), false, "the opening is not what was committed")
    false = [p for p in opened if not _holds(check_opening, setting, p, opened[p])]
    party.blame(Open, false, "wrong number of keys, wrong degree, or a proof that does not verify")

    # 3. share under seal, reveal the chain code, compare views
    for other in party.others:
        party.send(other, Shares(deal.shares(setting, other)))
    reveal = Reveal(deal.chain_code, deal.chain_code_salt)
    party.broadcast(reveal)
    await echo.confirm(party, Open, step="3")
    reveals = await party.gather(Reveal)
    received = await party.gather(Shares)
    false = [p for p in reveals if not _holds(check_reveal, setting, p, opened[p], reveals[p])]
    party.blame((Open, Reveal), false, "the chain code contribution is not the committed one")
    false = [p for p in received if not _holds(check_shares, setting, party.me, opened[p], received[p])]
    party.blame((Open, Shares), false, "the share does not lie on the committed polynomial")

    # 4. add up, confirm
    opened[party.me], reveals[party.me] = opening, reveal
    received[party.me] = Shares(deal.shares(setting, party.me))
    keys = _add_up(setting, party, opened, reveals, received)
    statement = _statement(setting, keys)
    proofs = (_confirm(key, statement, index, party.rng) for index, key in enumerate(keys))
    party.broadcast(Confirm(tuple(proofs)))
    confirms = await party.gather(Confirm)
    false = [p for p in confirms if not _holds(check_confirm, setting, p, keys, statement, confirms[p])]
    party.blame(Confirm, false, "it does not prove that it holds its share")
    # 5. all n have confirmed
    return keys


# --- the mathematics of each step ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """What all parties agreed on before the first message."""

    group: Group
    context: bytes
    degree: int
    count: int
    nodes: tuple[PartyId, ...]

    def bound(self, party: PartyId, index: int = 0) -> bytes:
        """The context of a value that `party` makes for key number `index`."""
        return encode((self.context, party, index))


@dataclass(frozen=True, slots=True)
class Deal:
    """One node's secrets of one run."""

    polynomials: tuple[Polynomial, ...]
    chain_code: bytes
    chain_code_salt: bytes
    salt: bytes

    @classmethod
    def random(cls, setting: Setting, rng: Rng) -> Deal:
        polynomials = tuple(
            Polynomial.random(setting.group, setting.degree, rng) for _ in range(setting.count)
        )
        return cls(polynomials, rng(32), rng(SALT_LENGTH), rng(SALT_LENGTH))

    def shares(self, setting: Setting, recipient: PartyId) -> tuple[Scalar, ...]:
        """Every polynomial at the recipient's point."""
        point = setting.nodes.index(recipient) + 1
        return tuple(polynomial.at(point).reveal() for polynomial in self.polynomials)


def open_deal(setting: Setting, me: PartyId, deal: Deal, rng: Rng) -> Open:
    """What step 2 will show. Made first: step 1 commits to all of it but the proofs."""
    commitments = [polynomial.commit() for polynomial in deal.polynomials]
    proofs = [
        SchnorrProof.prove(
            Tag.KEYGEN_PROOF,
            setting.bound(me, index),
            polynomial.at(0).reveal(),
            commitment.constant,
            rng,
        )
        for index, (polynomial, commitment) in enumerate(zip(deal.polynomials, commitments, strict=True))
    ]
    chain_code = commit(Tag.KEYGEN_CHAIN_CODE, setting.bound(me), deal.chain_code, deal.chain_code_salt)
    return Open(tuple(c.points for c in commitments), tuple(proofs), chain_code, deal.salt)


def commitment_to(setting: Setting, party: PartyId, opening: Open) -> bytes:
    """The commitment of step 1 to an opening of step 2."""
    value = encode((opening.commitments, opening.chain_code))
    return commit(Tag.KEYGEN_COMMITMENT, setting.bound(party), value, opening.salt)


def check_commitment(setting: Setting, party: PartyId, committed: Commit, opening: Open) -> None:
    """Raises `ProofRejected` unless step 2 opens step 1."""
    value = encode((opening.commitments, opening.chain_code))
    opens(committed.commitment, Tag.KEYGEN_COMMITMENT, setting.bound(party), value, opening.salt)


def check_opening(setting: Setting, party: PartyId, opening: Open) -> None:
    """Raises `ProofRejected` unless there are exactly as many keys of exactly the degree, all proven."""
    lengths = {len(points) for points in opening.commitments}
    if len(opening.commitments) != setting.count or lengths != {setting.degree + 1}:
        raise ProofRejected("a commitment of another length than agreed")
    if len(opening.proofs) != setting.count:
        raise ProofRejected("a proof for each key is needed")
    for index, (points, proof) in enumerate(zip(opening.commitments, opening.proofs, strict=True)):
        proof.verify(Tag.KEYGEN_PROOF, setting.bound(party, index), points[0])


def check_reveal(setting: Setting, party: PartyId, opening: Open, reveal: Reveal) -> None:
    """Raises `ProofRejected` unless the chain code contribution is the committed one."""
    opens(opening.chain_code, Tag.KEYGEN_CHAIN_CODE, setting.bound(party), reveal.chain_code, reveal.salt)


def check_shares(setting: Setting, recipient: PartyId, opening: Open, shares: Shares) -> None:
    """Raises `ProofRejected` unless each share lies on its committed polynomial."""
    if len(shares.values) != setting.count:
        raise ProofRejected("a share of each key is needed")
    point = setting.nodes.index(recipient) + 1
    for points, share in zip(opening.commitments, shares.values, strict=True):
        Commitment(points).check(point, share)


def check_confirm(
    setting: Setting, party: PartyId, keys: Sequence[GeneratedKey], statement: bytes, confirm: Confirm
) -> None:
    """Raises `ProofRejected` unless `party` proves knowledge of its share of every key."""
    if len(confirm.proofs) != setting.count:
        raise ProofRejected("a proof for each key is needed")
    for index, (key, proof) in enumerate(zip(keys, confirm.proofs, strict=True)):
        bound = encode((statement, party, index))
        proof.verify(Tag.KEYGEN_CONFIRMATION, bound, key.public.public_share(party))


def key_id(context: bytes, index: int) -> bytes:
    """The id of key number `index` of a run; unique because the context holds the session id."""
    return digest(Tag.KEY_ID, context, index.to_bytes(4, "big"))


def _add_up(
    setting: Setting,
    party: Party,
    opened: Mapping[PartyId, Open],
    reveals: Mapping[PartyId, Reveal],
    received: Mapping[PartyId, Shares],
) -> tuple[GeneratedKey, ...]:
    contributions = encode([(name, reveals[name].chain_code) for name in setting.nodes])
    keys = []
    for index in range(setting.count):
        commitment = total([Commitment(opened[name].commitments[index]) for name in setting.nodes])
        public_shares = [commitment.at(x) for x in range(1, len(setting.nodes) + 1)]
        if any(point.is_identity for point in (*commitment.points, *public_shares)):
            # once in a group order; committed before anybody saw anything, so nobody steered it here
            raise Abort("a generated key or share came out as zero; try again", remedy=Remedy.RETRY)
        share = sum((received[name].values[index] for name in setting.nodes), setting.group.scalar(0))
        public = CommitteeKey(key_id(setting.context, index), setting.nodes, commitment)
        chain_code = digest(Tag.CHAIN_CODE, public.key_id, contributions)
        keys.append(GeneratedKey(public, party.me, Secret(share), chain_code))
    return tuple(keys)


def _statement(setting: Setting, keys: Sequence[GeneratedKey]) -> bytes:
    agreed = [(key.key_id, key.public.commitment.points, key.chain_code) for key in keys]
    return digest(Tag.KEYGEN_CONFIRMATION, setting.context, encode(agreed))


def _confirm(key: GeneratedKey, statement: bytes, index: int, rng: Rng) -> SchnorrProof:
    bound = encode((statement, key.me, index))
    own = key.public.public_share(key.me)
    return SchnorrProof.prove(Tag.KEYGEN_CONFIRMATION, bound, key.share.reveal(), own, rng)


def _holds(check: Callable[..., None], *values: object) -> bool:
    try:
        check(*values)
    except ProofRejected:
        return False
    return True
