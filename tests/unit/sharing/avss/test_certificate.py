"""What a ready certificate takes to convince."""

from __future__ import annotations

import msgspec
import pytest
from tests.support.dealing import FIVE, Circle, names, setting_of

from quorate.encoding import decode, encode
from quorate.errors import ProofRejected
from quorate.sharing.avss import ReadyCertificate
from quorate.sharing.avss.certificate import statement
from quorate.sharing.quorums import Quorums


@pytest.fixture(scope="module")
def circle() -> Circle:
    made = Circle(honest=names(5))
    made.settle()
    return made


@pytest.fixture(scope="module")
def certificate(circle: Circle) -> ReadyCertificate:
    return circle.completed()["n1"].certificate


def refused(circle: Circle, certificate: ReadyCertificate) -> None:
    with pytest.raises(ProofRejected):
        certificate.verify(circle.setting, circle.table.roster)


def test_it_is_read_back_and_holds(circle: Circle, certificate: ReadyCertificate) -> None:
    again = decode(ReadyCertificate, encode(certificate))
    again.verify(circle.setting, circle.table.roster)


def test_exactly_r_distinct_nodes_in_order_must_have_signed(
    circle: Circle, certificate: ReadyCertificate
) -> None:
    signatures = certificate.signatures
    every = {
        name: pair for dealt in circle.completed().values() for name, pair in dealt.certificate.signatures
    }
    assert len(signatures) == FIVE.ready
    false = [
        (),
        signatures[:-1],
        (signatures[0],) * FIVE.ready,
        (*signatures[:-1], signatures[0]),
        (*signatures[:-1], signatures[-2]),
        tuple(reversed(signatures)),
        tuple(sorted(every.items())) if len(every) > FIVE.ready else (*signatures, signatures[-1]),
    ]
    for chosen in false:
        refused(circle, msgspec.structs.replace(certificate, signatures=chosen))


def test_it_holds_for_its_digest_and_its_sharing_only(circle: Circle, certificate: ReadyCertificate) -> None:
    refused(circle, msgspec.structs.replace(certificate, digest=bytes(32)))
    for dealer, quorums, count in (("n2", FIVE, 2), ("n1", FIVE, 3), ("n1", Quorums(5, 1, 1, 0), 2)):
        other = setting_of(circle.table, dealer, circle.nodes, quorums, count)
        with pytest.raises(ProofRejected):
            certificate.verify(other, circle.table.roster)
    order = tuple(reversed(circle.nodes))
    with pytest.raises(ProofRejected):
        certificate.verify(setting_of(circle.table, "n1", order, FIVE, 2), circle.table.roster)


def test_a_stranger_in_the_place_of_a_node_is_refused(circle: Circle, certificate: ReadyCertificate) -> None:
    *rest, (_, signature) = certificate.signatures
    refused(circle, msgspec.structs.replace(certificate, signatures=(*rest, ("zoe", signature))))


def test_a_signature_that_does_not_verify_is_refused(circle: Circle, certificate: ReadyCertificate) -> None:
    (name, signature), *rest = certificate.signatures
    false = bytes([signature[0] ^ 1]) + signature[1:]
    refused(circle, msgspec.structs.replace(certificate, signatures=((name, false), *rest)))


def test_the_signature_of_a_party_that_is_no_node_does_not_count() -> None:
    circle = Circle(honest=names(5), nodes=names(5), parties=(*names(5), "old"))
    circle.settle()
    certificate = circle.completed()["n1"].certificate
    said = statement(circle.setting, certificate.digest)
    *rest, _ = certificate.signatures
    old = ("old", circle.table.identities["old"].sign(said))
    refused(circle, msgspec.structs.replace(certificate, signatures=(*rest, old)))
