"""Hashing: byte-exact, one way in, tags of its own."""

import ast
import hashlib
import json
import re
from pathlib import Path

import pytest

from quorate.errors import Malformed
from quorate.groups import ED25519, SECP256K1
from quorate.groups.group import hash_candidate
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import Transcript, digest, framed, point, scalar

ROOT = Path(__file__).resolve().parents[3]
VECTORS = json.loads((ROOT / "tests/vectors/transcript.json").read_text())
GROUPS = {"secp256k1": SECP256K1, "ed25519": ED25519, "toy": TOY_GROUP}

# Where the standard library's hashes may be called, and why not through a transcript.
MAY_HASH = {
    "chains/messages.py": "SHA-256 of a message form that other programs verify",
    "chains/validators/ssz.py": "hash tree roots, as Ethereum's consensus layer fixes them",
    "chains/near/hashing.py": "SHA-256 as NEAR, NEP-366 and NEP-413 fix what is signed",
    "chains/bitcoin/hashes.py": "transaction ids and digests, as Bitcoin fixes them",
    "entropy.py": "expands the seed of a repeatable run, below all layers",
    "groups/group.py": "hash-to-point, below transcripts; the test of candidates holds it to their bytes",
    "primitives/transcript.py": "the transcript itself",
    "primitives/kdf.py": "HKDF for the two kinds of boxes, as RFC 5869 and RFC 9180 fix it",
    "schemes/schnorr/hashing.py": "hashes that RFC 9591 and BIP 340 fix, for verifiers that are not ours",
    "chains/polkadot/blake2.py": "hashes that Substrate's chains fix for addresses, payloads and extrinsics",
    "primitives/bits.py": "kernels of the OT extension; seeds and keys come from transcripts",
    "schemes/derivation/bip32.py": "HMAC, HASH160 and the checksum that BIP 32 fixes",
    "schemes/derivation/ed25519.py": "HMAC of a published derivation that other programs repeat",
}


def by_the_page(tag: str, fields: list[bytes], length: int) -> bytes:
    """docs/protocols/transcript.md, written again without the package."""
    parts = [b"quorate/v1", tag.encode(), *fields, length.to_bytes(8, "big")]
    octets = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hashlib.sha256(octets).digest() if length == 32 else hashlib.shake_256(octets).digest(length)


@pytest.mark.parametrize("case", VECTORS["digest"])
def test_digests_are_those_of_the_vectors_and_of_the_page(case: dict[str, object]) -> None:
    fields = [bytes.fromhex(field) for field in case["fields"]]
    got = digest(Tag(case["tag"]), *fields, length=case["length"])
    assert got.hex() == case["digest"]
    assert got == by_the_page(case["tag"], fields, case["length"])


def test_a_transcript_hashes_labels_and_data_as_fields() -> None:
    case = VECTORS["transcript"]
    built = (
        Transcript(Tag(case["tag"]))
        .append("context", b"session")
        .append_point("point", SECP256K1.generator)
        .append_scalar("scalar", SECP256K1.scalar(7))
        .append_int("count", 258, 4)
    )
    flat = [part for label, data in case["items"] for part in (label.encode(), bytes.fromhex(data))]
    assert built.digest().hex() == case["digest"] == by_the_page(case["tag"], flat, 32).hex()
    assert built.digest(48).hex() == case["digest_48"]
    assert built.digest() == digest(Tag(case["tag"]), *flat)
    for name, group in GROUPS.items():
        wide = by_the_page(case["tag"], [*flat, name.encode()], group.scalar_length + 16)
        challenge = built.challenge(group)
        assert challenge.value == int.from_bytes(wide, "big") % group.order
        assert challenge.to_bytes().hex() == case[f"challenge_{name}"]


@pytest.mark.parametrize("case", VECTORS["scalar"])
def test_hashed_scalars_are_those_of_the_vectors(case: dict[str, object]) -> None:
    fields = [bytes.fromhex(field) for field in case["fields"]]
    assert scalar(Tag(case["tag"]), GROUPS[case["group"]], *fields).to_bytes().hex() == case["scalar"]


@pytest.mark.parametrize("case", VECTORS["hash_to_point"])
def test_hashed_points_are_those_of_the_vectors(case: dict[str, str]) -> None:
    group = GROUPS[case["group"]]
    assert group.hash_to_point(bytes.fromhex(case["data"])).to_bytes().hex() == case["point"]


def test_candidates_of_points_are_digests_under_their_tag() -> None:
    for attempt in (0, 1, 255):
        for length in (8, 33):
            assert hash_candidate(SECP256K1, b"data", attempt, length) == digest(
                Tag.HASH_TO_POINT, b"secp256k1", b"data", attempt.to_bytes(4, "big"), length=length
            )


def test_a_hashed_point_depends_on_tag_and_fields() -> None:
    points = {
        point(Tag.PROOF_NONCE, SECP256K1, b"ab", b"c"),
        point(Tag.PROOF_NONCE, SECP256K1, b"a", b"bc"),
        point(Tag.HPKE_OPENING, SECP256K1, b"ab", b"c"),
    }
    assert len(points) == 3


def test_what_could_be_confused_is_kept_apart() -> None:
    seen = {
        digest(Tag.PROOF_NONCE),
        digest(Tag.PROOF_NONCE, b""),
        digest(Tag.PROOF_NONCE, b"", b""),
        digest(Tag.PROOF_NONCE, b"ab", b"c"),
        digest(Tag.PROOF_NONCE, b"a", b"bc"),
        digest(Tag.PROOF_NONCE, b"abc"),
        digest(Tag.HPKE_OPENING, b"abc"),
        digest(Tag.PROOF_NONCE, b"abc", length=33)[:32],
        digest(Tag.PROOF_NONCE, b"abc", length=64)[:32],
        digest(Tag.PROOF_NONCE, framed(Tag.PROOF_NONCE, b"abc")),
    }
    assert len(seen) == 10
    assert (
        scalar(Tag.PROOF_NONCE, SECP256K1, b"a").value % TOY_GROUP.order
        != scalar(Tag.PROOF_NONCE, TOY_GROUP, b"a").value
    )


def test_a_transcript_goes_on_after_a_digest() -> None:
    transcript = Transcript(Tag.PROOF_NONCE).append("a", b"1")
    first = transcript.digest()
    assert transcript.digest() == first
    assert transcript.append("b", b"2").digest() != first


def test_the_identity_and_numbers_that_do_not_fit_are_refused() -> None:
    transcript = Transcript(Tag.PROOF_NONCE)
    with pytest.raises(Malformed):
        transcript.append_point("p", SECP256K1.identity)
    for value in (-1, 256):
        with pytest.raises(OverflowError):
            transcript.append_int("n", value, 1)
    with pytest.raises(ValueError, match="at least one byte"):
        transcript.digest(0)
    assert transcript.digest() == digest(Tag.PROOF_NONCE), "a refused value left something behind"


def test_the_values_printed_on_the_page_are_vectors() -> None:
    page = (ROOT / "docs/protocols/transcript.md").read_text()
    printed = re.findall(r"`([0-9a-f]{32,66})`", page)
    known = {case["digest"] for case in VECTORS["digest"]} | {
        case["point"] for case in VECTORS["hash_to_point"]
    }
    assert len(printed) == 10
    assert set(printed) <= known


def test_tags_are_unique_and_spelled_alike() -> None:
    values = [tag.value for tag in Tag]
    assert len(values) == len(set(values))
    assert len(Tag.__members__) == len(values), "two names share one tag"
    for value in values:
        layer, _, use = value.partition("/")
        assert layer.isascii()
        assert use
        assert value == value.lower().replace("_", "-").replace(" ", "-")


def hashing_calls(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in ("hashlib", "blake3")]
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in ("hashlib", "blake3") or node.module.endswith("primitives.hashes"):
                found.append(node.module)
            elif node.module == "hmac":
                found += [alias.name for alias in node.names if alias.name != "compare_digest"]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "hmac":
            found += [f"hmac.{node.attr}"] if node.attr != "compare_digest" else []
    return found


def test_nothing_hashes_past_the_transcript() -> None:
    source = ROOT / "src/quorate"
    hashing = {
        path.relative_to(source).as_posix(): calls
        for path in sorted(source.rglob("*.py"))
        if (calls := hashing_calls(path))
    }
    strangers = {path: calls for path, calls in hashing.items() if path not in MAY_HASH}
    assert not strangers, "hash through quorate.primitives.transcript, or list the file with its reason"
    assert not set(MAY_HASH) - set(hashing), "these hash no more: take them off the list"


def test_the_scan_sees_a_hash_that_hides(tmp_path: Path) -> None:
    hidden = tmp_path / "hidden.py"
    hidden.write_text("def f(x):\n    import hashlib as h\n    import hmac\n    return hmac.new(x)\n")
    assert hashing_calls(hidden) == ["hashlib", "hmac.new"]
    hidden.write_text("import hmac\nok = hmac.compare_digest(b'', b'')\n")
    assert not hashing_calls(hidden)
