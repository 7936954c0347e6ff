"""The node's keys: records in clear, shares in the vault, and the one write that makes an epoch live.

Runs in the worker thread. A share and the record that describes it change in the same transaction, so after
a crash a node holds the old epoch whole or the new one whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from quorate.account import KeyRecord
from quorate.account.carrying import Holding
from quorate.encoding import Canonical, decode, encode
from quorate.errors import AlreadyUsed, LimitExceeded, Refused, Remedy, Unavailable
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.limits import (
    MAX_FORMATIONS_PER_DAY,
    MAX_KEYS_PER_ACCOUNT,
    MAX_OPEN_KEYS_PER_ACCOUNT,
    OPEN_KEY_SECONDS,
    REFRESH_FOLLOWS_SECONDS,
)
from quorate.session import SessionSpec
from quorate.sharing.access import NotAuthorised, NotExact
from quorate.sharing.epochs import committee_epoch, epoch_number, user_epoch
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.vault import Vault
from quorate.vault.shares import ShareState

FIRST_EPOCH: Final = "first-epoch"
"""The write-once slots of the one way in which a formed key becomes live: `PLAIN`, or a refresh's request."""

PLAIN: Final = b"plain"

_RECORD: Final = "key"
_STAGED: Final = "key-staged"
_PROOF: Final = "key-proof"
_FORMATIONS: Final = "formations"


class Staged(Canonical, frozen=True):
    """An epoch that waits to become live, and the digest of the one statement we signed about it.

    `made_in` is the committee epoch in which that was; the record is carried on from one to the next.
    """

    record: KeyRecord
    statement: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    made_in: Annotated[int, msgspec.Meta(ge=0)] = 0


class _Open(Canonical, frozen=True):
    """A formed key that is not live: since when, and the spare keys that were made with it."""

    born: int
    spares: tuple[bytes, ...]


class KeyBook:
    """All keys this node has a share of."""

    def __init__(self, me: str, vault: Vault) -> None:
        self._me = me
        self._vault = vault

    def record(self, key: bytes) -> KeyRecord:
        """The record of a key. Raises `Refused` with code ``unknown-key``."""
        found = self._vault.records.get(_RECORD, key.hex())
        if found is None:
            raise Refused(f"{self._me} knows no such live key", code="unknown-key", parties=[self._me])
        return decode(KeyRecord, found.value)

    def is_live(self, key: bytes) -> bool:
        """Whether an epoch of this key has been made live here."""
        return self._vault.records.get(_RECORD, key.hex()) is not None

    def of_account(self, account: bytes) -> list[KeyRecord]:
        """All keys of an account, in the order of their ids."""
        names = [entry.name for entry in self._vault.records.list(_index(account))]
        found = (self._vault.records.get(_RECORD, name) for name in names)
        return [decode(KeyRecord, record.value) for record in found if record is not None]

    def share(self, record: KeyRecord) -> KeyShare:
        """Our share in the record's epoch. Raises `Unavailable`; `Refused` if that epoch is over by now."""
        try:
            kept = self._vault.shares.get(record.key.hex(), record.epoch)
        except Unavailable:
            now = self._vault.records.get(_RECORD, record.key.hex())
            if now is not None and decode(KeyRecord, now.value).epoch > record.epoch:
                raise _another_epoch(self._me, decode(KeyRecord, now.value), record.epoch) from None
            raise
        return KeyShare.from_bytes(kept.reveal())

    def check_room(self, account: bytes, now: float) -> None:
        """Raises `LimitExceeded` when the account has as many keys as it may have. Changes nothing.

        Keys that were formed and never made live count apart; `make_room` says which of them no longer do.
        """
        live = len(self._vault.records.list(_index(account)))
        waiting = len(self._vault.records.list(_open(account))) - len(self._given_up(account, now))
        if waiting >= MAX_OPEN_KEYS_PER_ACCOUNT:
            raise LimitExceeded(
                f"{waiting} wallets of this account wait to be finished; finish one, or wait a day",
                remedy=Remedy.RETRY,
            )
        if live + waiting >= MAX_KEYS_PER_ACCOUNT:
            raise LimitExceeded(f"an account has at most {MAX_KEYS_PER_ACCOUNT} keys here")

    def make_room(self, account: bytes, now: float) -> None:
        """Erase keys that were never made live, where they stand in another's place.

        Only after a day: a device that was away finds its unfinished wallet. Those that wait for a refresh
        which has failed, or will not come any more, are nobody's wallet and go at once. For a caller that
        has proven itself, so not while it merely asks.
        """
        for key in self._given_up(account, now):
            self.forget(account, key)

    def count_formation(self, account: bytes, now: float) -> None:
        """Count one more of today, durably. Raises `LimitExceeded` at `MAX_FORMATIONS_PER_DAY`."""
        today = int(now // 86400)
        known = self._vault.records.get(_FORMATIONS, account.hex())
        day, count = (today, 0) if known is None else decode(tuple[int, int], known.value)
        count = count if day == today else 0
        if count >= MAX_FORMATIONS_PER_DAY:
            raise LimitExceeded(
                f"an account begins at most {MAX_FORMATIONS_PER_DAY} keys a day", remedy=Remedy.RETRY
            )
        version = 0 if known is None else known.version
        self._vault.records.put(_FORMATIONS, account.hex(), encode((today, count + 1)), expected=version)

    def begin(self, account: bytes, key: bytes, spares: Sequence[bytes], now: float) -> None:
        """Note a key that was formed, with the spare keys of its formation."""
        waiting = encode(_Open(int(now), tuple(spares)))
        self._vault.records.put(_open(account), key.hex(), waiting, expected=0)

    def stage(self, record: KeyRecord, share: KeyShare, statement: bytes) -> None:
        """Keep a share that is not live yet, the record that will describe it, and what we sign about it.

        `statement` is the digest of that. Repeatable.
        """
        name = f"{record.key.hex()}/{record.epoch}"
        staged = encode(Staged(record, statement, committee_epoch(record.epoch)))
        with self._vault.transaction():
            self._vault.shares.put(record.key.hex(), record.epoch, share.to_bytes(), owner=self._me)
            known = self._vault.records.get(_STAGED, name)
            if known is None:
                self._vault.records.put(_STAGED, name, staged, expected=0)
            elif known.value != staged:
                raise AlreadyUsed("another record waits for this key and epoch")

    def staged(self, key: bytes, epoch: int) -> Staged:
        """What waits for an epoch. Raises `Refused` with code ``nothing-staged``."""
        found = self._vault.records.get(_STAGED, f"{key.hex()}/{epoch}")
        if found is None:
            raise Refused(
                f"{self._me} has prepared nothing for this key and epoch",
                code="nothing-staged",
                parties=[self._me],
            )
        return decode(Staged, found.value)

    def claim_first_epoch(self, key: bytes, way: bytes) -> None:
        """Decide, once for ever at this node, how a formed key becomes live: plain, or by this one refresh.

        `way` is `PLAIN`, or the hash of the refresh's request. Otherwise a device could prepare several first
        epochs, each at some of the nodes. Raises `Refused`.
        """
        if self._vault.slots.write_once(FIRST_EPOCH, key.hex(), way) != way:
            raise Refused(
                "this key has begun to become live another way; create a new wallet",
                code="first-epoch",
                parties=[self._me],
            )

    def forget(self, account: bytes, key: bytes) -> None:
        """Erase a key that never became live here: shares, records, spare keys. A live one is left as it is.

        What was said about it in write-once slots stays said.
        """
        if self.is_live(key):
            return
        with self._vault.transaction():
            for epoch, state in self._vault.shares.epochs(key.hex()).items():
                if state is ShareState.PENDING:
                    self._vault.shares.discard(key.hex(), epoch)
                self._unstage(key, epoch)
            self._settle(account, key)

    def spare(self, account: bytes, key_id: bytes) -> GeneratedKey:
        """Our part of a pool key that was kept for a wallet of this account. Raises `Refused`."""
        key = self._vault.pool.find(key_id)
        if key is None or not key.is_kept_for(account):
            raise Refused("that spare key is not here, or was used", code="pool", parties=[self._me])
        return GeneratedKey.from_bytes(self._vault.pool.read(key.index).reveal())

    def burn(self, account: bytes, spare: bytes) -> None:
        """Erase our part of a spare key, for ever; another account's is left alone."""
        key = self._vault.pool.find(spare)
        if key is not None and key.is_kept_for(account):
            self._vault.pool.burn(key.index)

    def adopt(self, record: KeyRecord, proof: bytes = b"") -> None:
        """The one write: `record` replaces what was, its share becomes active, earlier epochs are erased.

        `proof` is the certificate by which it is live, kept to be shown when the committee changes. Repeating
        it does nothing. Raises `AlreadyUsed` when a later epoch is live.
        """
        key = record.key.hex()
        with self._vault.transaction():
            known = self._vault.records.get(_RECORD, key)
            if known is not None:
                before = decode(KeyRecord, known.value)
                if before == record:
                    return
                if before.epoch > record.epoch:
                    raise AlreadyUsed(f"key {key[:8]} is past epoch {record.epoch}")
                if before.public_key != record.public_key:
                    raise Unavailable(
                        f"key {key[:8]}: a flip never changes the public key; nothing was changed"
                    )
            version = 0 if known is None else known.version
            self._vault.records.put(_RECORD, key, encode(record), expected=version)
            if version == 0:
                self._vault.records.put(_index(record.account), key, b"", expected=0)
            for epoch in self._vault.shares.epochs(key):
                if epoch < record.epoch:
                    self._unstage(record.key, epoch)
            self._vault.shares.activate(key, record.epoch)
            if proof:
                kept = self._vault.records.get(_PROOF, key)
                self._vault.records.put(_PROOF, key, proof, expected=0 if kept is None else kept.version)
            self._settle(record.account, record.key)

    def proof(self, key: bytes) -> bytes:
        """The certificate by which a key became live in this committee epoch; nothing if it did before."""
        kept = self._vault.records.get(_PROOF, key.hex())
        return b"" if kept is None else kept.value

    # --- from one committee epoch to the next (`quorate.node.carrying`) -------------------------------

    def holdings(self) -> list[Holding]:
        """What is carried to another committee: every live key, and what waits to become live."""
        live = {entry.name: decode(KeyRecord, entry.value) for entry in self._vault.records.list(_RECORD)}
        waiting: dict[str, Staged] = {}
        for entry in self._vault.records.list(_STAGED):
            staged = decode(Staged, entry.value)
            key = staged.record.key.hex()
            if key in live:
                if staged.record == live[key]:
                    waiting[key] = staged
            elif not self._is_past(staged.record) and (
                key not in waiting or waiting[key].record.epoch < staged.record.epoch
            ):
                waiting[key] = staged
        nothing = {key: Staged(record, bytes(32)) for key, record in live.items()}
        found = {**nothing, **waiting}
        return [Holding(s.record, s.statement, s.made_in) for _, s in sorted(found.items())]

    def carry(self, holding: Holding, *, live: bool) -> None:
        """Part of the switch: a holding takes its place in the new epoch, live if it was, or if `live`."""
        record = holding.record
        key = record.key.hex()
        known = self._vault.records.get(_RECORD, key)
        has_share = record.epoch in self._vault.shares.epochs(key)
        staged = encode(Staged(record, holding.statement, holding.made_in))
        self._vault.records.put(_STAGED, f"{key}/{record.epoch}", staged, expected=0)
        if known is None and not live:
            return
        self._vault.records.put(_RECORD, key, encode(record), expected=0 if known is None else known.version)
        if known is None:
            self._vault.records.put(_index(record.account), key, b"", expected=0)
        if has_share:
            self._vault.shares.activate(key, record.epoch)

    def leave_behind(self, committee: int) -> None:
        """Part of the switch: erase all shares of earlier committee epochs, forget what was not carried."""
        for entry in self._vault.records.list(_PROOF):
            self._vault.records.delete(_PROOF, entry.name, expected=entry.version)
        for kind in (_STAGED, _RECORD):
            for entry in self._vault.records.list(kind):
                found = (
                    decode(Staged, entry.value).record if kind == _STAGED else decode(KeyRecord, entry.value)
                )
                if committee_epoch(found.epoch) < committee:
                    self._vault.records.delete(kind, entry.name, expected=entry.version)
                    if kind == _RECORD:
                        self._unlist(found)
        self._vault.shares.leave(epoch_number(committee, 0))

    def authorise(self, caller: Caller, spec: SessionSpec) -> KeyRecord:
        """The record of the key that `caller` may use with exactly these signers. Raises `Refused`."""
        record = self.record(spec.key)
        me = [self._me]
        if not isinstance(caller, DeviceCaller) or caller.account != record.account:
            raise Refused("this key belongs to another account", code="account", parties=me)
        if record.factor_with(caller.keys) is None:
            raise Refused("this device is no factor of the key", code="factor", parties=me)
        if spec.epoch != record.epoch:
            raise _another_epoch(self._me, record, spec.epoch)
        try:
            record.access.coefficients(spec.parties, record.group.order)
        except (NotAuthorised, NotExact) as error:
            raise Refused(str(error), code="signers", parties=me) from None
        if not record.agrees_with(spec):
            raise Refused("the parties' keys are not those of the record", code="roster", parties=me)
        return record

    def _is_past(self, record: KeyRecord) -> bool:
        """Whether a refresh has begun that takes this epoch's place before it is live."""
        way = self._vault.slots.read(FIRST_EPOCH, record.key.hex())
        return user_epoch(record.epoch) == 0 and way not in (None, PLAIN)

    def _unlist(self, record: KeyRecord) -> None:
        kind, key = _index(record.account), record.key.hex()
        found = self._vault.records.get(kind, key)
        if found is not None:
            self._vault.records.delete(kind, key, expected=found.version)

    def _unstage(self, key: bytes, epoch: int) -> None:
        name = f"{key.hex()}/{epoch}"
        found = self._vault.records.get(_STAGED, name)
        if found is not None:
            self._vault.records.delete(_STAGED, name, expected=found.version)

    def _given_up(self, account: bytes, now: float) -> list[bytes]:
        waiting = {
            entry.name: decode(_Open, entry.value) for entry in self._vault.records.list(_open(account))
        }
        full = len(waiting) >= MAX_OPEN_KEYS_PER_ACCOUNT
        return [
            bytes.fromhex(name)
            for name, key in waiting.items()
            if (full and now - key.born > OPEN_KEY_SECONDS) or self._is_dead(account, name, key, now)
        ]

    def _is_dead(self, account: bytes, name: str, key: _Open, now: float) -> bool:
        """Whether it was formed for a refresh that was given up: its spare keys are burned, or it is late."""
        if not key.spares or len(self._vault.shares.epochs(name)) > 1:
            return False
        kept = (self._vault.pool.find(spare) for spare in key.spares)
        burned = not any(spare is not None and spare.is_kept_for(account) for spare in kept)
        return burned or now - key.born > REFRESH_FOLLOWS_SECONDS

    def _settle(self, account: bytes, key: bytes) -> None:
        """The key waits no more; spare keys that it has not used serve nobody."""
        found = self._vault.records.get(_open(account), key.hex())
        if found is not None:
            for spare in decode(_Open, found.value).spares:
                self.burn(account, spare)
            self._vault.records.delete(_open(account), key.hex(), expected=found.version)


def _another_epoch(me: str, record: KeyRecord, epoch: int) -> Refused:
    return Refused(
        f"the key is in epoch {record.epoch}, not {epoch}; read the wallet anew", code="epoch", parties=[me]
    )


def _index(account: bytes) -> str:
    return f"keys-of-{account.hex()}"


def _open(account: bytes) -> str:
    return f"open-keys-of-{account.hex()}"
