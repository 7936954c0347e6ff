"""Formation with one cheat at each check."""

from typing import Any

import msgspec
import pytest
from tests.unit.sharing.table import Cheat, Table, blamed, changing, errors, flip
from tests.unit.sharing.wallets import formation_table

from quorate.errors import Blame, Missing, Suspicion
from quorate.groups.toy import TOY_GROUP
from quorate.session import Message
from quorate.sharing.formation import Agreed, Assigned, Contribution, Form, Reveal

HONEST_NODES = ("n1", "n2", "n4", "n5")


def play(cheater: str, cheat: Cheat) -> tuple[Table, dict[str, Any]]:
    table, _ = formation_table(TOY_GROUP, 5, 2, cheats={cheater: cheat})
    return table, table.play()


@pytest.mark.parametrize(
    "cheat",
    [
        changing(Form, share=lambda point: point + TOY_GROUP.generator),
        changing(Form, share=lambda point: -point),
        changing(Form, salt=flip),
        changing(
            Form,
            proof=lambda p: msgspec.structs.replace(p, response=p.response + TOY_GROUP.scalar(1)),
        ),
        changing(
            Form,
            proof=lambda p: msgspec.structs.replace(p, commitment=p.commitment + TOY_GROUP.generator),
        ),
        changing(Reveal, chain_code=flip),
        changing(Reveal, salt=flip),
    ],
)
def test_a_device_that_opens_falsely_is_blamed(cheat: Cheat) -> None:
    table, played = play("device", cheat)
    assert blamed(table, played) == {"device"}
    for name in ("n1", "n2", "n3", "n4", "n5"):
        assert isinstance(played[name], Blame)


def test_a_share_chosen_after_the_committees_key_is_blamed() -> None:
    """The rogue-key attack: U = 2 P1 - x G would make x, known to the device, the key."""
    seen: list[Any] = []

    def cheat(message: Message, recipient: str) -> Message:
        if isinstance(message, Form) and seen:
            p1 = seen[0]
            return msgspec.structs.replace(message, share=p1 + p1 - TOY_GROUP.generator)
        return message

    table, _ = formation_table(TOY_GROUP, 5, 2, cheats={"device": cheat})
    session = table.sessions["n1"]
    table.sessions["device"].cheat = cheat  # type: ignore[attr-defined]
    original = session.receive

    def watching(data: bytes) -> list[bytes]:
        core = session._core
        for sender in ("n2",):
            found = core and core.inbox.find("formation.assigned", "", sender, False)
            if found:
                seen.append(found.keys[0][1][0])  # type: ignore[attr-defined]
        return original(data)

    session.receive = watching  # type: ignore[method-assign]
    played = table.play()
    assert seen
    assert blamed(table, played) == {"device"}


@pytest.mark.parametrize("cheat", [changing(Reveal, chain_code=flip), changing(Reveal, salt=flip)])
def test_a_node_that_opens_another_chain_code_is_blamed(cheat: Cheat) -> None:
    table, played = play("n3", cheat)
    assert blamed(table, played) == {"n3"}
    for name in ("device", *HONEST_NODES):
        assert isinstance(played[name], Blame)
        assert len(played[name].evidence) == 2


@pytest.mark.parametrize("cheater", ["n3", "device"])
def test_two_chain_code_commitments_are_shown_by_the_echo(cheater: str) -> None:
    table, played = play(cheater, changing(Contribution, only="n1", commitment=flip))
    assert blamed(table, played) == {cheater}
    assert any("different things" in str(error) for error in errors(played).values())


@pytest.mark.parametrize(
    "change",
    [
        lambda keys: (keys[1], keys[0]),
        lambda keys: keys[:1],
        lambda keys: ((flip(keys[0][0]), keys[0][1]), keys[1]),
        lambda keys: ((keys[0][0], keys[1][1]), keys[1]),
        lambda keys: ((keys[0][0], keys[0][1][:2]), keys[1]),
    ],
)
def test_a_node_that_assigns_another_key_is_suspected_by_all_and_blamed_by_none(change: Any) -> None:
    table, played = play("n3", changing(Assigned, keys=change))
    assert blamed(table, played) == set()
    for name in ("device", *HONEST_NODES):
        assert isinstance(played[name], Suspicion)
        assert played[name].parties == tuple(sorted(("n3", name)))


def test_a_node_that_assigns_another_key_to_the_device_only_gets_no_wallet() -> None:
    table, played = play("n3", changing(Assigned, only="device", keys=lambda keys: (keys[1], keys[0])))
    assert blamed(table, played) == set()
    assert isinstance(played["device"], Suspicion)
    assert played["device"].parties == ("device", "n3")
    for name in HONEST_NODES:
        assert isinstance(played[name], Missing)
        assert played[name].parties == ("device",)


@pytest.mark.parametrize("cheater", ["n3", "device"])
def test_a_party_that_claims_another_result_is_suspected(cheater: str) -> None:
    table, played = play(cheater, changing(Agreed, statement=flip))
    assert blamed(table, played) == set()
    for name in set(played) - {cheater}:
        assert isinstance(played[name], Suspicion)
        assert played[name].parties == tuple(sorted((cheater, name)))


@pytest.mark.parametrize(
    ("cheater", "kind"),
    [
        ("n3", Contribution),
        ("n3", Assigned),
        ("n3", Reveal),
        ("n3", Agreed),
        ("device", Contribution),
        ("device", Form),
        ("device", Reveal),
        ("device", Agreed),
    ],
)
def test_silence_in_any_round_is_missing(cheater: str, kind: type[Message]) -> None:
    table, played = play(cheater, lambda message, to: None if isinstance(message, kind) else message)
    assert blamed(table, played) == set()
    for name in set(played) - {cheater}:
        assert isinstance(played[name], Missing)
        assert played[name].parties == (cheater,)


@pytest.mark.parametrize(
    "change",
    [
        lambda keys: ((keys[0][0], (*keys[0][1], TOY_GROUP.generator)), keys[1]),
        lambda keys: (keys[0], (keys[0][0], keys[1][1])),
    ],
    ids=["degree", "one id twice"],
)
def test_a_committee_of_one_that_assigns_keys_of_another_shape_is_suspected(change: Any) -> None:
    """Nobody contradicts it, so only the shape is left to find it."""
    table, _ = formation_table(TOY_GROUP, 1, 0, cheats={"n1": changing(Assigned, keys=change)})
    played = table.play()
    assert isinstance(played["device"], Suspicion)
    assert "another shape" in str(played["device"])
    assert blamed(table, played) == set()
