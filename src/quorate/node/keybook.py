"""The node's keys: records in clear, shares in the vault, and the one write that makes an epoch live.

Runs in the worker thread. A share and the record that describes it change in the same transaction, so after
a crash a node holds the old epoch whole or the new one whole.
"""

from __future__ import annotations

from typing import Final

from quorate.account import KeyRecord, State
from quorate.encoding import decode, encode
from quorate.errors import AlreadyUsed, LimitExceeded, Refused, Unavailable
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.limits import MAX_KEYS_PER_ACCOUNT
from quorate.session import SessionSpec
from quorate.sharing.access import NotAuthorised, NotExact
from quorate.sharing.keyshare import KeyShare
from quorate.vault import Vault

_RECORD: Final = "key"
_STAGED: Final = "key-staged"


class KeyBook:
    """All keys this node has a share of."""

    def __init__(self, me: str, vault: Vault) -> None:
        self._me = me
        self._vault = vault

    def record(self, key: bytes) -> KeyRecord:
        """The record of a key. Raises `Refused` with code ``unknown-key``."""
        found = self._vault.records.get(_RECORD, key.hex())
        if found is None:
            raise Refused(f"{self._me} knows no such key", code="unknown-key", parties=[self._me])
        return decode(KeyRecord, found.value)

    def is_live(self, key: bytes) -> bool:
        """Whether an epoch of this key has been made live here."""
        return self._vault.records.get(_RECORD, key.hex()) is not None

    def of_account(self, account: bytes) -> list[KeyRecord]:
        """All keys of an account, oldest first."""
        names = [entry.name for entry in self._vault.records.list(_index(account))]
        found = (self._vault.records.get(_RECORD, name) for name in names)
        return [decode(KeyRecord, record.value) for record in found if record is not None]

    def share(self, record: KeyRecord) -> KeyShare:
        """Our share in the record's epoch. Raises `Unavailable`."""
        return KeyShare.from_bytes(self._vault.shares.get(record.key.hex(), record.epoch).reveal())

    def check_room(self, account: bytes) -> None:
        """Raises `LimitExceeded` when the account has as many keys as it may have."""
        if len(self._vault.records.list(_index(account))) >= MAX_KEYS_PER_ACCOUNT:
            raise LimitExceeded(f"an account has at most {MAX_KEYS_PER_ACCOUNT} keys here")

    def stage(self, record: KeyRecord, share: KeyShare) -> None:
        """Keep a share that is not live yet, and the record that will describe it. Repeatable."""
        name = f"{record.key.hex()}/{record.epoch}"
        with self._vault.transaction():
            self._vault.shares.put(record.key.hex(), record.epoch, share.to_bytes(), owner=self._me)
            known = self._vault.records.get(_STAGED, name)
            if known is None:
                self._vault.records.put(_STAGED, name, encode(record), expected=0)
            elif known.value != encode(record):
                raise AlreadyUsed("another record waits for this key and epoch")

    def staged(self, key: bytes, epoch: int) -> KeyRecord:
        """The record that waits for an epoch. Raises `Refused` with code ``nothing-staged``."""
        found = self._vault.records.get(_STAGED, f"{key.hex()}/{epoch}")
        if found is None:
            raise Refused(
                f"{self._me} has prepared nothing for this key and epoch",
                code="nothing-staged",
                parties=[self._me],
            )
        return decode(KeyRecord, found.value)

    def adopt(self, record: KeyRecord) -> None:
        """The one write: `record` replaces what was, its share becomes active, earlier epochs are erased.

        Repeating it does nothing. Raises `AlreadyUsed` when a later epoch is live.
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
            self._vault.shares.activate(key, record.epoch)

    def authorise(self, caller: Caller, spec: SessionSpec) -> KeyRecord:
        """The record of the key that `caller` may use with exactly these signers. Raises `Refused`."""
        record = self.record(spec.key)
        me = [self._me]
        if not isinstance(caller, DeviceCaller) or caller.account != record.account:
            raise Refused("this key belongs to another account", code="account", parties=me)
        if record.factor_with(caller.keys) is None:
            raise Refused("this device is no factor of the key", code="factor", parties=me)
        if record.state is not State.LIVE:
            raise Refused("the key is not live yet; finish creating the wallet", code="not-live", parties=me)
        if spec.epoch != record.epoch:
            raise Refused(
                f"the key is in epoch {record.epoch}, not {spec.epoch}; read the wallet anew",
                code="epoch",
                parties=me,
            )
        try:
            record.access.coefficients(spec.parties, record.group.order)
        except (NotAuthorised, NotExact) as error:
            raise Refused(str(error), code="signers", parties=me) from None
        if not record.agrees_with(spec):
            raise Refused("the parties' keys are not those of the record", code="roster", parties=me)
        return record


def _index(account: bytes) -> str:
    return f"keys-of-{account.hex()}"
