"""One entry for all curves; our own derivation for Ed25519 against a second implementation of it."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from nacl import bindings as sodium

from quorate.errors import LimitExceeded, LocalError, Malformed
from quorate.groups import ED25519, SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.schemes.derivation import ExtendedKey, NoChild, account_path, derive, ed25519, has_accounts

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors/derivation.json").read_text())["ed25519"]
CODE = bytes(range(32))


def by_the_page(key: bytes, code: bytes, index: int) -> tuple[bytes, bytes]:
    """docs/derivation.md with libsodium's arithmetic and the standard library."""

    def keyed(name: bytes) -> bytes:
        message = b"quorate/account-index/ed25519/v1/" + name + key + index.to_bytes(4, "big")
        return hmac.new(code, message, hashlib.sha512).digest()

    tweak = sodium.crypto_core_ed25519_scalar_reduce(keyed(b"tweak"))
    shift = sodium.crypto_scalarmult_ed25519_base_noclamp(tweak)
    return sodium.crypto_core_ed25519_add(key, shift), keyed(b"chain-code")[:32]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: f"{case['public_key'][:8]}-{case['path']}")
def test_ed25519_accounts_are_those_of_the_vectors(case: dict[str, str]) -> None:
    root = ED25519.point_from_bytes(bytes.fromhex(case["public_key"]))
    found = derive(root, bytes.fromhex(case["chain_code"]), case["path"])
    assert found.point.to_bytes().hex() == case["child_public_key"]
    assert found.chain_code.hex() == case["child_chain_code"]
    assert found.tweak.plain.value.to_bytes(32, "little").hex() == case["tweak"]
    assert found.tweak.child(root) == found.point


def test_ed25519_accounts_are_those_of_the_page() -> None:
    for seed in range(1, 6):
        root = ED25519.generator.multiply_public(ED25519.scalar(seed**9))
        key, code = by_the_page(*by_the_page(root.to_bytes(), CODE, seed), 2**31 - 1)
        found = derive(root, CODE, f"{seed}/{2**31 - 1}")
        assert (found.point.to_bytes(), found.chain_code) == (key, code)


def test_bytes_above_the_order_are_reduced_over_their_full_length() -> None:
    tweak = b"\xff" * 64
    child = ed25519.read_child(ED25519.generator, tweak, b"c" * 64, 0)
    assert child.tweak.value == int.from_bytes(tweak, "little") % ED25519.order
    assert child.chain_code == b"c" * 32


def test_an_ed25519_index_that_leaves_no_key_is_refused() -> None:
    with pytest.raises(NoChild):
        ed25519.read_child(ED25519.generator, bytes(64), bytes(64), 3)
    cancels = (ED25519.order - 1).to_bytes(64, "little")
    with pytest.raises(NoChild):
        ed25519.read_child(ED25519.generator, cancels, bytes(64), 3)


def test_secp256k1_accounts_are_children_by_bip32() -> None:
    root = SECP256K1.generator.multiply_public(SECP256K1.scalar(77))
    found = derive(root, CODE, "0/7")
    key = ExtendedKey(root, CODE).descend([0, 7])
    assert (found.point, found.chain_code) == (key.point, key.chain_code)
    assert root + SECP256K1.generator.multiply_public(found.tweak.plain) == key.point


def test_the_private_key_moves_by_the_same_tweak() -> None:
    for group in (SECP256K1, ED25519):
        secret = group.scalar(987_654_321)
        found = derive(group.generator.multiply(secret), CODE, "3/1/4")
        assert group.generator.multiply(secret + found.tweak.plain) == found.point


@pytest.mark.parametrize("group", [SECP256K1, ED25519, TOY_GROUP])
def test_the_empty_path_is_the_root_on_every_curve(group: object) -> None:
    found = derive(group.generator, CODE, "")  # type: ignore[attr-defined]
    assert found.point == group.generator  # type: ignore[attr-defined]
    assert found.tweak.is_none
    assert found.chain_code == CODE


def test_siblings_and_chains_differ() -> None:
    for group in (SECP256K1, ED25519):
        paths = ["", "0", "1", "0/0", "0/1", "1/0"]
        keys = {derive(group.generator, CODE, path).point.to_bytes() for path in paths}
        keys |= {derive(group.generator, CODE[::-1], path).point.to_bytes() for path in paths[1:]}
        assert len(keys) == 11


def test_a_curve_without_derivation_says_so() -> None:
    with pytest.raises(LocalError, match="no derived accounts"):
        derive(TOY_GROUP.generator, CODE, "0")
    with pytest.raises(LocalError, match="no derived accounts"):
        account_path("bls12381g1", 0)
    assert not has_accounts("bls12381g1")


def test_bad_paths_and_chain_codes_are_refused() -> None:
    with pytest.raises(Malformed):
        derive(SECP256K1.generator, CODE, "0'")
    with pytest.raises(LimitExceeded):
        derive(SECP256K1.generator, CODE, "1/2/3/4/5/6/7/8/9")
    with pytest.raises(LocalError):
        derive(SECP256K1.generator, CODE[:-1], "0")


def test_an_account_stands_on_the_external_chain_of_bip44() -> None:
    assert account_path("secp256k1", 7) == "0/7"
    assert account_path("ed25519", 7) == "7"
    with pytest.raises(Malformed):
        account_path("ed25519", 1 << 31)
