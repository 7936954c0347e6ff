"""G1 and G2 of BLS12-381: published values, strict encodings, and the points that must never get in."""

from types import ModuleType

import pytest
from tests.support.bls import py_ecc

from quorate.errors import Malformed, Unavailable
from quorate.groups import Point, bls12381, group_named
from quorate.groups.bls12381 import (
    _CHUNK,
    BLS12381_G1,
    BLS12381_G2,
    ORDER,
    Bls12381Group,
    pairings_cancel,
)

FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
BOTH = pytest.mark.parametrize("group", [BLS12381_G1, BLS12381_G2], ids=lambda group: group.name)

# RFC 9380, appendices J.9.1 and J.10.1: message -> coordinates (x || y; in G2 c0 before c1)
G1_DOMAIN = b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_"
G1_HASHES = {
    b"": "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1"
    "08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265",
    b"abc": "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903"
    "0b9c15f3fe6e5cf4211f346271d7b01c8f3b28be689c8429c85b67af215533311f0b8dfaaa154fa6b88176c229f2885d",
    b"abcdef0123456789": "11e0b079dea29a68f0383ee94fed1b940995272407e3bb916bbf268c263ddd57a6a27200a784cbc248"
    "e84f357ce82d9803a87ae2caf14e8ee52e51fa2ed8eefe80f02457004ba4d486d6aa1f517c0889501dc7413753f9599b099ebcbbd2d709",
    b"q128_"
    + b"q" * 128: "15f68eaa693b95ccb85215dc65fa81038d69629f70aeee0d0f677cf22285e7bf58d7cb86eefe8f2e9bc3"
    "f8cb84fac4881807a1d50c29f430b8cafc4f8638dfeeadf51211e1602a5f184443076715f91bb90a48ba1e370edce6ae1062f5e6"
    "dd38",
    b"a512_"
    + b"a" * 512: "082aabae8b7dedb0e78aeb619ad3bfd9277a2f77ba7fad20ef6aabdc6c31d19ba5a6d12283553294c182"
    "5c4b3ca2dcfe05b84ae5a942248eea39e1d91030458c40153f3b654ab7872d779ad1e942856a20c438e8d99bc8abfbf74729ce1f"
    "7ac8",
}
G2_DOMAIN = b"QUUX-V01-CS02-with-BLS12381G2_XMD:SHA-256_SSWU_RO_"
G2_HASHES = {
    b"": (
        0x0141EBFBDCA40EB85B87142E130AB689C673CF60F1A3E98D69335266F30D9B8D4AC44C1038E9DCDD5393FAF5C41FB78A,
        0x05CB8437535E20ECFFAEF7752BADDF98034139C38452458BAEEFAB379BA13DFF5BF5DD71B72418717047F5B0F37DA03D,
        0x0503921D7F6A12805E72940B963C0CF3471C7B2A524950CA195D11062EE75EC076DAF2D4BC358C4B190C0C98064FDD92,
        0x12424AC32561493F3FE3C260708A12B7C620E7BE00099A974E259DDC7D1F6395C3C811CDD19F1E8DBF3E9ECFDCBAB8D6,
    ),
    b"abcdef0123456789": (
        0x121982811D2491FDE9BA7ED31EF9CA474F0E1501297F68C298E9F4C0028ADD35AEA8BB83D53C08CFC007C1E005723CD0,
        0x190D119345B94FBD15497BCBA94ECF7DB2CBFD1E1FE7DA034D26CBBA169FB3968288B3FAFB265F9EBD380512A71C3F2C,
        0x05571A0F8D3C08D094576981F4A3B8EDA0A8E771FCDCC8ECCEAF1356A6ACF17574518ACB506E435B639353C2E14827C8,
        0x0BB5E7572275C567462D91807DE765611490205A941A5A6AF3B1691BFE596C31225D3AABDF15FAFF860CB4EF17C7C3BE,
    ),
    b"abc": (
        0x02C2D18E033B960562AAE3CAB37A27CE00D80CCD5BA4B7FE0E7A210245129DBEC7780CCC7954725F4168AFF2787776E6,
        0x139CDDBCCDC5E91B9623EFD38C49F81A6F83F175E80B06FC374DE9EB4B41DFE4CA3A230ED250FBE3A2ACF73A41177FD8,
        0x1787327B68159716A37440985269CF584BCB1E621D3A7202BE6EA05C4CFE244AEB197642555A0645FB87BF7466B2BA48,
        0x00AA65DAE3C8D732D10ECD2C50F8A1BAF3001578F71C694E03866E9F3D49AC1E1CE70DD94A733534F106D4CEC0EDDD16,
    ),
    b"q128_" + b"q" * 128: (
        0x19A84DD7248A1066F737CC34502EE5555BD3C19F2ECDB3C7D9E24DC65D4E25E50D83F0F77105E955D78F4762D33C17DA,
        0x0934ABA516A52D8AE479939A91998299C76D39CC0C035CD18813BEC433F587E2D7A4FEF038260EEF0CEF4D02AAE3EB91,
        0x14F81CD421617428BC3B9FE25AFBB751D934A00493524BC4E065635B0555084DD54679DF1536101B2C979C0152D09192,
        0x09BCCCFA036B4847C9950780733633F13619994394C23FF0B32FA6B795844F4A0673E20282D07BC69641CEE04F5E5662,
    ),
    b"a512_" + b"a" * 512: (
        0x01A6BA2F9A11FA5598B2D8ACE0FBE0A0EACB65DECEB476FBBCB64FD24557C2F4B18ECFC5663E54AE16A84F5AB7F62534,
        0x11FCA2FF525572795A801EED17EB12785887C7B63FB77A42BE46CE4A34131D71F7A73E95FEE3F812AEA3DE78B4D01569,
        0x0B6798718C8AED24BC19CB27F866F1C9EFFCDBF92397AD6448B5C9DB90D2B9DA6CBABF48ADC1ADF59A1A28344E79D57E,
        0x03A47F8E6D1763BA0CAD63D6114C0ACCBEF65707825A511B251A660A9B3994249AE4E63FAC38B23DA0C398689EE2AB52,
    ),
}


@pytest.mark.parametrize("message", G1_HASHES, ids=len)
def test_hashing_to_g1_is_that_of_the_rfc(message: bytes) -> None:
    point = BLS12381_G1.hash_with(G1_DOMAIN, message)
    assert _coordinates(point).hex() == G1_HASHES[message]


@pytest.mark.parametrize("message", G2_HASHES, ids=len)
def test_hashing_to_g2_is_that_of_the_rfc(message: bytes) -> None:
    point = BLS12381_G2.hash_with(G2_DOMAIN, message)
    x0, x1, y0, y1 = (value.to_bytes(48, "big") for value in G2_HASHES[message])
    assert _coordinates(point) == x0 + x1 + y0 + y1


@BOTH
def test_a_domain_has_1_to_255_bytes(group: Bls12381Group) -> None:
    group.hash_with(b"d" * 255, b"")
    for domain in (b"", b"d" * 256):
        with pytest.raises(ValueError, match="1 to 255"):
            group.hash_with(domain, b"")


def test_the_generators_are_those_of_the_curve_s_definition() -> None:
    # draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1, in ZCash's encoding
    assert BLS12381_G1.generator.to_bytes().hex() == (
        "97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb"
    )
    assert BLS12381_G2.generator.to_bytes().hex() == (
        "93e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e"
        "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"
    )


def test_a_point_agrees_with_another_implementation() -> None:
    encodings, curve = py_ecc("bls.g2_primitives"), py_ecc("optimized_bls12_381")
    k = 0x1234567890ABCDEF
    ours = BLS12381_G1.generator.multiply(BLS12381_G1.scalar(k))
    assert ours.to_bytes() == encodings.G1_to_pubkey(curve.multiply(curve.G1, k))
    other = BLS12381_G2.generator.multiply(BLS12381_G2.scalar(k))
    assert other.to_bytes() == encodings.G2_to_signature(curve.multiply(curve.G2, k))
    x, _, z = curve.multiply(curve.G1, k)
    assert BLS12381_G1.x_coordinate(ours) == int(x / z)


@BOTH
def test_the_identity_has_no_encoding(group: Bls12381Group) -> None:
    rest = bytes(group.point_length - 1)
    for first in (0xC0, 0xE0, 0x40, 0x80, 0x00):
        with pytest.raises(Malformed):
            group.point_from_bytes(bytes([first]) + rest)


@BOTH
def test_flags_are_strict(group: Bls12381Group) -> None:
    octets = group.generator.to_bytes()
    # to the library, the infinity flag alone decides: whatever follows it is the identity
    for first in (octets[0] | 0x40, octets[0] & 0x7F, octets[0] & 0x1F, octets[0] | 0x60):
        with pytest.raises(Malformed):
            group.point_from_bytes(bytes([first]) + octets[1:])
    # the sign flag is the other point
    assert group.point_from_bytes(bytes([octets[0] ^ 0x20]) + octets[1:]) == -group.generator


@BOTH
def test_a_coordinate_that_is_not_reduced_is_refused(group: Bls12381Group) -> None:
    octets = (group.generator + group.generator).to_bytes()
    for begin in range(0, len(octets), 48):
        value = int.from_bytes(octets[begin : begin + 48], "big")
        flags = value >> 381 << 381 if begin == 0 else 0
        raised = ((value - flags) % FIELD + FIELD) | flags
        if raised >> 384:
            continue
        wrong = octets[:begin] + raised.to_bytes(48, "big") + octets[begin + 48 :]
        with pytest.raises(Malformed):
            group.point_from_bytes(wrong)


@BOTH
def test_a_point_of_the_curve_outside_the_subgroup_is_refused(group: Bls12381Group) -> None:
    found = 0
    for x in range(64):
        octets = bytes([0x80]) + x.to_bytes(group.point_length - 1, "big")
        try:
            on_curve = group.native.from_compressed_bytes_unchecked(octets)
        except ValueError:
            continue
        assert not on_curve.is_in_subgroup()
        found += 1
        with pytest.raises(Malformed, match="prime-order subgroup"):
            group.point_from_bytes(octets)
    assert found > 10


@BOTH
def test_a_sum_longer_than_one_native_call_is_the_sum(group: Bls12381Group) -> None:
    count = _CHUNK + 3
    points = [group.generator] * count
    weights = list(range(count))
    expected = group.generator.multiply(group.scalar(sum(weights)))
    assert group.combination(points, weights) == expected
    assert group.combination(points[:1], [7]) == group.generator.multiply(group.scalar(7))


def test_the_two_groups_do_not_mix() -> None:
    g, h = BLS12381_G1.generator, BLS12381_G2.generator
    assert g != h
    with pytest.raises(TypeError):
        g + h
    with pytest.raises(TypeError):
        g.multiply(BLS12381_G2.scalar(2))
    with pytest.raises(TypeError):
        BLS12381_G1.sum([h])
    with pytest.raises(TypeError):
        BLS12381_G1.combination([h], [1])
    for pair in ((h, h), (g, g)):
        with pytest.raises(TypeError):
            pairings_cancel([pair])


def test_the_pairing_is_bilinear() -> None:
    g, h = BLS12381_G1.generator, BLS12381_G2.generator
    times = 123456789
    first, second = g.multiply(BLS12381_G1.scalar(times)), h.multiply(BLS12381_G2.scalar(times))
    assert pairings_cancel([(first, h), (-g, second)])
    assert not pairings_cancel([(first, h), (-g, h)])
    assert not pairings_cancel([(g, h)])


def test_both_are_known_by_name_and_share_their_order() -> None:
    assert group_named("bls12381g1") is BLS12381_G1
    assert group_named("bls12381g2") is BLS12381_G2
    assert BLS12381_G1.order == BLS12381_G2.order == ORDER
    assert BLS12381_G1.generator.multiply(BLS12381_G1.scalar(-1)) == -BLS12381_G1.generator


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> ModuleType:
        raise ImportError(name)

    monkeypatch.setattr(bls12381, "import_module", absent)
    with pytest.raises(Unavailable, match=r"install quorate\[bls\]"):
        bls12381.load()


def _coordinates(point: Point) -> bytes:
    assert isinstance(point, bls12381.Bls12381Point)
    return bytes(point.native.to_xy_bytes_be())
