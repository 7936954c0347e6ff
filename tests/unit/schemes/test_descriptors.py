"""Descriptors and xpubs: two wallet libraries find our addresses with them."""

import bdkpython as bdk
import pytest
from embit import bip32, script
from embit.descriptor import Descriptor as EmbitDescriptor
from embit.ec import PublicKey
from embit.networks import NETWORKS
from eth_keys.datatypes import PublicKey as EthereumKey

from quorate.errors import LimitExceeded, Malformed
from quorate.groups import SECP256K1
from quorate.schemes.derivation import (
    BITCOIN_SEGWIT,
    BITCOIN_TAPROOT,
    CHANGE,
    ETHEREUM,
    RECEIVE,
    TESTNET_SEGWIT,
    TESTNET_TAPROOT,
    ExtendedKey,
    check_descriptor,
    derive,
    descriptor,
    root_descriptor,
    with_checksum,
)

ROOT = SECP256K1.generator.multiply_public(SECP256K1.scalar(0xDECAF))
CODE = bytes(range(32, 64))
OTHER = SECP256K1.generator
NETWORKS_OF_COIN = {
    0: (bdk.NetworkKind.MAIN, bdk.Network.BITCOIN, NETWORKS["main"]),
    1: (bdk.NetworkKind.TEST, bdk.Network.REGTEST, NETWORKS["regtest"]),
}


def our_address(origin: object, path: str) -> str:
    """From our derivation: the key at `path`, in the script of the origin's purpose."""
    key = PublicKey.parse(derive(ROOT, CODE, path).point.to_bytes())
    output = script.p2tr(key) if origin.purpose == 86 else script.p2wpkh(key)  # type: ignore[attr-defined]
    return output.address(NETWORKS_OF_COIN[origin.coin][2])  # type: ignore[attr-defined]


@pytest.mark.parametrize("origin", [BITCOIN_SEGWIT, BITCOIN_TAPROOT, TESTNET_SEGWIT, TESTNET_TAPROOT])
@pytest.mark.parametrize("chain", [RECEIVE, CHANGE])
def test_bdk_and_embit_derive_our_addresses_from_our_descriptors(origin: object, chain: int) -> None:
    text = descriptor(origin, ROOT, CODE, chain)  # type: ignore[arg-type]
    kind, network, parameters = NETWORKS_OF_COIN[origin.coin]  # type: ignore[attr-defined]
    theirs = bdk.Descriptor(text, kind)
    assert str(theirs).split("#")[0].replace("'", "h") == text.split("#")[0]
    watching = EmbitDescriptor.from_string(text)
    for index in (0, 7, 2**31 - 1):
        ours = our_address(origin, f"{chain}/{index}")
        assert str(theirs.derive_address(index, network)) == ours
        assert watching.derive(index).address(parameters) == ours


def test_a_wallet_library_builds_the_same_descriptor_from_our_xpub() -> None:
    root = BITCOIN_SEGWIT.account(ROOT, CODE)
    key = bdk.DescriptorPublicKey.from_string(root.to_text())
    theirs = bdk.Descriptor.new_bip84_public(
        key, root.fingerprint.hex(), bdk.KeychainKind.EXTERNAL, bdk.NetworkKind.MAIN
    )
    assert str(theirs).replace("'", "h").split("#")[0] == check_descriptor(
        descriptor(BITCOIN_SEGWIT, ROOT, CODE)
    )


@pytest.mark.parametrize("origin", [BITCOIN_SEGWIT, BITCOIN_TAPROOT])
def test_the_roots_own_address_has_a_descriptor_of_its_own(origin: object) -> None:
    text = root_descriptor(origin, ROOT)  # type: ignore[arg-type]
    assert EmbitDescriptor.from_string(text).address() == our_address(origin, "")
    assert str(bdk.Descriptor(text, bdk.NetworkKind.MAIN)) == text


def test_an_ethereum_account_is_the_child_of_the_xpub() -> None:
    theirs = bip32.HDKey.from_string(ETHEREUM.account(ROOT, CODE).to_text())
    child = derive(ROOT, CODE, "0/3").point.to_bytes()
    assert theirs.derive([0, 3]).sec() == child
    assert EthereumKey.from_compressed_bytes(child).to_checksum_address().startswith("0x")
    assert ETHEREUM.path([0, 3]) == "m/44'/60'/0'/0/3"
    assert ETHEREUM.path() == "m/44'/60'/0'"
    with pytest.raises(Malformed, match="no output descriptor"):
        descriptor(ETHEREUM, ROOT, CODE)


def test_the_root_is_recorded_at_depth_three() -> None:
    key, _ = ExtendedKey.from_text(BITCOIN_TAPROOT.account(ROOT, CODE).to_text())
    assert (key.depth, key.index, key.parent) == (3, 1 << 31, bytes(4))
    assert key.point == ROOT


def test_a_key_of_a_psbt_is_recognised_by_fingerprint_and_origin() -> None:
    hard = 1 << 31
    mine = ExtendedKey(ROOT, CODE).fingerprint
    steps = [84 + hard, hard, hard]
    assert BITCOIN_SEGWIT.below(ROOT, mine, [*steps, 0, 7]) == "0/7"
    assert BITCOIN_SEGWIT.below(ROOT, mine, steps) == ""
    assert BITCOIN_SEGWIT.below(OTHER, mine, [*steps, 0, 7]) is None
    assert BITCOIN_TAPROOT.below(ROOT, mine, [*steps, 0, 7]) is None
    assert BITCOIN_SEGWIT.below(ROOT, mine, [*steps, hard, 7]) is None
    assert BITCOIN_SEGWIT.below(ROOT, mine, []) is None
    with pytest.raises(LimitExceeded):
        BITCOIN_SEGWIT.below(ROOT, mine, [*steps, *[0] * 9])


def test_checksums_are_those_of_bip380() -> None:
    assert with_checksum("raw(deadbeef)") == "raw(deadbeef)#89f8spxm"
    assert check_descriptor("raw(deadbeef)#89f8spxm") == "raw(deadbeef)"


@pytest.mark.parametrize(
    "text",
    [
        "raw(deadbeef)",
        "raw(deadbeef)#",
        "raw(deadbeef)#89f8spxmx",
        "raw(deadbeef)#89f8spx",
        "raw(deedbeef)#89f8spxm",
        "raw(deedbeef)##9f8spxm",
        "raw(Ü)#00000000",
    ],
)
def test_the_invalid_descriptors_of_bip380_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        check_descriptor(text)


def test_another_library_refuses_a_descriptor_with_a_character_changed() -> None:
    text = descriptor(BITCOIN_SEGWIT, ROOT, CODE)
    changed = text.replace("/84h/", "/86h/")
    with pytest.raises(bdk.DescriptorError):
        bdk.Descriptor(changed, bdk.NetworkKind.MAIN)
    with pytest.raises(Malformed):
        check_descriptor(changed)
