"""What the parties of a session must agree on before its first message.

The session id is the hash of all of it: protocol and version, suite, key, epoch, parties, their
identities, threshold, purpose, payload, and one fresh nonce from *every* party, so that a recorded
session can be replayed to nobody who is awake. A party that was told something else computes another id;
its messages are then not of this session, and are dropped before any check that could harm an honest pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from quorate.encoding import MAX_TEXT_BYTES, Canonical, encode
from quorate.errors import Malformed
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session.identity import PublicIdentity
from quorate.session.message import PartyId, is_party_id

MAX_PARTIES: Final = 64
"""Committees of up to about thirty nodes, devices and targets; beyond it message counts explode."""

MAX_PAYLOAD_BYTES: Final = 1 << 18
"""The request a session is about: a transaction, typed data, a key structure. 256 KiB is the size at
which a person can no longer be shown what is signed."""

NONCE_BYTES: Final = 32

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_BYTES)]


class SessionSpec(Canonical, frozen=True):
    """One session's agreement.

    `suite` begins with the group's name and names the parameter set; `key` is the key id (empty when
    there is none yet) and `epoch` its epoch; `roster` is the digest of the parties' public identities;
    `threshold` the number of parties that must take part; `payload` the canonical request of the
    protocol; `nonces` one 32-byte value per party, in the order of `parties`.
    """

    protocol: Name
    version: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    suite: Name
    key: Annotated[bytes, msgspec.Meta(max_length=32)]
    epoch: Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
    parties: Annotated[tuple[PartyId, ...], msgspec.Meta(min_length=1, max_length=MAX_PARTIES)]
    roster: Digest
    threshold: Annotated[int, msgspec.Meta(ge=1, le=MAX_PARTIES)]
    purpose: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_BYTES)]
    payload: Annotated[bytes, msgspec.Meta(max_length=MAX_PAYLOAD_BYTES)]
    nonces: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=MAX_PARTIES)] = ()

    def __post_init__(self) -> None:
        if list(self.parties) != sorted(set(self.parties)) or not all(map(is_party_id, self.parties)):
            raise Malformed("session: parties are distinct names in ascending order")
        if self.nonces and len(self.nonces) != len(self.parties):
            raise Malformed("session: one nonce for each party, or none yet")
        if self.threshold > len(self.parties):
            raise Malformed("session: threshold above the number of parties")

    @property
    def id(self) -> bytes:
        """The session id: 32 bytes that commit to every field. Needs the nonces."""
        if not self.nonces:
            raise Malformed("session: a proposal has no id before every party has given its nonce")
        return digest(Tag.SESSION, encode(self))

    @property
    def proposal_id(self) -> bytes:
        """The hash of the agreement without nonces: what a party is asked to give its nonce to."""
        return digest(Tag.SESSION_PROPOSAL, encode(self.with_nonces({})))

    def with_nonces(self, nonces: Mapping[PartyId, bytes]) -> SessionSpec:
        """The same agreement with these nonces (of every party, or of none)."""
        if nonces and set(nonces) != set(self.parties):
            raise Malformed("session: nonces of exactly the parties are needed")
        values = tuple(nonces[party] for party in self.parties) if nonces else ()
        return msgspec.structs.replace(self, nonces=values)

    def nonce_of(self, party: PartyId) -> bytes:
        """The nonce that `party` contributed."""
        return self.nonces[self.parties.index(party)]


def roster_digest(roster: Mapping[PartyId, PublicIdentity]) -> bytes:
    """Commits to who is meant by each name: the hash over names and public identities, sorted."""
    fields = [field for name in sorted(roster) for field in (name.encode(), roster[name].to_bytes())]
    return digest(Tag.ROSTER, *fields)
