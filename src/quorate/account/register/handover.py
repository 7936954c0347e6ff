"""The register at a change of committee: FINALs of the old one, and what a new member makes of E of them.

Every old member first stops voting, durably, then signs for each shard of accounts the root of its rows and
slots (FINAL). A new member takes FINALs of E *old members*, verifies every proof and certificate in them, and
adopts of each account the highest head, and of the version above it the highest certificate; it has promised
nothing and locked nothing. Its own rows count too if it stays. Then it answers in the new epoch.

Votes of the old epoch are dead: at most n - E + t < E members could still commit. What was decided is in
every E FINALs, as a head or as a certificate, and rule 2 keeps the open view from overriding the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final

import msgspec

from quorate.account.register.certificates import (
    MAX_MEMBERS,
    Certificate,
    Committee,
    Member,
    Proof,
    Subject,
)
from quorate.account.register.entries import Digest, Entry, Epoch, Name, SignatureBytes, View
from quorate.account.register.messages import SlotName
from quorate.account.register.rows import Row
from quorate.account.register.slots import inherit
from quorate.encoding import Canonical, encode
from quorate.errors import Missing, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

SHARDS: Final = 64
"""Of accounts and of slots, each by a byte. What is handed over of a shard is one message, so a network has
at most some ten thousand accounts before this number grows."""

Shard = Annotated[int, msgspec.Meta(ge=0, lt=SHARDS)]
SlotsHeld = tuple[tuple[SlotName, Annotated[bytes, msgspec.Meta(max_length=64)]], ...]


class FinalRow(Canonical, frozen=True):
    """One account at the end of an epoch: head, and the certificate above it."""

    account: Digest
    entry: Entry | None
    proof: Proof | None
    certificate: Certificate | None
    body: Entry | None

    @classmethod
    def of(cls, account: bytes, row: Row) -> FinalRow:
        """What a row shows."""
        certificate = row.certificate
        body = None if certificate is None else row.body(certificate.hash)
        return cls(account, row.entry, row.proof, certificate, body)

    @property
    def version(self) -> int:
        """Of the head."""
        return 0 if self.entry is None else self.entry.version

    def check(self, network: str, committees: Callable[[int], Committee | None]) -> None:
        """Raises `ProofRejected` unless head and certificate are proven."""
        subject = Subject(network, self.account)
        if (self.entry is None) != (self.proof is None) or (self.certificate is None) != (self.body is None):
            raise ProofRejected("final: an entry and what certifies it come together")
        for entry, votes in ((self.entry, self.proof), (self.body, self.certificate)):
            if entry is None or votes is None:
                continue
            if (entry.account, entry.version, entry.hash) != (self.account, votes.version, votes.hash):
                raise ProofRejected("final: the entry is not the one that is certified")
            votes.check(subject, committees(votes.view.epoch))
        if self.certificate is not None and self.certificate.version != self.version + 1:
            raise ProofRejected("final: the certificate is not of the version above the head")


class FinalWord(Canonical, frozen=True):
    """A member's last word in an epoch about one shard. Rows and slots hang on the signed root."""

    network: Name
    epoch: Epoch
    shard: Shard
    member: Annotated[int, msgspec.Meta(ge=0, lt=MAX_MEMBERS)]
    root: Digest
    signature: SignatureBytes

    @staticmethod
    def statement(network: str, epoch: int, shard: int, root: bytes) -> bytes:
        """What the member signs."""
        return digest(Tag.REGISTER_FINAL, encode((network, epoch, shard, root)))

    @classmethod
    def signed(
        cls,
        network: str,
        epoch: int,
        shard: int,
        member: Member,
        root: bytes,
        sign: Callable[[bytes], bytes],
    ) -> FinalWord:
        """Sign it; for a member that has stopped voting durably."""
        return cls(network, epoch, shard, member, root, sign(cls.statement(network, epoch, shard, root)))


class Shown(Canonical, frozen=True):
    """What a FINAL is over. Whoever has one with this root needs no second copy."""

    rows: tuple[FinalRow, ...]
    slots: SlotsHeld

    @property
    def root(self) -> bytes:
        """The hash of all of it."""
        return digest(Tag.REGISTER_ROOT, *(encode(row) for row in self.rows), encode(self.slots))


def shard_of_account(account: bytes) -> int:
    """By its first byte: account ids are hashes."""
    return account[0] % SHARDS


def shard_of_slot(slot: str) -> int:
    """By a byte of its hash."""
    return digest(Tag.REGISTER_SLOT, slot.encode())[0] % SHARDS


def show(rows: Mapping[bytes, Row], slots: Mapping[str, bytes]) -> Shown:
    """What a member shows of a shard; rows that say nothing are left out."""
    shown = [
        FinalRow.of(account, row)
        for account, row in sorted(rows.items())
        if row.entry is not None or row.certificate is not None
    ]
    return Shown(tuple(shown), tuple(sorted(slots.items())))


def verify_final(
    final: FinalWord, shown: Shown, network: str, committees: Callable[[int], Committee | None]
) -> None:
    """Raises `ProofRejected` unless this is a member's FINAL over exactly these proven rows."""
    committee = committees(final.epoch)
    if committee is None or final.network != network:
        raise ProofRejected("final: of a network or committee that is not known here")
    statement = FinalWord.statement(network, final.epoch, final.shard, final.root)
    committee.check_one(final.member, statement, final.signature)
    if shown.root != final.root:
        raise ProofRejected("final: these rows are not the ones that were signed")
    for row in shown.rows:
        if shard_of_account(row.account) != final.shard:
            raise ProofRejected("final: a row of another shard")
        row.check(network, committees)


def adopt(
    finals: Iterable[tuple[FinalWord, Shown]],
    old: Committee,
    epoch: int,
    rows: Mapping[bytes, Row],
    slots: Mapping[str, bytes],
) -> tuple[dict[bytes, Row], dict[str, bytes]]:
    """Rows and slots of one shard with which a member begins `epoch`, from verified FINALs and its own.

    Raises `Missing` unless they are of E distinct members of the committee before.
    """
    by_member = {final.member: shown for final, shown in finals if final.epoch == old.epoch}
    if len(by_member) < old.echo:
        raise Missing(
            f"FINALs of {len(by_member)} members, {old.echo} are needed", needed=old.echo - len(by_member)
        )
    found: dict[bytes, list[FinalRow]] = {}
    for _, shown in sorted(by_member.items()):
        for row in shown.rows:
            found.setdefault(row.account, []).append(row)
    for account, own in rows.items():
        found.setdefault(account, []).append(FinalRow.of(account, own))
    adopted = {account: _highest(candidates, epoch) for account, candidates in sorted(found.items())}
    return adopted, inherit((dict(shown.slots) for _, shown in sorted(by_member.items())), slots)


def _highest(candidates: list[FinalRow], epoch: int) -> Row:
    head = max(candidates, key=lambda row: row.version)
    above = [row for row in candidates if row.version == head.version and row.certificate is not None]
    row = Row(head.entry, head.proof, View(epoch))
    for candidate in above:
        if candidate.certificate is not None and candidate.body is not None:
            row = row.with_certificate(candidate.certificate, candidate.body)
    return row
