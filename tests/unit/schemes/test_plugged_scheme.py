"""A scheme that another package brings, by entry points alone: GOST R 34.10-2012 in one file."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.support.signers import DealtKey

from quorate.errors import LocalError, Malformed, ProofRejected, Unavailable
from quorate.groups import Point, group_named
from quorate.groups import registry as groups
from quorate.schemes import registry as schemes
from quorate.schemes.registry import scheme_named, scheme_names
from quorate.schemes.scheme import Scheme

SOURCE = Path(__file__).resolve().parents[2] / "support" / "plugins" / "quorate_gost.py"
ENTRY_POINTS = """
[quorate.groups]
gost-test = quorate_gost:GROUP

[quorate.schemes]
gost-2012 = quorate_gost:SCHEME
"""

# RFC 7091 section 7.1
SECRET = 0x7A929ADE789BB9BE10ED359DD39A72C11B60961F49397EEE1D19CE9891EC3B28
PUBLIC = (
    0x7F2B49E270DB6D90D8595BEC458B50C58585BA1D4E9B788F6689DBD8E56FD80B,
    0x26F1B489D6701DD185C8413A977B3CBBAF64D1C593D26627DFFB101A87FF77DA,
)
DIGEST = bytes.fromhex("2dfbc1b372d89a1188c09c52e0eec61fce52032ab1022e8e67ece6672b043ee5")
NONCE = 0x77105C9B20BCD3122823C8CF6FCC7B956DE33814E95B7FE64FED924594DCEAB3
R = "41aa28d2f1ab148280cd9ed56feda41974053554a42767b83ad043fd39dc0493"
S = "01456c64ba4642a1653c235a98a60249bcd6d3f746b631df928014f6c5bf9c40"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """What `pip install` would leave: the module and its metadata, in a directory Python looks into."""
    (tmp_path / "quorate_gost.py").write_text(SOURCE.read_text())
    metadata = tmp_path / "quorate_gost-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: quorate-gost\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield __import__("quorate_gost")
    sys.modules.pop("quorate_gost", None)
    for cached in (schemes._plugged, schemes._load, groups._plugged, groups._load):
        cached.cache_clear()


@pytest.fixture
def gost(installed: ModuleType) -> Scheme:
    return scheme_named("gost-2012")


def published_key() -> Point:
    group = group_named("gost-test")
    point = group.point_from_bytes(bytes([2 + (PUBLIC[1] & 1)]) + PUBLIC[0].to_bytes(32, "big"))
    assert point == group.generator.multiply(group.scalar(SECRET))
    return point


def test_the_package_knows_nothing_of_it_until_it_is_installed() -> None:
    assert "gost-2012" not in scheme_names()
    with pytest.raises(Unavailable, match="no installed package"):
        scheme_named("gost-2012")
    package = Path(schemes.__file__).resolve().parents[1]
    assert not [path for path in package.rglob("*.py") if "gost" in path.read_text().lower()]


def test_installing_it_is_all_it_takes(gost: Scheme, installed: ModuleType) -> None:
    assert gost is installed.SCHEME
    assert scheme_names()[-1] == "gost-2012"
    assert group_named(gost.curve) is installed.GROUP
    assert gost.suite(group_named("gost-test")) == "gost-test/gost-2012"
    with pytest.raises(LocalError, match="signs on gost-test"):
        gost.suite(group_named("secp256k1"))


def test_the_example_of_rfc_7091(gost: Scheme, installed: ModuleType) -> None:
    group = group_named("gost-test")
    nonce = group.generator.multiply(group.scalar(NONCE))
    challenge = gost.schnorr.challenge(nonce, published_key(), DIGEST)
    response = group.scalar(NONCE) + challenge * group.scalar(SECRET)
    assert installed.first_part(nonce).to_bytes().hex() == R
    assert (installed.digest_scalar(group, DIGEST) * response).to_bytes().hex() == S
    gost.verify(published_key(), DIGEST, bytes.fromhex(R + S))


def test_the_published_signature_is_refused_with_a_byte_changed(gost: Scheme) -> None:
    key, signature = published_key(), bytes.fromhex(R + S)
    for position in range(0, 64, 3):
        wrong = bytearray(signature)
        wrong[position] ^= 1
        with pytest.raises(ProofRejected):
            gost.verify(key, DIGEST, bytes(wrong))
    for none in (b"", signature[:63], signature + b"\0", bytes(64), b"\xff" * 64):
        with pytest.raises(ProofRejected):
            gost.verify(key, DIGEST, none)
    with pytest.raises(ProofRejected):
        gost.verify(key, bytes([DIGEST[0] ^ 1]) + DIGEST[1:], signature)
    with pytest.raises(ProofRejected):
        gost.verify(group_named("gost-test").identity, DIGEST, signature)
    with pytest.raises(Malformed, match="32 bytes"):
        gost.verify(key, DIGEST[1:], signature)


def test_a_digest_of_zero_counts_as_one(gost: Scheme, installed: ModuleType) -> None:
    group = group_named("gost-test")
    for digest in (bytes(32), installed.ORDER.to_bytes(32, "big")):
        assert installed.digest_scalar(group, digest) == group.scalar(1)


@pytest.mark.parametrize(
    ("structure", "signers"),
    [
        ("2 of (1 of (n1), device)", ("device", "n1")),
        ("2 of (2 of (n1 n2 n3), device)", ("device", "n1", "n3")),
    ],
)
def test_a_shared_key_signs_by_it_in_a_real_session(
    gost: Scheme, structure: str, signers: tuple[str, ...]
) -> None:
    key = DealtKey("gost-test", structure, signers)
    signature = key.sign("gost-2012", DIGEST)
    gost.verify(key.public_key, DIGEST, signature)
    wrong = bytearray(signature)
    wrong[40] ^= 1
    with pytest.raises(ProofRejected):
        gost.verify(key.public_key, DIGEST, bytes(wrong))
