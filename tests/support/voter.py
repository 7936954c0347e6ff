"""One voter of seven with six others who say what a test lets them say: for the handlers of the agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from tests.support.voting import SUBJECT, proof_of, verify

from quorate.session import Message, Party
from quorate.sharing.agreement import Agreement, Certificate, Change, Echo, Proposal, Ready, Terms, Vote
from quorate.sharing.agreement.messages import to_change, to_echo, to_ready
from quorate.sharing.quorums import Quorums
from quorate.testing import unsafe_identity

QUORUMS = Quorums(7, 2, 1, 1)
E, R = QUORUMS.echo, QUORUMS.ready
NAMES = tuple(f"p{i}" for i in range(1, 8))
TERMS = Terms(
    SUBJECT, QUORUMS, NAMES, NAMES, 3, {name: unsafe_identity(name).public for name in NAMES}, verify
)
A, B = ("p1", "p2", "p3"), ("p5", "p6", "p7")


class Seat:
    """What an agreement needs of a party; keeps what was said and who was accused."""

    def __init__(self, me: str, path: str = "", root: Seat | None = None) -> None:
        self.me, self.path, self.root = me, path, root or self
        self.others = tuple(name for name in NAMES if name != me)
        if root is None:
            self.said: list[tuple[str, str, Message]] = []
            self.accused: dict[str, str] = {}

    def fork(self, label: str) -> Seat:
        return Seat(self.me, f"{self.path}/{label}" if self.path else label, self.root)

    def broadcast(self, message: Message) -> None:
        self.root.said.append((self.path, "", message))

    def send(self, to: str, message: Message) -> None:
        self.root.said.append((self.path, to, message))

    def sign(self, statement: bytes) -> bytes:
        return unsafe_identity(self.me).sign(statement)

    def identity_of(self, name: str) -> Any:
        return unsafe_identity(name).public

    def accuse(self, kind: Any, offender: str, reason: str, *, step: str = "", beside: Any = ()) -> None:
        self.root.accused.setdefault(offender, reason)

    def envelopes(self, kind: Any) -> dict[str, bytes]:
        return dict.fromkeys(self.others, b"")


class Bench:
    """One agreement and the six others, who say what the test lets them say."""

    def __init__(self, me: str = "", *, nodes: Sequence[str] = NAMES, leading: int | None = None) -> None:
        not_leading = next(name for name in NAMES if name not in {TERMS.leader(v) for v in range(4)})
        self.me = me or (not_leading if leading is None else TERMS.leader(leading))
        self.seat = Seat(self.me)
        party = cast(Party, self.seat)
        self.agreement = Agreement(party, QUORUMS, nodes, NAMES, 3, verify, SUBJECT)
        self.peers = tuple(name for name in NAMES if name != self.me)

    def said(self, kind: type[Message]) -> list[tuple[str, Message]]:
        return [(path, message) for path, _, message in self.seat.said if isinstance(message, kind)]

    def views(self, kind: type[Message]) -> list[int]:
        return [int(path.removeprefix("view/")) for path, _ in self.said(kind)]

    def complete(self, dealers: Sequence[str]) -> None:
        for dealer in dealers:
            self.agreement.completed(dealer, proof_of(dealer))

    def hear(self, sender: str, message: Message, view: int) -> None:
        self.agreement.receive(sender, message, f"view/{view}")

    def propose(
        self,
        view: int,
        dealers: tuple[str, ...] = A,
        certificate: Certificate | None = None,
        votes: tuple[Vote, ...] = (),
    ) -> None:
        proofs = () if certificate else tuple(map(proof_of, dealers))
        self.hear(TERMS.leader(view), Proposal(dealers, proofs, certificate, votes), view)

    def echoes(self, view: int, dealers: tuple[str, ...], names: Sequence[str]) -> None:
        for name in names:
            self.hear(name, Echo(dealers, signed(name, to_echo(TERMS.bound, view, dealers))), view)

    def readies(self, view: int, dealers: tuple[str, ...], names: Sequence[str]) -> None:
        for name in names:
            self.hear(name, Ready(dealers, signed(name, to_ready(TERMS.bound, view, dealers))), view)

    def changes(self, view: int, names: Sequence[str], lock: Certificate | None = None) -> None:
        for name in names:
            self.hear(name, change(name, view, lock), view)

    def tick(self, times: int) -> None:
        for _ in range(times):
            self.agreement.tick()


def signed(name: str, statement: bytes) -> bytes:
    return unsafe_identity(name).sign(statement)


def certificate(view: int, dealers: tuple[str, ...], *, ready: bool, count: int) -> Certificate:
    state = to_ready if ready else to_echo
    names = sorted(NAMES)[:count]
    statement = state(TERMS.bound, view, dealers)
    return Certificate(view, dealers, ready, tuple((name, signed(name, statement)) for name in names))


def change(name: str, view: int, lock: Certificate | None) -> Change:
    locked = (0, ()) if lock is None else (lock.view + 1, lock.dealers)
    signature = signed(name, to_change(TERMS.bound, view, *locked))
    if lock is not None:
        return Change(lock, (), (), signature)
    return Change(None, A, tuple(map(proof_of, A)), signature)


def votes(view: int, count: int, lock: Certificate | None = None) -> tuple[Vote, ...]:
    locked = (0, ()) if lock is None else (lock.view + 1, lock.dealers)
    names = sorted(NAMES)[:count]
    return tuple(Vote(name, *locked, signed(name, to_change(TERMS.bound, view, *locked))) for name in names)
