"""Every lie about every field of every message of two small protocols, and every lie about envelopes.

Whatever one party does, the others end with the right value or with an error that has a name; nobody honest
is blamed, every blame convinces a stranger, and nobody waits for ever.
"""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from quorate.encoding import encode
from quorate.errors import Missing, Refused
from quorate.groups import Scalar
from quorate.session import Declaration, Message, Offence, Party, Rule
from quorate.testing import (
    Cheat,
    Contradict,
    Damage,
    Garble,
    Impersonate,
    Inject,
    InOrder,
    LastFirst,
    Recorder,
    Result,
    Scheduler,
    Simulation,
    Starve,
    Tamper,
    Uniform,
    Withhold,
    lies,
)
from quorate.testing.mutations import FLIP_FIRST, FLIP_LAST
from quorate.testing.toss import TOSS, Commit, Open, toss

SCHEDULERS: list[Scheduler] = [InOrder(), LastFirst(), Uniform(), Starve("p1")]


class Whisper(Message, frozen=True, tag="misbehaviour.whisper"):
    number: Scalar
    notes: tuple[bytes, ...]


WHISPER = Declaration("whisper", 1, Rule(Whisper, unicast=True, limit=64))


async def whisper(party: Party) -> dict[str, int]:
    """Tells every other party a number under seal that is to be even."""
    for other in party.others:
        even = 2 * int.from_bytes(party.rng(4), "big")
        party.send(other, Whisper(party.group.scalar(even), (b"one", b"two")))
    heard = await party.gather(Whisper)
    odd = [name for name, message in heard.items() if message.number.value % 2 or len(message.notes) != 2]
    party.blame(Whisper, odd, "its number is odd, or it has not two notes")
    return {name: message.number.value for name, message in heard.items()}


PROTOCOLS: dict[str, tuple[Declaration, Callable[[Party], Any]]] = {
    "toss": (TOSS, toss),
    "whisper": (WHISPER, whisper),
}


def play(protocol: str, cheats: Iterable[Cheat] = (), **options: Any) -> Result[Any]:
    declaration, run = PROTOCOLS[protocol]
    result = Simulation(declaration, run, 3, cheats=cheats, **options).run()
    result.assert_sound()
    return result


def sweep(protocol: str) -> list[Tamper]:
    recorder = Recorder("p2")
    play(protocol, [recorder])
    return lies(recorder.drafts, "p2")


EVERY_LIE = [(protocol, lie) for protocol in PROTOCOLS for lie in sweep(protocol)]
assert len(EVERY_LIE) > 30


@pytest.mark.parametrize(("protocol", "lie"), EVERY_LIE, ids=[f"{p}-{lie}" for p, lie in EVERY_LIE])
def test_a_lie_in_any_field_harms_nobody_honest(protocol: str, lie: Tamper) -> None:
    for seed, scheduler in enumerate(SCHEDULERS):
        play(protocol, [lie], scheduler=scheduler, seed=seed)


@pytest.mark.parametrize(("protocol", "lie"), EVERY_LIE, ids=[f"{p}-{lie}" for p, lie in EVERY_LIE])
def test_a_lie_told_to_one_party_harms_nobody_honest(protocol: str, lie: Tamper) -> None:
    aimed = Tamper(lie.party, lie.kind, lie.field, lie.mutation, recipient="p3")
    for seed, scheduler in enumerate(SCHEDULERS):
        play(protocol, [aimed], scheduler=scheduler, seed=seed)


@pytest.mark.parametrize("kind", [Commit, Open])
def test_a_false_coin_is_blamed_on_its_maker_by_everybody(kind: type[Message]) -> None:
    field = "digest" if kind is Commit else "coin"
    result = play("toss", [Tamper("p2", kind, field, FLIP_FIRST)])
    assert result.blamed() == {"p2"}
    assert set(result.errors) >= set(result.honest)
    assert {finding.offence for finding in result.findings()} == {Offence.STATEMENT}


def test_a_second_version_is_blamed_as_equivocation_where_it_is_seen_in_time() -> None:
    result = play("toss", [Contradict("p2", Commit, "digest", FLIP_LAST)], scheduler=InOrder())
    assert result.blamed() == {"p2"}
    assert {finding.offence for finding in result.findings()} == {Offence.EQUIVOCATION}


def test_a_sealed_lie_is_shown_by_its_recipient_alone() -> None:
    result = play("whisper", [Tamper("p2", Whisper, "notes", lies_drop_last(), recipient="p3")])
    assert result.blamed() == {"p2"}
    assert "p1" in result.values
    assert [finding.offence for finding in result.findings()] == [Offence.STATEMENT]


def lies_drop_last() -> Any:
    (found,) = [
        lie.mutation for _, lie in EVERY_LIE if lie.field == "notes" and lie.mutation.name == "drop the last"
    ]
    return found


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda body: b"",
    "truncated": lambda body: body[:-1],
    "followed by a byte": lambda body: body + b"\x00",
    "wide": lambda body: b"\xdc\x00" + bytes([body[0] & 15]) + body[1:],
    "too long": lambda body: body + bytes(100),
    "another message": lambda body: encode(("toss.commit",)),
}


@pytest.mark.parametrize("what", BODIES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_signed_bytes_that_are_no_message_are_blamed(protocol: str, what: str) -> None:
    kind: type[Message] = Commit if protocol == "toss" else Whisper
    result = play(protocol, [Garble("p2", kind, BODIES[what])])
    assert result.blamed() == {"p2"}
    assert {finding.offence for finding in result.findings()} == {Offence.UNREADABLE}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_says_nothing_is_missing_and_not_blamed(protocol: str) -> None:
    kind: type[Message] = Open if protocol == "toss" else Whisper
    result = play(protocol, [Withhold("p2", kind)])
    for party in result.honest:
        error = result.errors[party]
        assert isinstance(error, Missing)
        assert error.parties == ("p2",)


@pytest.mark.parametrize(
    "change",
    [lambda data: data[:-1], lambda data: data + b"\x00", lambda data: b"", lambda data: data[:-1] + b"?"],
)
def test_an_envelope_spoilt_on_the_way_is_nobodys_fault(change: Callable[[bytes], bytes]) -> None:
    result = play("toss", [Damage("p2", Commit, change)])
    assert result.blamed() == frozenset()
    assert all(isinstance(result.errors[party], Missing) for party in result.honest)


def test_envelopes_of_another_session_change_nothing() -> None:
    earlier = Simulation(TOSS, toss, 3, seed=99).run()
    replayed = tuple(event.data for event in earlier.trace)
    result = play("toss", [Inject("p2", replayed)], seed=1)
    assert set(result.values) == {"p1", "p2", "p3"}
    assert all(result.dropped[party]["another session"] >= len(replayed) for party in result.honest)
    assert result.values["p1"] != earlier.values["p1"]


def test_envelopes_in_the_name_of_another_change_nothing() -> None:
    result = play("toss", [Impersonate("p2", "p1")], scheduler=InOrder())
    assert set(result.values) == {"p1", "p2", "p3"}
    assert result.dropped["p3"]["bad signature"] == 2
    assert result.dropped["p1"]["unknown sender"] == 2


def test_a_seat_driven_by_hand_may_do_anything() -> None:
    async def copies(party: Party) -> bytes:
        # waits for the first commitment and repeats it as its own; it can never open it
        async for _, message in party.messages(Commit):
            party.broadcast(message)
            break
        async for _, message in party.messages(Open):
            party.broadcast(message)
            break
        return b""

    declaration, run = PROTOCOLS["toss"]
    result = Simulation(declaration, run, 3, by_hand={"p3": copies}).run()
    result.assert_sound()
    assert result.blamed() == {"p3"}


def test_a_refusal_is_a_refusal() -> None:
    async def refuses(party: Party) -> bytes:
        await party.gather(Commit)
        raise Refused("not today", code="policy", parties=[party.me])

    declaration, run = PROTOCOLS["toss"]
    result = Simulation(declaration, {"p1": run, "p2": run, "p3": refuses}, 3).run()
    assert isinstance(result.errors["p3"], Refused)
    assert isinstance(result.errors["p1"], Missing)
