"""Key generation with one cheat at each check: the cheat is named, with evidence, and nobody else."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from tests.unit.sharing.table import Cheat, Table, blamed, changing, errors, flip

from quorate.errors import Blame, Missing
from quorate.groups.toy import TOY_GROUP
from quorate.session import Declaration, Message, Party, together
from quorate.session.echo import Echo, Seen
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keygen import Commit, Confirm, Open, Reveal, Shares

DECLARATION = Declaration("keygen-test", 1, *keygen.rules())
NAMES = ("n1", "n2", "n3", "n4")
ONE = TOY_GROUP.scalar(1)


async def run(party: Party) -> tuple[GeneratedKey, ...]:
    return await keygen.generate(party, degree=2, count=2, context=b"pool")


async def showing(party: Party) -> None:
    """A seat that reports its view of the openings although nobody differs."""

    async def report() -> None:
        await party.gather(Echo)
        views = {**party.envelopes(Open), party.me: party.own_envelope(Open)}
        party.broadcast(Seen(tuple(views[name] for name in sorted(views))))

    await together(run(party), report())


def play(cheat: Cheat, *, echo_view_anyway: bool = False) -> tuple[Table, dict[str, Any]]:
    seats = dict.fromkeys(NAMES, run) | ({"n3": showing} if echo_view_anyway else {})
    table = Table(DECLARATION, seats, TOY_GROUP, cheats={"n3": cheat})
    return table, table.play()


@pytest.mark.parametrize(
    ("cheat", "step", "exhibits"),
    [
        (changing(Commit, commitment=flip), "keygen.open", 2),
        (changing(Open, salt=flip), "keygen.open", 2),
        (changing(Open, chain_code=flip), "keygen.open", 2),
        (changing(Open, commitments=lambda c: (c[1], c[0])), "keygen.open", 2),
        (changing(Open, proofs=lambda p: (p[1], p[0])), "keygen.open", 1),
        (changing(Open, proofs=lambda p: p[:1]), "keygen.open", 1),
        (changing(Open, proofs=lambda p: (*p, p[0])), "keygen.open", 1),
        (changing(Reveal, chain_code=flip), "keygen.reveal", 2),
        (changing(Reveal, salt=flip), "keygen.reveal", 2),
        (changing(Shares, values=lambda v: (v[0] + ONE, v[1])), "keygen.shares", 2),
        (changing(Shares, values=lambda v: (v[1], v[0])), "keygen.shares", 2),
        (changing(Shares, values=lambda v: v[:1]), "keygen.shares", 2),
        (changing(Shares, values=lambda v: (*v, v[0])), "keygen.shares", 2),
        (changing(Confirm, proofs=lambda p: (p[1], p[0])), "keygen.confirm", 1),
        (changing(Confirm, proofs=lambda p: p[:1]), "keygen.confirm", 1),
    ],
)
def test_a_false_message_is_blamed_on_its_sender(cheat: Cheat, step: str, exhibits: int) -> None:
    table, played = play(cheat)
    assert blamed(table, played) == {"n3"}
    accusers = [error for error in errors(played).values() if isinstance(error, Blame)]
    assert len(accusers) == 3
    for error in accusers:
        assert error.step == step
        assert len(error.evidence) == exhibits


@pytest.mark.parametrize("lengthen", [True, False], ids=["longer", "shorter"])
def test_a_commitment_of_another_length_is_blamed_though_it_was_committed(lengthen: bool) -> None:
    """A longer one raises the threshold silently, a shorter one lowers it: found ten times in 2024."""

    def resized(opening: Open) -> Open:
        points = opening.commitments
        changed = tuple((*p, TOY_GROUP.generator) if lengthen else p[:-1] for p in points)
        return msgspec.structs.replace(opening, commitments=changed)

    table, played = play(recommitted(resized))
    assert blamed(table, played) == {"n3"}
    assert all("degree" in str(error) for error in errors(played).values() if isinstance(error, Blame))


def test_fewer_keys_than_agreed_are_blamed() -> None:
    def fewer(opening: Open) -> Open:
        return msgspec.structs.replace(
            opening, commitments=opening.commitments[:1], proofs=opening.proofs[:1]
        )

    table, played = play(recommitted(fewer))
    assert blamed(table, played) == {"n3"}


def recommitted(change: Callable[[Open], Open]) -> Cheat:
    """Changes the opening and commits to the changed one: only the check of its shape is left to find it."""
    held: list[Open] = []
    real = keygen.open_deal

    def cheat(message: Message, recipient: str) -> Message:
        if isinstance(message, Commit):
            setting, me, deal, rng = captured["n3"]
            held[:] = [change(real(setting, me, deal, rng))]
            return Commit(keygen.commitment_to(setting, me, held[0]))
        if isinstance(message, Open):
            return held[0]
        return message

    return cheat


captured: dict[str, tuple[Any, ...]] = {}


@pytest.fixture(autouse=True)
def capture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a cheat see its own seat's secrets, as a real one would."""
    real = keygen.open_deal

    def seen(setting: Any, me: str, deal: Any, rng: Any) -> Open:
        captured[me] = (setting, me, deal, lambda n: bytes(n))
        return real(setting, me, deal, rng)

    monkeypatch.setattr(keygen, "open_deal", seen)


def test_a_share_wrong_for_one_node_is_shown_by_that_node_alone() -> None:
    def cheat(message: Message, recipient: str) -> Message:
        if isinstance(message, Shares) and recipient == "n1":
            return Shares(tuple(value + ONE for value in message.values))
        return message

    table, played = play(cheat)
    assert blamed(table, played) == {"n3"}
    assert isinstance(played["n1"], Blame)
    # the others lack n1's confirmation: missing, not guilty, and no key
    for name in ("n2", "n4"):
        assert isinstance(played[name], Missing)
        assert "n1" in played[name].parties


def test_two_openings_of_two_commitments_are_shown_by_the_echo() -> None:
    """Each half of the nodes sees a consistent deal; only comparing views finds it."""
    others: dict[str, Open] = {}

    def cheat(message: Message, recipient: str) -> Message:
        if recipient != "n1" or not isinstance(message, Commit | Open):
            return message
        setting, me, deal, rng = captured["n3"]
        if not others:
            again = keygen.Deal(deal.polynomials, bytes(32), bytes(32), bytes(32))
            others["open"] = keygen.open_deal(setting, me, again, rng)
        opening = others["open"]
        return Commit(keygen.commitment_to(setting, me, opening)) if isinstance(message, Commit) else opening

    table, played = play(cheat)
    assert blamed(table, played) == {"n3"}
    shown = [error for error in errors(played).values() if isinstance(error, Blame)]
    assert any("different things" in str(error) for error in shown)


def test_a_false_echo_leaves_its_reporter_missing_and_nobody_blamed() -> None:
    """Views are exchanged; the reporter, whose own view matched, is the one that shows none."""
    table, played = play(changing(Echo, digest=flip))
    assert blamed(table, played) == set()
    for name in ("n1", "n2", "n4"):
        assert isinstance(played[name], Missing)
        assert played[name].parties == ("n3",)
        assert played[name].step == "echo.seen"


def test_a_node_that_vouches_for_a_view_it_does_not_have_is_blamed() -> None:
    table, played = play(changing(Echo, digest=flip), echo_view_anyway=True)
    assert blamed(table, played) == {"n3"}
    for name in ("n1", "n2", "n4"):
        assert "vouched" in str(played[name])


def test_a_node_that_stops_before_the_last_round_leaves_no_finished_key() -> None:
    table, played = play(lambda message, recipient: None if isinstance(message, Confirm) else message)
    assert blamed(table, played) == set()
    for name in ("n1", "n2", "n4"):
        assert isinstance(played[name], Missing)
        assert played[name].parties == ("n3",)


def test_a_silent_cheat_in_any_round_is_missing() -> None:
    for kind in (Commit, Open, Shares, Reveal, Echo, Confirm):
        table, played = play(
            lambda message, recipient, kind=kind: None if isinstance(message, kind) else message
        )
        assert blamed(table, played) == set()
        for name in ("n1", "n2", "n4"):
            assert isinstance(played[name], Missing)
            assert played[name].parties == ("n3",)
