"""How a succession comes about: steps A and B of docs/protocols/resharing.md, led by one node.

The node whose operator wishes for a change, or whose turn it is to renew the committee, asks every member of
the next one for its seat, asks the old ones whether they would sign, and then to sign. Until E have signed,
all of it can be dropped: nothing was changed. Another committee than the present one is signed only where the
node's own operator has approved it; the same one anew (a renewal) needs nobody's approval.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from quorate.account.committee import (
    Claim,
    CommitteeRecord,
    Seat,
    check_succession,
)
from quorate.clock import monotonic
from quorate.encoding import encode
from quorate.errors import LocalError, Malformed, Missing, ProofRejected, QuorateError, Refused
from quorate.groups import SECP256K1
from quorate.node.epochs.change import EpochChange
from quorate.node.epochs.consenting import lately
from quorate.node.epochs.progress import Progress
from quorate.node.epochs.talk import (
    TOPIC,
    Claimed,
    Consent,
    Declined,
    Invite,
    Plan,
    Talk,
    Wish,
    read_talk,
)
from quorate.session import PublicKeys
from quorate.transport.links import LinkPeer, NotNow

ANSWER_SECONDS: Final = 20.0
"""How long claims, words and signatures are waited for: each is one message and a look at the disk."""

RENEWAL_PAUSE_SECONDS: Final = 3600.0
"""A node signs no renewal sooner than this after the last change, unless its own operator has approved it: a
member that renews without end would keep everybody busy, and use up the numbers of epochs. At one an hour
those last for seven years."""

RENEWAL_SECONDS: Final = 7 * 24 * 3600.0
TURN_SECONDS: Final = 3600.0
"""Renewal is due after a week; then it is each node's turn for an hour, one after the other, at a moment of
the hour that it draws itself."""

SCHEDULE_SECONDS: Final = 60.0
"""How often a node looks whether it is its turn."""


class Driver:
    """Leads this node's part in making and signing successions, and hands them to `change`."""

    def __init__(self, change: EpochChange, *, renewal_seconds: float = RENEWAL_SECONDS) -> None:
        self.change = change
        self._means = change.means
        self._renewal_seconds = renewal_seconds
        self._claims: dict[str, Claim] = {}
        self._words: dict[str, Consent | Declined] = {}
        self._signatures: dict[str, Consent | Declined] = {}
        self._heard = asyncio.Event()
        self._driving: asyncio.Task[None] | None = None
        self._stage, self._text = "", ""
        self._due: float | None = None
        self._due_in = -1
        self._means.links.on(TOPIC, self._take_in)

    # --- what the operator asks ----------------------------------------------------------------------

    async def approve(self, plan: Plan) -> None:
        """This node's operator wants this committee next. Raises `Refused` for one that cannot be."""
        committee = self._means.committee
        if plan.network != committee.record.network:
            raise Refused("that is a committee of another network", code="plan")
        await self._means.worker(self.change.store.approve, Plan.of(committee.record).digest, plan)
        self._means.log("approved", epoch=committee.epoch + 1, nodes=len(plan.members))

    def start(self, plan: Plan | None) -> None:
        """Begin to lead a change to `plan`, or a renewal; returns at once. Raises `Refused`."""
        committee = self._means.committee
        if not committee.is_member:
            raise Refused("this node is not of the committee", code="committee")
        if self._driving is not None and not self._driving.done():
            raise Refused("a change is being made already", code="busy")
        self._stage, self._text = "asking", "asking the nodes for their seats"
        self._driving = asyncio.ensure_future(self._drive(plan or Plan.of(committee.record)))

    async def progress(self) -> Progress:
        """How far the change has come."""
        change, committee = self.change, self._means.committee
        under = change.under
        if under is None:
            stage = self._stage or "idle"
            text = self._text or f"epoch {committee.epoch} is live"
            members = len(committee.names)
            return Progress(
                committee.epoch, stage, text, members=members, erased=len(change.farewells.erased)
            )
        found: Progress = await self._means.background(change.progress, under)
        return found

    async def _drive(self, plan: Plan) -> None:
        try:
            await self.lead(plan)
        except (LocalError, QuorateError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._stage, self._text = "failed", str(error)
        self._means.metrics.count("epoch_changes_failed")
        self._means.log("change", outcome="failed", error=type(error).__name__, text=str(error))

    async def lead(self, plan: Plan) -> None:
        """Steps A and B, then wait for the switch. Raises `Missing`, `Refused`."""
        means, change = self._means, self.change
        parent = means.committee.record
        if change.under is None:
            means.links.admit(peer for peer in _peers_of(plan) if peer.name not in parent.names)
            claims = await self._gather_claims(parent, plan)
            record = self._record(parent, plan, claims)
            check_succession(parent, record)
            wish = Wish(record, tuple(claims[name] for name in sorted(claims)), False)
            self._stage, self._text = "asking", "asking the nodes whether they would sign"
            await self._gather_words(parent, wish)
            self._text = "asking the nodes to sign"
            await self._put_forward(parent, wish)
        self._stage, self._text = "changing", ""
        while means.committee.epoch == parent.epoch:
            change.moved.clear()
            await self._wait(change.moved, 1.0)
        self._stage, self._text = "done", f"epoch {means.committee.epoch} is live"

    async def _gather_claims(self, parent: CommitteeRecord, plan: Plan) -> dict[str, Claim]:
        """Step A, asked of all. Raises `Missing` with those who have not answered: all of them are needed."""
        means = self._means
        self._claims = {}
        urls = {member.name: member.url for member in plan.members}
        for name, url in urls.items():
            invite = Invite(parent.epoch + 1, parent.digest, url, lately(means.committee.chain))
            if name == means.me:
                self._claims[name] = await means.worker(self._claim, invite)
            else:
                await means.worker(self._post_all, [name], invite)
        await self._until(lambda: set(self._claims) >= set(urls), ANSWER_SECONDS)
        silent = sorted(set(urls) - set(self._claims))
        if silent:
            raise Missing(
                f"no answer from {', '.join(silent)}; all are needed", parties=silent, needed=len(silent)
            )
        return dict(self._claims)

    def _record(self, parent: CommitteeRecord, plan: Plan, claims: dict[str, Claim]) -> CommitteeRecord:
        seats = tuple(claims[name].seat for name in plan.names)
        record = CommitteeRecord(
            plan.network, parent.epoch + 1, seats, plan.degree, plan.liars, plan.away, parent.digest
        )
        if Plan.of(record) != plan:
            raise Malformed("a node answers under another key or address than the plan has")
        return record

    async def _gather_words(self, parent: CommitteeRecord, wish: Wish) -> None:
        """Would enough of them sign? Asked first, because what is signed cannot be taken back."""
        self._words = {}
        asked = Wish(wish.record, wish.claims, True)
        await self._ask_old(parent, asked, self._words)
        self._count(parent, self._words)

    async def _put_forward(self, parent: CommitteeRecord, wish: Wish) -> None:
        """Step B: from here on nobody leads. Waits until a record is signed; `Refused` if it is another."""
        means, change = self._means, self.change
        attempt = await means.worker(change.consenting.attempt, wish.record)
        forward = Wish(wish.record, wish.claims, False, attempt)
        self._signatures = {}
        mine = await means.worker(self._judge, means.me, forward)
        if isinstance(mine, Declined):
            raise Refused(mine.reason, code="consent")
        await means.worker(self._post_all, [name for name in parent.names if name != means.me], forward)
        change.kick()
        spare = len(parent.names) - parent.quorums.ready
        await self._until(
            lambda: (
                change.under is not None
                or means.committee.epoch > parent.epoch  # between two looks all of it may be over
                or len(self._signatures) > spare
            ),
            2 * ANSWER_SECONDS,
        )
        if change.under is not None:
            chosen = change.under.new
        elif means.committee.epoch > parent.epoch:
            chosen = means.committee.record
        else:
            self._count(parent, self._signatures)
            return
        if Plan.of(chosen) != Plan.of(wish.record):
            raise Refused("another node's committee was chosen for this epoch", code="voted")

    async def _ask_old(
        self, parent: CommitteeRecord, wish: Wish, answers: dict[str, Consent | Declined]
    ) -> None:
        means = self._means
        others = [name for name in parent.names if name != means.me]
        answers[means.me] = _said(await means.worker(self._judge, means.me, wish), wish)
        await means.worker(self._post_all, others, wish)
        await self._until(lambda: len(answers) == len(parent.names), ANSWER_SECONDS / 2)
        needed = max(parent.quorums.echo, parent.quorums.ready)
        await self._until(lambda: _agreed(answers) >= needed, ANSWER_SECONDS / 2)

    def _count(self, parent: CommitteeRecord, answers: dict[str, Consent | Declined]) -> None:
        needed, agreed = max(parent.quorums.echo, parent.quorums.ready), _agreed(answers)
        if agreed >= needed:
            return
        said = [
            f"{name}: {word.reason}" for name, word in sorted(answers.items()) if isinstance(word, Declined)
        ]
        silent = [name for name in parent.names if name not in answers]
        said += [f"no answer from {', '.join(silent)}"] if silent else []
        raise Refused(f"{needed} nodes must sign and {agreed} would. {'; '.join(said)}", code="consent")

    # --- what other nodes ask ------------------------------------------------------------------------

    async def _take_in(self, sender: str, body: bytes) -> None:
        """One parcel about a change of committee; returns when what follows from it is durable."""
        talk: Talk = read_talk(body)
        means = self._means
        match talk:
            case Invite():
                claim = await means.worker(self._claim, talk)
                await means.worker(self._post_all, [sender], Claimed(claim))
            case Claimed(claim=claim):
                if claim.seat.name == sender and claim.epoch == means.committee.epoch + 1:
                    claim.verify(means.committee.record)
                    self._claims[sender] = claim
                    self._heard.set()
            case Wish():
                answer = await means.worker(self._judge, sender, talk)
                if answer is not None:
                    await means.worker(self._post_all, [sender], answer)
                self.change.kick()
            case Consent() | Declined():
                if sender in means.committee.names:
                    answers = self._words if talk.asked else self._signatures
                    answers[sender] = talk
                    self._heard.set()
            case _:
                await self.change.take_in(sender, talk)

    def _claim(self, invite: Invite) -> Claim:
        """Step A: our seat in the next committee. Our sealing key for it is durable when this returns."""
        means, committee = self._means, self._means.committee
        record = committee.record
        fresh = [one for one in invite.ancestors if one.record.epoch > record.epoch]
        if fresh and committee.is_member:
            raise NotNow("epochs come one after the other")
        for one in fresh:
            one.verify(record)
            record = one.record
        if invite.epoch != record.epoch + 1 or invite.parent != record.digest:
            raise Malformed("an invitation to a committee that does not follow on ours")
        keys = committee.keys_of(invite.epoch)
        return Claim.make(record, Seat(means.me, invite.url, keys.public.to_bytes()), keys)

    def _judge(self, sender: str, wish: Wish) -> Consent | Declined | None:
        """Step B: say whether we would sign, or, if it is put forward, vouch for it, to all."""
        record = wish.record
        try:
            self._check(wish)
            if wish.asked:
                return Consent(record.epoch, record.digest, True)
            self.change.consenting.vouch(sender, wish.attempt, record)
        except (Refused, ProofRejected, Malformed) as error:
            return Declined(record.epoch, record.digest, wish.asked, str(error)[:512])
        return None

    def _check(self, wish: Wish) -> None:
        means, record = self._means, wish.record
        parent = means.committee.record
        check_succession(parent, record)
        claims = {claim.seat.name: claim for claim in wish.claims}
        for seat in record.members:
            if seat.name not in claims or claims[seat.name].seat != seat:
                raise Refused(f"{seat.name} has not claimed that seat", code="claim")
            claims[seat.name].verify(parent)
        voted = self.change.store.voted("succession", record.epoch)
        if voted not in (None, record.digest):
            raise Refused("this node has signed another committee for that epoch", code="voted")
        plan, before = Plan.of(record), Plan.of(parent)
        if self.change.store.approved(before.digest) == plan.digest:
            return
        if plan != before:
            raise Refused("its operator has not approved that committee", code="approval")
        since = self.change.store.since()
        if means.committee.chain and since is not None and means.clock() - since < RENEWAL_PAUSE_SECONDS:
            raise Refused("the committee was renewed a moment ago", code="soon")

    # --- by schedule ---------------------------------------------------------------------------------

    async def run(self) -> None:
        """Renew the committee when it is due and our turn, for as long as the task lives."""
        try:
            while True:
                await asyncio.sleep(SCHEDULE_SECONDS)
                await self.look()
        finally:
            if self._driving is not None:
                self._driving.cancel()  # a change that has been signed goes on without who led it

    async def look(self) -> bool:
        """Begin a renewal if it is our turn and enough nodes are up; gives whether one has begun."""
        means = self._means
        if not means.committee.is_member or self.change.under is not None or self._renewal_seconds <= 0:
            return False
        since = await means.worker(self._epoch_began)
        if self._due is None or self._due_in != means.committee.epoch:
            self._due_in = means.committee.epoch
            rank = (means.committee.names.index(means.me) - means.committee.epoch) % len(
                means.committee.names
            )
            jitter = int.from_bytes(means.rng(4), "big") / (1 << 32)
            self._due = since + self._renewal_seconds + (rank + jitter) * TURN_SECONDS
        if means.clock() < self._due:
            return False
        if self._driving is not None and not self._driving.done():
            return False
        means.metrics.count("renewals_begun")
        self._driving = asyncio.ensure_future(self._renew())
        return True

    async def _renew(self) -> None:
        means = self._means
        self._due = means.clock() + TURN_SECONDS
        self._stage, self._text = "asking", "asking the nodes for their seats"
        try:
            await self.lead(Plan.of(means.committee.record))
        except Missing as error:
            # Every member makes a new sealing key, so every member has to be there.
            self._stage, self._text = "", ""
            means.metrics.count("renewals_skipped")
            means.log("renewal", outcome="skipped", missing=len(error.parties))
        except (LocalError, QuorateError) as error:
            self._failed(error)

    def _epoch_began(self) -> float:
        since = self.change.store.since()
        if since is None:
            since = self._means.clock()
            self.change.store.begin_epoch(since)
        return since

    # --- inside --------------------------------------------------------------------------------------

    def _post_all(self, names: list[str], talk: Talk) -> None:
        body = encode(talk)
        with self._means.vault.transaction():
            for name in names:
                self._means.links.tell(name, TOPIC, body)

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        ends = monotonic() + seconds
        while not done() and monotonic() < ends:
            self._heard.clear()
            await self._wait(self._heard, min(1.0, max(0.0, ends - monotonic())))

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()


def _said(word: Consent | Declined | None, wish: Wish) -> Consent | Declined:
    return word or Consent(wish.record.epoch, wish.record.digest, wish.asked)


def _agreed(answers: dict[str, Consent | Declined]) -> int:
    return sum(isinstance(word, Consent) for word in answers.values())


def _peers_of(plan: Plan) -> list[LinkPeer]:
    """The nodes of a plan as links know them: by their signing keys, which is all that links use."""
    nobodys = SECP256K1.generator
    return [
        LinkPeer(member.name, member.url, PublicKeys(member.verifying, nobodys)) for member in plan.members
    ]
