"""What a protocol may do: gather, receive, take messages as they come, fork, wait for several at once."""

from collections.abc import Awaitable, Callable

import pytest
from tests.unit.session.table import ALICE, BOB, CAROL, Table, settle

from quorate.errors import LocalError, Missing, Suspicion
from quorate.session import Declaration, Message, Party, Rule, Session, together


class Number(Message, frozen=True, tag="test.number"):
    value: int


class Word(Message, frozen=True, tag="test.word"):
    text: str


DECLARATION = Declaration(
    "party",
    1,
    Rule(Number, limit=64),
    Rule(Word, limit=64),
    Rule(Number, "*", limit=64),
    Rule(Number, "*/*", limit=64),
)


def number(table: Table, sender: str, value: int = 1, path: str = "") -> bytes:
    return table.envelope(sender, Number(value), path=path)


def seat(run: Callable[[Party], Awaitable[object]]) -> tuple[Table, Session[object]]:
    table = Table(DECLARATION)
    session = table.seat(ALICE, run)
    session.start()
    return table, session


# --- gather -------------------------------------------------------------------------------------------


def test_gathered_messages_are_sorted_by_sender_however_they_came() -> None:
    async def run(party: Party) -> list[str]:
        return list(await party.gather(Number))

    table, session = seat(run)
    session.receive(number(table, CAROL))
    session.receive(number(table, BOB))
    assert session.result() == [BOB, CAROL]


def test_at_the_deadline_enough_is_enough() -> None:
    async def run(party: Party) -> list[str]:
        return list(await party.gather(Number, at_least=1))

    table, session = seat(run)
    session.receive(number(table, CAROL))
    assert not session.done
    session.expire()
    assert session.result() == [CAROL]


def test_at_the_deadline_too_few_are_missing() -> None:
    async def run(party: Party) -> object:
        return await party.gather(Number, at_least=1)

    _, session = seat(run)
    session.expire()
    with pytest.raises(Missing) as caught:
        session.result()
    assert caught.value.parties == (BOB, CAROL)
    assert caught.value.needed == 1


def test_a_deadline_counts_for_what_is_awaited_then() -> None:
    async def run(party: Party) -> object:
        first = await party.gather(Number, at_least=0)
        second = await party.gather(Word, at_least=0)
        return list(first), list(second)

    table, session = seat(run)
    session.expire()
    assert not session.done
    session.receive(table.envelope(BOB, Word("late")))
    session.expire()
    assert session.result() == ([], [BOB])


def test_what_came_before_it_was_awaited_is_there() -> None:
    async def run(party: Party) -> object:
        await party.receive(Word, BOB)
        return (await party.receive(Number, CAROL)).value

    table, session = seat(run)
    session.receive(number(table, CAROL, 7))
    session.receive(table.envelope(BOB, Word("go")))
    assert session.result() == 7


# --- messages in order of arrival ---------------------------------------------------------------------


async def listen(party: Party) -> list[tuple[str, object]]:
    heard: list[tuple[str, object]] = []
    async for sender, message in party.messages(Number, Word):
        match message:
            case Number(value):
                heard.append((sender, value))
            case Word("stop"):
                return heard
            case Word(text):
                heard.append((sender, text))
    return heard


def test_messages_come_in_order_of_arrival() -> None:
    table, session = seat(listen)
    session.receive(number(table, CAROL, 1))
    session.receive(number(table, BOB, 2))
    session.receive(table.envelope(BOB, Word("stop")))
    assert session.result() == [(CAROL, 1), (BOB, 2)]


async def test_messages_need_no_event_loop_and_mind_none() -> None:
    table, session = seat(listen)
    session.receive(number(table, CAROL, 1))
    session.abandon(LocalError("enough"))
    table, session = seat(listen)
    session.receive(table.envelope(BOB, Word("stop")))
    assert session.result() == []


def test_waiting_for_messages_ends_at_the_deadline() -> None:
    table, session = seat(listen)
    session.receive(number(table, CAROL, 1))
    session.expire()
    with pytest.raises(Missing):
        session.result()


# --- forks --------------------------------------------------------------------------------------------


async def forked(party: Party) -> list[int]:
    async def sub(child: Party) -> int:
        child.broadcast(Number(int(child.path)))
        return sum(message.value for message in (await child.gather(Number)).values())

    return await together(*(sub(party.fork(str(label))) for label in range(3)))


def test_forks_run_side_by_side_on_paths_of_their_own() -> None:
    table = Table(DECLARATION)
    seats = [table.seat(name, forked) for name in table.spec.parties]
    settle(*seats)
    assert all(session.result() == [0, 2, 4] for session in seats)


def test_waiting_for_several_says_who_is_silent_in_any() -> None:
    table, session = seat(forked)
    session.receive(number(table, BOB, path="0"))
    session.receive(number(table, CAROL, path="1"))
    assert session.waiting is not None
    assert session.waiting.parties == (BOB, CAROL)


def test_the_first_error_ends_all_that_run_together() -> None:
    closed = []

    async def fails(party: Party) -> None:
        await party.gather(Word)
        party.suspect(BOB, "it is odd")

    async def waits(party: Party) -> None:
        try:
            await party.gather(Number)
        finally:
            closed.append(party.path)

    async def run(party: Party) -> object:
        return await together(waits(party.fork("0")), fails(party), waits(party.fork("1")))

    table, session = seat(run)
    for name in (BOB, CAROL):
        session.receive(table.envelope(name, Word("go")))
    with pytest.raises(Suspicion) as caught:
        session.result()
    assert caught.value.parties == (ALICE, BOB)
    assert closed == ["0", "1"]


def test_nothing_together_is_nothing() -> None:
    async def run(party: Party) -> object:
        return await together()

    assert seat(run)[1].result() == []


def test_a_fork_of_some_waits_for_them_alone() -> None:
    async def run(party: Party) -> object:
        child = party.fork("bob", [ALICE, BOB])
        assert child.others == (BOB,)
        return (await child.gather(Number))[BOB].value

    table, session = seat(run)
    session.receive(number(table, CAROL, 3, path="bob"))
    session.receive(number(table, BOB, 4, path="bob"))
    assert session.result() == 4


def test_a_fork_of_some_hears_them_alone() -> None:
    async def run(party: Party) -> list[str]:
        heard = []
        async for sender, message in party.fork("bob", [ALICE, BOB]).messages(Number):
            heard.append(sender)
            if message.value == 4:
                break
        return heard

    table, session = seat(run)
    session.receive(number(table, CAROL, 4, path="bob"))
    session.receive(number(table, BOB, 4, path="bob"))
    assert session.result() == [BOB]


def test_a_fork_of_a_fork_has_a_longer_path() -> None:
    async def run(party: Party) -> str:
        return party.fork("bob").fork("7").path

    assert seat(run)[1].result() == "bob/7"


@pytest.mark.parametrize("label", ["", "A", "a/b", "a b", "x" * 33])
def test_a_fork_has_a_label(label: str) -> None:
    async def run(party: Party) -> None:
        party.fork(label)

    with pytest.raises(ValueError, match="fork label"):
        seat(run)


def test_a_label_is_used_once() -> None:
    async def run(party: Party) -> None:
        party.fork("a")
        party.fork("a")

    with pytest.raises(ValueError, match="made before"):
        seat(run)


@pytest.mark.parametrize("members", [[BOB, CAROL], [ALICE, "mallory"]])
def test_a_fork_is_among_parties_with_oneself(members: list[str]) -> None:
    async def run(party: Party) -> None:
        party.fork("a", members)

    with pytest.raises(ValueError, match="among parties"):
        seat(run)


# --- blame --------------------------------------------------------------------------------------------


def test_nobody_to_blame_is_no_error() -> None:
    async def run(party: Party) -> str:
        party.blame(Number, [], "nothing")
        return "fine"

    assert seat(run)[1].result() == "fine"
