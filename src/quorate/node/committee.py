"""The committee as this node knows it now, and this node's own keys in it.

A configuration says who the nodes were when the operator wrote it. From the first change of the committee on
the vault knows better: it holds that first record and the chain of successions from it, each signed by an
echo quorum of the committee before. Everything in `quorate.node` that means "now" asks here, at the moment it
needs to know, because the answer changes while the process runs.

A node may be outside the present committee: it waits to be taken in, or it was left out. `is_member` says so,
and the node then takes no sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quorate.account.committee import Activation, CommitteeRecord, Seat, Succession, verify_chain
from quorate.encoding import decode, encode
from quorate.entropy import Rng
from quorate.errors import Refused, Unavailable
from quorate.node.config import BadConfig, NodeConfig
from quorate.node.identity import FIRST_EPOCH, NodeKeys
from quorate.session import KeyPair, PublicKeys
from quorate.sharing.quorums import Quorums
from quorate.vault import Vault

EPOCH_SINCE: Final = "epoch-since"
"""The kind of the record that says when the present epoch became live."""

_ROOT: Final = "committee-root"
_SUCCESSION: Final = "committee-succession"
_ACTIVATION: Final = "committee-activation"


@dataclass(frozen=True, slots=True)
class _Now:
    """What changes together."""

    record: CommitteeRecord
    keys: KeyPair
    chain: tuple[Succession, ...]
    activation: Activation | None


class Committee:
    """Reads are cheap and good in any thread; `succeed` runs in the worker."""

    def __init__(self, config: NodeConfig, vault: Vault, rng: Rng) -> None:
        self._me = config.name
        self._vault = vault
        self._own = NodeKeys(vault, rng)
        self.changing = False
        """Whether a change to another committee is certified: no new wallet is begun."""
        self.frozen = False
        """Whether this node has shown what it holds for that: nothing that is not in it becomes live."""
        self._followers: list[Callable[[], None]] = []
        kept = vault.records.get(_ROOT, config.network)
        self.root = configured_record(config) if kept is None else decode(CommitteeRecord, kept.value)
        chain = tuple(decode(Succession, entry.value) for entry in vault.records.list(_SUCCESSION))
        record = verify_chain(self.root, chain)
        proof = vault.records.get(_ACTIVATION, config.network)
        activation = None if proof is None else decode(Activation, proof.value)
        self._now = _Now(record, self._keys_in(record), chain, activation)

    # --- the committee -------------------------------------------------------------------------------

    @property
    def record(self) -> CommitteeRecord:
        """The live record."""
        return self._now.record

    @property
    def chain(self) -> tuple[Succession, ...]:
        """The successions from `root` to the live record."""
        return self._now.chain

    @property
    def activation(self) -> Activation | None:
        """What put the live record in force; None for the one that was configured."""
        return self._now.activation

    @property
    def epoch(self) -> int:
        """The live committee epoch."""
        return self._now.record.epoch

    @property
    def names(self) -> tuple[str, ...]:
        """All members, in the order of their points."""
        return self._now.record.names

    @property
    def others(self) -> tuple[str, ...]:
        """The members beside this node."""
        return tuple(name for name in self.names if name != self._me)

    @property
    def identities(self) -> Mapping[str, PublicKeys]:
        """The members' public keys in this epoch."""
        return self._now.record.identities

    @property
    def quorums(self) -> Quorums:
        """The thresholds of this epoch."""
        return self._now.record.quorums

    @property
    def is_member(self) -> bool:
        """Whether this node is of the present committee."""
        return self._me in self._now.record.names

    def url(self, name: str) -> str:
        """Where a member listens. Raises `Unavailable` for a stranger."""
        seat = self._now.record.seat(name)
        if seat is None:
            raise Unavailable(f"{name} is not of the committee")
        return seat.url

    def check_quorum(self, present: Collection[str]) -> None:
        """Raises `Refused` unless these are members, and enough to decide for all and to be waited for."""
        needed = max(self.quorums.echo, self.quorums.ready)
        if not set(present) <= set(self.names) or len(present) < needed:
            raise Refused(
                f"this takes {needed} of the {len(self.names)} nodes, and nobody else",
                code="parties",
                parties=[self._me],
            )

    def at(self, epoch: int) -> CommitteeRecord | None:
        """The record of an epoch from `root` to now."""
        now = self._now
        records = (self.root, *(succession.record for succession in now.chain))
        return next((record for record in records if record.epoch == epoch), None)

    @property
    def since(self) -> float:
        """When the present epoch became live here (unix seconds); 0 for the one that was configured."""
        kept = self._vault.records.get(EPOCH_SINCE, "now")
        return 0.0 if kept is None or not self._now.chain else float(kept.value)

    def proof_since(self, epoch: int) -> tuple[int, tuple[Succession, ...], Activation | None]:
        """The present epoch, how it came after `epoch`, and what put it in force: all of one moment."""
        now = self._now
        chain = tuple(one for one in now.chain if one.record.epoch > epoch)
        return now.record.epoch, chain, now.activation

    # --- our own keys --------------------------------------------------------------------------------

    @property
    def keys(self) -> KeyPair:
        """Our keys in the present epoch; outside the committee, those we were made with."""
        return self._now.keys

    def keys_of(self, epoch: int) -> KeyPair:
        """Our keys for an epoch, also a coming one. Raises `Unavailable` when they were erased."""
        return self._own.of(epoch)

    def erase_keys(self, epoch: int) -> None:
        """Destroy our sealing key of an epoch that is over, for ever."""
        self._own.erase(epoch)

    # --- the change ----------------------------------------------------------------------------------

    def follow(self, changed: Callable[[], None]) -> None:
        """Have `changed` called, in the worker thread, after each change has become durable."""
        self._followers.append(changed)

    def succeed(self, successions: Sequence[Succession], activation: Activation) -> None:
        """Make the last of these the live record; they follow on it one by one, and it is in force.

        Part of the caller's transaction: what it reads here changes when that has become durable. Repeating
        it does nothing. Raises `ProofRejected` for what does not follow, or was never activated.
        """
        now = self._now
        fresh = [one for one in successions if one.record.epoch > now.record.epoch]
        if not fresh:
            return
        record = verify_chain(now.record, fresh)
        activation.verify(record)
        coming = _Now(record, self._keys_in(record), (*now.chain, *fresh), activation)
        with self._vault.transaction() as tx:
            network = self.root.network
            self.pin()
            for one in fresh:
                self._vault.records.put(_SUCCESSION, f"{one.record.epoch:08}", encode(one), expected=0)
            kept = self._vault.records.get(_ACTIVATION, network)
            version = 0 if kept is None else kept.version
            self._vault.records.put(_ACTIVATION, network, encode(activation), expected=version)
            tx.after_commit(lambda: self._become(coming))

    def pin(self) -> None:
        """A change begins: what the operator wrote down is from now on what the vault holds."""
        network = self.root.network
        if self._vault.records.get(_ROOT, network) is None:
            self._vault.records.put(_ROOT, network, encode(self.root), expected=0)

    def _become(self, coming: _Now) -> None:
        self._now = coming
        for changed in self._followers:
            changed()

    def _keys_in(self, record: CommitteeRecord) -> KeyPair:
        """Our keys in this record, checked against it. Raises `BadConfig` for another node's vault."""
        known = record.identities.get(self._me)
        if known is None:
            # One that waits is known by the keys it was made with; one that was left out begins anew.
            return self._own.of(FIRST_EPOCH if self._own.has(FIRST_EPOCH) else record.epoch)
        keys = self._own.of(record.epoch)
        if known != keys.public:
            raise BadConfig(
                f"the configuration gives {self._me} another identity than this vault holds; "
                f"the vault's is {keys.public.to_bytes().hex()}"
            )
        return keys


def configured_record(config: NodeConfig) -> CommitteeRecord:
    """The committee as the operator wrote it down."""
    return CommitteeRecord(
        config.network,
        config.epoch,
        tuple(
            Seat(peer.name, peer.url, config.identities[peer.name].to_bytes())
            for peer in config.committee.values()
        ),
        config.quorums.degree,
        config.quorums.liars,
        config.quorums.away,
        config.parent,
    )
