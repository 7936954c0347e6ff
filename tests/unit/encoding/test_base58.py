"""Base 58: Bitcoin's alphabet, one text for each value, a bound before the work."""

import pytest
from embit import base58
from hypothesis import given
from hypothesis import strategies as st

from quorate.encoding.base58 import decode_base58, encode_base58
from quorate.errors import Malformed


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("", ""),
        ("61", "2g"),
        ("626262", "a3gV"),
        ("516b6fcd0f", "ABnLTmg"),
        ("ecac89cad93923c02321", "EJDM8drfXA6uyA"),
        ("00000000000000000000", "1111111111"),
    ],
)
def test_texts_are_those_of_bitcoin_cores_vectors(data: str, text: str) -> None:
    # bitcoin/bitcoin, src/test/data/base58_encode_decode.json
    assert encode_base58(bytes.fromhex(data)) == text
    if data:
        assert decode_base58(text, len(data) // 2, "value") == bytes.fromhex(data)


@given(st.binary(min_size=1, max_size=90))
def test_any_bytes_survive_and_another_library_agrees(data: bytes) -> None:
    assert encode_base58(data) == base58.encode(data)
    assert decode_base58(encode_base58(data), len(data), "value") == data


@pytest.mark.parametrize("text", ["", "0", "l", "2g ", "2g2g", "1", "é", "2" * 1_000_000])
def test_what_is_not_the_text_of_that_many_bytes_is_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="value"):
        decode_base58(text, 2, "value")
