"""Logins and request proofs: what is accepted, and each way to be refused."""

import pytest

from quorate.entropy import system_rng
from quorate.errors import Refused
from quorate.identity import (
    NetworkLogin,
    RequestProof,
    account_id,
    issue_token,
    prove_request,
    verify_request,
)
from quorate.identity.login import CLOCK_LEEWAY_SECONDS, TOKEN_SECONDS
from quorate.session import KeyPair

NOW = 1_800_000_000.0
NETWORK = KeyPair.generate(system_rng)
DEVICE = KeyPair.generate(system_rng)
NODE = KeyPair.generate(system_rng)
LOGIN = NetworkLogin("local", NETWORK.public)


def token(now: float = NOW, network: str = "local", key: KeyPair = NETWORK) -> bytes:
    return issue_token(network, key, "alice", DEVICE.public, now, system_rng)


def test_a_token_names_the_account_and_the_device() -> None:
    claims = LOGIN.verify(token(), NOW)
    assert claims.account == account_id("local", "alice")
    assert claims.device == DEVICE.public


def test_accounts_of_different_issuers_or_subjects_differ() -> None:
    assert len({account_id("a", "bc"), account_id("ab", "c"), account_id("a", "b")}) == 3


@pytest.mark.parametrize(
    ("credential", "now"),
    [
        pytest.param(token(key=KeyPair.generate(system_rng)), NOW, id="signed by another key"),
        pytest.param(token(network="other"), NOW, id="for another network"),
        pytest.param(token(), NOW + TOKEN_SECONDS + CLOCK_LEEWAY_SECONDS + 1, id="expired"),
        pytest.param(token(), NOW - CLOCK_LEEWAY_SECONDS - 1, id="from the future"),
        pytest.param(b"", NOW, id="empty"),
        pytest.param(token()[:-1], NOW, id="truncated"),
        pytest.param(token() + b"\x00", NOW, id="trailing byte"),
    ],
)
def test_anything_but_a_good_token_is_refused(credential: bytes, now: float) -> None:
    with pytest.raises(Refused) as refused:
        LOGIN.verify(credential, now)
    assert refused.value.code == "login"


def test_every_changed_byte_of_a_token_is_refused() -> None:
    good = token()
    for index in range(len(good)):
        bad = bytearray(good)
        bad[index] ^= 1
        with pytest.raises(Refused):
            LOGIN.verify(bytes(bad), NOW)


def proof(nonce: bytes = b"n" * 32) -> RequestProof:
    return RequestProof.parse(
        prove_request(DEVICE, token(), NODE.public, "GET", "/v1/wallets", b"body", nonce)
    )


def test_a_request_proof_holds_for_its_request() -> None:
    verify_request(proof(), DEVICE.public, NODE.public, "GET", "/v1/wallets", b"body")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("POST", "/v1/wallets", b"body"), ("GET", "/v1/wallet", b"body"), ("GET", "/v1/wallets", b"other")],
)
def test_a_request_proof_holds_for_nothing_else(method: str, path: str, body: bytes) -> None:
    with pytest.raises(Refused):
        verify_request(proof(), DEVICE.public, NODE.public, method, path, body)


def test_a_request_proof_cannot_be_shown_to_another_node_or_by_another_device() -> None:
    other = KeyPair.generate(system_rng)
    with pytest.raises(Refused):
        verify_request(proof(), DEVICE.public, other.public, "GET", "/v1/wallets", b"body")
    with pytest.raises(Refused):
        verify_request(proof(), other.public, NODE.public, "GET", "/v1/wallets", b"body")


def test_an_unreadable_proof_is_refused() -> None:
    with pytest.raises(Refused):
        RequestProof.parse(b"\x01\x02")
