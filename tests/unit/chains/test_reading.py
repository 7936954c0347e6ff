"""What a payload asks of a key is held against the key: curve, scheme, number of digests, path."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import pytest
from tests.support.signers import DealtKey

from quorate.account import Factor, FactorKind, KeyRecord, Member
from quorate.chains import Chain, Decoded, Digest, Family, Preview, Request, Signature, Signed
from quorate.chains.reading import MAX_DIGESTS, child_of, read_for
from quorate.errors import LimitExceeded, Malformed, Refused
from quorate.groups import Point
from quorate.schemes.derivation import derive
from quorate.secret import Secret
from quorate.session import KeyPair

CHAIN = Chain("fake:1", "Fake", "F")
STRUCTURE = "2 of (1 of (n1), device)"


def record_of(key: DealtKey) -> KeyRecord:
    share = key.shares["device"]
    identity = KeyPair(Secret(bytes(32))).public.to_bytes()
    return KeyRecord(
        "test",
        bytes(32),
        share.key_id,
        key.group.name,
        share.epoch,
        key.public_key.to_bytes(),
        share.chain_code,
        str(share.structure),
        (Member("n1", identity, share.public_shares["n1"].to_bytes()),),
        (Factor("device", FactorKind.DEVICE, identity, share.public_shares["device"].to_bytes()),),
    )


class Fake(Family):
    """Signs what a test wants, and notes which key it was shown."""

    namespace = "fake"
    curves = ("secp256k1", "ed25519")

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        self.chains = {CHAIN.caip2: CHAIN}
        self.digests: tuple[Digest, ...] = (Digest(bytes(32), "ecdsa", "secp256k1"),)
        self.shown: list[Point] = []

    def address(self, public_key: Any) -> str:
        return "me"

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        self.shown.append(public_key)
        nothing = Preview("", ()), frozenset(), MappingProxyType({})
        return Decoded(payload, "k", CHAIN, "me", public_key.to_bytes(), *nothing, self.digests, None)

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        raise NotImplementedError

    def warm(self) -> None:
        """Nothing."""


class FakeChains:
    """A `Chains` with one family."""

    def __init__(self) -> None:
        self.fake = Fake()

    def family(self, caip2: str) -> Family:
        return self.fake

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        return self.fake.decode(payload, public_key)


def asked(path: str = "") -> bytes:
    return Request(1, CHAIN.caip2, "me", "k", b"", path).to_payload()


@pytest.fixture
def chains() -> Any:
    return FakeChains()


@pytest.fixture(scope="module")
def record() -> KeyRecord:
    return record_of(DealtKey("secp256k1"))


def test_every_digest_has_its_scheme_and_its_tweak(chains: Any, record: KeyRecord) -> None:
    tweak = bytes(31) + b"\x05"
    chains.fake.digests = (
        Digest(bytes(32), "ecdsa", "secp256k1"),
        Digest(bytes(32), "bip340", "secp256k1", tweak),
    )
    reading = read_for(chains, record, asked())
    assert [reading.scheme(index).name for index in (0, 1)] == ["ecdsa", "bip340"]
    assert reading.tweak(0) is None
    moved = reading.tweak(1)
    assert moved is not None
    assert moved.x_only == tweak
    with pytest.raises(Malformed, match="none at 2"):
        reading.digest(2)


def test_the_family_is_shown_the_child_key_and_both_tweaks_come_together(
    chains: Any, record: KeyRecord
) -> None:
    derived = derive(record.point, record.chain_code, "0/7")
    reading = read_for(chains, record, asked("0/7"))
    assert chains.fake.shown == [derived.point] == [child_of(record, "0/7")]
    assert reading.tweak(0) == derived.tweak
    assert reading.path == "0/7"
    tweak = bytes(31) + b"\x05"
    chains.fake.digests = (Digest(bytes(32), "bip340", "secp256k1", tweak),)
    both = read_for(chains, record, asked("0/7")).tweak(0)
    assert both is not None
    assert (both.plain, both.x_only) == (derived.tweak.plain, tweak)


@pytest.mark.parametrize(
    ("digest", "code"),
    [
        (Digest(b"", "ecdsa", "p256"), "curve"),
        (Digest(b"", "ed25519", "secp256k1"), "curve"),
        (Digest(b"", "elgamal", "secp256k1"), "scheme"),
    ],
)
def test_scheme_and_curve_belong_to_the_key(
    chains: Any, record: KeyRecord, digest: Digest, code: str
) -> None:
    chains.fake.digests = (Digest(bytes(32), "ecdsa", "secp256k1"), digest)
    with pytest.raises(Refused) as error:
        read_for(chains, record, asked())
    assert error.value.code == code


def test_a_key_without_accounts_on_the_chain_is_not_shown_to_its_family(chains: Any) -> None:
    with pytest.raises(Refused) as error:
        read_for(chains, record_of(DealtKey("p256")), asked())
    assert error.value.code == "curve"
    assert chains.fake.shown == []


def test_a_key_without_derived_accounts_has_no_path(chains: Any) -> None:
    chains.fake.curves = ("p256",)
    with pytest.raises(Refused) as error:
        read_for(chains, record_of(DealtKey("p256")), asked("0/7"))
    assert error.value.code == "path"


def test_a_request_has_a_few_digests_and_at_least_one(chains: Any, record: KeyRecord) -> None:
    one = chains.fake.digests
    for count, fits in [(0, False), (1, True), (MAX_DIGESTS, True), (MAX_DIGESTS + 1, False)]:
        chains.fake.digests = one * count
        if fits:
            assert len(read_for(chains, record, asked()).digests) == count
            continue
        with pytest.raises(Refused) as error:
            read_for(chains, record, asked())
        assert error.value.code == "digests"


def test_what_is_no_request_is_malformed(chains: Any, record: KeyRecord) -> None:
    with pytest.raises(Malformed):
        read_for(chains, record, b"rubbish")
    with pytest.raises(LimitExceeded):
        read_for(chains, record, bytes(1 << 18))
