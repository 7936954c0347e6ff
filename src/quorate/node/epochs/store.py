"""What a node has written down about the change under way, before it said anything that depends on it.

Votes are write-once slots and stay for ever: one succession, one list, one STORED for each epoch. The rest is
kept while the change lasts, and removed by the switch. Runs in a worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from quorate.account.changing import Page
from quorate.account.committee import Activation, CommitteeRecord, Succession
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Refused
from quorate.node.committee import EPOCH_SINCE
from quorate.node.epochs.talk import Choose, Froze, Holds, Plan, Signed
from quorate.transport.links import MAX_PARCEL_BYTES
from quorate.vault import Vault

T = TypeVar("T", bound=Canonical)

_KIND: Final = "epoch-change"
_APPROVED: Final = "epoch-approved"


class Under(Canonical, frozen=True):
    """A change that is certified: from `old` by `path` to the last record of it."""

    old: CommitteeRecord
    path: tuple[Succession, ...]

    @property
    def new(self) -> CommitteeRecord:
        """The committee to come."""
        return self.path[-1].record

    @property
    def everybody(self) -> tuple[str, ...]:
        """All nodes of both."""
        return tuple(sorted({*self.old.names, *self.new.names}))


class ChangeStore:
    """The records of one vault."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def vote_once(self, what: str, epoch: int, digest: bytes) -> None:
        """Step B, C, E: bind our one vote, durably. Raises `Refused` if it was given to something else."""
        if self._vault.slots.write_once(f"committee-{what}", str(epoch), digest) != digest:
            raise Refused(f"this node has given its {what} vote of epoch {epoch} to another", code="voted")

    def voted(self, what: str, epoch: int) -> bytes | None:
        """What our one vote was given to."""
        return self._vault.slots.read(f"committee-{what}", str(epoch))

    # --- what the operator wants ---------------------------------------------------------------------

    def approve(self, parent: bytes, plan: Plan) -> None:
        """The operator of this node wants this committee after the one whose plan has the digest `parent`.

        Not after one epoch of it: else a member that is to go would renew the committee again and again, and
        every approval would be of an epoch that is over.
        """
        kept = self._vault.records.get(_APPROVED, "next")
        value = encode((parent, plan.digest))
        self._vault.records.put(_APPROVED, "next", value, expected=0 if kept is None else kept.version)

    def approved(self, parent: bytes) -> bytes | None:
        """The digest of the plan that was approved to follow a committee of the plan `parent`."""
        kept = self._vault.records.get(_APPROVED, "next")
        if kept is None:
            return None
        after, plan = decode(tuple[bytes, bytes], kept.value)
        return plan if after == parent else None

    def settle(self, old: Plan, new: Plan) -> None:
        """Part of the switch: an approval ends when it is carried out, or another committee has come."""
        kept = self._vault.records.get(_APPROVED, "next")
        if kept is not None and (new != old or self.approved(old.digest) == new.digest):
            self._vault.records.delete(_APPROVED, "next", expected=kept.version)

    def since(self) -> float | None:
        """When the present epoch became live here (unix seconds); None for the first."""
        kept = self._vault.records.get(EPOCH_SINCE, "now")
        return None if kept is None else float(kept.value)

    def begin_epoch(self, now: float) -> None:
        """The present epoch becomes live."""
        kept = self._vault.records.get(EPOCH_SINCE, "now")
        self._vault.records.put(
            EPOCH_SINCE, "now", repr(now).encode(), expected=0 if kept is None else kept.version
        )

    # --- the record to come --------------------------------------------------------------------------

    def put_wished(self, record: CommitteeRecord) -> None:
        """A record that was put forward."""
        self._once(f"wished/{record.digest.hex()}", encode(record))

    def wished(self, digest: bytes) -> CommitteeRecord | None:
        """The record of this digest."""
        return self._get(f"wished/{digest.hex()}", CommitteeRecord)

    def put_signed(self, name: str, signed: Signed) -> None:
        """A node's signature over the record that was chosen; its first word counts."""
        self._once(f"signed/{name}", encode(signed))

    def signed(self, names: Sequence[str], digest: bytes) -> dict[str, bytes]:
        """The signatures over the record of this digest."""
        found = {name: self._get(f"signed/{name}", Signed) for name in names}
        return {
            name: one.signature for name, one in found.items() if one is not None and one.record == digest
        }

    # --- the change under way ------------------------------------------------------------------------

    def begin(self, under: Under) -> None:
        """The succession is certified."""
        self._once("under", encode(under))

    def under(self) -> Under | None:
        """The change under way."""
        return self._get("under", Under)

    def is_under(self, under: Under) -> bool:
        """Whether this change is still the one under way, as the vault knows it."""
        known = self.under()
        return known is not None and known.new.digest == under.new.digest

    def put_page(self, name: str, page: Page) -> None:
        """A page of a node's inventory; its first word counts."""
        self._once(f"page/{name}/{page.number:05}", encode(page))

    def page_count(self, name: str) -> int:
        """Of how many pages a node's inventory is; 0 before its first has come."""
        first = self._get(f"page/{name}/00000", Page)
        return 0 if first is None else first.pages

    def pages(self, name: str) -> list[Page] | None:
        """A node's inventory, once all of it is here."""
        return self._whole(f"page/{name}")

    def put_copy(self, sender: str, name: str, page: Page) -> None:
        """A page of a node's inventory as another has it; its first word counts."""
        self._once(f"copy/{sender}/{name}/{page.number:05}", encode(page))

    def copies(self, sender: str, name: str) -> list[Page] | None:
        """A node's inventory as another has it, once all of it is here."""
        return self._whole(f"copy/{sender}/{name}")

    def choose(self, sender: str, choice: Choose) -> None:
        """Which inventories the list follows from, as a node has found; its first word counts."""
        self._once(f"choice/{sender}", encode(choice))

    def choice(self, sender: str) -> Choose | None:
        """See `choose`."""
        return self._get(f"choice/{sender}", Choose)

    def choices(self, names: Sequence[str]) -> dict[str, Choose]:
        """All that are here."""
        found = {name: self.choice(name) for name in names}
        return {name: choice for name, choice in found.items() if choice is not None}

    def put_froze(self, name: str, vote: Froze) -> None:
        """A node's FROZEN."""
        self._once(f"froze/{name}", encode(vote))

    def froze(self, names: Sequence[str]) -> dict[str, Froze]:
        """All that are here."""
        found = {name: self._get(f"froze/{name}", Froze) for name in names}
        return {name: vote for name, vote in found.items() if vote is not None}

    def put_result(self, chunk: int, digest: bytes) -> None:
        """A chunk's session has ended, and what it gave is stored; `digest` is empty for who gets nothing."""
        self._once(f"result/{chunk:08}", digest)

    def result(self, chunk: int) -> bytes | None:
        """See `put_result`."""
        kept = self._vault.records.get(_KIND, f"result/{chunk:08}")
        return None if kept is None else kept.value

    def put_holds(self, name: str, vote: Holds) -> None:
        """A node's STORED."""
        self._once(f"holds/{name}", encode(vote))

    def holds(self, names: Sequence[str]) -> dict[str, Holds]:
        """All that are here."""
        found = {name: self._get(f"holds/{name}", Holds) for name in names}
        return {name: vote for name, vote in found.items() if vote is not None}

    def activate(self, activation: Activation) -> None:
        """The epoch is in force."""
        self._once("activation", encode(activation))

    def activation(self) -> Activation | None:
        """See `activate`."""
        return self._get("activation", Activation)

    def clear(self) -> None:
        """Part of the switch: nothing is under way any more."""
        for entry in self._vault.records.list(_KIND):
            self._vault.records.delete(_KIND, entry.name, expected=entry.version)

    def _whole(self, begins: str) -> list[Page] | None:
        first = self._get(f"{begins}/00000", Page)
        if first is None:
            return None
        found = [self._get(f"{begins}/{number:05}", Page) for number in range(first.pages)]
        return None if any(page is None for page in found) else [page for page in found if page is not None]

    def _once(self, name: str, value: bytes) -> None:
        with self._vault.transaction():
            if self._vault.records.get(_KIND, name) is None:
                self._vault.records.put(_KIND, name, value, expected=0)

    def _get(self, name: str, kind: type[T]) -> T | None:
        kept = self._vault.records.get(_KIND, name)
        return None if kept is None else decode(kind, kept.value, limit=MAX_PARCEL_BYTES)
