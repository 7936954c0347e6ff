"""Key generation against what went wrong in other implementations, and beside nodes that try it again.

Sources of the defects: an archived network's key generation and resharing, read as code; for vectors of the
wrong length, Trail of Bits, "Breaking the shared key in threshold signature schemes" (2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from quorate.errors import ProofRejected
from quorate.groups import Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.session import Message, Party, PartyId
from quorate.sharing.agreement import Agreement, Proposal, Vote
from quorate.sharing.avss import ReadyCertificate, Setting, bivariate, commitments
from quorate.sharing.avss.certificate import statement
from quorate.sharing.avss.messages import Dealing, Send
from quorate.sharing.dkg import DKG, DkgResult, generate
from quorate.sharing.quorums import Quorums
from quorate.testing import Faults, InOrder, Simulation, unsafe_identity
from quorate.testing.dealers import LyingSharing, NoDealer, TwoFacedDealer, WrongPoints, WrongRows, seat
from quorate.testing.generations import SIZES, Play, check_play, play
from quorate.testing.liars import Liar

FOUR, FIVE = SIZES[0], SIZES[1]
CALM = Faults()


def beside(liar: PartyId, quorums: Quorums = FOUR, seed: int = 1, **lies: Any) -> Play:
    # in order, or all may be done before the lie has come to anybody
    hands = {liar: seat(quorums, 1, **lies)}
    played = play(seed, quorums, hands=hands, faults=CALM, scheduler=InOrder())
    check_play(played)
    return played


def named(played: Play) -> set[PartyId]:
    return {name for noted in played.result.honest for name in played.result.deviations[noted]}


def leading(voting: type[Agreement], quorums: Quorums = FOUR, **lies: Any) -> list[Play]:
    """The liar in every seat: in one of them it leads the first view."""
    names = [f"p{number}" for number in range(1, quorums.nodes + 1)]
    return [beside(name, quorums, voting=voting, **lies) for name in names]


# --- who deals, and how often it counts ---------------------------------------------------------------


class Alone(Liar):
    """Proposes itself, as often as dealers are needed: the key would be a multiple of what it alone knows."""

    def _propose(self, view: int, votes: tuple[Vote, ...]) -> None:
        if self._me in self._proofs:
            needed = self.terms.needed
            proofs = (self._proofs[self._me],) * needed
            self._say(view, Proposal((self._me,) * needed, proofs, None, votes))

    def _lead(self) -> None:
        if self._me in self._proofs:
            super()._lead()


def test_a_leader_that_names_itself_several_times_makes_no_key_of_its_own() -> None:
    for played in leading(Alone):
        value = played.result.values[played.result.honest[0]]
        assert len(set(value.dealers)) == len(value.dealers) > FOUR.degree
    assert any(named(played) for played in leading(Alone))


class Confident(Liar):
    """Proposes dealers that have completed nowhere, with certificates that it has signed alone."""

    settings: dict[PartyId, Setting]

    def _fresh(self) -> tuple[tuple[PartyId, ...], tuple[ReadyCertificate, ...]]:
        signature = self._party.sign(bytes(32))
        count = self.terms.quorums.ready
        signatures = tuple((name, signature) for name in sorted(self.terms.nodes)[:count])
        dealers = (*self.first[:-1], self._me) if self._me not in self.first else self.first
        return dealers, (ReadyCertificate(bytes(32), signatures),) * len(dealers)


def test_a_leader_that_proposes_what_never_completes_is_named_and_passed_over() -> None:
    plays = leading(Confident, sharing=NoDealer)
    assert any(named(played) for played in plays)
    for played in plays:
        (liar,) = played.result.cheaters
        assert liar not in played.result.values[played.result.honest[0]].dealers


# --- certificates: distinct signers, of this digest, with our own thresholds --------------------------


def signed(setting: Setting, digest: bytes, names: Sequence[str], by: Sequence[str] = ()) -> ReadyCertificate:
    said = statement(setting, digest)
    signatures = (unsafe_identity(who).sign(said) for who in by or names)
    return ReadyCertificate(digest, tuple(zip(names, signatures, strict=True)))


NAMES = ("p1", "p2", "p3", "p4")
IDENTITIES = {name: unsafe_identity(name).public for name in (*NAMES, "P1", "p01")}


def setting(**changed: Any) -> Setting:
    fields = {"session": bytes(32), "group": TOY_GROUP, "nodes": NAMES, "quorums": FOUR, "count": 1}
    return Setting(**{**fields, **changed})


@pytest.mark.parametrize(
    ("names", "by"),
    [
        (("p1", "p1", "p1"), ()),
        (("p1", "p1", "p2"), ()),
        (("P1", "p1", "p2"), ("p1", "p1", "p2")),
        (("p01", "p1", "p2"), ("p1", "p1", "p2")),
        (("p1", "p2"), ()),
        (("p1", "p2", "p3", "p4"), ()),
        (("p2", "p1", "p3"), ()),
    ],
    ids=["one", "one-twice", "other-case", "leading-zero", "too-few", "padded", "out-of-order"],
)
def test_one_signer_is_counted_once_however_it_is_spelled(
    names: tuple[str, ...], by: tuple[str, ...]
) -> None:
    signed(setting(), bytes(32), NAMES[:3]).verify(setting(), IDENTITIES)
    with pytest.raises(ProofRejected):
        signed(setting(), bytes(32), names, by).verify(setting(), IDENTITIES)


def test_a_certificate_is_about_one_matrix_of_one_sharing() -> None:
    certificate = signed(setting(), bytes(32), NAMES[:3])
    with pytest.raises(ProofRejected):
        ReadyCertificate(b"1" * 32, certificate.signatures).verify(setting(), IDENTITIES)
    with pytest.raises(ProofRejected):
        certificate.verify(setting(session=b"1" * 32), IDENTITIES)


def test_thresholds_are_the_sessions_own() -> None:
    """The certificate has nowhere to say how many are enough, nor among whom."""
    certificate = signed(setting(), bytes(32), NAMES[:3])
    five = (*NAMES, "p5")
    with pytest.raises(ProofRejected):
        certificate.verify(setting(nodes=five, quorums=FIVE), {**IDENTITIES, "p5": IDENTITIES["p1"]})
    assert not {"n", "t", "degree", "quorums", "nodes"} & set(ReadyCertificate.__struct_fields__)


# --- no liars expected, other sizes -------------------------------------------------------------------


@pytest.mark.parametrize(
    "quorums",
    [
        Quorums(1, 0, 0, 0),
        Quorums(2, 0, 0, 0),
        Quorums(2, 1, 0, 0),
        Quorums(3, 1, 0, 0),
        Quorums(3, 2, 0, 0),
        Quorums(3, 0, 0, 1),
        Quorums(3, 1, 0, 1),
        Quorums(5, 1, 0, 2),
    ],
    ids=lambda q: f"n{q.nodes}-d{q.degree}-f{q.away}",
)
def test_committees_that_expect_no_liar_complete(quorums: Quorums) -> None:
    for seed in range(5):
        check_play(play(seed, quorums, journaled=True))


# --- vectors of the wrong length ----------------------------------------------------------------------


class OtherDegree(LyingSharing):
    """Deals a polynomial of another degree than agreed, with a matrix to match."""

    other = 0

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        setting, group = self.setting, self.setting.group
        degree = setting.degree + self.other
        columns = bivariate.draw(group, degree, setting.count, self._party.rng)
        self._has_dealt = self._dealing_came = self._row_came = True
        self._party.broadcast(Dealing(b"", commitments.pack(commitments.commit(group, columns))))
        for x, node in enumerate(setting.nodes, 1):
            if node != self._party.me:
                row = bivariate.row(columns, degree, x, group.order)
                self._party.send(node, Send(b"".join(group.write_scalars(column) for column in row)))


class Higher(OtherDegree):
    other = 1


class Lower(OtherDegree):
    other = -1


@pytest.mark.parametrize("dealing", [Higher, Lower])
@pytest.mark.parametrize("quorums", [FOUR, FIVE], ids=["n4", "n5"])
def test_a_commitment_longer_or_shorter_than_agreed_moves_no_threshold(
    dealing: type[LyingSharing], quorums: Quorums
) -> None:
    played = beside("p2", quorums, sharing=dealing)
    assert named(played) == {"p2"}
    value = played.result.values["p1"]
    assert "p2" not in value.dealers
    assert {key.degree for key in value.keys} == {quorums.degree}


# --- each lie in a sharing, inside a generation -------------------------------------------------------


@pytest.mark.parametrize("sharing", [TwoFacedDealer, WrongRows, WrongPoints])
def test_a_lie_in_a_sharing_is_named_with_proof_and_stops_nobody(sharing: type[LyingSharing]) -> None:
    found = [beside("p3", seed=seed, sharing=sharing) for seed in range(8)]
    assert {name for played in found for name in named(played)} == {"p3"}


def test_a_result_names_who_had_been_caught_by_then() -> None:
    played = beside("p2", sharing=Higher)
    noted = [played.result.values[name].deviations for name in played.result.honest]
    assert all(set(deviations) <= {"p2"} for deviations in noted)
    assert any(noted)


def test_the_message_of_a_node_in_the_place_of_a_dealer_is_named() -> None:
    class Usurper(LyingSharing):
        def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
            super().deal(secrets)

        def receive(self, sender: PartyId, message: Message) -> None:
            if self.dealer == "p1" and isinstance(message, Send):
                self._party.send("p3", message)
            super().receive(sender, message)

    played = beside("p2", sharing=Usurper)
    assert named(played) == {"p2"}


def test_a_generation_whose_agreement_nobody_leads_takes_the_next_leader() -> None:
    async def run(party: Party) -> DkgResult:
        return await generate(party, quorums=FOUR, count=1)

    async def silent(party: Party) -> None:
        async for _ in party.stream():
            pass

    for name in NAMES:
        result = Simulation(DKG, run, 4, by_hand={name: silent}).run()
        honest = [other for other in NAMES if other != name]
        assert len({result.values[other].keys.digest for other in honest}) == 1
