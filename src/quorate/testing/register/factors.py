"""The simulated account: its records, the rules that its entries follow, its committees."""

from __future__ import annotations

from typing import Final

import msgspec

from quorate.account.register import Committee, Entry, Login
from quorate.account.register.entries import NOTHING
from quorate.encoding import Canonical, decode, encode
from quorate.errors import ProofRejected, Refused
from quorate.session import PublicIdentity
from quorate.sharing.quorums import Quorums
from quorate.testing.identities import UnsafePublicIdentity, unsafe_identity

NETWORK: Final = "simulation"
ACCOUNT: Final = bytes([7]) * 32
START: Final = 1_000_000.0
"""Unix seconds when a run begins."""


class Factors(Canonical, frozen=True):
    """The authority record of a simulated account: who may sign, until when the change may be begun."""

    keys: tuple[bytes, ...]
    expires: int
    note: bytes = b""


class FactorRules:
    """An entry is signed by one factor of its parent's record; the first by one of its own."""

    def check(self, parent: Entry | None, entry: Entry) -> None:
        """Pure validity."""
        own = self.record(entry)
        allowed = own if parent is None else self.record(parent)
        if len(entry.authors) != 1 or len(entry.signatures) != 1 or entry.authors[0] not in allowed.keys:
            raise Refused("not by a factor of the record that is", code="authors")
        if not own.keys or len(set(own.keys)) != len(own.keys):
            raise Refused("a record has distinct factors", code="record")
        try:
            self.identity(entry.authors[0]).verify(entry.to_sign(), entry.signatures[0])
        except ProofRejected as error:
            raise Refused(str(error), code="signature") from None

    def admit(self, parent: Entry | None, entry: Entry, now: float, login: Login | None) -> None:
        """Local validity: not expired, and somebody has logged in."""
        if now > self.record(entry).expires or login is None or login.account != entry.account:
            raise Refused("too late, or no login", code="expired")

    def signers(self, entry: Entry) -> tuple[bytes, ...]:
        """All factors."""
        return self.record(entry).keys

    def identity(self, key: bytes) -> PublicIdentity:
        """The key is the identity."""
        return UnsafePublicIdentity(key)

    @staticmethod
    def record(entry: Entry) -> Factors:
        """What the entry says."""
        return decode(Factors, entry.record)


RULES: Final = FactorRules()


def key_of(name: str) -> bytes:
    """The key of a device."""
    return unsafe_identity(name).public.to_bytes()


def make_entry(author: str, parent: Entry | None, record: Factors, operation: bytes) -> Entry:
    """An entry on a parent, signed by one author."""
    version = 1 if parent is None else parent.version + 1
    above = NOTHING if parent is None else parent.hash
    entry = Entry(
        NETWORK, ACCOUNT, version, above, operation, (key_of(author),), encode(record), b"", bytes(32)
    )
    return msgspec.structs.replace(entry, signatures=(unsafe_identity(author).sign(entry.to_sign()),))


def make_committee(epoch: int, names: tuple[str, ...], liars: int, away: int) -> Committee:
    """The committee of these nodes."""
    quorums = Quorums(len(names), liars, liars, away)
    identities = tuple(unsafe_identity(name).public for name in names)
    return Committee(epoch, names, identities, quorums.echo, quorums.ready, b"%d" % epoch)
