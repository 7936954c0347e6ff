"""Signatures of every kind of signer set, checked by two verifiers that share no code."""

from dataclasses import replace
from hashlib import sha256
from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1 as CURVE
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from tests.support.signing import DIGEST, KEY_ID, PAYLOAD, Table, table

from quorate.errors import LocalError
from quorate.groups import SECP256K1, Point
from quorate.groups.secp256k1 import recover
from quorate.schemes.ecdsa import Derivation, Presignature, Signature, Signer, presign, suite, verify
from quorate.schemes.ecdsa.messages import rules
from quorate.session import Declaration, Party, together
from quorate.sharing.access import NotAuthorised, NotExact
from quorate.sharing.keyshare import KeyShare
from quorate.testing import Simulation

FIVE = "2 of (3 of (n1 n2 n3 n4 n5), device, backup)"


def accept(public_key: Point, digest: bytes, signature: Signature) -> None:
    """libsecp256k1, OpenSSL, and recovery of the very key."""
    verify(public_key, digest, signature)
    EllipticCurvePublicKey.from_encoded_point(CURVE(), public_key.to_bytes()).verify(
        encode_dss_signature(signature.r, signature.s), digest, ECDSA(Prehashed(SHA256()))
    )
    assert recover(digest, signature.r, signature.s, signature.recovery) == public_key


@pytest.mark.parametrize(
    ("text", "signers"),
    [
        ("2 of (1 of (n1), device)", ("n1", "device")),
        ("2 of (n1, device)", ("n1", "device")),
        (FIVE, ("n1", "n3", "n5", "device")),
        ("2 of (2 of (n1 n2 n3), device, backup)", ("n2", "n3", "backup")),
        ("2 of (2 of (n1 n2 n3), device, backup)", ("device", "backup")),
        ("4 of (n1, n2, n3, n4)", ("n1", "n2", "n3", "n4")),
        ("3 of (2 of (n1 n2 n3), device, backup)", ("n1", "n2", "device", "backup")),
    ],
    ids=str,
)
def test_a_cold_signature_is_accepted_by_two_verifiers(text: str, signers: tuple[str, ...]) -> None:
    key = table(text, signers, SECP256K1)
    combiner = next((name for name in ("device", "backup") if name in signers), signers[0])
    result = key.signing(combiner)
    result.assert_sound()
    signature = result.values.pop(combiner)
    assert signature is not None
    assert set(result.values.values()) == {None}
    accept(key.public_key, DIGEST, signature)


@pytest.mark.parametrize("size", range(2, 6))
def test_every_threshold_and_every_signer_set_of_up_to_five_nodes_signs(size: int) -> None:
    nodes = [f"n{number}" for number in range(1, size + 1)]
    for threshold in range(2, size + 1):
        for signers in combinations(nodes, threshold):
            key = Table(f"{threshold} of ({', '.join(nodes)})", signers, seed=size)
            result = key.signing(signers[-1])
            result.assert_sound()
            signature = result.values[signers[-1]]
            assert signature is not None
            verify(key.public_key, DIGEST, signature)


def test_a_presignature_made_beforehand_signs_what_is_asked_later() -> None:
    key = table(FIVE, ("n1", "n2", "n4", "device"), SECP256K1)
    made = key.presigning()
    made.assert_sound()
    result = key.online(made.values, "device")
    result.assert_sound()
    signature = result.values["device"]
    assert signature is not None
    accept(key.public_key, DIGEST, signature)


def test_a_path_chosen_online_signs_for_the_child_key() -> None:
    key = table("2 of (1 of (n1), device)", ("n1", "device"), SECP256K1)
    made = key.presigning(derivation=Derivation.PATH)
    tweak = int.from_bytes(sha256(b"tau").digest(), "big") % SECP256K1.order
    result = key.online(made.values, "device", tweak=tweak, path="m/0/5")
    result.assert_sound()
    signature = result.values["device"]
    assert signature is not None
    child = key.public_key + SECP256K1.generator.multiply_public(SECP256K1.scalar(tweak))
    accept(child, DIGEST, signature)


def test_a_presignature_for_the_root_key_signs_for_no_child() -> None:
    key = table("2 of (1 of (n1), device)", ("n1", "device"))
    made = key.presigning()
    result = key.online(made.values, "device", tweak=7, path="m/7")
    for error in result.errors.values():
        assert isinstance(error, LocalError)
        assert "the key itself only" in str(error)
    assert not result.values


def test_any_signer_of_a_quorum_without_a_device_may_combine() -> None:
    key = table("3 of (n1, n2, n3)", ("n1", "n2", "n3"))
    for combiner in key.names:
        result = key.signing(combiner)
        result.assert_sound()
        assert result.values[combiner] is not None


def test_a_node_does_not_combine_where_a_device_signs() -> None:
    key = table("2 of (2 of (n1 n2), device)", ("n1", "n2", "device"))
    result = key.online(key.presigning().values, "n1")
    assert all("device combines" in str(error) for error in result.errors.values())
    assert len(result.errors) == 3


def test_a_second_device_that_does_not_combine_gets_the_entropy_from_the_nodes() -> None:
    key = table("3 of (2 of (n1 n2 n3), device, backup)", ("n1", "n2", "device", "backup"))
    made = key.presigning()
    assert {name: value.entropy_key is None for name, value in made.values.items()} == {
        "backup": True,
        "device": True,
        "n1": False,
        "n2": False,
    }
    result = key.online(made.values, "device")
    result.assert_sound()
    assert result.values["device"] is not None


def test_keepers_agree_on_the_entropy_key_and_a_device_never_sees_it() -> None:
    key = table(FIVE, ("n1", "n2", "n4", "device"))
    made = key.presigning().values
    kappa = made["n1"].entropy_key
    assert kappa is not None
    assert made["n2"].entropy_key == kappa
    assert made["n4"].entropy_key == kappa
    assert made["device"].entropy_key is None


def test_a_batch_of_presignatures_is_made_side_by_side_in_one_session() -> None:
    key = table("2 of (2 of (n1 n2 n3), device)", ("n1", "n2", "device"))
    batch = Declaration("batch", 1, *rules("*"))

    async def run(party: Party) -> list[Presignature]:
        seats = [party.fork(str(number)) for number in range(3)]
        signer, pairs = key.seats[party.me], key.pairs[party.me]
        return await together(*(presign(seat, signer, pairs, parameters=key.parameters) for seat in seats))

    result = Simulation(
        batch, run, key.names, suite=suite(key.group, key.parameters), key=KEY_ID, journaled=False
    ).run()
    result.assert_sound()
    assert len({made.id for batch in result.values.values() for made in batch}) == 3
    for number in range(3):
        made = {name: batch[number] for name, batch in result.values.items()}
        signature = key.online(made, "device").values["device"]
        assert signature is not None
        verify(key.public_key, DIGEST, signature)


def test_equal_seeds_make_equal_signatures_and_other_seeds_others() -> None:
    key = table("2 of (1 of (n1), device)", ("n1", "device"))
    first, again, other = (key.signing("device", seed=seed).values["device"] for seed in (1, 1, 2))
    assert first == again != other


def test_the_parts_of_a_quorum_sum_to_the_key_and_its_digest_names_everything() -> None:
    key = table(FIVE, ("n1", "n2", "n4", "device"))
    quorum = key.seats["device"].quorum
    total = key.group.scalar(0)
    for seat in key.seats.values():
        total = total + seat.part.reveal()
    assert key.group.generator.multiply(total) == quorum.public_key
    assert quorum.keepers == {"n1", "n2", "n4"}
    digests = {seat.quorum.digest() for seat in key.seats.values()}
    assert digests == {quorum.digest()}
    other = Table(FIVE, ("n1", "n2", "n5", "device")).seats["device"].quorum
    assert other.digest() not in digests
    assert Table(FIVE, ("n1", "n2", "n4", "device"), epoch=1).seats["n1"].quorum.digest() not in digests


def test_too_few_and_too_many_signers_have_no_seat() -> None:
    shares = table(FIVE, ("n1", "n2", "n4", "device")).shares
    with pytest.raises(NotAuthorised):
        Signer.of(shares["device"], ("device", "n1", "n2"))
    with pytest.raises(NotExact):
        Signer.of(shares["device"], ("device", "n1", "n2", "n3", "n4"))
    with pytest.raises(LocalError, match="not among the signers"):
        Signer.of(shares["backup"], ("device", "n1", "n2", "n3"))


def test_one_alone_is_no_quorum() -> None:
    quorum = table("2 of (1 of (n1), device)", ("n1", "device")).seats["device"].quorum
    with pytest.raises(LocalError, match="at least two signers"):
        replace(quorum, public_key=quorum.parts["n1"], parts={"n1": quorum.parts["n1"]})
    with pytest.raises(LocalError, match="ascending"):
        replace(quorum, parts=dict(reversed(quorum.parts.items())))
    with pytest.raises(LocalError, match="keepers"):
        replace(quorum, keepers=frozenset())


def test_a_record_whose_shares_do_not_make_its_key_gives_no_seat() -> None:
    share = table("2 of (1 of (n1), device)", ("n1", "device")).shares["device"]
    twisted = KeyShare(
        share.key_id,
        share.epoch,
        share.structure,
        share.public_key,
        {**share.public_shares, "n1": share.public_shares["n1"] + share.group.generator},
        share.me,
        share.share,
        share.chain_code,
    )
    with pytest.raises(LocalError, match="do not make the recorded public key"):
        Signer.of(twisted, ("n1", "device"))


def test_the_payload_is_part_of_what_is_signed_for() -> None:
    """Two sessions over different payloads have different requests, whatever the digest."""
    assert PAYLOAD
    key = table("2 of (1 of (n1), device)", ("n1", "device"))
    made = key.presigning()
    first = key.online(made.values, "device", seed=1).values["device"]
    second = key.online(made.values, "device", seed=2).values["device"]
    # the same in-memory presignatures, wrapped twice on purpose: other nonces make another context and shift
    assert first is not None
    assert second is not None
    assert first.r != second.r
