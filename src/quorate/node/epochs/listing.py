"""Step C: inventories are shown, R of them are chosen, and the list of keys follows from them
(`quorate.account.changing`).

Every old node vouches for each inventory that it has whole, once, and the choice among those that R nodes
vouch for is an agreement of its own (`quorate.node.epochs.ballots`). So a node that shows different nodes
different inventories has one of them chosen, or none; who holds another copy than the chosen one asks for it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from quorate.account.changing import (
    Assembly,
    HeldRow,
    Inventory,
    Page,
    PooledRow,
    assemble,
    inventory_digest,
    pages_of,
)
from quorate.clock import monotonic
from quorate.errors import Malformed
from quorate.node.epochs.ballots import Ballots, candidate_of, inventory_question
from quorate.node.epochs.means import Means
from quorate.node.epochs.store import ChangeStore, Under
from quorate.node.epochs.talk import AskPages, Choose, CopyPage, Show, Talk
from quorate.sharing.choosing import Question
from quorate.sharing.generation import GeneratedKey
from quorate.transport.links import NotNow
from quorate.vault.pool import PoolIndex

QUIET_SECONDS: Final = 30.0
"""How long wallets that are being made are waited for; what is not made by then is made anew, afterwards."""

CHOICE_SECONDS: Final = 15.0
"""How long inventories of all old nodes are waited for, and then of those that make a ready quorum."""

ASK_SECONDS: Final = 5.0
"""Between two requests for an inventory of which we hold another copy, or none."""

MORE_PAGES: Final = 256
"""What another node's inventory may have more than twice our own: we may have been away for long."""

MAX_ANSWERS: Final = 8
"""How often a node is given one inventory again: it asks for each once, unless it is restarted."""


class Listing:
    """One node's part in making the lists of its changes."""

    def __init__(self, means: Means, store: ChangeStore, ballots: Ballots) -> None:
        self._means = means
        self._store = store
        self._ballots = ballots
        self._asked = 0.0
        self._answered: Counter[tuple[str, str]] = Counter()

    # --- what we hold --------------------------------------------------------------------------------

    async def show(self, under: Under, since: float) -> None:
        """What we hold, once nothing is being made any more; stays as it was first shown."""
        means = self._means
        if means.me not in under.old.names or means.committee.frozen:
            return
        if means.busy() and monotonic() - since < QUIET_SECONDS:
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
        means = self._means
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
        with self._means.vault.transaction():
            for page in pages:
                self._store.put_page(self._means.me, page)
                self._means.tell(under.everybody, Show(under.new.epoch, page))

    # --- the choice ----------------------------------------------------------------------------------

    async def choose(self, under: Under, since: float) -> None:
        """Vouch for what is whole here, and choose when enough is certified."""
        means = self._means
        if means.me not in under.old.names:
            return
        question = inventory_question(under.old, under.new)
        chosen = await means.background(self._ballots.chosen, question)
        if chosen is not None:
            await means.worker(self._announce, under, chosen)
            return
        for name in under.old.names:
            await self._vouch(under, question, name)
        known = await means.background(self._ballots.certificates, question)
        waited = monotonic() - since >= CHOICE_SECONDS
        if len(known) == len(under.old.names) or (waited and len(known) >= question.needed):
            await self._ballots.start(means, question, under.old)

    async def _vouch(self, under: Under, question: Question, name: str) -> None:
        means, candidate = self._means, candidate_of(under.old, name)
        if await means.background(self._ballots.vouched, question, candidate) is not None:
            return
        pages = await means.background(self._store.pages, name)
        if pages is None or any(page.record != under.new.digest for page in pages):
            return
        thing = await means.background(inventory_digest, pages)

        def vouch() -> None:
            with means.vault.transaction():
                means.tell(under.old.names, self._ballots.vouch(question, candidate, thing))

        await means.worker(vouch)

    def _announce(self, under: Under, chosen: dict[str, bytes]) -> None:
        """Tell everybody what was chosen; new nodes believe it when one honest old node must have said it."""
        if self._store.choice(self._means.me) is not None:
            return
        names = {candidate_of(under.old, name): name for name in under.old.names}
        picked = tuple(sorted((names[candidate], thing) for candidate, thing in chosen.items()))
        choice = Choose(under.new.epoch, under.new.digest, picked)
        with self._means.vault.transaction():
            self._store.choose(self._means.me, choice)
            self._means.tell(under.everybody, choice)

    def write(self, under: Under, sender: str, talk: Talk) -> None:
        """Write down what a node says about inventories. Raises `Malformed` for what is not its to say."""
        old, new = under.old, under.new
        match talk:
            case Show(page=page) if sender in old.names and page.record == new.digest:
                if self._has_room(under, sender, page):
                    self._store.put_page(sender, page)
            case Choose() if sender in old.names and talk.record == new.digest:
                names = [name for name, _ in talk.chosen]
                if names != sorted(set(names)) or not set(names) <= set(old.names):
                    raise Malformed("inventories are chosen of old nodes, once each")
                self._store.choose(sender, talk)
            case AskPages() if talk.name in old.names:
                self._answer(under, sender, talk)
            case CopyPage(page=page) if sender in old.names and page.record == new.digest:
                choice = self._adopted(under)
                if choice is not None and talk.name in dict(choice.chosen):
                    self._store.put_copy(sender, talk.name, page)
            case _:
                raise Malformed("not for this node to say, or of another change")

    def _has_room(self, under: Under, sender: str, page: Page) -> bool:
        """Whether a page is kept: nobody fills our disk with an inventory without end.

        An old node knows how much there can be. A new one waits for the choice, and then wants only that.
        """
        if self._means.me in under.old.names:
            return page.number < MORE_PAGES + 2 * self._store.page_count(self._means.me)
        choice = self._adopted(under)
        if choice is None:
            raise NotNow("nothing is chosen here yet")
        return sender in dict(choice.chosen)

    # --- the list ------------------------------------------------------------------------------------

    async def assemble(self, under: Under) -> Assembly | None:
        """The list that follows from what was chosen, as soon as all of that is here."""
        means = self._means
        choice = await means.background(self._adopted, under)
        if choice is None:
            return None
        lacking, chosen = {}, {}
        for name, wanted in choice.chosen:
            pages = await means.background(self._copy_of, under, name, wanted)
            if pages is None:
                lacking[name] = wanted
            else:
                chosen[name] = pages
        if not lacking:
            found: Assembly = await means.background(assemble, under.old, under.new, chosen)
            return found
        if monotonic() - self._asked >= ASK_SECONDS:
            self._asked = monotonic()
            await means.worker(self._ask, under, lacking)
        return None

    def _adopted(self, under: Under) -> Choose | None:
        """What was chosen: as we have found ourselves, or as more old nodes than may lie say."""
        said = self._store.choices(under.old.names)
        if self._means.me in said:
            return said[self._means.me]
        for choice, count in Counter(said.values()).most_common(1):
            if count > under.old.quorums.liars:
                return choice
        return None

    def _copy_of(self, under: Under, name: str, wanted: bytes) -> Inventory | None:
        """The inventory of a node that has this digest: as it has shown it to us, or to others."""
        shown = self._store.pages(name)
        if shown is not None and inventory_digest(shown) == wanted:
            return shown
        for sender in under.old.names:
            copied = self._store.copies(sender, name)
            if copied is not None and inventory_digest(copied) == wanted:
                return copied
        return None

    def _ask(self, under: Under, lacking: dict[str, bytes]) -> None:
        with self._means.vault.transaction():
            for name, wanted in sorted(lacking.items()):
                self._means.tell(under.old.names, AskPages(under.new.epoch, name, wanted))

    def _answer(self, under: Under, sender: str, ask: AskPages) -> None:
        if self._answered[sender, ask.name] >= MAX_ANSWERS:
            return
        choice = self._adopted(under)
        if choice is None or dict(choice.chosen).get(ask.name) != ask.inventory:
            return  # nobody needs another one, and to look for it among all copies is dear
        pages = self._copy_of(under, ask.name, ask.inventory)
        if pages is None:
            return
        self._answered[sender, ask.name] += 1
        with self._means.vault.transaction():
            for page in pages:
                self._means.tell([sender], CopyPage(under.new.epoch, ask.name, page))
