"""Epoch changes in the simulator: who lies how in a seed, and what must hold of every end.

The old committee's keys are dealt in one place. What must hold are the guarantees of
docs/protocols/resharing.md: all honest new nodes end (P3, P4) with the same dealers and public values (P1),
with shares of the old keys by the new degree (P2, P6); no honest node is accused, and every accusation is
proved (P7).
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, cast

from quorate.encoding import decode
from quorate.entropy import SeededRng
from quorate.errors import Blame
from quorate.groups import Group, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import Exhibit, Offence, Party, PartyId, convict, examine
from quorate.sharing import agreement, avss
from quorate.sharing.agreement import Agreement
from quorate.sharing.agreement import Terms as Voting
from quorate.sharing.avss import ReadyCertificate, Setting, Sharing, bivariate, commitments
from quorate.sharing.avss.messages import Dealing, Send
from quorate.sharing.epochs import epoch_number
from quorate.sharing.polynomial import Commitment, Polynomial, interpolate
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import FORK, RESHARE, Reshared, Resharing, SharedKeys, Shares, Terms
from quorate.testing.cheats import whisper
from quorate.testing.dealers import DEALERS, LyingSharing
from quorate.testing.dice import Dice, seed_of
from quorate.testing.liars import LIARS
from quorate.testing.network import NO_FAULTS, Faults, any_scheduler
from quorate.testing.result import Result
from quorate.testing.simulation import Simulation

CHANGE: Final = digest(Tag.SIMULATION_SEED, b"a change of committee")
"""Stands for the digest of the next committee's record."""

STORM: Final = Faults(
    duplicate=0.05, lose=0.05, damage=0.01, crash=0.005, deadline=0.002, power_cut=0.001, forget=True
)

CHANGES: Final[Mapping[str, tuple[tuple[str, Quorums], tuple[str, Quorums]]]] = {
    "renew-4": (("abcd", Quorums(4, 1, 1, 0)), ("abcd", Quorums(4, 1, 1, 0))),
    "renew-5": (("abcde", Quorums(5, 2, 1, 0)), ("abcde", Quorums(5, 2, 1, 0))),
    "grow": (("abcde", Quorums(5, 2, 1, 0)), ("abcdfgh", Quorums(7, 3, 1, 1))),
    "shrink": (("abcdefg", Quorums(7, 3, 1, 1)), ("abcde", Quorums(5, 2, 1, 0))),
    "replace-6": (("abcdef", Quorums(6, 1, 1, 1)), ("gbcdea", Quorums(6, 1, 1, 1))),
    "disjoint": (("abcd", Quorums(4, 1, 1, 0)), ("vwxyz", Quorums(5, 2, 1, 0))),
    "liars-7": (("abcdefg", Quorums(7, 2, 2, 0)), ("abcdefh", Quorums(7, 2, 2, 0))),
    "nine": (("abcdefg", Quorums(7, 2, 2, 0)), ("abcdefghi", Quorums(9, 4, 2, 0))),
}
"""By name: the nodes before, a letter each, and after. The most liars that each committee stands."""


@dataclass
class OldCommittee:
    """Nodes that share `count` keys, and told us their shares."""

    nodes: Sequence[PartyId]
    quorums: Quorums
    count: int = 3
    seed: int = 1
    group: Group = field(default=TOY_GROUP)

    def __post_init__(self) -> None:
        rng = SeededRng(seed_of("old committee", self.seed))
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

    def terms(self, new_nodes: Sequence[PartyId], quorums: Quorums, **more: Any) -> Terms:
        """A change from this committee to another."""
        return Terms(CHANGE, 1, self.keys, self.quorums, tuple(new_nodes), quorums, **more)


def key_id(number: int) -> bytes:
    """The id of an old committee's key."""
    return digest(Tag.SIMULATION_SEED, b"key", number.to_bytes(4, "big"))


@dataclass
class EpochChange:
    """One session of resharing. `kept`: the keys, by number, that no dealer may lack though all are spare."""

    old: OldCommittee
    terms: Terms
    kept: Collection[int] = ()

    def seat(
        self, me: PartyId, *, sharing: type[Sharing] = Sharing, voting: type[Agreement] = Agreement
    ) -> Callable[[Party], Awaitable[Reshared | None]]:
        """The seat of a party, of these classes."""

        class Made(Resharing):
            pass

        Made.sharing, Made.voting = sharing, voting
        kept = {key_id(number) for number in self.kept}

        async def run(party: Party) -> Reshared | None:
            return await Made(party, self.terms, lambda key: key not in kept).run(self.old.of(me))

        return run

    def simulation(self, seed: int = 1, **more: Any) -> Simulation[Reshared | None]:
        """This session under the simulator."""
        return Simulation(
            RESHARE,
            {party: self.seat(party) for party in self.terms.parties},
            self.terms.parties,
            group=self.old.group,
            seed=seed,
            payload=self.terms.payload,
            epoch=epoch_number(self.terms.epoch, 0),
            **more,
        )

    def play(self, seed: int = 1, **more: Any) -> Result[Reshared | None]:
        """Simulate, and see that all that must hold does."""
        result = self.simulation(seed, **more).run()
        self.check(result)
        return result

    # --- what must hold ------------------------------------------------------------------------------

    def check(self, result: Result[Reshared | None]) -> None:
        """Everything. Raises `AssertionError`."""
        result.assert_sound()
        alive = [n for n in self.terms.new_nodes if n in result.honest and n not in result.errors]
        got = {node: value for node in alive if (value := result.values.get(node)) is not None}
        _require(result, len(got) == len(alive), "an honest new node has no shares")
        if got:
            self._check_values(result, got)
        for name in result.honest:
            for offender, blame in result.deviations.get(name, {}).items():
                self.prove(result, offender, blame)

    def _check_values(self, result: Result[Reshared | None], got: Mapping[PartyId, Reshared]) -> None:
        first = next(iter(got.values()))
        alike = {(r.digest, r.dealers, r.lost) for r in got.values()}
        _require(result, len(alike) == 1, "two honest nodes ended differently")
        _require(result, len(set(first.dealers)) == self.terms.needed, "not so many distinct dealers")
        _require(result, set(first.dealers) <= set(self.terms.old.nodes), "a dealer that was none")
        _require(result, self.terms.spare or not first.lost, "a live key was lost")
        kept = {key_id(number) for number in self.kept}
        _require(result, not kept & set(first.lost), "a key was lost that may not be")
        if first.keys is None:
            return
        _require(result, first.keys.degree == self.terms.new_quorums.degree, "keys of another degree")
        for place, identifier in enumerate(first.keys.key_ids):
            number = self.old.keys.key_ids.index(identifier)
            commitment = Commitment(tuple(column[place] for column in first.keys.columns))
            _require(result, commitment.constant == self.old.keys.columns[0][number], "another key")
            shares = {
                x: got[node].shares.reveal()[place]
                for x, node in enumerate(self.terms.new_nodes, 1)
                if node in got
            }
            check_sharing(self.old.group, commitment, shares, self.old.secrets[number])

    # --- what evidence shows -------------------------------------------------------------------------

    def prove(self, result: Result[Any], offender: PartyId, blame: Blame) -> str:
        """What it shows a stranger who knows the terms. Raises `ProofRejected` if it shows nothing."""
        (finding,) = convict(blame, result.spec, result.roster, result.declaration, result.group)
        if finding.offence is not Offence.STATEMENT:
            return str(finding.offence)
        shown = [
            examine(decode(Exhibit, data), result.spec, result.roster, result.declaration, result.group)
            for data in blame.evidence
        ]
        first = next(slot.path for slot, _ in shown if slot.sender == offender)
        if not first.startswith(f"{FORK}/"):
            return agreement.offence(self.voting(result), offender, shown)
        dealer = first.removeprefix(f"{FORK}/")
        return avss.offence(
            self.setting(result, dealer),
            dealer,
            offender,
            shown,
            path=first,
            session=result.spec.id,
            identities=result.roster,
            constants=self.terms.old.public_shares(dealer),
        )

    def setting(self, run: Result[Any] | Simulation[Any], dealer: PartyId) -> Setting:
        """A sharing as anybody knows it who knows the terms."""
        place = SimpleNamespace(path=FORK, session_id=run.spec.id, group=run.group)
        return self.terms.setting(cast(Party, place), dealer)

    def voting(self, run: Result[Any] | Simulation[Any]) -> Voting:
        """The agreement as anybody knows it."""

        def verify(dealer: PartyId, certificate: ReadyCertificate) -> None:
            certificate.verify(self.setting(run, dealer), run.roster)

        terms = self.terms
        identities = {node: run.roster[node] for node in terms.new_nodes}
        return Voting(
            digest(Tag.RESHARE_AGREEMENT, run.spec.id),
            terms.new_quorums,
            terms.new_nodes,
            terms.old.nodes,
            terms.needed,
            identities,
            verify,
        )


def change(
    old: tuple[str, Quorums], new: tuple[str, Quorums], *, kept: Collection[int] = (), **more: Any
) -> EpochChange:
    """A change between committees whose nodes are letters: ``change(("abcd", Q4), ("abce", Q4))``."""
    terms = {name: more.pop(name) for name in ("chunk", "attempt", "spare") if name in more}
    committee = OldCommittee(tuple(old[0]), old[1], **more)
    return EpochChange(committee, committee.terms(tuple(new[0]), new[1], **terms), kept)


def check_sharing(group: Group, commitment: Commitment, shares: Mapping[int, int], secret: Scalar) -> None:
    """Each share lies on the commitment, and every d+1 of them give the secret."""
    for x, share in shares.items():
        commitment.check(x, group.scalar(share))
    for chosen in itertools.combinations(sorted(shares), commitment.degree + 1):
        if interpolate(group, {x: group.scalar(shares[x]) for x in chosen}) != secret:
            raise AssertionError(f"the shares at {chosen} make another key")


# --- liars ---------------------------------------------------------------------------------------------


class TwoFacedHolder(LyingSharing):
    """Deals its true shares by two polynomials, one to every other node and one to the rest."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        setting, group = self.setting, self.setting.group
        self._has_dealt = self._dealing_came = self._row_came = self._echoed = self._readied = True
        others = [node for node in setting.nodes if node != self._party.me]
        for side in (others[::2], others[1::2]):
            columns = bivariate.draw(group, setting.degree, setting.count, self._party.rng)
            columns[0] = [
                drawn if secret is None else secret.value
                for drawn, secret in zip(columns[0], secrets or (), strict=True)
            ]
            dealing = Dealing(b"", commitments.pack(commitments.commit(group, columns)))
            for node in side:
                row = bivariate.row(columns, setting.degree, setting.point(node), group.order)
                whisper(self._party, dealing, [node])
                self._party.send(node, Send(b"".join(group.write_scalars(column) for column in row)))


class WrongHolder(LyingSharing):
    """Deals something else than its shares: one of them, or all, or its shares in another order."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        one = self.setting.group.scalar(1)
        given = [one if secret is None else secret for secret in secrets or ()]
        way = self.drawn(3)
        if way == 0:
            given[0] = given[0] + one
        elif way == 1:
            given = [value + one for value in given]
        else:
            given = given[1:] + given[:1]
        self._constants = None
        super().deal(given)


class Pauper(LyingSharing):
    """Says that it lacks one key, or all."""

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        keep = self.drawn(2)
        super().deal([secret if keep and index else None for index, secret in enumerate(secrets or ())])


HOLDERS: Final[tuple[type[Sharing], ...]] = (*DEALERS, TwoFacedHolder, WrongHolder, Pauper)
"""How an old node may lie, or a new one in what it says of dealings."""

VOTERS: Final[tuple[type[Agreement], ...]] = (Agreement, *LIARS)


@dataclass(slots=True)
class Play:
    """One run with what the liars were."""

    result: Result[Reshared | None]
    lies: str


def play(seed: int, name: str, *, lying: bool = True, spare: bool = False, **more: Any) -> Play:
    """A run of one of `CHANGES` in which, if `lying`, t nodes of each committee lie; everything is checked.

    Who lies and is of both counts in both. What is in `more` goes before what the seed draws.
    """
    old, new = CHANGES[name]
    dice = Dice("resharing", seed, name)
    epoch = change(old, new, count=2, seed=seed, spare=spare)
    liars = _liars(epoch.terms, dice) if lying else []
    lies, hands = [], {}
    for liar in liars:
        sharing, voting = dice.choose(HOLDERS), dice.choose(VOTERS)
        hands[liar] = epoch.seat(liar, sharing=sharing, voting=voting)
        lies.append(f"{liar} {sharing.__name__} {voting.__name__}")
    settings: dict[str, Any] = {
        "by_hand": hands,
        "faults": STORM if dice.below(2) else NO_FAULTS,
        "scheduler": any_scheduler(epoch.terms.parties, dice),
    }
    try:
        result = epoch.play(seed, **{**settings, **more})
    except BaseException as error:
        rerun = f"from quorate.testing.resharings import play; play({seed}, {name!r}, lying={lying})"
        error.add_note(f'python -c "{rerun}"; liars: {"; ".join(lies)}')
        raise
    return Play(result, "; ".join(lies))


def _liars(terms: Terms, dice: Dice) -> list[PartyId]:
    """As many as both committees stand, drawn from everybody."""
    left, chosen = list(terms.parties), list[PartyId]()
    while left:
        name = left.pop(dice.below(len(left)))
        together = {*chosen, name}
        if len(together & set(terms.old.nodes)) <= terms.old_quorums.liars and (
            len(together & set(terms.new_nodes)) <= terms.new_quorums.liars
        ):
            chosen.append(name)
    return chosen


def _require(result: Result[Any], holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"{what}\n{result.story()}")
