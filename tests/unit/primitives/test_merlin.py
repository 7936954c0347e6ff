"""STROBE-128 and Merlin, against their published vectors and the standard library's Keccak."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.groups import ED25519
from quorate.primitives.merlin import RATE, Strobe, Transcript, keccak


def sha3(message: bytes) -> bytes:
    """SHA3-256 of a message that fits one block, from the permutation (FIPS 202)."""
    block = bytearray((message + b"\x06").ljust(136, b"\0"))
    block[135] ^= 0x80
    return keccak(bytes(block) + bytes(64))[:32]


@given(st.binary(max_size=135))
def test_the_permutation_is_that_of_sha3(message: bytes) -> None:
    assert sha3(message) == hashlib.sha3_256(message).digest()


def test_a_simple_transcript_is_that_of_merlins_tests() -> None:
    # zkcrypto/merlin, src/transcript.rs, equivalence_simple
    transcript = Transcript(b"test protocol").append(b"some label", b"some data")
    assert (
        transcript.challenge(b"challenge", 32).hex()
        == "d5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615"
    )


def test_a_long_transcript_is_that_of_merlins_tests() -> None:
    # oasisprotocol/curve25519-voi, primitives/merlin, TestComplexTranscript; merlin's equivalence_complex
    transcript = Transcript(b"test protocol").append(b"step1", b"some data")
    challenge = b""
    for _ in range(32):
        challenge = transcript.challenge(b"challenge", 32)
        transcript.append(b"bigdata", b"\x63" * 1024).append(b"challengedata", challenge)
    assert challenge.hex() == "a8c933f54fae76e3f9bea93648c1308e7dfa2152dd51674ff3ca438351cf003c"


def test_strobe_is_that_of_the_conformance_test() -> None:
    # zkcrypto/merlin, src/strobe.rs, test_conformance (its first challenge)
    strobe = Strobe(b"Conformance Test Protocol")
    strobe.describe(b"msg")
    strobe.associate(b"\x63" * 1024)
    strobe.describe(b"prf")
    assert strobe.squeeze(32).hex() == "b48e645ca17c667fd5206ba57a6a228d72d8e1903814d3f17f622996d7cfefb0"


@pytest.mark.parametrize("length", [0, 1, RATE - 1, RATE, RATE + 1, 3 * RATE + 5])
def test_a_long_challenge_begins_like_no_short_one_and_the_state_goes_on(length: int) -> None:
    first = Transcript(b"p").append(b"m", bytes(length))
    second = first.copy()
    assert first.challenge(b"c", length) == second.challenge(b"c", length)
    assert len(first.challenge(b"c", length)) == length
    assert first.challenge(b"c", 32) != second.challenge(b"c", 32)


def test_labels_messages_and_lengths_all_count() -> None:
    seen = {
        Transcript(label).append(name, message).challenge(asked, 32)
        for label in (b"a", b"b")
        for name in (b"m", b"n")
        for message in (b"", b"x", b"xy")
        for asked in (b"c", b"d")
    }
    assert len(seen) == 24
    assert Transcript(b"a").challenge(b"c", 64)[:32] != Transcript(b"a").challenge(b"c", 32)


def test_a_challenge_scalar_is_64_bytes_reduced() -> None:
    wide = Transcript(b"a").challenge(b"c", 64)
    assert (
        Transcript(b"a").challenge_scalar(b"c", ED25519).value
        == int.from_bytes(wide, "little") % ED25519.order
    )
