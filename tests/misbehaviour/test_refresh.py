"""Refresh with one cheat at each check: nodes, the online device, and a target."""

from typing import Any

import msgspec
import pytest
from tests.unit.sharing.table import Cheat, Table, blamed, changing, errors, flip
from tests.unit.sharing.wallets import Wallet

from quorate.errors import AlreadyUsed, Blame, Missing, Suspicion
from quorate.groups.toy import TOY_GROUP
from quorate.session import Message
from quorate.sharing.refresh_messages import (
    Accept,
    Authorise,
    Confirm,
    Item,
    Known,
    Lock,
    Masks,
    MaskShares,
    Part,
    Ready,
)

NODES = tuple(f"n{i}" for i in range(1, 6))
ONE = TOY_GROUP.scalar(1)
G = TOY_GROUP.generator


def play(cheater: str, cheat: Cheat, *, needed: int = 2, degree: int = 2) -> tuple[Table, dict[str, Any]]:
    wallet = Wallet.formed(TOY_GROUP, 5, degree)
    factors = {"device": 2, "backup": 3} | ({"phone": 4} if needed == 3 else {})
    table = wallet.table(wallet.change(factors, needed=needed), cheats={cheater: cheat})
    played = table.play()
    del played[cheater]  # what a cheat makes of it is its own affair
    return table, played


def longer(masks: Any) -> Any:
    return tuple((*points, G) for points in masks)


def all_blame(played: dict[str, Any], step: str) -> bool:
    return all(isinstance(error, Blame) and error.step == step for error in played.values())


@pytest.mark.parametrize(
    "cheat",
    [
        changing(Masks, masks=longer),
        changing(Masks, masks=lambda masks: tuple(points[:-1] for points in masks)),
        changing(Masks, masks=lambda masks: masks[:1]),
        changing(Masks, masks=lambda masks: (*masks, masks[0])),
        changing(Masks, auxiliary=lambda points: (*points, G)),
    ],
)
def test_masks_of_another_shape_are_blamed_by_all(cheat: Cheat) -> None:
    table, played = play("device", cheat)
    assert blamed(table, played) == {"device"}
    assert all_blame(played, "1")


@pytest.mark.parametrize(
    "cheat",
    [
        changing(Masks, auxiliary=lambda points: (points[0] + G,)),
        changing(Masks, auxiliary=lambda points: ()),
        changing(Masks, proofs=lambda proofs: ()),
        changing(
            Masks,
            proofs=lambda proofs: (msgspec.structs.replace(proofs[0], response=proofs[0].response + ONE),),
        ),
    ],
)
def test_an_auxiliary_point_without_knowledge_of_it_is_blamed(cheat: Cheat) -> None:
    table, played = play("device", cheat, needed=3)
    assert blamed(table, played) == {"device"}
    assert all_blame(played, "1")


def test_two_versions_of_the_masks_are_shown_by_the_echo() -> None:
    table, played = play("device", changing(Masks, only="n2", masks=lambda masks: masks[::-1]))
    assert blamed(table, played) == {"device"}
    assert any("different things" in str(error) for error in errors(played).values())


@pytest.mark.parametrize(
    "change",
    [
        lambda values: (values[0] + ONE, values[1]),
        lambda values: values[::-1],
        lambda values: values[:1],
        lambda values: (*values, values[0]),
    ],
)
def test_a_mask_share_off_the_mask_is_opened_and_blamed_before_any_lock(change: Any) -> None:
    table, played = play("device", changing(MaskShares, only="n2", values=change))
    assert blamed(table, played) == {"device"}
    assert isinstance(played["n2"], Blame)
    assert len(played["n2"].evidence) == 2
    assert not [e for sender, _, e in table.sent if e.tag == "refresh.lock" and sender == "n2"]


def test_masks_and_shares_of_one_node_wrong_together_still_fail_at_the_target() -> None:
    """A part under another mask than the nodes hold: the target finds it, and shows it."""
    table, played = play("device", changing(Part, value=lambda value: value + ONE))
    assert blamed(table, played) == {"device"}
    assert isinstance(played["backup"], Blame)
    assert played["backup"].step == "5"
    assert len(played["backup"].evidence) == 2
    # the nodes lack a confirmation: the old epoch stays
    for node in NODES:
        assert isinstance(played[node], Missing)
        assert "backup" in played[node].parties


@pytest.mark.parametrize(
    "cheat",
    [
        changing(Item, only="backup", value=lambda value: value + ONE),
        changing(Item, only="backup", chain_code=flip),
    ],
)
def test_a_false_item_is_opened_and_blamed_by_its_target(cheat: Cheat) -> None:
    table, played = play("n3", cheat, degree=4)  # every item is needed, so every one is looked at
    assert blamed(table, played) == {"n3"}
    assert isinstance(played["backup"], Blame)
    assert len(played["backup"].evidence) == 2


def test_an_item_made_from_the_wrong_line_is_false() -> None:
    """The item of another target, sent to this one."""
    items: dict[str, Item] = {}

    def swap(message: Message, recipient: str) -> Message:
        if isinstance(message, Item):
            items.setdefault(recipient, message)
            return items["device"]  # dealt first
        return message

    table, played = play("n3", swap, degree=4)
    assert blamed(table, played) == {"n3"}
    assert isinstance(played["backup"], Blame)


@pytest.mark.parametrize(
    "change",
    [
        {"core": flip},
        {"public_key": lambda point: point + G},
        {"old": lambda points: (points[0] + G, *points[1:])},
        {"old": lambda points: points[:4]},
        {"online": lambda points: (points[0] + G,)},
        {"pool": lambda pool: (pool[0][::-1],)},
        {"pool": lambda pool: (pool[0][:2],)},
        {"pool": lambda pool: (*pool, pool[0])},
        {"chain_code": flip},
    ],
)
def test_a_node_that_states_other_public_values_is_suspected(change: Any) -> None:
    table, played = play("n3", changing(Known, **change))
    assert blamed(table, played) == set()
    for name, error in played.items():
        assert isinstance(error, Suspicion)
        assert error.parties == tuple(sorted(("n3", name)))


def test_nodes_that_all_lie_to_a_new_factor_are_refused_by_it() -> None:
    """They agree with each other, but the record they show is not of the requested key."""
    wallet = Wallet.formed(TOY_GROUP, 1, 0)
    for change in (
        {"core": flip},
        {"public_key": lambda point: point + G},
        {"old": lambda points: (points[0] + G,)},
        {"old": lambda points: (*points, G)},
        {"online": lambda points: (points[0] + G,)},
        {"online": lambda points: (*points, G)},
        {"pool": lambda pool: ((*pool[0], G),)},
        {"pool": lambda pool: (*pool, pool[0])},
    ):
        cheat = changing(Known, only="backup", **change)
        table = wallet.table(wallet.change({"device": 2, "backup": 3}), cheats={"n1": cheat})
        played = table.play()
        assert isinstance(played["backup"], Suspicion)
        assert played["backup"].parties == ("backup", "n1")
        assert blamed(table, played) == set()


def test_a_device_whose_record_differs_from_the_nodes_stops() -> None:
    cheat = changing(Known, only="device", chain_code=flip)
    wallet = Wallet.formed(TOY_GROUP, 1, 0)
    table = wallet.table(wallet.change({"device": 2, "backup": 3}), cheats={"n1": cheat})
    played = table.play()
    assert isinstance(played["device"], Suspicion)
    assert "not ours" in str(played["device"])


@pytest.mark.parametrize("cheater", ["device", "backup"])
def test_an_acceptance_of_another_request_is_blamed(cheater: str) -> None:
    table, played = play(cheater, changing(Accept, core=flip))
    assert blamed(table, played) == {cheater}
    assert all_blame(played, "1")


def test_an_authorisation_of_another_request_stops_all_before_they_lock() -> None:
    table, played = play("device", changing(Authorise, request=flip))
    assert blamed(table, played) == set()
    for name, error in played.items():
        assert isinstance(error, Suspicion)
        assert error.parties == tuple(sorted(("device", name)))
    assert not [e for _, _, e in table.sent if e.tag == "refresh.lock"]


def test_one_lock_on_another_request_does_not_stop_an_echo_quorum() -> None:
    table, played = play("n3", changing(Lock, request=flip))
    assert not errors(played)
    assert blamed(table, played) == set()


def test_locks_on_another_request_by_two_nodes_leave_no_quorum() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    cheat = changing(Lock, request=flip)
    table = wallet.table(wallet.change({"device": 2, "backup": 3}), cheats={"n3": cheat, "n4": cheat})
    played = table.play()
    assert blamed(table, played) == set()
    for name in ("n1", "n2", "n5", "device", "backup"):
        assert isinstance(played[name], Suspicion)
        assert played[name].parties == tuple(sorted(("n3", "n4", name)))
    assert not [e for sender, _, e in table.sent if e.tag == "refresh.item" and sender in ("n1", "n2", "n5")]


@pytest.mark.parametrize("cheater", ["device", "backup"])
def test_a_confirmation_that_proves_nothing_is_blamed(cheater: str) -> None:
    def wrong(proof: Any) -> Any:
        return msgspec.structs.replace(proof, response=proof.response + ONE)

    table, played = play(cheater, changing(Confirm, proof=wrong))
    assert blamed(table, played) == {cheater}
    assert all_blame(played, "5")


@pytest.mark.parametrize("cheater", ["device", "backup"])
def test_a_confirmation_of_another_request_is_suspect(cheater: str) -> None:
    table, played = play(cheater, changing(Confirm, request=flip))
    assert blamed(table, played) == set()
    assert all(isinstance(error, Suspicion) and cheater in error.parties for error in played.values())


def test_one_node_prepared_for_something_else_does_not_stop_the_others() -> None:
    table, played = play("n3", changing(Ready, statement=flip))
    assert not errors(played)
    assert blamed(table, played) == set()


def test_two_nodes_prepared_for_something_else_do() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    cheat = changing(Ready, statement=flip)
    table = wallet.table(wallet.change({"device": 2, "backup": 3}), cheats={"n3": cheat, "n4": cheat})
    played = table.play()
    assert blamed(table, played) == set()
    assert all(isinstance(played[name], Suspicion) for name in ("n1", "n2", "n5", "device", "backup"))


@pytest.mark.parametrize(
    ("cheater", "kind"),
    [
        ("n3", Known),
        ("device", Masks),
        ("device", MaskShares),
        ("device", Accept),
        ("device", Authorise),
        ("device", Part),
        ("device", Confirm),
        ("backup", Accept),
        ("backup", Confirm),
    ],
)
def test_a_needed_party_that_falls_silent_is_missing(cheater: str, kind: type[Message]) -> None:
    table, played = play(cheater, lambda message, to: None if isinstance(message, kind) else message)
    assert blamed(table, played) == set()
    first = [error for error in played.values() if isinstance(error, Missing) and error.parties == (cheater,)]
    assert first
    assert all(isinstance(error, Missing) for error in played.values())


@pytest.mark.parametrize("kind", [Lock, Item, Ready])
def test_one_node_that_falls_silent_does_not_stop_the_others(kind: type[Message]) -> None:
    table, played = play("n3", lambda message, to: None if isinstance(message, kind) else message)
    assert not errors(played)
    assert blamed(table, played) == set()
    shares = [played[name].share for name in ("n1", "device", "backup")]
    assert {share.epoch for share in shares} == {1}


def test_a_device_that_asks_two_things_of_one_fresh_key_is_answered_once() -> None:
    """Request A to its end at some nodes, request B at all: the locks decide, whatever the device says."""
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    first = wallet.table(wallet.change({"device": 2, "backup": 3}))
    assert not errors(first.play())
    second = wallet.table(wallet.change({"device": 2, "thief": 5}), seed=2)
    played = second.play()
    assert all(isinstance(played[node], AlreadyUsed) for node in NODES)
    assert not [e for _, _, e in second.sent if e.tag in ("refresh.lock", "refresh.item")]
