"""Committees that share keys, dealt in one place, and epoch changes of theirs under the simulator."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quorate.entropy import SeededRng
from quorate.groups import Group
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import Party, PartyId, ProtocolRun
from quorate.sharing.epochs import epoch_number
from quorate.sharing.polynomial import Commitment, Polynomial, interpolate
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import RESHARE, Reshared, SharedKeys, Shares, Terms, reshare
from quorate.testing import Result, Simulation

CHANGE = digest(Tag.SIMULATION_SEED, b"a change of committee")


def key_id(number: int) -> bytes:
    return digest(Tag.SIMULATION_SEED, b"key", number.to_bytes(4, "big"))


@dataclass
class Committee:
    """`count` keys of nodes that all told us their shares."""

    nodes: Sequence[PartyId]
    quorums: Quorums
    count: int = 3
    seed: int = 1
    group: Group = field(default=TOY_GROUP)

    def __post_init__(self) -> None:
        rng = SeededRng(digest(Tag.SIMULATION_SEED, b"committee", self.seed.to_bytes(8, "big")))
        polynomials = [Polynomial.random(self.group, self.quorums.degree, rng) for _ in range(self.count)]
        self.secrets = [polynomial.coefficients.reveal()[0] for polynomial in polynomials]
        self.keys = SharedKeys(
            self.group,
            tuple(self.nodes),
            tuple(key_id(number) for number in range(self.count)),
            tuple(zip(*(polynomial.commit().points for polynomial in polynomials), strict=True)),
        )
        self.shares: dict[PartyId, list[int | None]] = {
            node: [polynomial.at(x).reveal().value for polynomial in polynomials]
            for x, node in enumerate(self.nodes, 1)
        }

    def of(self, node: PartyId) -> Shares:
        """What a node gives to `reshare`."""
        return Secret(tuple(self.shares.get(node, ())))

    def lose(self, node: PartyId, *indices: int) -> None:
        """A node burns its shares of these keys."""
        for index in indices:
            self.shares[node][index] = None

    def terms(self, new_nodes: Sequence[PartyId], quorums: Quorums, **more: int) -> Terms:
        """A change from this committee to another."""
        return Terms(CHANGE, 1, self.keys, self.quorums, tuple(new_nodes), quorums, **more)


@dataclass
class EpochChange:
    """One session of resharing. `kept`: the keys, by number, that no dealer may lack though all are spare."""

    old: Committee
    terms: Terms
    kept: Collection[int] = ()

    def run(self, me: PartyId) -> ProtocolRun[Any]:
        """The honest seat of a party."""
        kept = {key_id(number) for number in self.kept}

        async def run(party: Party) -> Reshared | None:
            return await reshare(
                party, self.terms, shares=self.old.of(me), may_lack=lambda key: key not in kept
            )

        return run

    def simulation(self, seed: int = 1, **more: Any) -> Simulation[Any]:
        """This session under the simulator."""
        return Simulation(
            RESHARE,
            {party: self.run(party) for party in self.terms.parties},
            self.terms.parties,
            group=self.old.group,
            seed=seed,
            payload=self.terms.payload,
            epoch=epoch_number(self.terms.epoch, 0),
            **more,
        )

    def play(self, seed: int = 1, **more: Any) -> Result[Any]:
        """Simulate, and see that all that must hold does."""
        result: Result[Any] = self.simulation(seed, **more).run()
        result.assert_sound()
        self.examine(result)
        return result

    def examine(self, result: Result[Any]) -> None:
        """P1 agreement, P2 correctness, P3 totality, P6: old keys, the new degree, at every honest node."""
        receivers = [n for n in self.terms.new_nodes if n in result.honest]
        got: dict[PartyId, Reshared] = {n: result.values[n] for n in receivers if n in result.values}
        if not got:
            return
        assert len(got) == len(receivers), "one honest node has the new shares and another has not"
        first = got[receivers[0]]
        assert len({(r.digest, r.dealers, r.lost) for r in got.values()}) == 1
        assert len(set(first.dealers)) == len(first.dealers) >= self.terms.old.degree + 1
        assert set(first.dealers) <= set(self.terms.old.nodes)
        assert len(first.dealers) == self.terms.needed
        assert not first.lost or self.terms.spare
        assert not set(first.lost) & {key_id(number) for number in self.kept}
        if first.keys is None:
            return
        assert first.keys.degree == self.terms.new_quorums.degree
        numbers = [self.old.keys.key_ids.index(identifier) for identifier in first.keys.key_ids]
        for place, number in enumerate(numbers):
            shares = {x: got[n].shares.reveal()[place] for x, n in self._points() if n in got}
            commitment = Commitment(tuple(column[place] for column in first.keys.columns))
            assert commitment.constant == self.old.keys.columns[0][number]
            check_sharing(self.old.group, commitment, shares, self.old.secrets[number].value)

    def _points(self) -> list[tuple[int, PartyId]]:
        return list(enumerate(self.terms.new_nodes, 1))


def check_sharing(group: Group, commitment: Commitment, shares: Mapping[int, int], secret: int) -> None:
    """Each share lies on the commitment, and every d+1 of them give the secret."""
    for x, share in shares.items():
        commitment.check(x, group.scalar(share))
    for chosen in itertools.combinations(sorted(shares), commitment.degree + 1):
        found = interpolate(group, {x: group.scalar(shares[x]) for x in chosen})
        assert found.value == secret


def change(
    old: tuple[str, Quorums], new: tuple[str, Quorums], *, kept: Collection[int] = (), **more: Any
) -> EpochChange:
    """A change between committees whose nodes are letters: ``change(("abcd", Q4), ("abce", Q4))``."""
    terms = {name: more.pop(name) for name in ("chunk", "attempt", "spare") if name in more}
    committee = Committee(tuple(old[0]), old[1], **more)
    return EpochChange(committee, committee.terms(tuple(new[0]), new[1], **terms), kept)
