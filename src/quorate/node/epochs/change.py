"""From the certified succession to the switch, as one node goes through it: steps C to H of
docs/protocols/resharing.md.

What is said to us is written down and answered; what follows is done by `advance`, which looks at what is
written and does the next thing that is due, so that a node that was killed anywhere goes on where it was.
Nobody leads: from the moment a record has been put forward (`driver`), every node does its part alone.

A change that is certified is finished: it is not taken back (see the page's doubts). Signing goes on in the
old epoch until a node's own switch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping
from typing import Final

from quorate.account.carrying import Holding
from quorate.account.changing import Assembly
from quorate.account.committee import (
    Activation,
    Frozen,
    Stored,
    Succession,
    in_order,
    verify_chain,
)
from quorate.clock import monotonic
from quorate.errors import Malformed, QuorateError, Unavailable
from quorate.node.epochs.ballots import Ballots, inventory_question, succession_question
from quorate.node.epochs.consenting import Consenting
from quorate.node.epochs.farewells import Farewells
from quorate.node.epochs.listing import Listing
from quorate.node.epochs.means import Means
from quorate.node.epochs.progress import Progress, progress_of
from quorate.node.epochs.resharing import MAX_AT_ONCE, Resharing
from quorate.node.epochs.store import ChangeStore, Under
from quorate.node.epochs.talk import (
    AskPages,
    Certified,
    Choose,
    CopyPage,
    Froze,
    HasErased,
    Holds,
    InForce,
    Plan,
    Show,
    Signed,
    Talk,
    Vouch,
    Wished,
)
from quorate.node.identity import FIRST_EPOCH
from quorate.node.links import link_peers
from quorate.session import SessionSpec
from quorate.sharing.reshare import root
from quorate.transport.links import NotNow
from quorate.vault.pool import PoolIndex
from quorate.vault.standing import StandingState

GRACE_SECONDS: Final = 20.0
"""From an epoch being in force until nodes switch without those who have not stored their shares yet: so long
signatures go on in the old epoch, where everybody still is."""

BEHIND_SECONDS: Final = 3600.0
"""From an epoch being in force until a node gives up its own shares of it, and switches without them."""

FORGO_SECONDS: Final = 600.0
"""How long a node withholds its word for a list that lacks a key which has just become live here."""

OVER: Final = (StandingState.FAILED, StandingState.RETIRED)
"""States of a session that gives no result any more."""

LOOK_SECONDS: Final = 0.5
"""How often a node looks whether something is due that nobody has told it of."""


class EpochChange:
    """The changes of one node's committee, one after the other."""

    def __init__(self, means: Means) -> None:
        self.means = means
        self.store = ChangeStore(means.vault)
        self.moved = asyncio.Event()
        self.farewells = Farewells(means)
        self.under: Under | None = self.store.under()
        self._assembly: Assembly | None = None
        self._looked = asyncio.Event()
        self._lock = asyncio.Lock()
        self._since = monotonic()
        self._in_force_since: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ballots = Ballots(means.me, means.vault, means.committee, self._kick_from_thread)
        self.consenting = Consenting(means, self.store, self.ballots, self.certify)
        self._listing = Listing(means, self.store, self.ballots)
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
        means.standing.speak(self.ballots)
        self._ask()
        means.committee.changing = self.under is not None
        means.committee.frozen = self.store.pages(means.me) is not None
        if self.under is not None:
            means.links.admit(link_peers(self.under.new))

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
        if not committee.is_member and self.means.me not in fresh[-1].record.names:
            return  # one that waits: a liar who tells it of a change long over would have it wait for that
        if self.under is None:
            # for a node that is new, and knows an earlier committee, the old one is the last but one
            under = Under(fresh[-2].record if len(fresh) > 1 else committee.record, fresh)
            await self.means.worker(self._begin, under)
            self.means.links.admit(link_peers(under.new))
            committee.changing = True
            self.under, self._since, self._assembly = under, monotonic(), None
            self._ask()
            self.means.log("change", epoch=under.new.epoch, nodes=len(under.new.names), outcome="certified")
        self.kick()

    def _begin(self, under: Under) -> None:
        with self.means.vault.transaction():
            self.means.committee.pin()
            self.store.begin(under)

    async def take_in(self, sender: str, talk: Talk) -> None:
        """What a node says about the change under way; returns when it is written down.

        Raises `NotNow` for a change that is not known here yet, `ProofRejected` for a false vote.
        """
        if isinstance(talk, Certified):
            await self.certify(talk.path)
            return
        if isinstance(talk, HasErased):
            self.farewells.note(sender, talk)
            return
        if isinstance(talk, Vouch | Signed | Wished):
            await self._consent(sender, talk)
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
        if not self.store.is_under(under):
            return  # the switch was made since: a word of that change must not be taken for one of the next
        match talk:
            case Show() | Choose() | AskPages() | CopyPage():
                self._listing.write(under, sender, talk)
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

    async def _consent(self, sender: str, talk: Vouch | Signed | Wished) -> None:
        """About the record to come, or, once that is signed, about the inventories."""
        committee, under = self.means.committee, self.under
        epoch = talk.record.epoch if isinstance(talk, Wished) else talk.epoch
        if epoch <= committee.epoch:
            return
        if isinstance(talk, Vouch) and under is not None:
            question = inventory_question(under.old, under.new)
            if talk.subject == question.subject:
                await self.means.worker(self.ballots.take, question, sender, talk)
                self.kick()
                return
        known = succession_question(committee.record).subject
        if epoch != committee.epoch + 1 or (isinstance(talk, Vouch) and talk.subject != known):
            raise NotNow("nothing is known here yet of that change of committee")
        if under is None:
            await self.means.worker(self.consenting.write, sender, talk)
            self.kick()

    def _ask(self) -> None:
        """The questions of this epoch; those that are answered here may be open elsewhere."""
        record = self.means.committee.record
        self.ballots.ask(succession_question(record), record)
        if self.under is not None:
            self.ballots.ask(inventory_question(self.under.old, self.under.new), self.under.old)

    def _questions(self, under: Under) -> list[SessionSpec]:
        asked = succession_question(under.old), inventory_question(under.old, under.new)
        return [question.spec(under.old.identities) for question in asked]

    # --- what is due ---------------------------------------------------------------------------------

    def kick(self) -> None:
        """Look now. From the event loop."""
        self._looked.set()

    async def run(self) -> None:
        """Do what is due, for as long as the task lives."""
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(QuorateError):
            await self.farewells.resume()
        try:
            while True:
                # not wait_for, which may swallow a cancellation that comes with the event
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._looked.wait()
                self._looked.clear()
                try:
                    await self.advance()
                except QuorateError as error:  # whatever it is, the next look may find things otherwise
                    self.means.log("change", outcome="trouble", error=type(error).__name__, text=str(error))
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            self.farewells.close()
            self._loop = None

    async def advance(self) -> None:
        """The next things that are due, each once."""
        async with self._lock:
            under = self.under
            if under is None:
                await self.consenting.advance()
                return
            if under.new.epoch <= self.means.committee.epoch:
                return
            await self._listing.show(under, self._since)
            await self._listing.choose(under, self._since)
            if self._assembly is None:
                self._assembly = await self._listing.assemble(under)
            if self._assembly is not None and await self._freeze(under):
                await self._reshare(under)
                await self._hold(under)
            await self._put_in_force(under)
            await self._maybe_switch(under)
        self.moved.set()

    async def _freeze(self, under: Under) -> bool:
        """Step C: our word for the list, if nothing of ours is missing; whether E have given it."""
        means, assembly = self.means, self._known_assembly()
        if means.me in under.old.names and self.store.voted("frozen", under.new.epoch) is None:
            await means.worker(self._sign_frozen, under, assembly)
        votes: dict[str, Froze] = await means.background(self.store.froze, under.old.names)
        return sum(vote.keys == assembly.digest for vote in votes.values()) >= under.old.quorums.echo

    def _sign_frozen(self, under: Under, assembly: Assembly) -> None:
        means, new = self.means, under.new
        live = [one for one in means.keybook.holdings() if means.keybook.is_live(one.record.key)]
        # By key, not by label: who has not heard of a key's last user epoch must not stand in the way.
        listed = {holding.record.key for chunk in assembly.chunks for holding in chunk.held.values()}
        missing = [one for one in live if one.record.key not in listed]
        if missing and not self._may_forgo(missing):
            means.log(
                "change", epoch=new.epoch, outcome="keys that sign here are not listed", keys=len(missing)
            )
            return
        frozen = Frozen(new.network, new.digest, assembly.digest)
        with means.vault.transaction():  # one write: a vote that a crash has kept from being said is lost
            self.store.vote_once("frozen", new.epoch, assembly.digest)
            vote = Froze(new.epoch, assembly.digest, means.committee.keys.sign(frozen.to_sign()))
            self.store.put_froze(means.me, vote)
            self.means.tell(under.everybody, vote)

    def _may_forgo(self, missing: list[Holding]) -> bool:
        """Whether these may stay behind: keys that have just become live here, and hardly anywhere else.

        What R nodes have made live is always listed (docs/protocols/resharing.md, "The list"), so no owner
        was told that these are. To wait for them for ever would let a device and a liar end all changes.
        """
        fresh = all(self.means.keybook.proof(one.record.key) for one in missing)
        return fresh and monotonic() - self._since >= FORGO_SECONDS

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
        with means.vault.transaction():
            self.store.vote_once("stored", new.epoch, stored.to_sign())
            vote = Holds(stored, means.committee.keys.sign(stored.to_sign()))
            self.store.put_holds(means.me, vote)
            self.means.tell(under.everybody, vote)

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
                    self.means.tell(under.everybody, InForce(activation))

            await means.worker(publish)

    async def _maybe_switch(self, under: Under) -> None:
        means, new = self.means, under.new
        activation = await means.background(self.store.activation)
        if activation is None:
            return
        self._in_force_since = self._in_force_since or monotonic()
        ours = self._assembly is not None and await means.background(self._results) is not None
        if means.me in new.names and not ours:
            if not await self._is_left_behind():
                return  # our shares are on their way
            means.metrics.count("epochs_without_shares")
            means.log("change", epoch=new.epoch, outcome="shares were missed; they come with the next change")
        everybody = len(await means.background(self.store.holds, new.names)) == len(new.names)
        if not everybody and monotonic() - self._in_force_since < GRACE_SECONDS:
            return
        specs = [] if self._assembly is None else await means.background(self.resharing.specs)
        await means.worker(self._switch, under, activation, specs)
        self.under, self._assembly, self._in_force_since = None, None, None
        self._ask()
        means.committee.changing = means.committee.frozen = False
        means.metrics.count("epochs_begun")
        for spec in (*specs, *self._questions(under)):
            await means.standing.put_away(spec.id)
        for name in set(under.old.names) - set(new.names):
            self.farewells.dismiss_later(name)

    async def _is_left_behind(self) -> bool:
        """Whether our shares never come: the sessions have failed here, or everybody else has long gone on.

        To stay in an epoch that is over would be no use: nobody signs in it, and no change leads out of it.
        """
        if monotonic() - (self._in_force_since or monotonic()) >= BEHIND_SECONDS:
            return True
        if self._assembly is None:
            return False
        lacking = [
            await self.means.background(self.means.vault.standing.state, spec.id)
            for at, spec in enumerate(await self.means.background(self.resharing.specs))
            if await self.means.background(self.store.result, at) is None
        ]
        return bool(lacking) and all(state in OVER for state in lacking)

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
            self.ballots.clear()
            self.store.settle(Plan.of(under.old), Plan.of(new))
            self.store.begin_epoch(means.clock())
            self.farewells.say_erased(under.old, under.everybody)

    def progress(self, under: Under) -> Progress:
        """How far it has come. In a worker thread."""
        return progress_of(self.store, under, self._assembly)

    # --- inside --------------------------------------------------------------------------------------

    def _frozen(self) -> tuple[Under, Assembly] | None:
        under, assembly = self.under, self._assembly
        return None if under is None or assembly is None else (under, assembly)

    def _known_assembly(self) -> Assembly:
        if self._assembly is None:
            raise Unavailable("the list of the change is not known yet")
        return self._assembly

    def _kick_from_thread(self) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.kick)

    def _lost(self, count: int) -> None:
        self.means.metrics.count("epoch_keys_lost", count)
        self.means.log("change", outcome="keys are lost; nothing is switched", keys=count)


def _epoch_of(talk: Talk) -> int:
    if isinstance(talk, Holds):
        return talk.stored.epoch
    if isinstance(talk, Show | Choose | AskPages | CopyPage | Froze):
        return talk.epoch
    raise Malformed("not a word about a change that is certified")


def _accounts(
    votes: Mapping[tuple[str, int, int], frozenset[tuple[bytes, bytes]]],
) -> dict[tuple[str, int, int], set[bytes]]:
    return {place: {account for account, _ in found} for place, found in votes.items()}
