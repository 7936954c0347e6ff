"""Logins: a credential becomes an account and the device key it is bound to.

`Login` is the port; identity providers and passkeys will stand behind it. For now a network issues its own
tokens: signed with the network's key, naming a user and the public keys of one device. A stolen token is
worth nothing without that device's signing key, since every request is signed with it.

Identity is (issuer, subject), never an e-mail address; both are hashed into the account id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Protocol

import msgspec

from quorate.encoding import Canonical, decode, encode
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected, Refused
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Identity, PublicIdentity, PublicKeys

TOKEN_SECONDS: Final = 30 * 24 * 3600
"""A month: long enough that a device which signs weekly never logs in again for this reason alone."""

CLOCK_LEEWAY_SECONDS: Final = 120
"""Clocks of honest machines differ; expiry serves hygiene here, not safety."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified credential says."""

    account: bytes
    device: PublicKeys
    issued: int
    expires: int


class Login(Protocol):
    """Verifies credentials of one kind."""

    def verify(self, credential: bytes, now: float) -> Claims:
        """Raises `Refused` with code ``login`` for anything but a good credential."""


class _Token(Canonical, frozen=True):
    network: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    device: Annotated[bytes, msgspec.Meta(min_length=65, max_length=65)]
    issued: Annotated[int, msgspec.Meta(ge=0)]
    expires: Annotated[int, msgspec.Meta(ge=0)]
    nonce: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class _SignedToken(Canonical, frozen=True):
    token: _Token
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


def account_id(issuer: str, subject: str) -> bytes:
    """The 32-byte id of the account of (issuer, subject)."""
    return digest(Tag.ACCOUNT, issuer.encode(), subject.encode())


def issue_token(network: str, key: Identity, subject: str, device: PublicKeys, now: float, rng: Rng) -> bytes:
    """A token of `network` for `subject` on the device with these keys."""
    issued = int(now)
    token = _Token(network, subject, device.to_bytes(), issued, issued + TOKEN_SECONDS, rng(16))
    return encode(_SignedToken(token, key.sign(_signed(token))))


class NetworkLogin:
    """Accepts the tokens of one network, by its public key."""

    def __init__(self, network: str, key: PublicIdentity) -> None:
        self._network = network
        self._key = key

    def verify(self, credential: bytes, now: float) -> Claims:
        try:
            signed = decode(_SignedToken, credential, limit=4096)
            self._key.verify(_signed(signed.token), signed.signature)
            device = PublicKeys.from_bytes(signed.token.device)
        except (Malformed, ProofRejected) as error:
            raise Refused(f"the login is not valid here: {error}", code="login") from None
        token = signed.token
        if token.network != self._network:
            raise Refused(
                f"the login is for the network {token.network!r}, not {self._network!r}", code="login"
            )
        if not token.issued - CLOCK_LEEWAY_SECONDS <= now <= token.expires + CLOCK_LEEWAY_SECONDS:
            raise Refused("the login has expired; log in again", code="login")
        return Claims(account_id(token.network, token.subject), device, token.issued, token.expires)


def _signed(token: _Token) -> bytes:
    return digest(Tag.LOGIN_TOKEN, encode(token))
