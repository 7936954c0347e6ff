"""A node that was away while a wallet was made, and takes its place in it afterwards.

A wallet is made by an echo quorum of nodes, on keys of the pool of which every node has its part. So a node
that learns from the register of a wallet it knows nothing of (`quorate.node.register`) has its share already;
what it lacks is public to the committee: the record. It asks the other members, and takes a record that more
of them tell alike than may lie, if it is the wallet that the register names and our part belongs to it. Then
the part leaves the pool, and the node signs like the others.

Nothing here is remembered across a restart: whoever shows the node the register's entry again makes it ask
again. A wallet whose part was burned here (a refresh that this node saw fail) waits for the next renewal of
the committee, which deals every member a share. Runs in the worker thread.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec

from quorate.account import KeyRecord
from quorate.account.authority import WalletKey
from quorate.clock import Clock
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, Unavailable
from quorate.node.committee import Committee
from quorate.node.keybook import KeyBook
from quorate.node.links import Links
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.sharing.epochs import committee_epoch, user_epoch
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.vault import Vault
from quorate.vault.pool import PooledKey

ASK: Final = "late-ask"
TELL: Final = "late-tell"

MAX_WANTED: Final = 64
"""Wallets asked for at a time, as many as one account may have. The oldest gives way, for now."""

AGAIN_SECONDS: Final = 30.0
"""Between two questions about one wallet: its owner shows the entry at every signature we refuse."""


class Wanted(Canonical, frozen=True):
    """A question: the record of this key."""

    key: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Told(Canonical, frozen=True):
    """The answer: the live record, and the certificate by which it became so."""

    record: KeyRecord
    proof: Annotated[bytes, msgspec.Meta(max_length=1 << 16)]


@dataclass(slots=True)
class _Open:
    """One wallet that we lack: what the register says of it, when we asked, and who told what."""

    account: bytes
    wallet: WalletKey
    asked: float
    told: dict[str, Told] = field(default_factory=dict)


class LateKeys:
    """What this node asks for and tells others."""

    def __init__(
        self,
        me: str,
        vault: Vault,
        keybook: KeyBook,
        committee: Committee,
        links: Links,
        clock: Clock,
        log: LogFunction,
        metrics: Metrics,
    ) -> None:
        self._me = me
        self._vault = vault
        self._keybook = keybook
        self._committee = committee
        self._links = links
        self._clock = clock
        self._log = log
        self._metrics = metrics
        self._open: OrderedDict[bytes, _Open] = OrderedDict()

    def missed(self, account: bytes, wallet: WalletKey) -> None:
        """The register has decided on a wallet that is not here: ask the others for its record."""
        now, known = self._clock(), self._open.get(wallet.key)
        if known is not None and known.wallet == wallet and now < known.asked + AGAIN_SECONDS:
            return
        self._open[wallet.key] = _Open(account, wallet, now)
        while len(self._open) > MAX_WANTED:
            self._open.popitem(last=False)
        question = encode(Wanted(wallet.key))
        for peer in self._committee.others:
            self._links.tell(peer, ASK, question)  # to post would raise, and undo the entry that we act on

    def asked(self, sender: str, body: bytes) -> None:
        """Tell a member of the committee what it asks for, if the key is live here."""
        key = decode(Wanted, body).key
        if not self._keybook.is_live(key):
            return
        record = self._keybook.record(key)
        if sender in {member.name for member in record.committee}:
            self._links.post(sender, TELL, encode(Told(record, self._keybook.proof(key))))

    def told(self, sender: str, body: bytes) -> None:
        """Take a record that enough members tell alike."""
        told = decode(Told, body)
        wanted = self._open.get(told.record.key)
        if wanted is None or sender not in self._committee.others:
            return
        wanted.told[sender] = told
        alike = [name for name, other in wanted.told.items() if other.record == told.record]
        if len(alike) <= self._committee.quorums.liars or not self._fits(wanted, told.record):
            return
        del self._open[told.record.key]
        taken = self._take(wanted, told)
        self._metrics.count("late_keys", outcome="taken" if taken else "no-part")
        self._log("late", key=told.record.key, taken=taken)

    def _fits(self, wanted: _Open, record: KeyRecord) -> bool:
        """Whether a record is of the wallet that the register names, in the committee's present epoch."""
        wallet, committee = wanted.wallet, self._committee
        factors = {(factor.name, str(factor.kind), factor.keys) for factor in record.factors}
        members = {member.name: member.keys for member in record.committee}
        return (
            (record.account, record.key, record.curve) == (wanted.account, wallet.key, wallet.curve)
            and (record.public_key, user_epoch(record.epoch)) == (wallet.public_key, wallet.epoch)
            and factors == {(factor.name, str(factor.kind), factor.keys) for factor in wallet.factors}
            and committee_epoch(record.epoch) == committee.epoch
            and members == {name: keys.to_bytes() for name, keys in committee.identities.items()}
            and not committee.frozen
            and not self._vault.rolled_back
            and not self._keybook.is_live(record.key)
        )

    def _take(self, wanted: _Open, told: Told) -> bool:
        """Our part becomes our share, in one transaction; False if we have no part of this wallet."""
        record = told.record
        own = record.public_shares[self._me]
        for key in self._candidates(record):
            try:
                part = GeneratedKey.from_bytes(self._vault.pool.read(key.index).reveal())
            except Unavailable:
                continue
            if part.public.public_share(self._me) == own:
                break
        else:
            return False
        share = KeyShare(
            record.key,
            record.epoch,
            record.access,
            record.point,
            record.public_shares,
            self._me,
            part.share,
            record.chain_code,
        )
        try:
            share.check()
        except Malformed:
            return False
        first = self._vault.pool.find(record.key)
        with self._vault.transaction():
            # What a broken-off creation has left here stands for an epoch that was passed by.
            self._keybook.forget(record.account, record.key)
            self._keybook.stage(record, share, wanted.wallet.founding)
            self._keybook.adopt(record, told.proof)
            self._vault.pool.use(key.index)
            if first is not None:
                self._vault.pool.burn(first.index)
        return True

    def _candidates(self, record: KeyRecord) -> list[PooledKey]:
        """Keys of the pool that may be this wallet's: the one of its id, then the account's, then any."""
        return self._vault.pool.parts_for(record.curve, record.account, record.key)
