"""Attacks on the agreement that need an exact order of events: envelopes and ticks by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tests.support.voting import SUBJECT, VOTING, proof_of, verify
from tests.unit.session.table import Table

from quorate.session import Envelope, Message, Party, Session, tag_of
from quorate.sharing.agreement import MESSAGES, Agreement, Change, Proposal, Terms
from quorate.sharing.agreement.agreement import FIRST_DELAY, delay_of
from quorate.sharing.agreement.messages import to_change
from quorate.sharing.quorums import Quorums

FOUR = Quorums(4, 1, 1, 0)
PARTIES = ("p1", "p2", "p3", "p4")


class Voters:
    """Voters who know enough dealings from the start. The test brings their envelopes, or doesn't."""

    def __init__(self, quorums: Quorums, honest: Callable[[Terms], Iterable[str]]) -> None:
        self.quorums = quorums
        self.table = Table(VOTING, PARTIES)
        self.agreements: dict[str, Agreement] = {}
        self.terms = Terms(SUBJECT, quorums, PARTIES, PARTIES, quorums.degree + 1, self.table.roster, verify)
        self.under_way: list[tuple[str, bytes]] = []
        self.seats: dict[str, Session[Any]] = {}
        for name in honest(self.terms):
            self.seats[name] = self.table.seat(name, self.run)
        for name, seat in self.seats.items():
            self.post(name, seat.start())

    async def run(self, party: Party) -> None:
        needed = self.quorums.degree + 1
        agreement = Agreement(party, self.quorums, PARTIES, PARTIES, needed, verify, SUBJECT)
        self.agreements[party.me] = agreement
        for dealer in PARTIES[:needed]:
            agreement.completed(dealer, proof_of(dealer))
        async for arrival in party.stream(*MESSAGES):
            if arrival is None:
                agreement.tick()
            else:
                agreement.receive(arrival.sender, arrival.message, arrival.path)

    def post(self, sender: str, outbound: Iterable[bytes]) -> None:
        for data in outbound:
            recipient = Envelope.parse(data).recipient
            to = [recipient] if recipient else [name for name in self.seats if name != sender]
            self.under_way += [(name, data) for name in to if name in self.seats]

    def bring(self, to: str, kind: type[Message], view: int, *senders: str) -> None:
        """Of what is under way: these, in this order."""
        for sender in senders:
            for place, (name, data) in enumerate(self.under_way):
                slot = Envelope.parse(data).slot
                if (name, slot.tag, slot.path, slot.sender) == (to, tag_of(kind), f"view/{view}", sender):
                    del self.under_way[place]
                    self.post(to, self.seats[to].receive(data))
                    break
            else:
                raise AssertionError(f"{sender} has sent {to} no {tag_of(kind)} in view {view}")

    def settle(self) -> None:
        """Everything that is under way, and what comes of it."""
        while self.under_way:
            to, data = self.under_way.pop(0)
            self.post(to, self.seats[to].receive(data))

    def tick(self, who: str, times: int = 1) -> None:
        for _ in range(times):
            self.post(who, self.seats[who].expire())

    def vote(self, liar: str, view: int, *to: str) -> None:
        """A vote by a liar, to these only."""
        dealers = PARTIES[: self.quorums.degree + 1]
        signature = self.table.identities[liar].sign(to_change(self.terms.bound, view, 0, ()))
        change = Change(None, dealers, tuple(map(proof_of, dealers)), signature)
        data = self.table.envelope(liar, change, path=f"view/{view}")
        self.under_way += [(name, data) for name in to]

    def views(self) -> dict[str, int]:
        return {name: agreement.view for name, agreement in self.agreements.items()}


def test_a_voter_that_was_left_behind_by_selective_votes_still_makes_the_later_views() -> None:
    """One liar, four voters, and from step 6 on a perfect network.

    The liar shows its votes to some only, so that `a` and `b` reach view 2 with its help, `b` without having
    voted for view 1. `c` has voted for view 1, which lacks a vote for ever; it must join the votes for
    view 2 and 3 all the same, or nobody ever leads again.
    """
    made = Voters(FOUR, lambda terms: [name for name in PARTIES if name != terms.leader(2)])
    terms = made.terms
    a, c, liar, b = (terms.leader(view) for view in range(4))
    # 1. and 2. the first leader's proposal is late; a and c vote, and a is helped into view 1
    made.tick(a, FIRST_DELAY)
    made.tick(c, FIRST_DELAY)
    made.vote(liar, 1, a)
    made.bring(a, Change, 1, c, liar)
    assert made.views() == {a: 1, b: 0, c: 0}
    # 3. its leader c is not there: a votes for view 2, and b hears of that first
    made.tick(a, delay_of(1))
    made.vote(liar, 2, a, b)
    made.bring(b, Change, 2, liar, a)
    # 4. b joins, and both get into view 2, whose leader is the liar
    made.bring(a, Change, 2, b, liar)
    assert made.views() == {a: 2, b: 2, c: 0}
    # 5. all that was late comes, and the liar is silent from here
    made.settle()
    # 6. time passes, and everything arrives
    for _ in range(200):
        for name in made.seats:
            made.tick(name)
            made.settle()
    decided = {agreement.decided for agreement in made.agreements.values()}
    assert len(decided) == 1
    assert None not in decided


def test_the_few_cannot_make_a_voter_give_up_the_present_view() -> None:
    """Votes of t + f for the farthest views: nobody follows, and the first leader's proposal is decided."""
    made = Voters(FOUR, lambda terms: [name for name in PARTIES if name != terms.leader(3)])
    liar = made.terms.leader(3)
    for view in (63, 62, 5, 1):
        made.vote(liar, view, *made.seats)
    honest = list(made.seats)
    for name in honest:
        for view in (63, 62, 5, 1):
            made.bring(name, Change, view, liar)
    # one of them times out, as may happen, and t + f + 1 now want some later view
    slow = made.terms.leader(1)
    made.tick(slow, FIRST_DELAY)
    assert all(agreement._promised <= 1 for agreement in made.agreements.values())
    made.settle()
    assert all(agreement._promised <= 1 for agreement in made.agreements.values())
    for _ in range(60):
        for name in honest:
            made.tick(name)
            made.settle()
    assert len({agreement.decided for agreement in made.agreements.values()} - {None}) == 1
    assert Proposal in MESSAGES
