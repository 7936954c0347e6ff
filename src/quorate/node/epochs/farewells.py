"""After the switch: who has erased the epoch that is over, and nodes that were left out (step H).

A node that was left out still has to hear that it was, or it keeps shares that everybody else has erased.
So the link to it stays until it has taken in all that is for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from quorate.account.committee import CommitteeRecord, Erased
from quorate.clock import monotonic
from quorate.node.epochs.means import Means
from quorate.node.epochs.talk import HasErased
from quorate.node.links import link_peers
from quorate.transport.links import LinkPeer

DISMISS_SECONDS: Final = 600.0
"""How often it is looked whether a node that was left out has heard all that is for it."""

LEFT_OUT_SECONDS: Final = 30 * 24 * 3600.0
"""How long it is told, if it does not hear. A node that has been down for a month is started with care."""


class Farewells:
    """What one node says and hears about epochs that are over."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._erased: dict[int, set[str]] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    @property
    def erased(self) -> frozenset[str]:
        """Who has said, since this process began, that it erased the epoch before the present one."""
        return frozenset(self._erased.get(self._means.committee.epoch - 1, ()))

    def note(self, sender: str, talk: HasErased) -> None:
        """A node says that it has erased an epoch. Raises `ProofRejected` if it did not sign that."""
        past = self._means.committee.at(talk.erased.epoch)
        if past is None or sender not in past.names or past.digest != talk.erased.record:
            return
        past.identities[sender].verify(talk.erased.to_sign(), talk.signature)
        self._erased.setdefault(past.epoch, set()).add(sender)
        self._means.metrics.gauge("epoch_erased", len(self.erased))
        self._means.log("erased", peer=sender, epoch=past.epoch)

    def say_erased(self, old: CommitteeRecord, everybody: Iterable[str]) -> None:
        """Step H, part of the switch's transaction.

        What that orders to be erased is erased right after it or, if it crashes, when the vault next opens.
        """
        means = self._means
        if means.me not in old.names:
            return
        erased = Erased(old.network, old.epoch, old.digest)
        said = HasErased(erased, means.committee.keys.sign(erased.to_sign()))
        self._erased.setdefault(old.epoch, set()).add(means.me)
        means.tell(everybody, said)

    async def resume(self) -> None:
        """At the start of a process: take up the links to those who were left out and have not heard all."""
        for peer in await self._means.background(self._owed):
            self._means.links.admit([peer])
            self.dismiss_later(peer.name)

    def dismiss_later(self, name: str) -> None:
        """Give up the link to a node that was left out, once nothing waits for it. From the event loop."""
        task = asyncio.ensure_future(self._dismiss(name))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def close(self) -> None:
        """The node stops; the next process resumes."""
        for task in self._waiting:
            task.cancel()

    async def _dismiss(self, name: str) -> None:
        ends = monotonic() + LEFT_OUT_SECONDS
        while True:
            await asyncio.sleep(DISMISS_SECONDS)
            if monotonic() >= ends or not await self._means.background(self._is_owed, name):
                break
        if name not in self._means.committee.names:
            await self._means.links.dismiss(name)

    def _owed(self) -> list[LinkPeer]:
        committee = self._means.committee
        before = committee.at(committee.epoch - 1)
        if before is None:
            return []
        gone = [peer for peer in link_peers(before) if peer.name not in {*committee.names, self._means.me}]
        return [peer for peer in gone if self._is_owed(peer.name)]

    def _is_owed(self, name: str) -> bool:
        return self._means.vault.outbox.depth(name).rows > 0
