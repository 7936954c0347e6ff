"""What a change of committee works with, at one node."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from quorate.clock import Clock
from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.node.carrying import Carrying
from quorate.node.committee import Committee
from quorate.node.epochs.talk import TOPIC, Talk
from quorate.node.keybook import KeyBook
from quorate.node.links import Links
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.node.standing import StandingSessions
from quorate.vault import Vault


@dataclass(frozen=True, slots=True)
class Means:
    """What a change works with. `busy` says whether a wallet is being made at this moment."""

    me: str
    vault: Vault
    committee: Committee
    keybook: KeyBook
    carrying: Carrying
    links: Links
    standing: StandingSessions
    worker: Callable[..., Awaitable[Any]]
    background: Callable[..., Awaitable[Any]]
    busy: Callable[[], bool]
    clock: Clock
    rng: Rng
    log: LogFunction
    metrics: Metrics

    def tell(self, names: Iterable[str], talk: Talk) -> None:
        """Post to these nodes, ourselves left out; part of the caller's transaction.

        A node that takes nothing in, and so has no room any more, keeps nobody else from hearing it.
        """
        body = encode(talk)
        for name in sorted(set(names) - {self.me}):
            self.links.tell(name, TOPIC, body)
