"""HKDF against RFC 5869 and against OpenSSL."""

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from quorate.primitives import kdf


def test_the_first_published_case() -> None:
    key = kdf.extract(bytes(range(13)), b"\x0b" * 22)
    assert key.hex() == "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"
    assert kdf.expand(key, bytes(range(0xF0, 0xFA)), 42).hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


def test_the_third_published_case_without_salt_and_info() -> None:
    key = kdf.extract(b"", b"\x0b" * 22)
    assert key.hex() == "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04"
    assert kdf.expand(key, b"", 42).hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


@pytest.mark.parametrize("length", [1, 31, 32, 33, 44, 64, 65, kdf.MAX_OUTPUT])
@pytest.mark.parametrize(("salt", "info"), [(b"", b""), (b"salt", b"info" * 40)])
def test_it_agrees_with_openssl(length: int, salt: bytes, info: bytes) -> None:
    ours = kdf.expand(kdf.extract(salt, b"material"), info, length)
    assert ours == HKDF(SHA256(), length, salt or None, info).derive(b"material")


@pytest.mark.parametrize("length", [-1, 0, kdf.MAX_OUTPUT + 1])
def test_more_than_the_counter_can_number_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="HKDF gives"):
        kdf.expand(bytes(32), b"", length)
