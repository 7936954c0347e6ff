"""The device's account register: reading the head, and bringing a wallet into it.

What is proven once is kept in the vault, so that a later start knows the head it left, and a node that shows
less is known to be behind. The procedures are `quorate.account.register.procedures`; the committee is
followed as far as nodes show a proven way from the one this device knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from quorate.account import FactorKind, KeyRecord
from quorate.account.authority import (
    AuthorityRecord,
    Evidence,
    WalletKey,
    evidence_of,
    make_entry,
    record_of,
    wallet_of,
)
from quorate.account.committee import CommitteeRecord
from quorate.account.records import Factor
from quorate.account.register import Committee, Entry, Proof
from quorate.account.register.certificates import Subject
from quorate.account.register.client import Client, Signer
from quorate.account.register.messages import Decided
from quorate.account.register.offices import committee_of
from quorate.account.register.offices import follow as follow_way
from quorate.account.register.procedures import install, read, write
from quorate.account.requests import LiveRequest
from quorate.device.committee import follow, records_known
from quorate.device.sessions import Desk
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Abort, LocalError, Missing, ProofRejected
from quorate.metadata import Carrier
from quorate.sharing.epochs import committee_epoch
from quorate.sharing.statements import KeyFormed, verify_certificate

_KIND: Final = "register-head"


class _Head(Canonical, frozen=True):
    """The last head that was proven to this device."""

    entry: Entry
    proof: Proof


@dataclass(slots=True)
class AccountRegister:
    """The register of the account that the desk is logged in to."""

    desk: Desk
    client: Client
    carrier: Carrier
    records: dict[int, CommitteeRecord]

    @classmethod
    async def open(cls, desk: Desk) -> AccountRegister:
        """With what this device knows: committees, and the head it has seen last."""
        known = await desk.worker(records_known, desk.vault, desk.network)
        records: dict[int, CommitteeRecord] = {record.epoch: record for record in known}
        start = records[desk.network.epoch] = desk.network.record
        account = desk.login().account
        signer = Signer(desk.identity.public.to_bytes(), desk.identity.sign)

        def of(epoch: int) -> Committee | None:
            record = records.get(epoch)
            return None if record is None else committee_of(record)

        def go_on(way: bytes) -> Committee | None:
            # From where this device stood: it is asked more than once about one way.
            record = follow_way(start, way)
            if record is None:
                return None
            records[record.epoch] = record
            return committee_of(record)

        client = Client(
            subject=Subject(desk.network.name, account),
            committee=committee_of(desk.network.record),
            committees=of,
            follow=go_on,
            signers=_devices,
            signer=signer,
        )
        kept = await desk.worker(desk.vault.records.get, _KIND, account.hex())
        if kept is not None:
            head = decode(_Head, kept.value)
            client.entry, client.proof = head.entry, head.proof
        carrier = Carrier(desk.nodes.register, desk.clock, background=desk.background)
        return cls(desk, client, carrier, records)

    async def head(self) -> Entry | None:
        """The head: nothing decided before is above it. Raises `Missing`."""
        try:
            head = await self.carrier.run(self.client, read(self.client, self.desk.rng))
        finally:
            await self._settle()
        return head

    async def enter(self, record: KeyRecord, live: LiveRequest) -> None:
        """Bring a wallet into the record, on what the nodes have signed; returns when R nodes act on it.

        Repeating it finds what was begun. Raises `Missing`, `Refused`.
        """
        wallet = wallet_of(live, record.curve, _factors(record))
        evidence = Evidence(((self._made_in(live), live),))
        await self.head()
        try:
            if not self._holds(wallet):
                wanted = write(self.client, lambda head: self._entry(head, wallet, evidence))
                await self.carrier.run(self.client, wanted)
            if not self._holds(wallet):
                raise LocalError("the register holds this wallet in another way than it was made")
            await self.carrier.run(self.client, install(self.client))
        finally:
            await self._settle()
        if self.client.entry is None or wallet.key not in evidence_of(self.client.entry):
            # A later entry is the head, and INSTALLED speaks of what that brought.
            await self._check_live(wallet.key)

    async def _check_live(self, key: bytes) -> None:
        """Raises `Missing` unless R nodes sign with this key."""
        names, needed = self.desk.network.names, self.desk.network.quorums.ready
        found = await asyncio.gather(
            *(self.desk.nodes.wallets(name) for name in names), return_exceptions=True
        )
        missing = []
        for name, records in zip(names, found, strict=True):
            if isinstance(records, BaseException) and not isinstance(records, Abort):
                raise records
            if isinstance(records, BaseException) or all(record.key != key for record in records):
                missing.append(name)
        have = len(names) - len(missing)
        if have < needed:
            raise Missing(
                f"{needed} nodes must act on it and {have} have", parties=missing, needed=needed - have
            )

    async def show(self, node: str) -> None:
        """Tell a node that was away what the head is. Raises what asking it raises."""
        if self.client.entry is not None and self.client.proof is not None:
            await self.desk.nodes.register(node, encode(Decided(self.client.entry, self.client.proof)))

    def wallet(self, key: bytes) -> WalletKey | None:
        """A wallet as the head has it."""
        entry = self.client.entry
        return None if entry is None else record_of(entry).wallet(key)

    def _holds(self, wallet: WalletKey) -> bool:
        known = self.wallet(wallet.key)
        return known is not None and (known == wallet or known.epoch > wallet.epoch)

    def _entry(self, head: Entry | None, wallet: WalletKey, evidence: Evidence) -> Entry:
        if head is None:
            record = AuthorityRecord(self.client.subject.network, self.client.subject.account, (wallet,))
        else:
            record = record_of(head).with_wallet(wallet)
        identity = self.desk.identity
        return make_entry(head, record, evidence, wallet.founding[:16], identity.public, identity.sign)

    def _made_in(self, live: LiveRequest) -> int:
        """The committee epoch whose nodes have signed a statement."""
        if not isinstance(live.statement, KeyFormed):
            return committee_epoch(live.statement.epoch)
        signatures = live.signatures.as_mapping()
        for epoch, record in sorted(self.records.items(), reverse=True):
            try:
                verify_certificate(live.statement, signatures, record.identities, record.quorums.ready)
            except ProofRejected:
                continue
            return epoch
        raise LocalError("no committee that this device knows has signed that")

    async def _settle(self) -> None:
        """Keep what was proven, and let the whole device follow where the register has led."""
        if self.client.committee.epoch > self.desk.network.epoch:
            await follow(self.desk)
        if self.client.entry is not None and self.client.proof is not None:
            await self.desk.worker(self._keep, _Head(self.client.entry, self.client.proof))

    def _keep(self, head: _Head) -> None:
        records, name = self.desk.vault.records, self.client.subject.account.hex()
        kept = records.get(_KIND, name)
        known = None if kept is None else decode(_Head, kept.value)
        if known is None or known.entry.version < head.entry.version:
            records.put(_KIND, name, encode(head), expected=0 if kept is None else kept.version)


def _devices(entry: Entry) -> tuple[bytes, ...]:
    devices = {f.keys for f in record_of(entry).factors if f.kind is FactorKind.DEVICE}
    return tuple(sorted(devices))


def _factors(record: KeyRecord) -> Mapping[str, tuple[FactorKind, bytes]]:
    factors: tuple[Factor, ...] = record.factors
    return {factor.name: (factor.kind, factor.keys) for factor in factors}
