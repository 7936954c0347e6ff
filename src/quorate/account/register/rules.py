"""Who may write what: the port through which the register asks.

*Pure* validity is a function of the parent entry and the entry, so all honest nodes agree on it for ever.
*Local* validity (expiry, login, delay, policy, rate) may differ between nodes and moments; it is asked only
for a lock that no certificate obliges, or a certified entry could never be finished and the account would be
stuck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from quorate.account.register.entries import Entry
from quorate.session import PublicIdentity


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks, as the node has established it: the account, and the device's 65 bytes."""

    account: bytes
    device: bytes


class Rules(Protocol):
    """The rules of a network's authority records. Each raises `Refused`, whose code names the rule."""

    def check(self, parent: Entry | None, entry: Entry) -> None:
        """Pure validity, with the parent's record. Its version and parent hash are checked already."""

    def admit(self, parent: Entry | None, entry: Entry, now: float, login: Login | None) -> None:
        """Local validity."""

    def signers(self, entry: Entry) -> tuple[bytes, ...]:
        """The keys of the factors of this entry's record that may sign the next one."""

    def identity(self, key: bytes) -> PublicIdentity:
        """The identity with this encoding. Raises `Malformed`."""
