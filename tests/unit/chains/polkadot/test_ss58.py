"""SS58: published addresses, and every mistyped one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quorate.chains.polkadot.keys import account_of
from quorate.chains.polkadot.ss58 import from_address, to_address
from quorate.errors import Malformed

ALICE = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
DUNE = bytes.fromhex("2534454d30f8a028e42654d6b535e0651d1d026ddf115cef59ae1dd71bae074e")
ALICE_ECDSA = bytes.fromhex("020a1091341fe5664bfa1782d5e04779689068c916b04cb365ec3153755684d9a1")

# Alice: the development account of Substrate (subkey inspect //Alice), on Polkadot as in txwrapper-core's
# test-helpers/constants.ts; the others from docs.dune.com, "ss58", and BitGoJS, sdk-coin-dot/test/resources.
ADDRESSES = [
    (ALICE, 42, "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
    (ALICE, 0, "15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5"),
    (DUNE, 0, "1qnJN7FViy3HZaxZK9tGAA71zxHSBeUweirKqCaox4t8GT7"),
    (DUNE, 2, "DR6pMC4GJiVbgPtNNuw1xgxJyEsYYuXKXq7ZCVBjfFrh3V5"),
    (
        bytes.fromhex("61b18c6dc02ddcabdeac56cb4f21a971cc41cc97640f6f85b073480008c53a0d"),
        42,
        "5EGoFA95omzemRssELLDjVenNZ68aXyUeqtKQScXSEBvVJkr",
    ),
]


@pytest.mark.parametrize(("account", "prefix", "address"), ADDRESSES)
def test_the_published_addresses_read_and_write(account: bytes, prefix: int, address: str) -> None:
    assert to_address(account, prefix) == address
    assert from_address(address, "account") == (account, prefix)


def test_the_account_of_an_ecdsa_key_is_the_hash_of_the_key() -> None:
    # subkey inspect --scheme ecdsa //Alice
    assert to_address(account_of(ALICE_ECDSA), 42) == "5C7C2Z5sWbytvHpuLTvzKunnnRwQxft1jiqrLD5rhucQ5S9X"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 16383).filter(lambda n: n not in (46, 47)))
def test_an_address_is_read_back_with_its_number(account: bytes, prefix: int) -> None:
    assert from_address(to_address(account, prefix), "account") == (account, prefix)


@given(st.integers(0, 47), st.sampled_from("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz0Il "))
def test_one_mistyped_character_is_refused(position: int, character: str) -> None:
    address = ADDRESSES[0][2]
    typed = address[:position] + character + address[position + 1 :]
    if typed != address:
        with pytest.raises(Malformed, match="recipient"):
            from_address(typed, "recipient")


@pytest.mark.parametrize(
    "value", ["", "5", ADDRESSES[0][2][:-1], ADDRESSES[0][2] + "1", "1" * 48, None, 7, b"5G"]
)
def test_anything_else_is_no_address(value: object) -> None:
    with pytest.raises(Malformed, match="account"):
        from_address(value, "account")


def test_numbers_of_no_chain_are_refused() -> None:
    for prefix in (46, 47):
        with pytest.raises(Malformed, match="no chain"):
            from_address(to_address(ALICE, prefix), "account")
    for prefix in (-1, 1 << 14):
        with pytest.raises(Malformed, match="16383"):
            to_address(ALICE, prefix)
    with pytest.raises(Malformed, match="31 bytes"):
        to_address(ALICE[1:], 0)
