"""Logging in: how a device gets the token that its nodes accept.

`Issuer` is the port; a token is bound to the device's keys, so only this device can use it. Here stands the
issuer of a local network, which signs a token for whoever may read its key file: on one's own machine that
is oneself. Issuers that ask an identity provider come through the same port.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Protocol

import msgspec

from quorate.clock import Clock, unix_time
from quorate.encoding import Canonical
from quorate.entropy import Rng, system_rng
from quorate.errors import Refused, Unavailable
from quorate.identity.login import TOKEN_SECONDS, account_id, issue_token
from quorate.secret import Secret
from quorate.session import KeyPair, PublicKeys
from quorate.vault.files import read_small

SUBJECT: Final = "me"
"""Who one is on a network of one's own, unless one says otherwise."""

RENEW_BEFORE_SECONDS: Final = 3600
"""A login is treated as over an hour early, so that it does not end in the middle of something."""


class LoginRecord(Canonical, frozen=True):
    """A login as the device keeps it."""

    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    account: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    token: Annotated[bytes, msgspec.Meta(max_length=4096)]
    issued: Annotated[int, msgspec.Meta(ge=0)]
    expires: Annotated[int, msgspec.Meta(ge=0)]

    def check(self, now: float) -> LoginRecord:
        """Itself, unless it has run out. Raises `Refused` with code ``login``."""
        if now > self.expires - RENEW_BEFORE_SECONDS:
            raise Refused("this login has run out; log in again: quorate login", code="login")
        return self


class Issuer(Protocol):
    """Gives tokens."""

    async def log_in(self, device: PublicKeys) -> LoginRecord:
        """A fresh login for the device with these keys. Raises `Refused`, `Unavailable`."""


@dataclass(frozen=True, slots=True)
class LocalIssuer:
    """The login of a local network, by its key file."""

    network: str
    key_file: Path
    subject: str = SUBJECT
    clock: Clock = unix_time
    rng: Rng = system_rng

    async def log_in(self, device: PublicKeys) -> LoginRecord:
        """Sign a token with the network's own key."""
        key = read_login_key(self.key_file)
        now = self.clock()
        token = issue_token(self.network, key, self.subject, device, now, self.rng)
        account = account_id(self.network, self.subject)
        return LoginRecord(self.subject, account, token, int(now), int(now) + TOKEN_SECONDS)


def read_login_key(path: Path) -> KeyPair:
    """The local network's login key. Raises `Unavailable`."""
    try:
        seed = read_small(path)
    except FileNotFoundError:
        raise Unavailable(f"{path} is missing; a local network makes it: quorate up") from None
    if len(seed) != 32:
        raise Unavailable(f"{path} is no login key")
    return KeyPair(Secret(seed))
