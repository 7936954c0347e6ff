"""Base 58 as solders has it, and one spelling for each value."""

import pytest
from embit import base58 as theirs
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from quorate.encoding import base58
from quorate.errors import Malformed


@given(st.binary(min_size=32, max_size=32))
def test_as_solders_writes_it(data: bytes) -> None:
    text = base58.encode(data)
    assert text == str(Pubkey.from_bytes(data))
    assert base58.decode(text, 32, "key") == data


@pytest.mark.parametrize(
    ("data", "text"),
    [("61", "2g"), ("626262", "a3gV"), ("516b6fcd0f", "ABnLTmg"), ("00000000000000000000", "1111111111")],
)
def test_the_vectors_of_bitcoin_core(data: str, text: str) -> None:
    # bitcoin/bitcoin, src/test/data/base58_encode_decode.json
    assert base58.encode(bytes.fromhex(data)) == text
    assert base58.decode(text, len(data) // 2, "value") == bytes.fromhex(data)


@given(st.binary(min_size=1, max_size=90))
def test_as_embit_writes_it(data: bytes) -> None:
    assert base58.encode(data) == theirs.encode(data)


@given(st.binary(min_size=1, max_size=70))
def test_any_length_comes_back(data: bytes) -> None:
    assert base58.decode(base58.encode(data), len(data), "text") == data


def test_the_vectors_of_the_internet_draft() -> None:
    """draft-msporny-base58-03, section 5."""
    assert base58.encode(b"Hello World!") == "2NEpo7TZRRrLZSi2U"
    text = b"The quick brown fox jumps over the lazy dog."
    assert base58.encode(text) == "USm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z"
    assert base58.encode(bytes.fromhex("0000287fb4cd")) == "11233QC4"


@pytest.mark.parametrize("text", ["", "1" * 31, "1" * 33, "0" * 32, "l" + "1" * 31, "1" * 31 + "é", None, 7])
def test_what_is_not_32_bytes_in_base_58(text: object) -> None:
    with pytest.raises(Malformed, match="the key"):
        base58.decode(text, 32, "the key")


def test_a_text_too_long_is_refused_before_it_is_converted() -> None:
    with pytest.raises(Malformed, match="expected 32 bytes"):
        base58.decode("z" * 1_000_000, 32, "the key")
