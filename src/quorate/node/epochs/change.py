"""From the certified succession to the switch, as one node goes through it: steps C to H of
docs/protocols/resharing.md.

What is said to us is written down and answered; what follows is done by `advance`, which looks at what is
written and does the next thing that is due, so that a node that was killed anywhere goes on where it was.
Nobody leads: from the moment E old nodes have signed the succession, every node does its part alone. Only
the choice of inventories is somebody's: the driver's, or, if that has gone, the choice of whoever is first to
have waited long enough.

A change that is certified is finished: it is not taken back (see the page's doubts). Signing goes on in the
old epoch until a node's own switch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from quorate.account.changing import Assembly, HeldRow, Page, PooledRow, assemble, inventory_digest, pages_of
from quorate.account.committee import (
    Activation,
    Erased,
    Frozen,
    Stored,
    Succession,
    in_order,
    verify_chain,
)
from quorate.clock import Clock, monotonic
from quorate.encoding import encode
from quorate.entropy import Rng
from quorate.errors import Malformed, ProofRejected, Refused, Unavailable
from quorate.node.carrying import Carrying
from quorate.node.committee import Committee
from quorate.node.epochs.resharing import Resharing
from quorate.node.epochs.store import ChangeStore, Under
from quorate.node.epochs.talk import (
    TOPIC,
    Certified,
    Choose,
    Froze,
    HasErased,
    Holds,
    InForce,
    Show,
    Talk,
)
from quorate.node.identity import FIRST_EPOCH
from quorate.node.keybook import KeyBook
from quorate.node.links import Links, link_peers
from quorate.node.log import LogFunction
from quorate.node.metrics import Metrics
from quorate.node.standing import StandingSessions
from quorate.session import SessionSpec
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.reshare import root
from quorate.transport.links import NotNow
from quorate.vault import Vault
from quorate.vault.pool import PoolIndex

GRACE_SECONDS: Final = 20.0
"""From an epoch being in force until nodes switch without those who have not stored their shares yet: so long
signatures go on in the old epoch, where everybody still is."""

QUIET_SECONDS: Final = 30.0
"""How long wallets that are being made are waited for; what is not made by then is made anew, afterwards."""

CHOICE_SECONDS: Final = 15.0
"""How long inventories of all old nodes are waited for, and then of those that an echo quorum makes."""

DRIVER_SECONDS: Final = 60.0
"""How long the choice is the driver's alone; then it is anybody's, one after the other."""

DISMISS_SECONDS: Final = 600.0
"""How long nodes that were left out are still told so."""

MAX_AT_ONCE: Final = 4
"""Sessions of a change that run side by side: each holds a chunk's messages in memory."""

LOOK_SECONDS: Final = 0.5
"""How often a node looks whether something is due that nobody has told it of."""


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


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a change has come at one node. `stage` is a word for programs, `text` a sentence for people."""

    epoch: int
    stage: str
    text: str
    chunks: int = 0
    done: int = 0
    stored: int = 0
    members: int = 0
    erased: int = 0


class EpochChange:
    """The changes of one node's committee, one after the other."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self.store = ChangeStore(means.vault)
        self.moved = asyncio.Event()
        self._erased: dict[int, set[str]] = {}
        self.under: Under | None = self.store.under()
        self._assembly: Assembly | None = None
        self._looked = asyncio.Event()
        self._lock = asyncio.Lock()
        self._since = monotonic()
        self._in_force_since: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._later: set[asyncio.Task[None]] = set()
        self.resharing = Resharing(
            means.me,
            means.vault,
            means.committee,
            means.keybook,
            means.carrying,
            self.store,
            self._frozen,
            self._kick_from_thread,
            self._lost,
        )
        means.standing.speak(self.resharing)
        means.committee.changing = self.under is not None
        means.committee.frozen = self.store.pages(means.me) is not None
        if self.under is not None:
            means.links.admit(link_peers(self.under.new))

    @property
    def erased(self) -> frozenset[str]:
        """Who has said, since this process began, that it erased the epoch before the present one."""
        return frozenset(self._erased.get(self.means.committee.epoch - 1, ()))

    # --- what is said to us --------------------------------------------------------------------------

    async def certify(self, path: tuple[Succession, ...]) -> None:
        """A succession of the present committee, with the signatures of E of its nodes. Durable on return.

        Raises `ProofRejected`, `NotNow`.
        """
        committee = self.means.committee
        fresh = tuple(one for one in path if one.record.epoch > committee.epoch)
        if not fresh:
            return
        if len(fresh) > 1 and committee.is_member:
            raise NotNow("epochs come one after the other")
        verify_chain(committee.record, fresh)
        if self.under is None:
            under = Under(committee.record, fresh)
            await self.means.worker(self.store.begin, under)
            self.means.links.admit(link_peers(under.new))
            committee.changing = True
            self.under, self._since, self._assembly = under, monotonic(), None
            self.means.log("change", epoch=under.new.epoch, nodes=len(under.new.names), outcome="certified")
        self.kick()

    async def take_in(self, sender: str, talk: Talk) -> None:
        """What a node says about the change under way; returns when it is written down.

        Raises `NotNow` for a change that is not known here yet, `ProofRejected` for a false vote.
        """
        if isinstance(talk, Certified):
            await self.certify(talk.path)
            return
        if isinstance(talk, HasErased):
            self._note_erased(sender, talk)
            return
        epoch = talk.activation.stored.epoch if isinstance(talk, InForce) else _epoch_of(talk)
        if epoch <= self.means.committee.epoch:
            return
        under = self.under
        if under is None or epoch != under.new.epoch:
            raise NotNow("nothing is known here yet of that change of committee")
        await self.means.worker(self._write, under, sender, talk)
        self.kick()

    def _write(self, under: Under, sender: str, talk: Talk) -> None:
        old, new = under.old, under.new
        match talk:
            case Show(page=page) if sender in old.names and page.record == new.digest:
                self.store.put_page(sender, page)
            case Choose() if sender in old.names and talk.record == new.digest:
                names = [name for name, _ in talk.chosen]
                if names != sorted(set(names)) or not set(names) <= set(old.names):
                    raise Malformed("inventories are chosen of old nodes, once each")
                self.store.choose(talk)
            case Froze() if sender in old.names:
                frozen = Frozen(new.network, new.digest, talk.keys)
                old.identities[sender].verify(frozen.to_sign(), talk.signature)
                self.store.put_froze(sender, talk)
            case Holds(stored=stored) if sender in new.names and stored.record == new.digest:
                new.identities[sender].verify(stored.to_sign(), talk.signature)
                self.store.put_holds(sender, talk)
            case InForce():
                talk.activation.verify(new)
                self.store.activate(talk.activation)
            case _:
                raise Malformed("not for this node to say, or of another change")

    def _note_erased(self, sender: str, talk: HasErased) -> None:
        past = self.means.committee.at(talk.erased.epoch)
        if past is None or sender not in past.names or past.digest != talk.erased.record:
            return
        past.identities[sender].verify(talk.erased.to_sign(), talk.signature)
        self._erased.setdefault(past.epoch, set()).add(sender)
        self.means.metrics.gauge("epoch_erased", len(self.erased))
        self.means.log("erased", peer=sender, epoch=past.epoch)

    # --- what is due ---------------------------------------------------------------------------------

    def kick(self) -> None:
        """Look now. From the event loop."""
        self._looked.set()

    async def run(self) -> None:
        """Do what is due, for as long as the task lives."""
        self._loop = asyncio.get_running_loop()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._looked.wait(), LOOK_SECONDS)
                self._looked.clear()
                try:
                    await self.advance()
                except (NotNow, Refused, ProofRejected, Malformed, Unavailable) as error:
                    self.means.log("change", outcome="trouble", error=type(error).__name__, text=str(error))
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._loop = None

    async def advance(self) -> None:
        """The next things that are due, each once."""
        async with self._lock:
            under = self.under
            if under is None or under.new.epoch <= self.means.committee.epoch:
                return
            await self._show(under)
            await self._choose(under)
            if await self._assemble(under) and await self._freeze(under):
                await self._reshare(under)
                await self._hold(under)
            await self._put_in_force(under)
            await self._maybe_switch(under)
        self.moved.set()

    async def _show(self, under: Under) -> None:
        """Step C: what we hold, once nothing is being made any more; stays as it was first shown."""
        means = self.means
        if means.me not in under.old.names or means.committee.frozen:
            return
        if means.busy() and monotonic() - self._since < QUIET_SECONDS:
            return
        means.committee.frozen = True  # before we look: nothing may be added behind our back
        try:
            await means.worker(lambda: None)  # what was being stored at this moment is stored
            pages = await means.background(self._inventory, under)
            await means.worker(self._publish, under, pages)
        except BaseException:
            means.committee.frozen = False
            raise

    def _inventory(self, under: Under) -> list[Page]:
        means = self.means
        held = [
            HeldRow(one, means.keybook.is_live(one.record.key), means.keybook.proof(one.record.key))
            for one in means.keybook.holdings()
        ]
        pooled = []
        for batch in means.vault.pool.batches():
            for at, part in means.vault.pool.live_parts(batch.curve, batch.number, under.old.epoch).items():
                key = GeneratedKey.from_bytes(part.reveal())
                known = means.vault.pool.get(PoolIndex(batch.curve, batch.number, at))
                points = tuple(point.to_bytes() for point in key.public.commitment.points)
                row = PooledRow(batch.curve, batch.number, at, key.key_id, points)
                if known is not None and known.account:
                    account, commitment = known.account, known.commitment
                    row = msgspec.structs.replace(row, account=account, commitment=commitment)
                pooled.append(row)
        return pages_of(under.new.digest, held, pooled)

    def _publish(self, under: Under, pages: list[Page]) -> None:
        with self.means.vault.transaction():
            for page in pages:
                self.store.put_page(self.means.me, page)
                self._tell(under, Show(under.new.epoch, page))

    async def _choose(self, under: Under) -> None:
        means = self.means
        if means.me not in under.old.names or await means.background(self.store.choice) is not None:
            return
        waited, rank = monotonic() - self._since, under.old.names.index(means.me)
        if not self._drives and waited < DRIVER_SECONDS + rank * CHOICE_SECONDS:
            return
        whole = {
            name: pages
            for name in under.old.names
            if (pages := await means.background(self.store.pages, name)) is not None
        }
        enough = len(whole) == len(under.old.names) or (
            waited >= CHOICE_SECONDS and len(whole) >= under.old.quorums.ready
        )
        if enough:
            chosen = tuple((name, inventory_digest(whole[name])) for name in sorted(whole))
            choice = Choose(under.new.epoch, under.new.digest, chosen)

            def publish() -> None:
                with means.vault.transaction():
                    self.store.choose(choice)
                    self._tell(under, choice)

            await means.worker(publish)

    _drives = False

    def drive(self) -> None:
        """The choice is ours: our operator has wished for this change, or it was our turn."""
        self._drives = True
        self.kick()

    async def _assemble(self, under: Under) -> bool:
        """The list that follows from what was chosen, as soon as all of that is here."""
        if self._assembly is None:
            self._assembly = await self.means.background(self._assembled, under)
        return self._assembly is not None

    def _assembled(self, under: Under) -> Assembly | None:
        choice = self.store.choice()
        if choice is None:
            return None
        chosen = {}
        for name, wanted in choice.chosen:
            pages = self.store.pages(name)
            if pages is None:
                return None
            if inventory_digest(pages) != wanted:
                raise Malformed(f"the inventory of {name} is not the one that was chosen")
            chosen[name] = pages
        return assemble(under.old, under.new, chosen)

    async def _freeze(self, under: Under) -> bool:
        """Step C: our word for the list, if nothing of ours is missing; whether E have given it."""
        means, assembly = self.means, self._known_assembly()
        if means.me in under.old.names and self.store.voted("frozen", under.new.epoch) is None:
            await means.worker(self._sign_frozen, under, assembly)
        votes: dict[str, Froze] = await means.background(self.store.froze, under.old.names)
        return sum(vote.keys == assembly.digest for vote in votes.values()) >= under.old.quorums.echo

    def _sign_frozen(self, under: Under, assembly: Assembly) -> None:
        means, new = self.means, under.new
        own = {one.label for one in means.keybook.holdings() if means.keybook.is_live(one.record.key)}
        missing = own - assembly.labels
        if missing:
            means.log(
                "change", epoch=new.epoch, outcome="keys that sign here are not listed", keys=len(missing)
            )
            return
        self.store.vote_once("frozen", new.epoch, assembly.digest)
        frozen = Frozen(new.network, new.digest, assembly.digest)
        vote = Froze(new.epoch, assembly.digest, means.committee.keys.sign(frozen.to_sign()))
        with means.vault.transaction():
            self.store.put_froze(means.me, vote)
            self._tell(under, vote)

    async def _reshare(self, under: Under) -> None:
        """Step D: begin the sessions of the next chunks."""
        assembly = self._known_assembly()
        running = 0
        for at, spec in enumerate(await self.means.background(self.resharing.specs)):
            if await self.means.background(self.store.result, at) is not None:
                continue
            if running >= MAX_AT_ONCE:
                break
            running += 1
            if await self.means.background(self.means.vault.standing.state, spec.id) is None:
                await self.means.standing.start(spec)
        self.means.metrics.gauge("epoch_chunks", len(assembly.chunks))

    async def _hold(self, under: Under) -> None:
        """Step E: our STORED, when every chunk's shares are on the disk."""
        means = self.means
        if means.me not in under.new.names or self.store.voted("stored", under.new.epoch) is not None:
            return
        results = await means.background(self._results)
        if results is not None:
            await means.worker(self._sign_stored, under, results)

    def _results(self) -> list[bytes] | None:
        found = [self.store.result(at) for at in range(len(self._known_assembly().chunks))]
        return None if any(one is None for one in found) else [one for one in found if one is not None]

    def _sign_stored(self, under: Under, results: list[bytes]) -> None:
        means, new = self.means, under.new
        stored = Stored(new.network, new.epoch, new.digest, root(new.digest, results))
        self.store.vote_once("stored", new.epoch, stored.to_sign())
        vote = Holds(stored, means.committee.keys.sign(stored.to_sign()))
        with means.vault.transaction():
            self.store.put_holds(means.me, vote)
            self._tell(under, vote)

    async def _put_in_force(self, under: Under) -> None:
        """Step F: R' STORED over one root are ACTIVATE."""
        means, new = self.means, under.new
        if await means.background(self.store.activation) is not None:
            return
        votes = await means.background(self.store.holds, new.names)
        counted = Counter(vote.stored for vote in votes.values())
        for stored, count in counted.most_common(1):
            if count < new.quorums.ready:
                return
            signatures = {name: vote.signature for name, vote in votes.items() if vote.stored == stored}
            activation = Activation(stored, in_order(signatures))
            activation.verify(new)

            def publish(activation: Activation = activation) -> None:
                with means.vault.transaction():
                    self.store.activate(activation)
                    self._tell(under, InForce(activation))

            await means.worker(publish)

    async def _maybe_switch(self, under: Under) -> None:
        means, new = self.means, under.new
        activation = await means.background(self.store.activation)
        if activation is None:
            return
        self._in_force_since = self._in_force_since or monotonic()
        ours = self._assembly is not None and await means.background(self._results) is not None
        if means.me in new.names and not ours:
            return  # our shares are on their way
        everybody = len(await means.background(self.store.holds, new.names)) == len(new.names)
        if not everybody and monotonic() - self._in_force_since < GRACE_SECONDS:
            return
        specs = [] if self._assembly is None else await means.background(self.resharing.specs)
        await means.worker(self._switch, under, activation, specs)
        self.under, self._assembly, self._in_force_since, self._drives = None, None, None, False
        means.committee.changing = means.committee.frozen = False
        means.metrics.count("epochs_begun")
        for spec in specs:
            await means.standing.put_away(spec.id)
        await means.worker(self._say_erased, under)
        for name in set(under.old.names) - set(new.names):
            self._after(DISMISS_SECONDS, name)

    def _switch(self, under: Under, activation: Activation, specs: list[SessionSpec]) -> None:
        """Steps F and G: the one write."""
        means, new = self.means, under.new
        votes = {} if self._assembly is None else self._assembly.votes
        with means.vault.transaction():
            means.carrying.switch(under.path, activation)
            if means.me in new.names:
                means.vault.pool.inherit(
                    {
                        PoolIndex(*place): next(iter(found)) if len(found) == 1 else b""
                        for place, found in _accounts(votes).items()
                    }
                )
            for spec in specs:
                means.vault.journal.end(spec.id)  # the polynomials that old shares were dealt by
            for epoch in {FIRST_EPOCH, under.old.epoch} - {new.epoch}:
                means.committee.erase_keys(epoch)
            self.store.clear()
            self.store.begin_epoch(means.clock())

    def _say_erased(self, under: Under) -> None:
        """Step H. The switch erases before it returns; what a crash leaves is done when the vault opens."""
        means, old = self.means, under.old
        if means.me not in old.names:
            return
        erased = Erased(old.network, old.epoch, old.digest)
        said = HasErased(erased, means.committee.keys.sign(erased.to_sign()))
        self._erased.setdefault(old.epoch, set()).add(means.me)
        with means.vault.transaction():
            self._tell(under, said)

    def progress(self, under: Under) -> Progress:
        """How far it has come. In a worker thread."""
        epoch, members = under.new.epoch, len(under.new.names)
        assembly = self._assembly
        if assembly is None:
            shown = sum(self.store.pages(name) is not None for name in under.old.names)
            text = f"{shown} of {len(under.old.names)} nodes have shown what they hold"
            return Progress(epoch, "listing", text, members=members)
        chunks = len(assembly.chunks)
        done = sum(self.store.result(at) is not None for at in range(chunks))
        stored = len(self.store.holds(under.new.names))
        if self.store.activation() is not None:
            return Progress(epoch, "switching", "the epoch is in force", chunks, done, stored, members)
        text = f"{done} of {chunks} chunks are reshared, {stored} of {members} nodes have stored all of them"
        return Progress(epoch, "resharing", text, chunks, done, stored, members)

    # --- inside --------------------------------------------------------------------------------------

    def _frozen(self) -> tuple[Under, Assembly] | None:
        under, assembly = self.under, self._assembly
        return None if under is None or assembly is None else (under, assembly)

    def _known_assembly(self) -> Assembly:
        if self._assembly is None:
            raise Unavailable("the list of the change is not known yet")
        return self._assembly

    def _tell(self, under: Under, talk: Talk) -> None:
        """Post to everybody in the change; part of the caller's transaction."""
        body = encode(talk)
        for name in sorted({*under.old.names, *under.new.names} - {self.means.me}):
            self.means.links.post(name, TOPIC, body)

    def _kick_from_thread(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.kick)

    def _lost(self, count: int) -> None:
        self.means.metrics.count("epoch_keys_lost", count)
        self.means.log("change", outcome="keys are lost; nothing is switched", keys=count)

    def _after(self, seconds: float, name: str) -> None:
        async def dismiss() -> None:
            await asyncio.sleep(seconds)
            if name not in self.means.committee.names:
                await self.means.links.dismiss(name)

        task = asyncio.ensure_future(dismiss())
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _epoch_of(talk: Talk) -> int:
    if isinstance(talk, Holds):
        return talk.stored.epoch
    if isinstance(talk, Show | Choose | Froze):
        return talk.epoch
    raise Malformed("not a word about a change that is certified")


def _accounts(
    votes: Mapping[tuple[str, int, int], frozenset[tuple[bytes, bytes]]],
) -> dict[tuple[str, int, int], set[bytes]]:
    return {place: {account for account, _ in found} for place, found in votes.items()}
