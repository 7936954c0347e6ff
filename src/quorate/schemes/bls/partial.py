"""Partial signatures: made alone, checked by anybody, added up to the signature (Boldyreva, PKC 2003).

Steps 1 to 3 of docs/protocols/bls.md. A signer's part of the key times the hashed message is its partial; the
parts sum to the key, so the partials sum to the signature, the very one that the whole key would have made. A
part times the generator is public (`Quorum.parts`), so the equation that checks a signature checks a partial
too, and a wrong one names its maker.

Everything here is deterministic and without rounds: no nonce that could be used twice, no state. What must
not be signed twice (a validator's duty) is for the caller to keep (`quorate.vault.duties`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import Point
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.schemes.bls.suites import Suite, require_keys
from quorate.schemes.quorum import Quorum, Signer
from quorate.session import Message, PartyId

MAX_SIGNATURE_BYTES = 96
"""A signature in G2, the larger of the two groups."""

Octets32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Partial(Message, frozen=True, tag="bls.partial"):
    """Step 1.2, to all: part * H(message) for this context, as the suite encodes signatures.

    A point that does not decode is a false partial, not an unreadable message: the session's group is that
    of the keys, and the point is of the other one.
    """

    context: Octets32
    point: Annotated[bytes, msgspec.Meta(max_length=MAX_SIGNATURE_BYTES)]


class FalsePartials(ProofRejected):
    """Some of the partials given to `combine` are none. Each list is sorted; a name may stand in several."""

    def __init__(
        self, *, wrong: Iterable[PartyId], duplicate: Iterable[PartyId], foreign: Iterable[PartyId]
    ) -> None:
        self.wrong = tuple(sorted(set(wrong)))
        self.duplicate = tuple(sorted(set(duplicate)))
        self.foreign = tuple(sorted(set(foreign)))
        kinds = (
            ("wrong", self.wrong),
            ("given twice, and not the same", self.duplicate),
            ("of nobody in this quorum, or for another request", self.foreign),
        )
        said = "; ".join(f"{', '.join(names)}: {what}" for what, names in kinds if names)
        super().__init__(f"partial signatures: {said}")


@dataclass(frozen=True, slots=True)
class Context:
    """What a partial belongs to, all of it public. Made by `of`."""

    suite: Suite
    quorum: Quorum
    hashed: Point
    digest: bytes

    @classmethod
    def of(cls, suite: Suite, quorum: Quorum, message: bytes) -> Context:
        """Step 1.1. Raises `LocalError` for a quorum whose key is of another group."""
        require_keys(suite, quorum.group)
        bound = digest(Tag.BLS_CONTEXT, suite.name.encode(), suite.domain, quorum.digest(), message)
        return cls(suite, quorum, suite.hash(quorum.public_key, message), bound)


def partial(signer: Signer, context: Context) -> Partial:
    """Step 1.2: our partial. The same context gives the same bytes, for ever."""
    if signer.quorum.digest() != context.quorum.digest():
        raise LocalError("this context is of another quorum than the signer's")
    group = context.suite.signatures
    made = context.hashed.multiply(group.scalar(signer.part.reveal().value))
    return Partial(context.digest, made.to_bytes())


def verify_partial(context: Context, name: PartyId, given: Partial) -> Point:
    """Step 2: the point of `name`'s partial. Raises `ProofRejected` unless it is what its part makes.

    Raises `LocalError` for a partial of another context, of which nothing can be said, and for a name that
    is no signer.
    """
    if name not in context.quorum.parts:
        raise LocalError(f"{name} is not among the signers {', '.join(context.quorum.signers)}")
    if given.context != context.digest:
        raise LocalError("the partial is for another request, quorum or suite")
    point = _parsed(context.suite, given)
    context.suite.check(context.quorum.parts[name], context.hashed, point)
    return point


def combine(context: Context, partials: Iterable[tuple[PartyId, Partial]]) -> bytes:
    """Step 3: the signature, verified under the key, from one partial of each signer in any order.

    Adds up first and looks at single partials only when the sum does not verify: two pairings for an honest
    quorum, whatever its size. Equal copies count once. Raises `FalsePartials` that names who gave what, and
    `LocalError` when a signer's partial is missing.
    """
    mine, duplicate, foreign = _sorted_out(context, partials)
    if duplicate or foreign:
        raise FalsePartials(wrong=false_among(context, mine), duplicate=duplicate, foreign=foreign)
    missing = [name for name in context.quorum.signers if name not in mine]
    if missing:
        raise LocalError(f"no partial signature of {', '.join(missing)}")
    suite, quorum = context.suite, context.quorum
    try:
        total = suite.signatures.sum(_parsed(suite, given) for given in mine.values())
        suite.check(quorum.public_key, context.hashed, total)
    except ProofRejected:
        wrong = false_among(context, mine)
        if not wrong:
            raise LocalError(
                "every partial signature verifies and their sum does not; the quorum's record is damaged"
            ) from None
        raise FalsePartials(wrong=wrong, duplicate=(), foreign=()) from None
    return total.to_bytes()


def false_among(context: Context, partials: Mapping[PartyId, Partial]) -> tuple[PartyId, ...]:
    """Whose partials of this context are not what their parts make, in order."""
    wrong = []
    for name in sorted(partials):
        try:
            verify_partial(context, name, partials[name])
        except ProofRejected:
            wrong.append(name)
    return tuple(wrong)


def _sorted_out(
    context: Context, partials: Iterable[tuple[PartyId, Partial]]
) -> tuple[dict[PartyId, Partial], set[PartyId], set[PartyId]]:
    """The signers' partials of this context; who gave two different ones; who gave what does not belong."""
    mine: dict[PartyId, Partial] = {}
    duplicate, foreign = set(), set()
    for name, given in partials:
        if name not in context.quorum.parts or given.context != context.digest:
            foreign.add(name)
        elif mine.setdefault(name, given) != given:
            duplicate.add(name)
    return mine, duplicate, foreign


def _parsed(suite: Suite, given: Partial) -> Point:
    try:
        return suite.signatures.point_from_bytes(given.point)
    except Malformed as error:
        raise ProofRejected(f"not a point: {error}") from None
