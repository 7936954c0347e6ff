"""What a node refuses to deal: every rule that keeps a change of factors from being a key export."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.sharing.table import identity
from tests.unit.sharing.wallets import Wallet

from quorate.encoding import decode, encode
from quorate.errors import Refused
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.access import AccessStructure
from quorate.sharing.change import MAX_LIFETIME, Change, Standing, Target, examine, group_fits, quorums_of
from quorate.sharing.expression import MAX_POINT
from quorate.sharing.generation import CommitteeKey

FACTORS = {"device": 2, "backup": 3}


@pytest.fixture(scope="module")
def wallet() -> Wallet:
    return Wallet.formed(TOY_GROUP, 5, 2)


def check(wallet: Wallet, change: Change, **about: Any) -> None:
    standing: Standing = replace(wallet.standing("n1"), **about.pop("standing", {}))
    examine(change, standing, about.pop("pool", pool(wallet)), about.pop("now", wallet.now))
    assert not about


def pool(wallet: Wallet) -> dict[bytes, CommitteeKey]:
    return {keys["n1"].key_id: keys["n1"].public for keys in wallet.pool}


def refused(wallet: Wallet, code: str, change: Change, **about: Any) -> None:
    with pytest.raises(Refused) as caught:
        check(wallet, change, **about)
    assert caught.value.code == f"refresh-{code}"


def altered(change: Change, **fields: Any) -> Change:
    return msgspec.structs.replace(change, **fields)


def targets(*entries: tuple[int, str, str]) -> tuple[Target, ...]:
    """(point, name, whose identity)."""
    return tuple(Target(p, name, "device", identity(who).public.to_bytes()) for p, name, who in entries)


def test_a_plain_first_refresh_is_accepted(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    check(wallet, change)
    assert decode(Change, encode(change)) == change
    assert str(change.new) == "2 of (3 of (n1 n2 n3 n4 n5), device, backup)"


@pytest.mark.parametrize("point", [0, 1, MAX_POINT + 1, TOY_GROUP.order % (1 << 53)])
def test_a_reserved_point_is_refused(wallet: Wallet, point: int) -> None:
    change = wallet.change(FACTORS)
    given = targets((2, "device", "device"), (point, "backup", "backup"))
    refused(wallet, "point", altered(change, targets=given))


def test_a_repeated_point_is_refused(wallet: Wallet) -> None:
    given = targets((2, "device", "device"), (2, "backup", "backup"))
    refused(wallet, "point", altered(wallet.change(FACTORS), targets=given))


def test_one_identity_at_two_points_is_refused(wallet: Wallet) -> None:
    given = targets((2, "device", "device"), (3, "backup", "device"))
    refused(wallet, "factor", altered(wallet.change(FACTORS), targets=given))


def test_one_new_identity_at_two_new_points_is_refused(wallet: Wallet) -> None:
    """A backup and a phone of one owner, neither on record yet: it would interpolate the key alone."""
    change = wallet.change({"device": 2, "backup": 3, "phone": 4})
    given = targets((2, "device", "device"), (3, "backup", "thief"), (4, "phone", "thief"))
    refused(wallet, "factor", altered(change, targets=given))


def test_a_name_on_record_at_a_new_point_is_refused_even_for_a_new_identity(wallet: Wallet) -> None:
    """The old device is online under that name: one seat cannot be two factors."""
    change = wallet.change({"device": 4})
    refused(wallet, "factor", altered(change, targets=targets((4, "device", "new device"))))


def test_an_identity_of_the_record_at_a_new_point_is_refused(wallet: Wallet) -> None:
    """The live device's key under a new name, after its own entry was left out."""
    change = wallet.change({"backup": 3})
    refused(wallet, "factor", altered(change, targets=targets((3, "backup", "device"))))


def test_an_identity_of_another_open_request_is_refused(wallet: Wallet) -> None:
    pending = frozenset({identity("backup").public.to_bytes()})
    refused(wallet, "factor", wallet.change(FACTORS), standing={"pending": pending})


def test_another_identity_or_name_at_a_point_of_the_record_is_refused(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    given = targets((2, "device", "thief"), (3, "backup", "backup"))
    refused(wallet, "factor", altered(change, targets=given))
    thief = wallet.change({"thief": 2, "backup": 3})
    refused(
        wallet, "factor", altered(thief, targets=targets((2, "thief", "device"), (3, "backup", "backup")))
    )
    moved = wallet.change({"device": 4})
    refused(wallet, "factor", moved)


def test_a_public_share_that_is_not_on_record_is_refused(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    other = wallet.shares["n1"].public_shares["n1"].to_bytes()
    refused(wallet, "share", altered(change, online=(("device", other),)))


def test_too_few_too_many_or_unknown_online_factors_are_refused(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    (entry,) = change.online
    for online in ((entry, entry), (("backup", entry[1]),), (("n1", entry[1]),)):
        refused(wallet, "online", altered(change, online=online))
    later = wallet.refresh(FACTORS)
    both = later.change(FACTORS, online=("backup", "device"))
    refused(later, "online", both)


def test_an_expired_request_and_one_that_stands_open_too_long_are_refused(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    refused(wallet, "expired", change, now=change.expires)
    refused(wallet, "expired", change, now=change.expires - MAX_LIFETIME - 1)
    check(wallet, change, now=change.expires - MAX_LIFETIME)


def test_another_epoch_is_refused(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    refused(wallet, "epoch", altered(change, epoch=1))
    refused(wallet, "epoch", altered(change, node_epoch=1))
    refused(wallet, "epoch", change, standing={"share": replace(wallet.shares["n1"], epoch=1)})


@pytest.mark.parametrize(
    "fields",
    [
        {"network": "other"},
        {"account": bytes(32)},
        {"curve": "secp256k1"},
        {"key_id": bytes(32)},
        {"public_key": b"x"},
    ],
)
def test_another_key_is_refused(wallet: Wallet, fields: dict[str, Any]) -> None:
    refused(wallet, "key", altered(wallet.change(FACTORS), **fields))


def test_a_session_over_another_curve_is_refused(wallet: Wallet) -> None:
    group_fits(wallet.change(FACTORS), TOY_GROUP)
    with pytest.raises(Refused, match="the session on secp256k1"):
        group_fits(wallet.change(FACTORS), SECP256K1)


@pytest.mark.parametrize(
    "new",
    [
        "nonsense",
        "2 of (3 of (n1 n2 n3 n4 n5),device,backup)",
        "2 of (3 of (n1 n2 n3 n4 n5), device, backup, other)",
        "2 of (3 of (n1 n2 n3 n4 n5), device)",
        "2 of (3 of (n1 n2 n3 n4 n5), backup, device)",
        "1 of (3 of (n1 n2 n3 n4 n5), device, backup)",
        "2 of (2 of (n1 n2 n3 n4 n5), device, backup)",
        "2 of (3 of (n1 n2 n3 n4 n6), device, backup)",
        "2 of (device@2, backup)",
        "2 of (3 of (n1 n2 n3 n4 n5), device, 1 of (backup))",
    ],
)
def test_another_structure_than_committee_and_targets_is_refused(wallet: Wallet, new: str) -> None:
    refused(wallet, "structure", altered(wallet.change(FACTORS), new=new))


def test_a_request_from_another_structure_or_in_another_order_is_refused(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    refused(wallet, "structure", altered(change, old=change.new))
    refused(wallet, "structure", altered(change, targets=change.targets[::-1]))


def test_pool_keys_must_be_fresh_known_distinct_and_of_this_committee(wallet: Wallet) -> None:
    change = wallet.change(FACTORS)
    (fresh,) = change.pool
    refused(wallet, "pool", change, pool={})
    refused(wallet, "pool", altered(change, pool=(fresh, pool(wallet)[fresh].key_id)))
    three = wallet.change({"device": 2, "backup": 3, "other": 4}, needed=3)
    check(wallet, three)
    refused(wallet, "pool", altered(three, pool=three.pool[:1]))
    refused(wallet, "pool", altered(three, pool=three.pool[:1] * 2))
    key = pool(wallet)[fresh]
    refused(wallet, "pool", change, pool={fresh: CommitteeKey(fresh, key.nodes[::-1], key.commitment)})
    other = Wallet.formed(TOY_GROUP, 5, 1).pool[0]["n1"].public
    refused(wallet, "pool", change, pool={fresh: CommitteeKey(fresh, key.nodes, other.commitment)})
    # the live committee key under another id is still the old line
    from tests.unit.sharing.wallets import form

    live = form(TOY_GROUP, 5, 2, keys=4)["n1"].committee
    assert live.key_id == change.key_id
    refused(wallet, "pool", change, pool={fresh: CommitteeKey(fresh, live.nodes, live.commitment)})
    refused(wallet, "pool", altered(change, pool=(live.key_id,)), pool={live.key_id: live})


def test_a_structure_without_a_committee_has_no_quorums() -> None:
    with pytest.raises(Refused, match="no committee"):
        quorums_of(AccessStructure.parse("2 of (a, b)"))
