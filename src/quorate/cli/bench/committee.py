"""What one node does in the benchmarks of a committee: generate a batch of keys, or reshare one.

Everything that the parties would have agreed on beforehand follows from the names and a seed: identities,
nonces, and for renewal the keys, which are dealt in one place because only their resharing is measured.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Final

from quorate.cli.bench.harness import require
from quorate.cli.bench.seats import peak_memory
from quorate.entropy import SeededRng, system_rng
from quorate.errors import LocalError
from quorate.groups import Group, group_named
from quorate.secret import Secret
from quorate.session import (
    Declaration,
    KeyPair,
    Party,
    PartyId,
    Session,
    SessionSpec,
)
from quorate.sharing import dkg
from quorate.sharing.polynomial import Commitment
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import RESHARE, Reshared, SharedKeys, Terms, reshare

SEED: Final = bytes(32)
"""Of the identities and the keys to renew. The runs themselves draw from the system."""


@dataclass(frozen=True, slots=True)
class Committee:
    """So many nodes under these thresholds, called node01, node02, .. in the order of their points."""

    nodes: int
    liars: int
    away: int
    degree: int

    @property
    def quorums(self) -> Quorums:
        return Quorums(self.nodes, self.degree, self.liars, self.away)

    @property
    def names(self) -> tuple[PartyId, ...]:
        return tuple(f"node{i:02}" for i in range(1, self.nodes + 1))

    def __str__(self) -> str:
        return f"n{self.nodes}-t{self.liars}-f{self.away}-d{self.degree}"


class CommitteeDesk:
    """One node, in a process of its own (see `seats`)."""

    def __init__(self, me: PartyId) -> None:
        import_module("numpy")  # or the first long sum would pay for it
        self.me = me
        self._session: Session[Any] | None = None
        self._terms: Terms | None = None
        self._shares: list[int | None] = []

    def generate(self, curve: str, committee: Committee, keys: int, number: int) -> list[bytes]:
        """Take a seat in run `number` of distributed key generation; the first envelopes."""
        batch = dkg.Batch("bench", 0, SEED, curve, number, keys)
        spec = batch.spec(_roster(committee.names), committee.quorums)
        run = partial(dkg.generate, quorums=committee.quorums, count=keys)
        return self._begin(spec, dkg.DKG, group_named(curve), run)

    def deal_old(self, curve: str, old: Committee, new: Committee, keys: int, attempt: int) -> None:
        """What a node brings to resharing: its shares, and what is public of everybody's. Not measured."""
        group, order = group_named(curve), group_named(curve).order
        rng = SeededRng(SEED)
        drawn = [[group.random_scalar(rng) for _ in range(keys)] for _ in range(old.degree + 1)]
        columns = tuple(tuple(map(group.generator.multiply, column)) for column in drawn)
        ids = tuple(rng(32) for _ in range(keys))
        shared = SharedKeys(group, old.names, ids, columns)
        self._terms = Terms(SEED, 1, shared, old.quorums, new.names, new.quorums, attempt=attempt)
        self._shares = []
        if self.me in old.names:
            x = old.names.index(self.me) + 1
            values = zip(*((scalar.value for scalar in column) for column in drawn), strict=True)
            self._shares = [sum(c * x**j for j, c in enumerate(row)) % order for row in values]

    def renew(self) -> list[bytes]:
        """Take a seat in the resharing of what was dealt; the first envelopes."""
        terms = self._terms
        if terms is None:
            raise ValueError("nothing has been dealt to reshare")
        run = partial(reshare, terms=terms, shares=Secret(tuple(self._shares)))
        return self._begin(terms.spec(_roster(terms.parties)), RESHARE, terms.group, run)

    def receive(self, data: bytes) -> list[bytes]:
        """Take in one envelope; the answers."""
        if self._session is None:
            raise ValueError("no session has begun")
        return self._session.receive(data)

    def finish(self) -> tuple[bytes, int, int]:
        """The digest of the keys as this node has them, their number, and its peak memory so far."""
        if self._session is None:
            raise ValueError("no session has begun")
        require(self._session.concluded, "the session has not concluded")
        require(not self._session.deviations, "an honest node was accused")
        result = self._session.result()
        self._session = None
        keys: SharedKeys | None = result.keys
        if keys is None:
            raise LocalError("the benchmark's result is wrong: no key is left")
        if isinstance(result, Reshared):
            require(not result.lost, "keys were lost")
            require(keys.columns[0] == result.terms.old.columns[0], "a public key has changed")
        values = result.shares.reveal()
        for index in {0, len(values) - 1}:
            public = Commitment(tuple(column[index] for column in keys.columns))
            public.check(keys.nodes.index(self.me) + 1, keys.group.scalar(values[index]))
        return keys.digest, len(values), peak_memory()

    def _begin(self, spec: SessionSpec, declaration: Declaration, group: Group, run: Any) -> list[bytes]:
        async def seat(party: Party) -> Any:
            task: Coroutine[Any, Any, Any] = run(party)
            return await task

        self._session = Session(
            spec,
            self.me,
            _identity(self.me),
            _roster(spec.parties),
            declaration,
            group,
            seat,
            rng=system_rng,
        )
        return self._session.start()


def _identity(name: PartyId) -> KeyPair:
    return KeyPair(Secret(SeededRng(SEED + name.encode())(32)))


def _roster(names: tuple[PartyId, ...]) -> dict[PartyId, Any]:
    return {name: _identity(name).public for name in names}
