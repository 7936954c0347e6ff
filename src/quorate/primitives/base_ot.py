"""Base oblivious transfers of an ordered pair, and the trees grown from them: three moves, once per pair.

Steps A1 (endemic OT of Masny and Rindal, ePrint 2019/706, one batch of `OTParameters.security` instances)
and A2 (`quorate.primitives.trees`) of docs/protocols/oblivious-transfer.md. Roles are reversed with respect
to the extension: Alice, the future extension *sender*, is the chooser here; her choice bits become Delta.

Every point that must have an unknown logarithm comes from hashing to the curve, never from a hash times the
generator: with that logarithm the chooser could open both keys. Index, branch and all points of an instance
are in every hash.

Assumes that `sid` (32 bytes) is unique to this setup, names both parties in order, and is authenticated
with the messages by the session. Does not detect a man in the middle by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from quorate.entropy import Rng
from quorate.errors import AlreadyUsed, CheckFailed, Malformed
from quorate.groups.group import Group, Point, Scalar
from quorate.primitives import trees
from quorate.primitives.bits import masks, octets, pack, unpack
from quorate.primitives.correlation import ReceiverState, SenderState
from quorate.primitives.limbs import Octets
from quorate.primitives.parameters import SEED_BYTES, OTParameters
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest, point

__all__ = ["ChooserState", "ReceiverState", "SenderState", "choose", "finish", "message_lengths", "respond"]

SID_BYTES: Final = 32


class ChooserState:
    """What Alice keeps between her message and Bob's. `finish` takes it, once."""

    __slots__ = ("_secrets", "group", "message", "parameters", "session")

    def __init__(
        self,
        group: Group,
        parameters: OTParameters,
        session: bytes,
        message: bytes,
        secrets: tuple[Octets, list[Scalar]],
    ) -> None:
        self.group: Final = group
        self.parameters: Final = parameters
        self.session: Final = session
        self.message: Final = message
        self._secrets: tuple[Octets, list[Scalar]] | None = secrets

    def take(self) -> tuple[Octets, list[Scalar]]:
        """Choice bits and logarithms. Raises `AlreadyUsed` the second time: every further answer that Bob
        may try on the same choices would be one more guess at them."""
        secrets, self._secrets = self._secrets, None
        if secrets is None:
            raise AlreadyUsed("this OT setup is already finished or void")
        return secrets

    def __repr__(self) -> str:
        return f"<OT setup on {self.group.name}, begun>"


def choose(group: Group, parameters: OTParameters, sid: bytes, rng: Rng) -> tuple[ChooserState, bytes]:
    """Alice, step A1.1: two points per instance, of which she knows one mask's logarithm."""
    session = _session(group, parameters, sid)
    choices = unpack(octets(rng(parameters.delta_bytes), parameters.delta_bytes))
    logarithms: list[Scalar] = []
    points: list[bytes] = []
    for index, choice in enumerate(choices.tolist()):
        logarithm = group.random_scalar(rng)
        other = point(Tag.OT_BLIND, group, session, _four(index), rng(32)).to_bytes()
        masked = group.generator.multiply(logarithm) - _mask(group, session, index, choice, other)
        logarithms.append(logarithm)
        points += (masked.to_bytes(), other)
        # The time of a mask depends on its input, which is public but for which of the two it is. Making the
        # other one as well, for nothing, makes the time the same for both choices.
        _mask(group, session, index, 1 - choice, points[-2])
    pairs = octets(b"".join(points), parameters.security, 2, group.point_length)
    message = _swapped(pairs, choices).tobytes()
    return ChooserState(group, parameters, session, message, (choices, logarithms)), message


def respond(
    group: Group, parameters: OTParameters, sid: bytes, rng: Rng, message1: bytes
) -> tuple[ReceiverState, bytes]:
    """Bob, steps A1.2 and A2.1 to A2.3: both keys of every instance, his trees, and what lets Alice follow.

    Raises `Malformed` for bytes that are not points, `CheckFailed` for points chosen to cancel a mask.
    """
    session = _session(group, parameters, sid)
    if len(message1) != message_lengths(group, parameters)[0]:
        raise Malformed("a base OT's first message has the wrong length")
    answers: list[bytes] = []
    keys: list[bytes] = []
    for index, pair in enumerate(_pairs(message1, group)):
        sent = [group.point_from_bytes(data) for data in pair]
        secrets = [group.random_scalar(rng) for _ in pair]
        answer = [group.generator.multiply(secret).to_bytes() for secret in secrets]
        for branch in (0, 1):
            unmasked = sent[branch] + _mask(group, session, index, branch, pair[1 - branch])
            if unmasked.is_identity:
                raise CheckFailed("a base OT point cancels its mask", leak_bearing=False)
            keys.append(_key(session, index, branch, pair, answer, unmasked.multiply(secrets[branch])))
        answers += answer
    shape = (parameters.trees, parameters.depth, 2, SEED_BYTES)
    leaves, corrections, proofs = trees.grow(parameters, session, octets(b"".join(keys), *shape))
    message2 = b"".join(answers) + corrections.tobytes() + proofs.tobytes()
    return ReceiverState(parameters, _fingerprint(session, message1, message2), leaves.tobytes()), message2


def finish(state: ChooserState, message2: bytes) -> SenderState:
    """Alice, steps A1.3, A2.4 and A2.5: Delta, and all leaves but one of every tree.

    Raises `Malformed` for a wrong shape or bytes that are not points, `CheckFailed` if Bob's trees are not
    consistent. Either way the setup is void and its state spent: begin a new one, with a new sid.
    """
    group, parameters, session = state.group, state.parameters, state.session
    choices, logarithms = state.take()
    lengths = message_lengths(group, parameters)
    if len(message2) != lengths[1]:
        raise Malformed("a base OT's second message has the wrong length")
    answers_length = lengths[0]
    sent, answers = _pairs(state.message, group), _pairs(message2[:answers_length], group)
    # Both of Bob's points are parsed, the one we can use first: an error that only one of them raised
    # would be a question about our choice.
    points = octets(message2[:answers_length], parameters.security, 2, group.point_length)
    usable, other = _swapped(points, choices).transpose(1, 0, 2)
    keys = []
    for index, choice in enumerate(choices.tolist()):
        answer = group.point_from_bytes(usable[index].tobytes())
        group.point_from_bytes(other[index].tobytes())
        shared = answer.multiply(logarithms[index])
        keys.append(_key(session, index, choice, sent[index], answers[index], shared))
    rest = octets(message2[answers_length:], len(message2) - answers_length)
    split = rest.size - math.prod(trees.proofs_shape(parameters))
    leaves = trees.complete(
        parameters,
        session,
        octets(b"".join(keys), parameters.trees, parameters.depth, SEED_BYTES),
        choices.reshape(parameters.trees, parameters.depth),
        rest[:split].reshape(trees.corrections_shape(parameters)),
        rest[split:].reshape(trees.proofs_shape(parameters)),
    )
    setup = _fingerprint(session, state.message, message2)
    return SenderState(parameters, setup, pack(1 - choices).tobytes(), leaves.tobytes())


def message_lengths(group: Group, parameters: OTParameters) -> tuple[int, int]:
    """Bytes of both messages."""
    points = parameters.security * 2 * group.point_length
    shapes = trees.corrections_shape(parameters), trees.proofs_shape(parameters)
    return points, points + sum(math.prod(shape) for shape in shapes)


def _session(group: Group, parameters: OTParameters, sid: bytes) -> bytes:
    if len(sid) != SID_BYTES:
        raise ValueError(f"an OT setup's session id has {SID_BYTES} bytes")
    return digest(Tag.OT_SESSION, group.name.encode(), parameters.name.encode(), sid)


def _mask(group: Group, session: bytes, index: int, branch: int, other: bytes) -> Point:
    """The point of unknown logarithm that ties one branch to the point of the other."""
    return point(Tag.OT_MASK, group, session, _four(index), bytes([branch]), other)


def _key(
    session: bytes, index: int, branch: int, sent: Sequence[bytes], answers: Sequence[bytes], shared: Point
) -> bytes:
    fields = (*sent, *answers, shared.to_bytes())
    return digest(Tag.OT_KEY, session, _four(index), bytes([branch]), *fields, length=SEED_BYTES)


def _fingerprint(session: bytes, message1: bytes, message2: bytes) -> bytes:
    return digest(Tag.OT_SETUP, session, message1, message2)


def _pairs(data: bytes, group: Group) -> list[tuple[bytes, bytes]]:
    """The encodings of the two points of every instance."""
    size = group.point_length
    return [(data[i : i + size], data[i + size : i + 2 * size]) for i in range(0, len(data), 2 * size)]


def _swapped(pairs: Octets, bits: Octets) -> Octets:
    """Pairs on axis 1, in exchanged order where the bit of axis 0 is one; without a branch."""
    change = (pairs[:, 0] ^ pairs[:, 1]) & masks(bits)
    return pairs ^ change[:, None]


def _four(index: int) -> bytes:
    return index.to_bytes(4, "big")
