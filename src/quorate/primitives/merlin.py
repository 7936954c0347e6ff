"""Merlin transcripts, the hash of schnorrkel: STROBE-128 over Keccak-f[1600].

For signatures that others verify (sr25519), and nothing else; our own hashes go through
`quorate.primitives.transcript`. Written from the Merlin specification (merlin.cool, version 1.0), STROBE's
(version 1.0.2, sections 5 to 7, the operations AD, meta-AD and PRF) and FIPS 202 section 3, since no package
we depend on offers the bare permutation. About 0.25 ms for each 166 bytes. What is hashed here is public.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Self

from quorate.groups import Group, Scalar

RATE: Final = 166
"""Bytes absorbed or squeezed between two permutations: 200 less the capacity of 128-bit strength (32), less
two for padding."""

SCALAR_BYTES: Final = 64
"""A challenge scalar is 64 uniform bytes, little-endian, modulo the order."""

_ASSOCIATED_DATA: Final = 0x02  # A
_PSEUDO_RANDOM: Final = 0x07  # I, A and C
_META_DATA: Final = 0x12  # M and A
_FORCES_PERMUTATION: Final = 0x24  # C or K

_LANE: Final = (1 << 64) - 1


class Transcript:
    """Labelled messages in, challenges out. A challenge changes the state, as a message does."""

    __slots__ = ("_strobe",)

    def __init__(self, label: bytes) -> None:
        self._strobe = Strobe(b"Merlin v1.0")
        self.append(b"dom-sep", label)

    def append(self, label: bytes, message: bytes) -> Self:
        """append_message; returns itself, so that calls chain."""
        self._begin(label, len(message))
        self._strobe.associate(message)
        return self

    def challenge(self, label: bytes, length: int) -> bytes:
        """challenge_bytes."""
        self._begin(label, length)
        return self._strobe.squeeze(length)

    def challenge_scalar(self, label: bytes, group: Group) -> Scalar:
        """64 bytes of challenge, reduced."""
        return group.scalar(int.from_bytes(self.challenge(label, SCALAR_BYTES), "little"))

    def copy(self) -> Transcript:
        """The same state, to go on from twice."""
        twin = Transcript.__new__(Transcript)
        twin._strobe = self._strobe.copy()
        return twin

    def _begin(self, label: bytes, length: int) -> None:
        self._strobe.describe(label + length.to_bytes(4, "little"))


class Strobe:
    """STROBE-128/1600 with the three operations that Merlin uses, none of them streamed."""

    __slots__ = ("_begin", "_place", "_state")

    def __init__(self, protocol: bytes) -> None:
        self._state, self._place, self._begin = bytearray(_initial()), 0, 0
        self.describe(protocol)

    def describe(self, data: bytes) -> None:
        """meta-AD: data about the message that follows. A concatenation is what "more" makes of its parts."""
        self._operate(_META_DATA)
        self._absorb(data)

    def associate(self, data: bytes) -> None:
        """AD: data of the message."""
        self._operate(_ASSOCIATED_DATA)
        self._absorb(data)

    def squeeze(self, length: int) -> bytes:
        """PRF: pseudo-random bytes, which are overwritten by zeros in the state."""
        self._operate(_PSEUDO_RANDOM)
        output = b""
        while len(output) < length:
            end = min(RATE, self._place + length - len(output))
            output += self._state[self._place : end]
            self._state[self._place : end] = bytes(end - self._place)
            self._moved_to(end)
        return output

    def copy(self) -> Strobe:
        """The same state."""
        twin = Strobe.__new__(Strobe)
        twin._state, twin._place, twin._begin = bytearray(self._state), self._place, self._begin
        return twin

    def _operate(self, flags: int) -> None:
        before, self._begin = self._begin, self._place + 1
        self._absorb(bytes((before, flags)))
        if flags & _FORCES_PERMUTATION and self._place:
            self._permute()

    def _absorb(self, data: bytes) -> None:
        while data:
            end = min(RATE, self._place + len(data))
            taken = end - self._place
            mixed = int.from_bytes(self._state[self._place : end], "big") ^ int.from_bytes(
                data[:taken], "big"
            )
            self._state[self._place : end] = mixed.to_bytes(taken, "big")
            data = data[taken:]
            self._moved_to(end)

    def _moved_to(self, place: int) -> None:
        self._place = place
        if place == RATE:
            self._permute()

    def _permute(self) -> None:
        self._state[self._place] ^= self._begin
        self._state[self._place + 1] ^= 0x04
        self._state[RATE + 1] ^= 0x80
        self._state = bytearray(keccak(self._state))
        self._place = self._begin = 0


def keccak(state: bytes | bytearray) -> bytes:
    """Keccak-f[1600] of 200 bytes (FIPS 202 section 3.3), lanes little-endian."""
    lanes = [int.from_bytes(state[at : at + 8], "little") for at in range(0, 200, 8)]
    for constant in _constants():
        # theta
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        sums = [columns[x - 1] ^ (columns[x - 4] << 1 & _LANE | columns[x - 4] >> 63) for x in range(5)]
        # rho and pi
        moved = [0] * 25
        for source, target, shift in _MOVES:
            lane = lanes[source] ^ sums[source % 5]
            moved[target] = (lane << shift | lane >> 64 - shift) & _LANE
        # chi
        for row in (0, 5, 10, 15, 20):
            a, b, c, d, e = moved[row : row + 5]
            lanes[row : row + 5] = a ^ (~b & c), b ^ (~c & d), c ^ (~d & e), d ^ (~e & a), e ^ (~a & b)
        # iota
        lanes[0] ^= constant
    return b"".join([lane.to_bytes(8, "little") for lane in lanes])


def _walk() -> tuple[tuple[int, int, int], ...]:
    """Where each lane goes in rho and pi, and by how much it turns."""
    moves, x, y = [(0, 0, 0)], 1, 0
    for step in range(24):
        moves.append((x + 5 * y, y + 5 * ((2 * x + 3 * y) % 5), (step + 1) * (step + 2) // 2 % 64))
        x, y = y, (2 * x + 3 * y) % 5
    return tuple(moves)


_MOVES: Final = _walk()


@cache
def _constants() -> tuple[int, ...]:
    """The 24 round constants, by the shift register of FIPS 202 section 3.2.5."""
    register, constants = 1, []
    for _ in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << (1 << power) - 1
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return tuple(constants)


@cache
def _initial() -> bytes:
    start = bytes((1, RATE + 2, 1, 0, 1, 96)) + b"STROBEv1.0.2"
    return keccak(start.ljust(200, b"\0"))
