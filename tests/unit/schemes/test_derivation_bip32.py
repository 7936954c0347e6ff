"""Public derivation by BIP 32, against its own vectors and another library."""

import json
from pathlib import Path

import pytest
from embit import bip32 as embit

from quorate.errors import LimitExceeded, LocalError, Malformed, Unavailable
from quorate.groups import ED25519, SECP256K1
from quorate.schemes.derivation import ExtendedKey, NoChild, Version, bip32

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors/derivation.json").read_text())["bip32"]
ROOT = ExtendedKey(SECP256K1.generator.multiply_public(SECP256K1.scalar(0xC0FFEE)), bytes(range(32)))


@pytest.mark.parametrize("case", VECTORS["children"], ids=lambda case: case["path"])
def test_children_are_those_of_the_published_vectors(case: dict[str, object]) -> None:
    parent, version = ExtendedKey.from_text(case["parent"])
    assert parent.child(case["index"]).to_text(version) == case["child"]


@pytest.mark.parametrize("text", VECTORS["keys"])
def test_published_keys_survive_reading_and_writing(text: str) -> None:
    key, version = ExtendedKey.from_text(text)
    assert version is Version.XPUB
    assert key.to_text() == text
    assert embit.HDKey.from_string(text).my_fingerprint == key.fingerprint


@pytest.mark.parametrize("case", VECTORS["invalid"], ids=lambda case: case["reason"])
def test_published_invalid_keys_are_malformed(case: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        ExtendedKey.from_text(case["key"])


def test_another_library_finds_the_same_keys_below_ours() -> None:
    theirs = embit.HDKey.from_string(ROOT.to_text())
    for path in ([0], [0, 7], [1, 2, 3, 4, 5, 6, 7, (1 << 31) - 1]):
        assert theirs.derive(path).to_string() == ROOT.descend(path).to_text()


def test_a_test_networks_key_begins_with_tpub() -> None:
    text = ROOT.to_text(Version.TPUB)
    assert text.startswith("tpub")
    assert ExtendedKey.from_text(text) == (ROOT, Version.TPUB)


def test_a_changed_character_is_malformed() -> None:
    text = ROOT.to_text()
    for place in range(4, len(text), 17):
        other = "2" if text[place] != "2" else "3"
        with pytest.raises(Malformed):
            ExtendedKey.from_text(text[:place] + other + text[place + 1 :])


def test_an_index_whose_tweak_is_not_below_the_order_has_no_key() -> None:
    for left in (SECP256K1.order, (1 << 256) - 1):
        with pytest.raises(NoChild, match="index 5; take the next"):
            bip32.read_child(ROOT.point, left.to_bytes(32, "big") + bytes(32), 5)
    below = bip32.read_child(ROOT.point, (SECP256K1.order - 1).to_bytes(32, "big") + b"c" * 32, 5)
    assert below.point == ROOT.point - SECP256K1.generator
    assert below.chain_code == b"c" * 32


def test_an_index_whose_child_is_infinity_has_no_key() -> None:
    cancels = (SECP256K1.order - 0xC0FFEE).to_bytes(32, "big")
    with pytest.raises(NoChild):
        bip32.read_child(ROOT.point, cancels + bytes(32), 0)


def test_there_are_no_hardened_children() -> None:
    with pytest.raises(Malformed):
        ROOT.child(1 << 31)
    with pytest.raises(Malformed):
        ROOT.child(-1)


def test_below_depth_255_there_is_nothing() -> None:
    deepest = ExtendedKey(ROOT.point, ROOT.chain_code, depth=255, parent=b"abcd", index=1)
    with pytest.raises(LimitExceeded):
        deepest.child(0)


def test_an_extended_key_holds_what_its_serialisation_has_room_for() -> None:
    with pytest.raises(LocalError, match="for secp256k1"):
        ExtendedKey(ED25519.generator, bytes(32))
    with pytest.raises(LocalError, match="32 bytes"):
        ExtendedKey(ROOT.point, bytes(31))
    for fields in ({"depth": 256}, {"depth": 1, "index": 1 << 32}, {"depth": 1, "parent": bytes(3)}):
        with pytest.raises(Malformed):
            ExtendedKey(ROOT.point, bytes(32), **fields)


def test_a_python_without_ripemd_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ValueError("unsupported hash type ripemd160")

    monkeypatch.setattr(bip32.hashlib, "new", missing)
    with pytest.raises(Unavailable, match="RIPEMD-160"):
        _ = ROOT.fingerprint
