"""Wires, clocks, and what must hold in a simulated register.

One value for each version (decided as soon as the liars *could* complete it), a chain whose every entry is
signed under its parent's record, bodies kept, and every operation of a living honest device decided.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from quorate.account.register import Committee, Entry, Login
from quorate.account.register.asking import Ask, Heard, Look, Procedure, Sleep, Tell
from quorate.account.register.certificates import Subject
from quorate.account.register.client import Client, Signer
from quorate.account.register.entries import NOTHING
from quorate.account.register.handlers import Context
from quorate.account.register.messages import Commit, Decided, Question, Reply
from quorate.errors import QuorateError, Refused
from quorate.testing.dice import Dice, seed_of
from quorate.testing.identities import unsafe_identity
from quorate.testing.network import InOrder, LastFirst, Parcel, Scheduler, Starve, Uniform
from quorate.testing.register.factors import ACCOUNT, NETWORK, RULES, START, make_committee
from quorate.testing.register.nodes import Node

CALM_AFTER: Final = 60.0
"""Seconds after which nothing more goes wrong: operations are owed an end only on a network that recovers."""

LONGEST: Final = 900.0
"""Seconds after which an operation that is not decided counts as stuck."""


@dataclass(frozen=True, slots=True)
class Delivery(Parcel):
    """A parcel that does something when it arrives."""

    act: Callable[[], None] = field(compare=False)
    is_decided: bool = False
    durable: bool = False


class Task:
    """A procedure in progress."""

    def __init__(
        self, world: World, name: str, procedure: Procedure[Any], login: Login, done: Callable[[Any], None]
    ) -> None:
        self.world, self.name, self.login, self.done = world, name, login, done
        self._procedure = procedure
        self._ask: Ask | None = None
        self._number = 0
        self._replies: dict[int, Reply] = {}
        self._committee: Committee | None = None

    def start(self, client: Client) -> None:
        """Run up to its first step."""
        self._client = client
        self._resume(None)

    def _resume(self, heard: Heard | None) -> None:
        self._ask = None
        self._number += 1
        try:
            doing = next(self._procedure) if heard is None else self._procedure.send(heard)
        except StopIteration as stop:
            self.done(stop.value)
            return
        except QuorateError as error:
            self.done(error)
            return
        world, number = self.world, self._number
        match doing:
            case Ask():
                self._ask, self._replies, self._committee = doing, {}, self._client.committee
                self._send(doing.questions, number)
                world.later(doing.patience, lambda: self._timeout(number))
            case Tell():
                self._send(doing.questions, -1)
                self._resume(Heard({}, world.now))
            case Look():
                self._resume(Heard({}, world.now))
            case Sleep():
                world.later(doing.until - world.now, lambda: self._timeout(number))

    def _send(self, questions: Mapping[int, Question], number: int) -> None:
        names = self._client.committee.names
        for member, question in questions.items():
            self.world.ask(self.name, names[member], question, self.login, self._taker(member, number))

    def _taker(self, member: int, number: int) -> Callable[[Reply], None]:
        return lambda reply: self._take(number, member, reply)

    def _take(self, number: int, member: int, reply: Reply) -> None:
        ask = self._ask
        if number != self._number or ask is None or member in self._replies:
            return
        if not ask.believes(ask.questions[member], member, reply):
            return
        self._replies[member] = reply
        if ask.enough(self._replies) or len(self._replies) == len(ask.questions):
            self._resume(Heard(self._replies, self.world.now))

    def _timeout(self, number: int) -> None:
        if number == self._number:
            self._resume(Heard(self._replies if self._ask else {}, self.world.now))


class Witness(ABC):
    """Whoever sees all that is said, and speaks for the liars."""

    @abstractmethod
    def see_question(self, question: Question) -> None:
        """On the wire."""

    @abstractmethod
    def see_reply(self, question: Question, reply: Reply) -> None:
        """Signatures included."""

    @abstractmethod
    def lie(self, node: Node, question: Question, context: Context) -> Reply | None:
        """What a liar answers."""


class World:
    """One run."""

    thief: Witness

    def __init__(self, seed: int, n: int, t: int, f: int) -> None:
        self.dice = Dice("register", seed, n, t, f)
        self.now = START
        self.n, self.t, self.f = n, t, f
        self.wires: list[Parcel] = []
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self.happened: Counter[str] = Counter()
        self.commits: dict[tuple[int, bytes, int, int], set[str]] = {}
        self.decided: dict[int, bytes] = {}
        self.entries: dict[bytes, Entry] = {}
        self.acknowledged: dict[bytes, Entry] = {}
        self.problems: list[str] = []
        names = tuple(f"n{index}" for index in range(n))
        self.committees = {0: make_committee(0, names, t, f)}
        liars = set(names[:t])
        self.nodes = {name: Node(self, name, liar=name in liars) for name in names}
        for node in self.nodes.values():
            node.epoch = 0
        self.loses_decided = self.dice.happens(0.6)
        self.scheduler = self._any_scheduler(names)
        self._steps = 0
        self.open = 0

    def _any_scheduler(self, names: tuple[str, ...]) -> Scheduler:
        kind = self.dice.below(4)
        return (Uniform(), LastFirst(), InOrder(), Starve(self.dice.choose(names)))[kind]

    @property
    def calm(self) -> bool:
        """Whether accidents are over."""
        return self.now > START + CALM_AFTER

    def committee_of(self, epoch: int) -> Committee | None:
        """Of the chain of committees."""
        return self.committees.get(epoch)

    def follow(self, record: bytes) -> Committee | None:
        """Read a committee record; ours is its number, and it is on the chain or it is not."""
        return self.committees.get(int(record)) if record.isdigit() else None

    def client(self, name: str, *, reader: bool = False) -> Client:
        """A device's view, beginning with the committee it has known from the start."""
        identity = unsafe_identity(name)
        signer = None if reader else Signer(identity.public.to_bytes(), identity.sign)
        subject = Subject(NETWORK, ACCOUNT)
        return Client(subject, self.committees[0], self.committee_of, self.follow, RULES.signers, signer)

    # --- wires and clocks ----------------------------------------------------------------------------

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do it then."""
        self._serial += 1
        heapq.heappush(self.timers, (self.now + max(seconds, 0.0), self._serial, act))

    def send(
        self,
        sender: str,
        to: str,
        act: Callable[[], None],
        *,
        is_decided: bool = False,
        durable: bool = False,
    ) -> None:
        """Put something on the wire; `durable` from an outbox that survives a power cut."""
        self.wires.append(Delivery(sender, to, b"", act, is_decided, durable))

    def cut_power(self) -> None:
        """All nodes go down, and with them what was under way."""
        for node in self.nodes.values():
            node.down_until = self.now + self.dice.below(3000) / 1000
        self.wires = [parcel for parcel in self.wires if isinstance(parcel, Delivery) and parcel.durable]

    def ask(
        self, sender: str, to: str, question: Question, login: Login | None, take: Callable[[Reply], None]
    ) -> None:
        """A question, and its reply on another parcel."""
        self.thief.see_question(question)

        def arrive() -> None:
            node = self.nodes[to]
            reply = node.answer(question, login)
            if reply is not None:
                self.thief.see_reply(question, reply)
                self.send(to, sender, lambda: take(reply))

        self.send(sender, to, arrive, is_decided=isinstance(question, Decided))

    def run(self) -> None:
        """Until every honest task is done, or too much time has passed."""
        while self.open and self.now < START + LONGEST:
            if self.timers and (not self.wires or self.timers[0][0] <= self.now):
                at, _, act = heapq.heappop(self.timers)
                self.now = max(self.now, at)
                act()
                continue
            if not self.wires:
                break
            self._steps += 1
            self.now += self.dice.below(20) / 1000
            scheduler = Uniform() if self.calm else self.scheduler
            parcel = self.wires.pop(scheduler.pick(self.wires, self.dice, self._steps))
            if isinstance(parcel, Delivery):
                self._deliver(parcel)
        if self.open:
            self.problems.append(f"{self.open} operations or reads of honest devices never ended")

    def _deliver(self, parcel: Delivery) -> None:
        if parcel.is_decided and self.loses_decided and not self.calm and self.dice.below(10):
            self.happened["lost DECIDED"] += 1
            return
        if not self.calm and self.dice.happens(0.04):
            self.happened["duplicate"] += 1
            self.wires.append(parcel)
        parcel.act()

    # --- what must hold --------------------------------------------------------------------------------

    def committed(self, node: Node, question: Commit) -> None:
        """An honest node has signed COMMIT."""
        certificate = question.certificate
        view = certificate.view
        key = (certificate.version, certificate.hash, view.epoch, view.slot)
        voters = self.commits.setdefault(key, set())
        voters.add(node.name)
        committee = self.committees[view.epoch]
        liars = sum(self.nodes[name].liar for name in committee.names)
        if len(voters) + liars < committee.echo:
            return
        if view.slot and certificate.version not in self.decided:
            self.happened["decided in a slot"] += 1
        known = self.decided.setdefault(certificate.version, certificate.hash)
        if known != certificate.hash:
            self.problems.append(f"fork: version {certificate.version} is decided twice")

    def check(self) -> None:
        """The end of a run. Raises `AssertionError`."""
        for version, entry in sorted(self.decided.items()):
            body = self.entries.get(entry)
            if body is None:
                self.problems.append(f"the body of version {version} is nowhere")
                continue
            parent = self.entries.get(body.parent)
            if self.decided.get(version - 1, NOTHING) != body.parent:
                self.problems.append(f"version {version} does not follow the version before")
            try:
                RULES.check(parent, body)
            except Refused as error:
                self.problems.append(f"version {version}: {error}")
        for said in self.acknowledged.values():
            if self.decided.get(said.version) != said.hash:
                self.problems.append(f"version {said.version} was acknowledged and is not decided")
        last = self.decided.get(max(self.decided, default=0))
        living = [node for node in self.nodes.values() if not node.liar and not node.dead]
        if last is not None and not any(
            row.hash == last or row.body(last) is not None for node in living for row in node.rows.values()
        ):
            self.problems.append("no honest node keeps the body of the last version")
        if self.problems:
            raise AssertionError("; ".join(self.problems))

    @property
    def trace(self) -> str:
        """Stands for what happened."""
        decided = ",".join(f"{version}:{entry.hex()[:8]}" for version, entry in sorted(self.decided.items()))
        return seed_of(decided, repr(self.now), repr(sorted(self.happened.items()))).hex()[:16]
