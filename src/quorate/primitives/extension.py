"""OT extension: a handful of base transfers become as many correlated ones as a multiplication needs.

Step A3 of docs/protocols/oblivious-transfer.md: SoftSpokenOT (ePrint 2022/192), which for depth 1 is the
corrected KOS15. The result is a correlation only: rows q_j at the sender, t_j = q_j XOR beta_j * Delta at
the receiver; whoever uses it hashes the rows before they meet anything else.

Assumes that `key` is fresh for every run over one pair of states: it holds a nonce that the receiver drew
(the same stream under two choices beta reveals their difference), and that both ends compared what they
believe the session to be *before* `send` runs. A failure of `send` is leak-bearing: whether it happens
depends on Delta, so a cheating receiver learns about one bit of it, and the pair must quarantine.

Wire, all of fixed length: u, one row of (xi + check) / 8 bytes per tree; x^, check / 8 bytes; t^, `check`
rows of security / 8 bytes (bit m of row c: bit c of the hash of row m).
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import numpy as np

from quorate.entropy import Rng
from quorate.errors import CheckFailed, Malformed
from quorate.primitives.bits import CheckHash, expand, masks, octets, transpose, unpack
from quorate.primitives.correlation import ReceiverState, SenderState
from quorate.primitives.limbs import Octets, wiping
from quorate.primitives.parameters import SEED_BYTES, OTParameters
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest


@dataclass(frozen=True, slots=True, repr=False)
class Received:
    """The receiver's end: `bits`, (xi,), are beta; `rows`, (xi, security / 8), are t_j. Both are secret."""

    bits: Octets
    rows: Octets


def message_length(parameters: OTParameters, xi: int) -> int:
    """Bytes of the receiver's message."""
    u, x, t = _lengths(parameters, xi)
    return u + x + t


def receive(state: ReceiverState, xi: int, key: bytes, rng: Rng) -> tuple[Received, bytes]:
    """Bob, steps A3.1 to A3.3: fresh random choices, and the message that commits to them."""
    parameters = state.parameters
    trees, leaves, length = parameters.trees, parameters.leaves, (xi + parameters.check) // 8
    seeds = octets(state.leaves, trees * leaves, SEED_BYTES)
    numbers = np.arange(trees * leaves, dtype=np.uint32)
    streams = expand(key, numbers, seeds, length).reshape(trees, leaves, length)
    # A3.1: the first xi bits are beta, the others only blind the check
    choices = octets(rng(length), length)
    u = np.bitwise_xor.reduce(streams, axis=1) ^ choices
    with wiping() as wiped:
        columns = transpose(wiped(_rows(parameters, streams, 0)))
    # A3.2
    check = CheckHash(_seed(key, u), xi, parameters.check)
    message = u.tobytes() + check.of_string(choices).tobytes() + check.of_columns(columns).tobytes()
    return Received(unpack(choices)[:xi], columns[:xi]), message


def send(state: SenderState, xi: int, key: bytes, message: bytes) -> Octets:
    """Alice, steps A3.4 and A3.5: her rows q_j, shape (xi, security / 8).

    Raises `Malformed` for a wrong length, which concerns nobody's secrets, and `CheckFailed` (leak-bearing)
    if the receiver used different choices for different trees.
    """
    parameters = state.parameters
    if len(message) != message_length(parameters, xi):
        raise Malformed("an OT extension message has the wrong length")
    trees, held, length = parameters.trees, parameters.leaves - 1, (xi + parameters.check) // 8
    u_length, x_length, _ = _lengths(parameters, xi)
    u = octets(message[:u_length], trees, length)
    x_hash = octets(message[u_length : u_length + x_length], x_length)
    t_hash = octets(message[u_length + x_length :], parameters.check, parameters.delta_bytes)
    # A3.4
    delta = octets(state.delta, parameters.delta_bytes)
    delta_bits = unpack(delta).reshape(trees, parameters.depth)
    missing = delta_bits @ _PLACES[-parameters.depth :]
    slots = np.arange(1, parameters.leaves, dtype=np.uint32)
    numbers = (slots ^ missing[:, None]) + parameters.leaves * np.arange(trees, dtype=np.uint32)[:, None]
    seeds = octets(state.leaves, trees * held, SEED_BYTES)
    streams = expand(key, numbers.ravel(), seeds, length).reshape(trees, held, length)
    with wiping() as wiped:
        rows = wiped(_rows(parameters, streams, 1))
        rows ^= (u[:, None] & masks(delta_bits)).reshape(rows.shape)
        columns = transpose(rows)
    # A3.5: all rows at once, in constant time, one verdict
    check = CheckHash(_seed(key, u), xi, parameters.check)
    expected = t_hash ^ (masks(unpack(x_hash)) & delta)
    if not hmac.compare_digest(check.of_columns(columns).tobytes(), expected.tobytes()):
        columns.fill(0)
        raise CheckFailed("the consistency check of an OT extension failed", leak_bearing=True)
    return columns[:xi]


_PLACES = (1 << np.arange(31, -1, -1)).astype(np.uint32)
"""Weights that read bits, most significant first, as a number."""


def _rows(parameters: OTParameters, streams: Octets, first: int) -> Octets:
    """For every tree and level, the XOR of the streams of the slots, from `first`, with that index bit."""
    trees, count, length = streams.shape
    rows = np.zeros((trees, parameters.depth, length), np.uint8)
    for level in range(parameters.depth):
        place = parameters.depth - 1 - level
        chosen = [slot - first for slot in range(first, first + count) if slot >> place & 1]
        rows[:, level] = np.bitwise_xor.reduce(streams[:, chosen], axis=1)
    return rows.reshape(trees * parameters.depth, length)


def _seed(key: bytes, u: Octets) -> bytes:
    return digest(Tag.OT_CHECK, key, u.tobytes())


def _lengths(parameters: OTParameters, xi: int) -> tuple[int, int, int]:
    row = (xi + parameters.check) // 8
    return parameters.trees * row, parameters.check // 8, parameters.check * parameters.delta_bytes
