"""A node of a sharing dies at every write of its journal, before it and after it, and comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tests.support.dealing import DEALER, Circle, names

from quorate.session import Envelope, MemoryJournal, Session, Slot
from quorate.sharing.avss import Dealt

ALL = names(5)
STARVED = "n4"
"""Gets no dealing and no row, so that the steps of whoever must ask are died in, too."""


class Died(Exception):
    """The process is gone."""


class Mortal(MemoryJournal):
    """A journal whose process dies at its `at`-th write, with or without the write."""

    def __init__(self, at: int, *, written: bool) -> None:
        super().__init__()
        self.left, self.written, self.writes = at, written, 0

    def append(self, session: bytes, inbound: bytes, outbound: Sequence[bytes]) -> None:
        self.writes += 1
        self.left -= 1
        if self.left == 0 and not self.written:
            raise Died
        super().append(session, inbound, outbound)
        if self.left == 0:
            raise Died


class Committee:
    """Five journaled nodes; everything anybody ever sent, by slot."""

    def __init__(self, victim: str, journal: Mortal) -> None:
        self.circle = Circle(honest=[])
        self.journals = {name: MemoryJournal() for name in ALL} | {victim: journal}
        self.sent: dict[Slot, bytes] = {}
        self.under_way: list[tuple[str, bytes]] = []
        self.seats: dict[str, Session[Any]] = {}
        self.deaths = 0
        for name in ALL:
            self.start(name)

    def start(self, name: str) -> None:
        self.seats[name] = self.circle.table.seat(name, self.circle.run, journal=self.journals[name])
        try:
            self.post(name, self.seats[name].start())
        except Died:
            self.deaths += 1
            self.start(name)

    def post(self, sender: str, outbound: Sequence[bytes]) -> None:
        for data in outbound:
            envelope = Envelope.parse(data)
            if envelope.slot.tag in ("avss.dealing", "avss.send") and envelope.recipient == STARVED:
                continue
            # P8: never two contents in one slot, whatever happened in between
            assert self.sent.setdefault(envelope.slot, data) == data
            to = [envelope.recipient] if envelope.recipient else [name for name in ALL if name != sender]
            if envelope.slot.tag == "avss.dealing":
                to = [name for name in to if name != STARVED]
            self.under_way += [(name, data) for name in to]

    def run(self) -> dict[str, Dealt]:
        while self.under_way:
            to, data = self.under_way.pop(0)
            try:
                self.post(to, self.seats[to].receive(data))
            except Died:
                self.deaths += 1
                self.under_way.append((to, data))
                self.start(to)
        return {name: seat.result() for name, seat in self.seats.items() if seat.concluded}


@pytest.mark.parametrize("victim", [DEALER, "n2", STARVED])
def test_whoever_dies_at_any_write_and_comes_back_completes_with_the_others(victim: str) -> None:
    calm = Mortal(0, written=True)
    undisturbed = Committee(victim, calm)
    expected = undisturbed.run()
    assert set(expected) == set(ALL)
    assert calm.writes > 8
    for at in range(1, calm.writes + 1):
        for written in (False, True):
            committee = Committee(victim, Mortal(at, written=written))
            done = committee.run()
            assert committee.deaths == 1
            assert set(done) == set(ALL), (at, written)
            assert len({dealt.digest for dealt in done.values()}) == 1
            for x, name in enumerate(ALL, 1):
                share = committee.circle.setting.group.scalar(done[name].shares.reveal()[0])
                done[DEALER].commitment(0).check(x, share)
            assert not any(seat.deviations for seat in committee.seats.values())
