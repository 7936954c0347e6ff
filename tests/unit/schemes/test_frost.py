"""FROST's mathematics: the RFC's vectors value for value, and what a package refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quorate.entropy import SeededRng
from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import SECP256K1, Point, Scalar
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import Commitment, Schnorr
from quorate.schemes.schnorr.frost import Nonces, Package
from quorate.schemes.schnorr.hashing import expand_message
from quorate.schemes.schnorr.suite import Rfc9591
from quorate.schemes.schnorr.suites.ed25519 import SUITE as ED25519
from quorate.schemes.tweak import Tweak
from quorate.secret import Secret

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "frost.json").read_text())["suites"]


class Case:
    """One suite's vector, parsed by the suite."""

    def __init__(self, name: str) -> None:
        scheme = scheme_named(name)
        assert isinstance(scheme, Schnorr)
        assert isinstance(scheme.schnorr, Rfc9591)
        self.suite: Rfc9591 = scheme.schnorr
        self.vector: dict[str, Any] = VECTORS[name]
        self.group = self.suite.group
        self.key = self.point(self.vector["public_key"])
        self.message = bytes.fromhex(self.vector["message"])
        self.signers: list[dict[str, Any]] = self.vector["signers"]

    def scalar(self, text: str) -> Scalar:
        return self.suite.decode_scalar(bytes.fromhex(text))

    def point(self, text: str) -> Point:
        return self.group.point_from_bytes(bytes.fromhex(text))

    def list(self) -> list[Commitment]:
        return [
            Commitment(
                row["identifier"],
                self.point(row["hiding_commitment"]),
                self.point(row["binding_commitment"]),
            )
            for row in self.signers
        ]

    def part(self, row: dict[str, Any]) -> Scalar:
        names = [other["identifier"] for other in self.signers]
        return lagrange(self, row["identifier"], names) * self.scalar(row["share"])

    def package(self) -> Package:
        return Package.of(self.suite, self.key, Tweak.none(self.group), self.message, self.list())

    def nonces(self, row: dict[str, Any]) -> Nonces:
        return Nonces(Secret(self.scalar(row["hiding_nonce"])), Secret(self.scalar(row["binding_nonce"])))


def lagrange(case: Case, identifier: int, names: list[int]) -> Scalar:
    value = case.group.scalar(1)
    for other in names:
        if other != identifier:
            below = case.group.scalar(other - identifier)
            value = value * case.group.scalar(other) * below.inverse()
    return value


@pytest.fixture(params=VECTORS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def replay(*values: str) -> Callable[[int], bytes]:
    left = [bytes.fromhex(value) for value in values]

    def rng(count: int) -> bytes:
        value = left.pop(0)
        assert len(value) == count
        return value

    return rng


def test_the_vector_s_shares_are_those_of_its_polynomial(case: Case) -> None:
    secret, slope = case.scalar(case.vector["secret"]), case.scalar(case.vector["coefficient"])
    assert case.group.generator.multiply(secret) == case.key
    shares = {row["identifier"]: row["share"] for row in case.signers} | {2: case.vector["share_of_2"]}
    assert sorted(shares) == [1, 2, 3]
    for identifier, share in shares.items():
        assert case.scalar(share) == secret + case.group.scalar(identifier) * slope


def test_nonces_and_commitments_are_the_rfc_s(case: Case) -> None:
    for row in case.signers:
        rng = replay(row["hiding_randomness"], row["binding_randomness"])
        nonces = Nonces.draw(case.suite, case.scalar(row["share"]), rng)
        assert case.suite.encode_scalar(nonces.hiding.reveal()).hex() == row["hiding_nonce"]
        assert case.suite.encode_scalar(nonces.binding.reveal()).hex() == row["binding_nonce"]
        shown = nonces.commit(row["identifier"])
        assert shown.hiding.to_bytes().hex() == row["hiding_commitment"]
        assert shown.binding.to_bytes().hex() == row["binding_commitment"]


def test_binding_factors_are_the_rfc_s(case: Case) -> None:
    inputs = case.suite.binding_factor_inputs(case.key, case.message, case.list())
    factors = case.suite.binding_factors(case.key, case.message, case.list())
    for row, data, factor in zip(case.signers, inputs, factors, strict=True):
        assert data.hex() == row["binding_factor_input"]
        assert case.suite.encode_scalar(factor).hex() == row["binding_factor"]


def test_shares_and_the_signature_are_the_rfc_s(case: Case) -> None:
    package = case.package()
    shares = {}
    for row in case.signers:
        share = package.share(row["identifier"], case.nonces(row), case.part(row))
        assert case.suite.encode_scalar(share).hex() == row["signature_share"]
        package.check(row["identifier"], case.group.generator.multiply(case.part(row)), share)
        shares[row["identifier"]] = share
    signature = package.aggregate(shares)
    assert signature.hex() == case.vector["signature"]
    case.suite.verify(case.key, case.message, signature)


def test_own_nonces_save_products_and_change_nothing(case: Case) -> None:
    for row in case.signers:
        own = (row["identifier"], case.nonces(row))
        none = Tweak.none(case.group)
        assert Package.of(case.suite, case.key, none, case.message, case.list(), own=own) == case.package()


def test_a_signature_with_one_byte_changed_is_refused(case: Case) -> None:
    signature = bytes.fromhex(case.vector["signature"])
    assert len(signature) == case.suite.signature_length
    for place in range(len(signature)):
        changed = bytearray(signature)
        changed[place] ^= 1
        with pytest.raises(ProofRejected):
            case.suite.verify(case.key, case.message, bytes(changed))
    for wrong in (signature[:-1], signature + b"\0", b""):
        with pytest.raises(ProofRejected):
            case.suite.verify(case.key, case.message, wrong)
    with pytest.raises(ProofRejected):
        case.suite.verify(case.key, case.message + b"\0", signature)
    with pytest.raises(ProofRejected):
        case.suite.verify(case.key + case.group.generator, case.message, signature)
    with pytest.raises(ProofRejected):
        case.suite.verify(case.group.identity, case.message, signature)


def test_a_response_that_is_not_reduced_is_refused(case: Case) -> None:
    signature = bytes.fromhex(case.vector["signature"])
    response = case.scalar(signature[-32:].hex()).value + case.group.order
    order = "little" if case.suite.encode_scalar(case.group.scalar(1))[0] else "big"
    if response < 1 << 256:
        wrong = signature[:-32] + response.to_bytes(32, order)  # type: ignore[arg-type]
        with pytest.raises(ProofRejected):
            case.suite.verify(case.key, case.message, wrong)
    with pytest.raises(Malformed):
        case.suite.decode_scalar(bytes(31))


def test_a_wrong_share_is_recognised(case: Case) -> None:
    package = case.package()
    first, second = case.signers
    share = package.share(first["identifier"], case.nonces(first), case.part(first))
    part = case.group.generator.multiply(case.part(first))
    package.check(first["identifier"], part, share)
    with pytest.raises(ProofRejected, match="not the signer's"):
        package.check(first["identifier"], part, share + case.group.scalar(1))
    with pytest.raises(ProofRejected):
        package.check(second["identifier"], part, share)
    with pytest.raises(ProofRejected):
        package.check(first["identifier"], part + case.group.generator, share)


def test_a_plain_tweak_is_added_once_at_the_end(case: Case) -> None:
    tweak = Tweak(case.group.scalar(31337))
    package = Package.of(case.suite, case.key, tweak, case.message, case.list())
    assert package.key.point == tweak.child(case.key)
    shares = {
        row["identifier"]: package.share(row["identifier"], case.nonces(row), case.part(row))
        for row in case.signers
    }
    for row in case.signers:
        part = case.group.generator.multiply(case.part(row))
        package.check(row["identifier"], part, shares[row["identifier"]])
    signature = package.aggregate(shares)
    case.suite.verify(tweak.child(case.key), case.message, signature)
    with pytest.raises(ProofRejected):
        case.suite.verify(case.key, case.message, signature)


def test_binding_factors_depend_on_key_message_list_and_signer(case: Case) -> None:
    rows, generator = case.list(), case.group.generator
    plain = case.suite.binding_factors(case.key, case.message, rows)
    moved = [Commitment(row.identifier, row.hiding + generator, row.binding) for row in rows]
    bound = [Commitment(row.identifier, row.hiding, row.binding + generator) for row in rows]
    others = [
        case.suite.binding_factors(case.key + generator, case.message, rows),
        case.suite.binding_factors(case.key, case.message + b"\0", rows),
        case.suite.binding_factors(case.key, case.message, [rows[0], moved[1]]),
        case.suite.binding_factors(case.key, case.message, [rows[0], bound[1]]),
        case.suite.binding_factors(case.key, case.message, rows[:1]),
    ]
    assert plain[0] != plain[1]
    assert len({factors[0] for factors in (plain, *others)}) == len(others) + 1


def test_a_list_out_of_order_or_with_a_signer_twice_is_refused() -> None:
    case = Case("ed25519")
    rows = case.list()
    none = Tweak.none(case.group)
    zero = Commitment(0, rows[0].hiding, rows[0].binding)
    for wrong in (rows[::-1], [rows[0], rows[0]], [], [zero, rows[0]]):
        with pytest.raises(LocalError, match="ascending order"):
            Package.of(ED25519, case.key, none, case.message, wrong)


def test_nonces_that_cancel_each_other_are_replaced_by_the_generator() -> None:
    case = Case("ed25519")
    rows, none = case.list(), Tweak.none(case.group)

    class Constant(type(ED25519)):  # type: ignore[misc]
        """Its binding factors are all 1: nobody can steer real ones like that."""

        def binding_factors(self, key: Point, message: bytes, commitments: Any) -> list[Scalar]:
            return [self.group.scalar(1) for _ in commitments]

    opposite = Commitment(3, -rows[0].hiding, -rows[0].binding)
    package = Package.of(Constant(), case.key, none, case.message, [rows[0], opposite])
    assert package.nonce == case.group.generator


def test_a_sum_without_somebody_or_with_a_stranger_is_refused() -> None:
    case = Case("ed25519")
    package, one = case.package(), case.group.scalar(1)
    for shares in ({1: one}, {1: one, 2: one}, {1: one, 2: one, 3: one}, {}):
        with pytest.raises(LocalError, match="exactly the signers"):
            package.aggregate(shares)


def test_a_tweak_that_leaves_no_key_and_an_x_only_tweak_are_refused() -> None:
    case = Case("ed25519")
    secret = case.scalar(case.vector["secret"])
    with pytest.raises(LocalError, match="leaves none"):
        Package.of(ED25519, case.key, Tweak(-secret), case.message, case.list())
    case = Case("frost-secp256k1")
    with pytest.raises(LocalError, match="BIP 340"):
        tweak = Tweak(SECP256K1.scalar(0), b"\x01" * 32)
        Package.of(case.suite, case.key, tweak, case.message, case.list())


def test_nonces_are_random_and_depend_on_the_secret() -> None:
    case = Case("ed25519")
    one, two = case.group.scalar(1), case.group.scalar(2)
    drawn = [
        Nonces.draw(ED25519, one, SeededRng(b"a")),
        Nonces.draw(ED25519, two, SeededRng(b"a")),
        Nonces.draw(ED25519, one, SeededRng(b"b")),
    ]
    assert len({value.reveal() for nonces in drawn for value in (nonces.hiding, nonces.binding)}) == 6
    assert repr(drawn[0]) == "Nonces()"


def test_three_responses_with_one_pair_of_nonces_would_give_the_part_away() -> None:
    """Why nonces are for one package: the attack, carried out."""
    case = Case("ed25519")
    row = case.signers[0]
    nonces, part, group = case.nonces(row), case.part(row), case.group
    packages = [
        Package.of(ED25519, case.key, Tweak.none(group), message, case.list())
        for message in (b"1", b"2", b"3")
    ]
    z = [package.share(1, nonces, part) for package in packages]
    rho = [package.factors[1] for package in packages]
    c = [package.challenge for package in packages]
    # z_k = d + rho_k e + c_k p: eliminate d, then e
    top = (z[0] - z[1]) * (rho[0] - rho[2]) - (z[0] - z[2]) * (rho[0] - rho[1])
    below = (c[0] - c[1]) * (rho[0] - rho[2]) - (c[0] - c[2]) * (rho[0] - rho[1])
    assert top * below.inverse() == part


def test_expand_message_is_rfc_9380_s() -> None:
    # RFC 9380, appendix K.1, SHA-256
    domain = b"QUUX-V01-CS02-with-expander-SHA256-128"
    short = "68a985b87eb6b46952128911f2a4412bbc302a9d759667f87f7a21d803f07235"
    abc = "d8ccab23b5985ccea865c6c97b6e5b8350e794e603b4b97902f53a8a0d605615"
    assert expand_message(b"", domain, 32).hex() == short
    assert expand_message(b"abc", domain, 32).hex() == abc
    long = (
        "abba86a6129e366fc877aab32fc4ffc70120d8996c88aee2fe4b32d6c7b6437a647e6c3163d40b76a73cf6a5674ef1d8"
        "90f95b664ee0afa5359a5c4e07985635bbecbac65d747d3d2da7ec2b8221b17b0ca9dc8a1ac1c07ea6a1e60583e2cb00"
        "058e77b7b72a298425cd1b941ad4ec65e8afc50303a22c0f99b0509b4c895f40"
    )
    assert expand_message(b"abc", domain, 128).hex() == long
    for wrong in ((bytes(256), 32), (b"", 255 * 32 + 1)):
        with pytest.raises(ValueError, match="too long"):
            expand_message(b"", *wrong)
