"""Drives a device's procedure against nodes by hand: questions answered in order, time when asked for."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.register_nodes import SUBJECT, Nodes

from quorate.account.register import Question, Reply
from quorate.account.register.asking import Ask, Heard, Look, Procedure, Sleep, Tell
from quorate.account.register.client import Client, Signer
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import RULES, key_of

Between = Callable[[int, Question], Reply | None]


def client_of(nodes: Nodes, name: str | None) -> Client:
    """A device that has the committee and no head; without a name a reader."""
    signer = None if name is None else Signer(key_of(name), unsafe_identity(name).sign)
    return Client(SUBJECT, nodes.committee, nodes.committees.get, lambda record: None, RULES.signers, signer)


class Drive:
    """`away` members never hear; `instead` may answer for a member; `asked` is all that was asked."""

    def __init__(self, nodes: Nodes, *, away=(), instead: Between | None = None) -> None:
        self.nodes, self.away, self.instead = nodes, set(away), instead
        self.asked: list[tuple[int, Question]] = []
        self.rounds: list[str] = []

    def run(self, client: Client, procedure: Procedure[Any]) -> Any:
        heard: Heard | None = None
        while True:
            try:
                doing = next(procedure) if heard is None else procedure.send(heard)
            except StopIteration as stop:
                return stop.value
            replies: Mapping[int, Reply] = {}
            match doing:
                case Ask():
                    self.rounds.append(type(next(iter(doing.questions.values()))).__name__)
                    replies = self._ask(doing)
                case Tell():
                    for member, question in doing.questions.items():
                        self._one(member, question)
                case Sleep():
                    self.rounds.append("sleep")
                    self.nodes.now = max(self.nodes.now, doing.until)
                case Look():
                    pass
            heard = Heard(replies, self.nodes.now)

    def _ask(self, ask: Ask) -> dict[int, Reply]:
        replies: dict[int, Reply] = {}
        for member, question in ask.questions.items():
            reply = self._one(member, question)
            if reply is not None and ask.believes(question, member, reply):
                replies[member] = reply
            if ask.enough(replies):
                break
        return replies

    def _one(self, member: int, question: Question) -> Reply | None:
        self.asked.append((member, question))
        if self.instead is not None and (reply := self.instead(member, question)) is not None:
            return reply
        return None if member in self.away else self.nodes.ask(member, question)
