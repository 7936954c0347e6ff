"""Echo broadcast: equal views pass, a sender of two versions is shown, a liar about its view is shown."""

from collections.abc import Awaitable, Callable

import pytest

from quorate.encoding import encode
from quorate.errors import Blame, LocalError, Missing
from quorate.session import Declaration, Message, Offence, Party, Rule, Slot, echo
from quorate.session.envelope import write
from quorate.testing import Faults, Simulation, Tamper, put, unsafe_identity
from quorate.testing.mutations import FLIP_FIRST
from quorate.testing.result import Result


class Vote(Message, frozen=True, tag="test.vote"):
    value: int


class Later(Message, frozen=True, tag="test.later"):
    value: int


ECHO = Declaration("echo", 1, Rule(Vote, limit=64), Rule(Later, limit=64), *echo.rules("", 4096))


async def vote(party: Party) -> list[int]:
    votes = await echo.broadcast(party, Vote(1))
    return [votes[name].value for name in votes]


def play(parties: int = 4, **options: object) -> Result[list[int]]:
    return Simulation(ECHO, vote, parties, **options).run()  # type: ignore[arg-type]


def play_by_hand(liar: Callable[[Party], Awaitable[list[int]]], seed: int = 0) -> Result[list[int]]:
    result = play(by_hand={"p4": liar}, seed=seed)
    result.assert_sound()
    return result


def test_equal_views_pass() -> None:
    result = play(faults=Faults(lose=0.2, duplicate=0.2, crash=0.05), seed=3)
    result.assert_sound()
    assert set(map(tuple, result.values.values())) == {(1, 1, 1)}


@pytest.mark.parametrize("victim", ["p1", "p2", "p3"])
@pytest.mark.parametrize("seed", range(5))
def test_who_tells_one_party_something_else_is_blamed_by_all(victim: str, seed: int) -> None:
    result = play(cheats=[Tamper("p4", Vote, "value", put(2), recipient=victim)], seed=seed)
    result.assert_sound()
    for name in result.honest:
        error = result.errors[name]
        assert isinstance(error, Blame)
        assert error.parties == ("p4",)
    assert {finding.offence for finding in result.findings()} == {Offence.EQUIVOCATION}


def test_a_party_that_vouches_for_nothing_and_is_then_silent_is_missing_not_blamed() -> None:
    result = play(cheats=[Tamper("p4", echo.Echo, "digest", FLIP_FIRST)])
    result.assert_sound()
    assert result.blamed() == frozenset()
    assert all(isinstance(result.errors[name], Missing) for name in result.honest)
    assert {missing for name in result.honest for missing in result.errors[name].parties} == {"p4"}  # type: ignore[attr-defined]


def liar(
    show: Callable[[Party, dict[str, bytes]], tuple[bytes, ...]],
) -> Callable[[Party], Awaitable[list[int]]]:
    """Vouches for a view of its own making, and shows what it likes."""

    async def run(party: Party) -> list[int]:
        party.broadcast(Vote(1))
        await party.gather(Vote)
        views = echo.gathered(party, Vote)
        party.broadcast(echo.Echo(bytes(32)))
        party.broadcast(echo.Seen(show(party, views)))
        return []

    return run


SHOWN: list[tuple[str, Callable[[Party, dict[str, bytes]], tuple[bytes, ...]]]] = [
    ("the truth", lambda party, views: tuple(views[name] for name in sorted(views))),
    ("nothing", lambda party, views: ()),
    ("a view with a gap", lambda party, views: tuple(views[name] for name in sorted(views))[1:]),
    ("another order", lambda party, views: tuple(views[name] for name in sorted(views))[::-1]),
    ("rubbish", lambda party, views: (b"rubbish",) * 4),
    ("one message four times", lambda party, views: (views["p1"],) * 4),
    ("a forged one", lambda party, views: (views["p1"][:-1] + b"x", *(views[n] for n in ("p2", "p3", "p4")))),
]


@pytest.mark.parametrize(("what", "show"), SHOWN, ids=[what for what, _ in SHOWN])
def test_who_vouches_for_a_view_it_cannot_show_is_blamed(
    what: str, show: Callable[[Party, dict[str, bytes]], tuple[bytes, ...]]
) -> None:
    result = play_by_hand(liar(show))
    assert result.blamed() == {"p4"}
    for finding in result.findings():
        assert finding.offence is Offence.STATEMENT
        (_, vouched), (_, seen) = finding.messages
        assert isinstance(vouched, echo.Echo)
        assert isinstance(seen, echo.Seen)


def shows(
    vouched: Callable[[Party, dict[str, bytes]], dict[str, bytes]],
) -> Callable[[Party], Awaitable[list[int]]]:
    """Vouches for a view and shows just that."""

    async def run(party: Party) -> list[int]:
        party.broadcast(Vote(1))
        await party.gather(Vote)
        view = vouched(party, echo.gathered(party, Vote))
        party.broadcast(echo.Echo(echo.view_digest(party, view)))
        party.broadcast(echo.Seen(tuple(view[name] for name in sorted(view))))
        return []

    return run


def signed(party: Party, name: str, signer: str) -> bytes:
    """Another vote of `name`, under the key of `signer`."""
    return write(party.session_id, Slot("", "test.vote", name), encode(Vote(2)), unsafe_identity(signer))


def test_a_forged_message_in_a_view_frames_nobody() -> None:
    result = play_by_hand(shows(lambda party, view: {**view, "p1": signed(party, "p1", "p4")}))
    assert result.blamed() == {"p4"}


def test_a_message_of_another_place_in_a_view_frames_nobody() -> None:
    def elsewhere(party: Party, view: dict[str, bytes]) -> dict[str, bytes]:
        other = write(bytes(32), Slot("", "test.vote", "p1"), encode(Vote(2)), unsafe_identity("p1"))
        return {**view, "p1": other}

    assert play_by_hand(shows(elsewhere)).blamed() == {"p4"}


def test_a_party_learns_that_its_key_is_in_other_hands() -> None:
    result = play(by_hand={"p4": shows(lambda party, view: {**view, "p1": signed(party, "p1", "p1")})})
    error = result.errors["p1"]
    assert isinstance(error, LocalError)
    assert "signed with our key" in str(error)


def test_a_liar_told_of_by_one_only_harms_itself_and_never_the_honest() -> None:
    # p4 vouches rightly to p1 and wrongly to the others: p1 may finish, and the others do not wait for it
    result = play(cheats=[Tamper("p4", echo.Echo, "digest", FLIP_FIRST, recipient="p2")])
    result.assert_sound()
    assert "p1" in result.values
    error = result.errors["p2"]
    assert isinstance(error, Missing)
    assert error.parties == ("p4",)


def test_an_echo_of_a_broadcast_with_gaps_is_a_mistake_of_the_protocol() -> None:
    async def hasty(party: Party) -> None:
        party.broadcast(Vote(1))
        await party.gather(Vote, at_least=0)
        await echo.confirm(party, Vote)

    async def silent(party: Party) -> None:
        await party.gather(Later)

    with pytest.raises(ValueError, match="has come from all"):
        Simulation(ECHO, hasty, 3, by_hand={"p3": silent}).run()


def test_an_echo_may_be_about_some_senders_only() -> None:
    async def dealt(party: Party) -> int:
        if party.me == "p1":
            party.broadcast(Vote(5))
        else:
            await party.receive(Vote, "p1")
        await echo.confirm(party, Vote, senders=["p1"])
        return 5

    Simulation(ECHO, dealt, 3).run().assert_sound()
    caught = Simulation(ECHO, dealt, 3, cheats=[Tamper("p1", Vote, "value", put(6), recipient="p3")]).run()
    caught.assert_sound()
    assert caught.blamed() == {"p1"}
