"""The messages of a refresh, in the order of its steps (docs/protocols/refresh.md), and its declaration."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from quorate.encoding import MAX_MESSAGE_BYTES
from quorate.groups import Point, Scalar
from quorate.primitives.proofs import SchnorrProof
from quorate.session import Declaration, Message, Rule, echo
from quorate.sharing.expression import MAX_LEAVES, MAX_MEMBERS
from quorate.sharing.statements import Digest

Points = Annotated[tuple[Point, ...], msgspec.Meta(min_length=1, max_length=MAX_MEMBERS)]


class Known(Message, tag="refresh.known"):
    """Step 1, of the nodes: the public values everything is checked against.

    `old` are the nodes' public shares in order of their points, `online` those of the online factors by
    name, `pool` the commitments of the fresh committee keys.
    """

    core: Digest
    public_key: Point
    old: Points
    online: Points
    pool: Annotated[tuple[Points, ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]
    chain_code: Digest
    """Its hash; the chain code itself travels sealed."""


class Accept(Message, tag="refresh.accept"):
    """Step 1, of the targets: proof of possession. The session's signature over this core is the proof."""

    core: Digest


class Masks(Message, tag="refresh.masks"):
    """Step 1, of an online factor: a mask commitment per target, and its auxiliary points with proofs."""

    masks: Annotated[tuple[Points, ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]
    auxiliary: Annotated[tuple[Point, ...], msgspec.Meta(max_length=MAX_LEAVES)]
    proofs: Annotated[tuple[SchnorrProof, ...], msgspec.Meta(max_length=MAX_LEAVES)]


class MaskShares(Message, tag="refresh.mask-shares"):
    """Step 1, sealed to a node: each target's mask at the node's point."""

    values: Annotated[tuple[Scalar, ...], msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]


class Authorise(Message, tag="refresh.authorise"):
    """Step 2, of an online factor: its signature over the request hash."""

    request: Digest


class Lock(Message, tag="refresh.lock"):
    """Step 3, of a node: its pool keys serve this request and no other."""

    request: Digest


class Item(Message, tag="refresh.item"):
    """Step 4, of a node, sealed to a target: v_i(tau), and the chain code the target may not have yet."""

    value: Scalar
    chain_code: Digest


class Part(Message, tag="refresh.part"):
    """Step 4, of an online factor, sealed to a target: D_{e,tau}."""

    value: Scalar


class Confirm(Message, tag="refresh.confirm"):
    """Step 5, of a target: opened, checked, and its new share is known to it."""

    request: Digest
    proof: SchnorrProof


class Ready(Message, tag="refresh.ready"):
    """Step 6, of a node: the digest of its PREPARED statement."""

    statement: Digest


_POINTS: Final = MAX_MEMBERS * 35 + 8

DECLARATION: Final = Declaration(
    "refresh",
    1,
    Rule(Known, limit=(MAX_MEMBERS + 2) * _POINTS),
    Rule(Accept, limit=64),
    Rule(Masks, limit=MAX_LEAVES * (_POINTS + 120)),
    *echo.rules("", MAX_MESSAGE_BYTES),  # the Masks of a dozen online factors at their limit
    Rule(MaskShares, unicast=True, limit=MAX_LEAVES * 35 + 64),
    Rule(Authorise, limit=64),
    Rule(Lock, limit=64),
    Rule(Item, unicast=True, limit=128),
    Rule(Part, unicast=True, limit=128),
    Rule(Confirm, limit=192),
    Rule(Ready, limit=64),
)
