"""What a strict verifier refuses, by the twelve crafted signatures over which verifiers quarrel.

Ours never sees the points that make them: keys and commitments outside the prime-order subgroup are refused
where they are read, which is more than any verifier of signatures does.
"""

import json
from pathlib import Path

import nacl.exceptions
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from nacl.signing import VerifyKey
from solders.pubkey import Pubkey
from solders.signature import Signature as SolanaSignature
from tests.support.edwards import BASE, torsion

from quorate.encoding import decode, encode
from quorate.errors import Malformed, ProofRejected
from quorate.groups import ED25519, parser_for
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import Commitments, Share

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "speccheck.json").read_text())["cases"]
SCHEME = scheme_named("ed25519")


def octets(case: dict[str, str]) -> tuple[bytes, bytes, bytes]:
    return tuple(bytes.fromhex(case[name]) for name in ("public_key", "message", "signature"))  # type: ignore[return-value]


def ours(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        SCHEME.verify(ED25519.point_from_bytes(key), message, signature)
    except (Malformed, ProofRejected):
        return False
    return True


def libsodium(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


def openssl(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def dalek(key: bytes, message: bytes, signature: bytes) -> bool:
    return SolanaSignature.from_bytes(signature).verify(Pubkey.from_bytes(key), message)


def test_there_are_the_paper_s_twelve_cases() -> None:
    assert len(CASES) == 12


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["what"])
def test_ours_refuses_every_crafted_signature(case: dict[str, str]) -> None:
    assert not ours(*octets(case))


def test_the_other_verifiers_say_what_the_paper_says_of_them() -> None:
    """If one of them changes its mind, what we take for the strictest is another."""
    accepted = {
        verify.__name__: [place for place, case in enumerate(CASES) if verify(*octets(case))]
        for verify in (libsodium, dalek, openssl)
    }
    assert accepted["libsodium"] == accepted["dalek"] == [3]
    assert {0, 1, 2, 3} <= set(accepted["openssl"])
    assert not {4, 5, 6, 7} & set(accepted["openssl"])


def test_every_key_and_nonce_point_of_them_outside_the_subgroup_is_refused_in_messages() -> None:
    """The same points as nonce commitments: no session comes to compute with one."""
    good = ED25519.generator.to_bytes()
    bad = {octets(case)[0] for case in CASES} | {octets(case)[2][:32] for case in CASES}
    refused = 0
    for point in bad:
        try:
            ED25519.point_from_bytes(point)
        except Malformed:
            refused += 1
            with pytest.raises(Malformed):
                decode(Commitments, wire(good, point), parser_for(ED25519))
            with pytest.raises(Malformed):
                decode(Commitments, wire(point, good), parser_for(ED25519))
    assert refused >= 6


def test_torsioned_and_small_order_commitments_are_refused_where_they_are_read() -> None:
    good = ED25519.generator.to_bytes()
    decode(Commitments, wire(good, good), parser_for(ED25519))
    for small in torsion():
        for point in (small, BASE + small):
            if point.encode() == BASE.encode():
                continue
            with pytest.raises(Malformed):
                decode(Commitments, wire(good, point.encode()), parser_for(ED25519))


def test_a_response_that_is_not_reduced_is_refused_where_it_is_read() -> None:
    context = bytes(32)
    share = encode(Share(context, ED25519.scalar(5)))
    decode(Share, share, parser_for(ED25519))
    raised = (ED25519.order + 5).to_bytes(32, "big")
    with pytest.raises(Malformed):
        decode(Share, share[:-32] + raised, parser_for(ED25519))


def wire(first: bytes, second: bytes) -> bytes:
    """A message of commitments with these bytes where its two points belong."""
    one = ED25519.generator
    body = encode(Commitments(bytes(32), (one, one)))
    header = body[: -2 * 34] + b"\xc4\x20"  # a string of 32 bytes begins with these two
    assert header + one.to_bytes() + b"\xc4\x20" + one.to_bytes() == body
    return header + first + b"\xc4\x20" + second
