"""The account register at a node: what a decided entry makes it do, and how it goes on with the committee.

The register itself is `quorate.metadata.service`. A key becomes live here by a decided entry and in no other
way: in the transaction that writes the head, the epoch that was staged under exactly the statement in the
record becomes active. A node that has staged nothing keeps the head and does not say INSTALLED.

When the committee has changed, every old member sends the new ones its last word about all rows, in as few
parcels as they take; with the last words of E old members a new member adopts all rows and votes. Nothing is
lost if it crashes in between: parcels are kept until then, and it looks again when it starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Final

import msgspec

from quorate.account.authority import AuthorityRules, WalletKey, evidence_of, record_of
from quorate.account.register import Committee as RegisterCommittee
from quorate.account.register import Entry, Login
from quorate.account.register.handover import SHARDS, FinalWord, Shown
from quorate.account.register.offices import committee_of, way_to
from quorate.clock import Clock
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, Missing, ProofRejected, Refused, Remedy
from quorate.metadata import RegisterService
from quorate.metadata.store import Office, Standing
from quorate.node.committee import Committee
from quorate.node.keybook import PLAIN, KeyBook, Staged
from quorate.node.links import Links
from quorate.node.log import LogFunction
from quorate.session import Identity
from quorate.sharing.epochs import epoch_number, user_epoch
from quorate.sharing.statements import KeyFormed
from quorate.transport.links import MAX_PARCEL_BYTES
from quorate.transport.links.intake import NotNow
from quorate.vault import Vault

TOPIC: Final = "register"

PARCEL_BYTES: Final = 700_000
"""Of one parcel, so that it stays well under a link's limit."""


class Handed(Canonical, frozen=True):
    """A part of a member's last words."""

    words: Annotated[tuple[tuple[FinalWord, Shown], ...], msgspec.Meta(max_length=SHARDS)]


class NodeRegister:
    """The register of one node. Runs in the worker thread."""

    def __init__(
        self,
        network: str,
        me: str,
        vault: Vault,
        identity: Identity,
        committee: Committee,
        keybook: KeyBook,
        links: Links,
        clock: Clock,
        log: LogFunction,
    ) -> None:
        self._me = me
        self._vault = vault
        self._committee = committee
        self._keybook = keybook
        self._links = links
        self._log = log
        self.missed: Callable[[bytes, WalletKey], None] = lambda account, wallet: None
        rules = _LocalRules(network, committee, keybook)
        offices = _Offices(committee)
        self.service = RegisterService(network, me, vault, identity, offices, rules, clock, self._act)
        committee.follow(self.go_on)
        self.go_on()

    def answer(self, request: bytes, account: bytes, device: bytes) -> bytes:
        """The reply to a device's question. Raises `Refused`, `Malformed`, `LimitExceeded`."""
        return self.service.answer(request, Login(account, device))

    # --- what an entry makes us do ---------------------------------------------------------------------

    def _act(self, entry: Entry) -> str:
        """Make live what is staged for the wallets; why not, if one that this entry brings is not."""
        record, evidence = record_of(entry), evidence_of(entry)
        unable = ""
        for wallet in record.wallets:
            if self._is_live(wallet):
                continue
            shown = evidence.get(wallet.key)
            why = self._make_live(record.account, wallet, b"" if shown is None else encode(shown[1]))
            if why and wallet.key in evidence:
                unable = why
        return unable

    def _is_live(self, wallet: WalletKey) -> bool:
        if not self._keybook.is_live(wallet.key):
            return False
        return user_epoch(self._keybook.record(wallet.key).epoch) >= wallet.epoch

    def _make_live(self, account: bytes, wallet: WalletKey, proof: bytes) -> str:
        staged = _staged(self._keybook, self._committee, wallet)
        if staged is None or not _fits(staged, wallet):
            self._log("nothing to make live", key=wallet.key)
            self.missed(account, wallet)
            return "nothing-staged"
        if self._committee.frozen:
            return "changing"
        if self._vault.rolled_back:
            return "rolled-back"
        self._keybook.adopt(staged.record, proof)
        self._log("live", key=wallet.key, epoch=staged.record.epoch)
        return ""

    # --- from one committee to the next ----------------------------------------------------------------

    def go_on(self) -> None:
        """Hand over what is ours to hand over, and take over what we can. Repeating it does no harm."""
        if self.service.office.epoch == self._committee.epoch - 1:
            self.service.finish()
            if self.service.has_last_word:
                self._hand_over()
        self._take_over()

    def last_words(self) -> Iterator[Handed]:
        """What we hand over, in parcels. Raises `Refused` unless we have voted to the end."""
        return _parcels(self.service.last_word(shard) for shard in range(SHARDS))

    def _hand_over(self) -> None:
        epoch = self._committee.epoch
        peers = [name for name in self._committee.names if name != self._me]
        with self._vault.transaction():
            for handed in self.last_words():
                self._keep(handed)
                for peer in peers:
                    self._links.tell(peer, TOPIC, encode(handed))
        self._log("handed the register over", epoch=epoch)

    def take_in(self, body: bytes) -> None:
        """A parcel of last words of another node, verified and kept until enough are there.

        Raises `Malformed` for one that will never be good, `NotNow` where its committee is not known yet.
        """
        self._keep(decode(Handed, body, limit=MAX_PARCEL_BYTES))
        self._take_over()

    def _keep(self, handed: Handed) -> None:
        office = self.service.office
        first = office.epoch - 1 if office.standing is Standing.JOINS else office.epoch
        with self._vault.transaction():
            for word, shown in handed.words:
                if word.epoch < first:
                    continue  # what it is for is done
                try:
                    self.service.check_word(word, shown)
                except Missing as error:
                    raise NotNow(str(error)) from None
                except ProofRejected as error:
                    raise Malformed(str(error)) from None
                kind, name = _words(word.epoch), f"{word.shard:03}/{word.member:03}"
                if self._vault.records.get(kind, name) is None:
                    self._vault.records.put(kind, name, encode(Handed(((word, shown),))), expected=0)

    def _take_over(self) -> None:
        """Adopt every shard and vote, once E old members have said their last word about each."""
        epoch = self._committee.epoch
        if not self._is_due(epoch):
            return
        words: dict[int, list[tuple[FinalWord, Shown]]] = {shard: [] for shard in range(SHARDS)}
        for kept in self._vault.records.list(_words(epoch - 1)):
            for word, shown in decode(Handed, kept.value, limit=MAX_PARCEL_BYTES).words:
                words[word.shard].append((word, shown))
        old = self._committee.at(epoch - 1)
        if old is None or any(len(found) < old.quorums.echo for found in words.values()):
            return
        with self._vault.transaction():
            if not self._is_due(epoch):
                return  # done by another thread while we looked; once more would forget the votes since
            for shard, found in words.items():
                self.service.adopt(shard, found, epoch)
            for kept in self._vault.records.list(_words(epoch - 1)):
                self._vault.records.delete(_words(epoch - 1), kept.name, expected=kept.version)
            self.service.begin(epoch)
        self._log("took the register over", epoch=epoch)

    def _is_due(self, epoch: int) -> bool:
        office = self.service.office
        return self._committee.is_member and (office.epoch < epoch or office == Office(epoch, Standing.JOINS))


class _Offices:
    """The chain of committees for the register."""

    def __init__(self, committee: Committee) -> None:
        self._committee = committee
        self._known: dict[int, RegisterCommittee] = {}

    @property
    def current(self) -> RegisterCommittee:
        committee = self._committee
        known = self._known.get(committee.epoch)
        if known is None:
            way = way_to(committee.chain, committee.activation)
            known = self._known[committee.epoch] = committee_of(committee.record, way)
        return known

    def of(self, epoch: int) -> RegisterCommittee | None:
        if epoch == self._committee.epoch:
            return self.current
        record = self._committee.at(epoch)
        return None if record is None else committee_of(record)


class _LocalRules(AuthorityRules):
    """The rules, with what only this node can say: what it has staged, and whether it is about to change."""

    def __init__(self, network: str, committee: Committee, keybook: KeyBook) -> None:
        super().__init__(network, committee.at)
        self._committee = committee
        self._keybook = keybook

    def admit(self, parent: Entry | None, entry: Entry, now: float, login: Login | None) -> None:
        super().admit(parent, entry, now, login)
        if self._committee.changing or self._committee.frozen:
            raise Refused(
                "the committee is changing; wallets are finished again in a moment",
                code="changing",
                remedy=Remedy.RETRY,
            )
        record = record_of(entry)
        for key, (_, live) in evidence_of(entry).items():
            wallet = record.wallet(key)
            if isinstance(live.statement, KeyFormed):
                self._keybook.claim_first_epoch(key, PLAIN)
            staged = None if wallet is None else _staged(self._keybook, self._committee, wallet)
            if wallet is not None and staged is not None and not _fits(staged, wallet):
                raise Refused("another epoch than the one in the record is staged here", code="staged")


def _staged(keybook: KeyBook, committee: Committee, wallet: WalletKey) -> Staged | None:
    try:
        return keybook.staged(wallet.key, epoch_number(committee.epoch, wallet.epoch))
    except Refused:
        return None


def _fits(staged: Staged, wallet: WalletKey) -> bool:
    """Whether what waits here is this wallet: the statement we signed, and factors with these very keys."""
    record = staged.record
    factors = {(factor.name, str(factor.kind), factor.keys) for factor in record.factors}
    return (staged.statement, record.curve, record.public_key, factors) == (
        wallet.founding,
        wallet.curve,
        wallet.public_key,
        {(factor.name, str(factor.kind), factor.keys) for factor in wallet.factors},
    )


def _words(epoch: int) -> str:
    return f"register-words-{epoch:05}"


def _parcels(words: Iterator[tuple[FinalWord, Shown]]) -> Iterator[Handed]:
    batch: list[tuple[FinalWord, Shown]] = []
    size = 0
    for word in words:
        length = len(encode(word))
        if batch and size + length > PARCEL_BYTES:
            yield Handed(tuple(batch))
            batch, size = [], 0
        batch.append(word)
        size += length
    yield Handed(tuple(batch))
