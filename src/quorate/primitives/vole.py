"""Random vector OLE: Bob ends with a random chi and (d_1, d_2), Alice with (c_1, c_2) for her a_1 and a_2,

    c_i + d_i = a_i * chi   modulo the order of the wallet's group.

Step A4 of docs/protocols/multiplication.md, our reading of DKLs23 (ePrint 2023/765, protocol 5.2) on the OT
extension of `quorate.primitives.extension`. Two messages: `start` (Bob), `multiply` (Alice), `finish` (Bob).
The arithmetic on 3 * xi scalars at a time is `quorate.primitives.limbs`.

Assumes that `esid` names the session, both parties in order and the purpose, and that messages arrive
authenticated. Both ends hash what they believe session and setup to be into a `context`, compared before
any check that touches a secret: a mix-up raises `Malformed` and costs nobody a quarantine. Does not show
that Alice used the a_i she should have: the signing protocol checks that in the exponent.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import numpy as np

from quorate.entropy import Rng
from quorate.errors import AlreadyUsed, CheckFailed, Malformed
from quorate.groups.group import WIDE_MARGIN, Group, Scalar, mixed
from quorate.primitives import extension
from quorate.primitives.bits import expand, octets
from quorate.primitives.correlation import ReceiverState, SenderState
from quorate.primitives.extension import Received
from quorate.primitives.limbs import Floats, Octets, ScalarKernel, Words, kernel, wiping
from quorate.primitives.parameters import OTParameters
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest, scalar

HASH_BYTES: Final = 32
NONCE_BYTES: Final = 32
WIDTH: Final = 3
"""Scalars per transfer: two products and one check column."""


def start(
    group: Group, parameters: OTParameters, state: ReceiverState, esid: bytes, rng: Rng
) -> tuple[Start, bytes]:
    """Bob, step A4.1: his random multiplier chi, and the message that fixes it."""
    xi = parameters.xi(group)
    context = _context(group, parameters, state, esid)
    nonce = rng(NONCE_BYTES)
    received, body = extension.receive(state, xi, _stream_key(context, nonce), rng)
    message = context + nonce + body
    chi = kernel(group.order).subset_sum(received.bits, _gadget(group.order, xi))
    return Start(group, parameters, group.scalar(chi), received, message), message


class Start:
    """Bob's end between his message and Alice's. `finish` takes it, once."""

    __slots__ = ("_received", "chi", "group", "message", "parameters")

    def __init__(
        self, group: Group, parameters: OTParameters, chi: Scalar, received: Received, message: bytes
    ) -> None:
        self.group: Final = group
        self.parameters: Final = parameters
        self.chi: Final = chi
        self.message: Final = message
        self._received: Received | None = received

    def take(self) -> Received:
        """The secret part. Raises `AlreadyUsed` the second time: checking two answers against one choice of
        beta would give Alice a second guess at it."""
        received, self._received = self._received, None
        if received is None:
            raise AlreadyUsed("this multiplication is already finished")
        return received

    def __repr__(self) -> str:
        return f"<multiplication in {self.group.name}, started>"


def multiply(
    group: Group,
    parameters: OTParameters,
    state: SenderState,
    esid: bytes,
    psid_nonce: bytes,
    message1: bytes,
    a: tuple[Scalar, Scalar],
    rng: Rng,
) -> tuple[tuple[Scalar, Scalar], bytes]:
    """Alice, steps A4.2 to A4.5: her c_1 and c_2, and her message.

    `psid_nonce`: 32 bytes drawn *after* Bob's message arrived; the message carries it. Without it a replayed
    message of Bob's would get the same pads for other inputs, and their difference.
    Raises `Malformed` for a wrong shape or another session's message, before any secret is touched, and
    `CheckFailed` (leak-bearing) if Bob's extension is inconsistent.
    """
    if len(psid_nonce) != NONCE_BYTES:
        raise ValueError(f"the nonce of a multiplication has {NONCE_BYTES} bytes")
    xi, arithmetic = parameters.xi(group), kernel(group.order)
    for value in a:
        if value.group is not group:
            raise mixed(group, value.group)
    inputs = [value.value for value in a]
    # A4.2
    if len(message1) != message_lengths(group, parameters)[0]:
        raise Malformed("the first message of a multiplication has the wrong length")
    context, nonce, body = _split(message1, HASH_BYTES, NONCE_BYTES)
    if not hmac.compare_digest(context, _context(group, parameters, state, esid)):
        raise Malformed("a multiplication message belongs to another session or another OT setup")
    with wiping() as wiped:
        rows = wiped(extension.send(state, xi, _stream_key(context, nonce), body))
        psid = digest(Tag.VOLE_PADS, message1, psid_nonce)
        pads0 = _pads(arithmetic, psid, rows, wiped)
        shifted = wiped(rows ^ octets(state.delta, parameters.delta_bytes))
        pads1 = _pads(arithmetic, psid, shifted, wiped)
        # A4.3
        eta = int.from_bytes(rng(group.scalar_length + WIDE_MARGIN), "big") % group.order
        corrections = arithmetic.differences(pads0, pads1, (*inputs, eta)).tobytes()
        halves = wiped(arithmetic.halves_of(pads0))
        sums = arithmetic.inner_products(_gadget(group.order, xi), halves[:, : 2 * arithmetic.halves])
        # A4.4
        thetas = _thetas(group, psid, corrections)
        masked_eta = (eta + thetas[0] * inputs[0] + thetas[1] * inputs[1]) % group.order
        # A4.5
        seal = _seal(psid, wiped(arithmetic.combinations(halves, thetas)))
    message = psid_nonce + corrections + masked_eta.to_bytes(arithmetic.length, "little") + seal
    return (group.scalar(-sums[0]), group.scalar(-sums[1])), message


def finish(started: Start, message2: bytes) -> tuple[Scalar, Scalar]:
    """Bob, steps A4.6 to A4.8: his d_1 and d_2.

    Raises `Malformed` for a wrong length or a number that is not below the order, and `CheckFailed` if
    Alice's corrections are not those of one (a_1, a_2, eta), which teaches her bits of this run's beta only.
    """
    group, parameters = started.group, started.parameters
    xi, arithmetic = parameters.xi(group), kernel(group.order)
    received = started.take()
    with wiping() as wiped:
        wiped(received.rows)
        bits = wiped(received.bits)
        # A4.6
        if len(message2) != message_lengths(group, parameters)[1]:
            raise Malformed("the second message of a multiplication has the wrong length")
        size = arithmetic.length
        nonce, corrections, masked_eta, seal = _split(message2, NONCE_BYTES, WIDTH * xi * size, size)
        numbers = np.frombuffer(corrections + masked_eta, "<u4").reshape(-1, arithmetic.words)
        if not arithmetic.is_canonical(numbers):
            raise Malformed("the second message of a multiplication holds a number not below the order")
        # A4.7
        psid = digest(Tag.VOLE_PADS, started.message, nonce)
        halves = wiped(arithmetic.halves_of(_pads(arithmetic, psid, received.rows, wiped)))
        chosen = wiped(arithmetic.halves_of(numbers[:-1].reshape(xi, -1)))
        chosen *= bits[:, None]
        halves += chosen
        thetas = _thetas(group, psid, corrections)
        eta = int.from_bytes(masked_eta, "little")
        mu = wiped(arithmetic.combinations(halves, thetas, eta, bits))
        if not hmac.compare_digest(_seal(psid, mu), seal):
            raise CheckFailed("the corrections of a multiplication are inconsistent", leak_bearing=False)
        # A4.8
        sums = arithmetic.inner_products(_gadget(group.order, xi), halves[:, : 2 * arithmetic.halves])
    return group.scalar(sums[0]), group.scalar(sums[1])


def message_lengths(group: Group, parameters: OTParameters) -> tuple[int, int]:
    """Bytes of both messages."""
    xi, size = parameters.xi(group), kernel(group.order).length
    first = HASH_BYTES + NONCE_BYTES + extension.message_length(parameters, xi)
    return first, NONCE_BYTES + WIDTH * xi * size + size + HASH_BYTES


def _context(
    group: Group, parameters: OTParameters, state: SenderState | ReceiverState, esid: bytes
) -> bytes:
    """What both ends must agree on before anything secret is touched."""
    if state.parameters != parameters:
        raise Malformed(f"this OT setup was made for {state.parameters.name!r}, not {parameters.name!r}")
    names = group.name.encode(), parameters.name.encode()
    return digest(Tag.VOLE_CONTEXT, *names, state.fingerprint(), esid)


def _stream_key(context: bytes, nonce: bytes) -> bytes:
    return digest(Tag.VOLE_STREAMS, context, nonce)


def _pads(arithmetic: ScalarKernel, psid: bytes, rows: Octets, wiped: Callable[[Words], Words]) -> Words:
    """Three uniform scalars for every row, shape (xi, 3, words)."""
    count = len(rows)
    pads = expand(psid, np.arange(count, dtype=np.uint32), rows, WIDTH * arithmetic.pad_length)
    words = arithmetic.from_pads(pads.reshape(WIDTH * count, arithmetic.pad_length))
    if words.flags.writeable:  # else they are the hash's own bytes
        wiped(words)
    return words.reshape(count, WIDTH, arithmetic.words)


def _thetas(group: Group, psid: bytes, corrections: bytes) -> tuple[int, int]:
    """The check's random weights, from everything both have sent."""
    seed = digest(Tag.VOLE_CORRECTIONS, psid, corrections)
    first, second = (scalar(Tag.VOLE_CHALLENGE, group, seed, bytes([i])) for i in (1, 2))
    return first.value, second.value


def _seal(psid: bytes, mu: Words) -> bytes:
    return digest(Tag.VOLE_CHECK, psid, mu.tobytes())


@lru_cache(maxsize=16)
def _gadget(order: int, xi: int) -> Floats:
    """The public weights g_j in 16-bit halves, shape (halves, xi): hashed, so that nobody chose them."""
    arithmetic = kernel(order)
    size = arithmetic.length + WIDE_MARGIN
    fields = order.to_bytes(arithmetic.length, "big"), xi.to_bytes(4, "big")
    stream = digest(Tag.VOLE_GADGET, *fields, length=xi * size)
    weights = (int.from_bytes(stream[i : i + size], "big") % order for i in range(0, xi * size, size))
    gadget = arithmetic.halves_of(arithmetic.pack(weights)).T.copy()
    gadget.flags.writeable = False
    return gadget


def _split(data: bytes, *sizes: int) -> list[bytes]:
    """Consecutive parts of the given sizes, and the rest."""
    parts, place = [], 0
    for size in sizes:
        parts.append(data[place : place + size])
        place += size
    return [*parts, data[place:]]
