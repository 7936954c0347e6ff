"""Getting committee keys for a new wallet: the device's walk of docs/protocols/pool.md.

Two round trips where all goes well: what do you offer, and vote for us on these. A key with the votes of an
echo quorum is this account's; the certificate goes into the formation. Nothing is kept here: a device that
stops finds its keys among what the nodes offer the next time, and so does another device of the same account.

A key whose votes split is left, and the next one is tried. Nodes that are silent cost nothing while an echo
quorum answers. When the pool is empty, this waits for the nodes to make more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from quorate.account.pool import (
    MAX_CLAIMED,
    OF_THE_ACCOUNT,
    Ask,
    Claim,
    Index,
    Offered,
    Vote,
    Votes,
    choose,
    no_key,
)
from quorate.clock import monotonic
from quorate.device.sessions import Desk
from quorate.errors import Abort, LocalError, Missing, ProofRejected, QuorateError, Refused
from quorate.groups import Group
from quorate.sharing.statements import Grant, KeyAssigned, to_sign

T = TypeVar("T")

ANSWER_SECONDS: Final = 3.0
"""For one question to all nodes. An answer takes milliseconds; who is slower is done without if possible."""

MAX_ATTEMPTS: Final = 4
"""Splits in a row. Each takes another user who chooses the same key now, and costs of the day's."""

EMPTY_SECONDS: Final = 60.0
"""How long to wait for an empty pool. A small batch takes the nodes a second or two."""

EMPTY_PAUSE_SECONDS: Final = 0.25


async def assign(
    desk: Desk,
    group: Group,
    commitment: bytes,
    count: int,
    report: Callable[[str], None],
    tried: Collection[Index] = (),
) -> tuple[Grant, ...]:
    """Certificates for `count` keys of this account, with this commitment; none of those in `tried`.

    Raises `Refused` with a code of `quorate.account.pool.REASONS`, `Missing` when too few nodes answer.
    """
    if not 1 <= count <= MAX_CLAIMED:
        raise LocalError(f"a wallet takes 1 to {MAX_CLAIMED} keys, not {count}")
    search = _Search(desk, group, commitment, count, tried=set(tried))
    ends = monotonic() + EMPTY_SECONDS
    while len(search.granted) < count:
        chosen = await search.choose()
        if chosen:
            await search.claim(chosen)
            continue
        if monotonic() > ends:
            raise no_key("pool-empty")
        report("waiting for the nodes to make keys")
        await asyncio.sleep(EMPTY_PAUSE_SECONDS)
    return tuple(search.granted[index] for index in sorted(search.granted))


@dataclass(slots=True)
class _Search:
    """What has been tried, and what is had."""

    desk: Desk
    group: Group
    commitment: bytes
    count: int
    granted: dict[Index, Grant] = field(default_factory=dict)
    tried: set[Index] = field(default_factory=set)
    attempts: int = 0

    @property
    def lacking(self) -> int:
        return self.count - len(self.granted)

    @property
    def quorum(self) -> int:
        return self.desk.network.quorums.echo

    async def choose(self) -> tuple[Index, ...]:
        """What to claim next; nothing while the nodes have too few. Raises `Missing`, `Refused`."""
        ask = Ask(self.group.name)
        heard: dict[str, Offered | QuorateError] = {}

        def chosen() -> tuple[Index, ...]:
            offers = [offer for offer in heard.values() if isinstance(offer, Offered)]
            if len(offers) < self.quorum:
                return ()
            account, tried = self.desk.login().account, self.tried | set(self.granted)
            return choose(offers, self.quorum, account, self.commitment, self.lacking, tried)

        await self._ask_all(
            lambda name: self.desk.nodes.offer_pool(name, ask), heard, lambda: len(chosen()) == self.lacking
        )
        self._need_a_quorum(heard)
        found = chosen()
        return found if len(found) == self.lacking else ()

    async def claim(self, indices: tuple[Index, ...]) -> None:
        """Ask all nodes for their votes; notes the certificates, and what was split."""
        self.attempts += 1
        claim = Claim(self._epoch, self.group.name, indices, self.commitment)
        heard: dict[str, Votes | QuorateError] = {}
        await self._ask_all(
            lambda name: self.desk.nodes.claim_pool(name, claim),
            heard,
            lambda: all(self._certificate(index, heard) is not None for index in indices),
        )
        self._need_a_quorum(heard)
        for index in indices:
            grant = self._certificate(index, heard)
            if grant is not None:
                self.granted[index] = grant
            else:
                self.tried.add(index)
        if self.lacking:
            self._stop_if_hopeless(heard)

    def _certificate(self, index: Index, heard: Mapping[str, Votes | QuorateError]) -> Grant | None:
        batch, position = index
        account = self.desk.login().account
        statement = KeyAssigned(
            self.desk.network.name, self._epoch, self.group.name, batch, position, account, self.commitment
        )
        signed = to_sign(statement)
        good = []
        for name in sorted(heard):
            vote = _vote_on(index, heard[name])
            if vote is None or not vote.signature:
                continue
            try:
                self.desk.network.identities[name].verify(signed, vote.signature)
            except ProofRejected:
                continue
            good.append((name, vote.signature))
        if len(good) < self.quorum:
            return None
        return Grant(self._epoch, batch, position, tuple(good[: self.quorum]))

    def _stop_if_hopeless(self, heard: Mapping[str, Votes | QuorateError]) -> None:
        reasons = [
            vote.reason
            for votes in heard.values()
            if isinstance(votes, Votes)
            for vote in votes.votes[:1]
            if vote.reason
        ]
        nodes = self.desk.network.quorums.nodes
        for code in sorted(OF_THE_ACCOUNT):
            if reasons.count(code) > nodes - self.quorum:
                raise no_key(code)
        if self.attempts >= MAX_ATTEMPTS:
            raise no_key("pool-split")

    async def _ask_all(
        self,
        ask: Callable[[str], Awaitable[T]],
        heard: dict[str, T | QuorateError],
        enough: Callable[[], bool],
    ) -> None:
        """Ask every node at once, until the answers are enough, or all there, or late.

        Who is not waited for is not cut off: its vote counts where it was given.
        """

        async def one(name: str) -> None:
            try:
                heard[name] = await ask(name)
            except Abort as error:
                heard[name] = error

        ends = monotonic() + ANSWER_SECONDS
        waiting = {asyncio.create_task(one(name)) for name in self.desk.network.names}
        while waiting and not enough() and monotonic() < ends:
            done, waiting = await asyncio.wait(
                waiting, timeout=max(0.0, ends - monotonic()), return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
        for task in waiting:
            self.desk.background.add(task)
            task.add_done_callback(self.desk.background.discard)

    def _need_a_quorum(self, heard: Mapping[str, object]) -> None:
        names = self.desk.network.names
        failed = {name: error for name, error in heard.items() if isinstance(error, QuorateError)}
        missing = [name for name in names if name not in heard or name in failed]
        if len(names) - len(missing) >= self.quorum:
            return
        refused = [error for error in failed.values() if isinstance(error, Refused)]
        if len(refused) > len(names) - self.quorum:
            raise refused[0]
        raise Missing(
            f"{self.quorum} nodes must agree on the keys of a wallet; missing: {', '.join(missing)}",
            parties=missing,
            needed=self.quorum - (len(names) - len(missing)),
        )

    @property
    def _epoch(self) -> int:
        return self.desk.network.epoch


def _vote_on(index: Index, votes: Votes | QuorateError) -> Vote | None:
    if not isinstance(votes, Votes):
        return None
    return next((vote for vote in votes.votes if vote.index == index), None)
