"""The device's OT setups, one with each node: kept, counted, and frozen when a check fails.

Synchronous; runs in the device's worker thread. The rules are the vault's (`quorate.vault.instances`) and
the same as a node's; what is the device's own is that leaving a quarantine takes a login that is younger
than it, as nodes demand too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Final

from quorate.account.shards import DEVICE_SHARD
from quorate.clock import Clock
from quorate.errors import Refused, Unavailable
from quorate.schemes.ecdsa import PairSetup
from quorate.vault import Vault
from quorate.vault.instances import Direction, InstanceState, InstanceStatus

_KEPT_UNDER: Final = Direction.SENDER
"""Both directions are made and replaced together, so one sealed row holds both."""


class InstanceBook:
    """The setups of one device."""

    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock
        self._tried: dict[str, int] = {}

    def load(self, node: str) -> PairSetup:
        """The setup in use with a node. Raises `Unavailable` with its remedy."""
        kept = self._vault.instances.load(node, DEVICE_SHARD, _KEPT_UNDER)
        return PairSetup.from_bytes(kept.value.reveal())

    def store(self, node: str, setup: PairSetup, logged_in: int) -> None:
        """Keep a fresh one; it replaces its predecessor.

        Raises `Refused` if a quarantine that `logged_in` does not end has begun since the setup was: it would
        otherwise be left by what both had under way.
        """
        with self._vault.transaction():
            self._refuse_in_quarantine(node, logged_in)
            self._vault.instances.store(
                node, setup.shard, _KEPT_UNDER, setup.generation, setup.to_bytes(), now=self._clock()
            )

    def is_usable(self, node: str) -> bool:
        """Whether one is there that wants no replacement by its age or its unfinished sessions."""
        due = {status.peer for status in self._vault.instances.due(self._clock())}
        return self._state(node) is InstanceState.ACTIVE and node not in due

    def checking(self, pairs: Mapping[str, PairSetup]) -> AbstractContextManager[None]:
        """Count one use of each of these setups while their checks run inside."""
        return self._vault.instances.checking(
            [(node, setup.shard, _KEPT_UNDER, setup.generation) for node, setup in pairs.items()]
        )

    def refuse_frozen(self, node: str, setup: PairSetup) -> None:
        """Raises `Unavailable` if the setup was frozen since it was loaded."""
        self._vault.instances.refuse_frozen(node, setup.shard, _KEPT_UNDER, setup.generation)

    def freeze(self, node: str, reason: str, *, leak_bearing: bool, login: int = 0) -> None:
        """Quarantine the setup with a node, durably; only a login younger than that and `login` ends it."""
        self._vault.instances.quarantine(
            node, DEVICE_SHARD, reason[:200], now=self._clock(), leak_bearing=leak_bearing, login=login
        )

    def renew_all(self) -> None:
        """The nodes are in another epoch: set up afresh with each before the next signature with it.

        What a thief has learned of a node's side in the last epoch tells of no share in this one.
        """
        for status in self._vault.instances.statuses():
            if status.state is InstanceState.ACTIVE:
                reason = "the nodes are in another epoch"
                at = status.peer, status.shard, status.direction, status.generation
                self._vault.instances.retire(*at, reason)

    def next_generation(self, node: str, logged_in: int) -> int:
        """The generation of a fresh setup: above all before it, and at least the time of its making.

        One that was tried counts too: the node may have stored it before the answer was lost.
        Raises `Refused` with code ``login-again`` in a quarantine that this login does not end, and
        `Unavailable` when the pair is suspended.
        """
        suspended = self._vault.instances.suspension(node)
        if suspended is not None:
            raise Unavailable(f"signing with {node} is suspended after several failed checks: {suspended}")
        self._refuse_in_quarantine(node, logged_in)
        newest = self._vault.instances.newest_generation(node, DEVICE_SHARD, _KEPT_UNDER)
        generation = max(newest + 1, self._tried.get(node, 0) + 1, int(self._clock()))
        self._tried[node] = generation
        return generation

    def _refuse_in_quarantine(self, node: str, logged_in: int) -> None:
        if not self._vault.instances.is_open_to(node, DEVICE_SHARD, _KEPT_UNDER, logged_in):
            raise Refused(
                f"a check with {node} has failed; log in again before it takes part again",
                code="login-again",
                parties=[node],
            )

    def _state(self, node: str) -> InstanceState | None:
        found: list[InstanceStatus] = [
            status for status in self._vault.instances.statuses(node) if status.shard == DEVICE_SHARD
        ]
        return found[0].state if found else None
