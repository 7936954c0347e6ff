"""Addresses: EIP-55 and the way from a public key."""

import pytest
from btclib_secp256k1 import keys
from eth_utils import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from quorate.chains.ethereum.address import address_of, checksummed, parse_address, public_key_bytes
from quorate.errors import Malformed
from quorate.groups.registry import group_named

# EIP-55, section "Test Cases"
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", EIP_55)
def test_the_published_addresses_keep_their_case(address: str) -> None:
    assert checksummed(bytes.fromhex(address[2:])) == address
    assert parse_address(address, "to") == bytes.fromhex(address[2:])


@given(st.binary(min_size=20, max_size=20))
def test_the_checksum_is_that_of_eth_utils(raw: bytes) -> None:
    assert checksummed(raw) == to_checksum_address(raw)


def test_an_address_without_letter_case_carries_no_checksum() -> None:
    digits = EIP_55[4][2:]
    assert parse_address("0x" + digits.lower(), "to") == parse_address("0x" + digits.upper(), "to")


def test_one_letter_in_the_wrong_case_is_a_mistyped_address() -> None:
    address = EIP_55[4]
    with pytest.raises(Malformed, match="to: the address's upper and lower case"):
        parse_address(address[:3] + address[3].swapcase() + address[4:], "to")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0x",
        "0x12",
        EIP_55[0][2:],
        EIP_55[0] + "0",
        "0x" + "g" * 40,
        "0x" + " " * 40,
        "0x" + "é" * 40,
        b"",
        b"1" * 19,
        7,
        None,
    ],
)
def test_anything_else_is_no_address(value: object) -> None:
    with pytest.raises(Malformed, match="recipient"):
        parse_address(value, "recipient")


def test_the_address_of_a_public_key_in_every_form() -> None:
    # EIP-155's example key; its address is in the example
    secret = b"\x46" * 32
    expected = "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F"
    compressed = keys.pubkey_from_prvkey(secret)
    point = group_named("secp256k1").point_from_bytes(compressed)
    assert address_of(compressed) == expected
    assert address_of(keys.pubkey_from_prvkey(secret, compressed=False)) == expected
    assert address_of(point) == expected
    assert public_key_bytes(point) == compressed


@pytest.mark.parametrize(
    "key", [b"", b"\x02" + b"\xff" * 32, b"\x05" + b"\x01" * 32, b"\x00" * 33, 5, "text", None]
)
def test_what_is_no_point_has_no_address(key: object) -> None:
    with pytest.raises(Malformed, match="public key"):
        address_of(key)
