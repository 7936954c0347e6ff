"""OT setup of a pair: both ends hold matching halves, and only what is stored is accepted back."""

import pytest
from tests.support.signing import pair, sizes

from quorate.errors import LocalError, Malformed
from quorate.groups import SECP256K1
from quorate.groups.toy import TOY_GROUP
from quorate.schemes.ecdsa import SETUP, PairSetup, instance_payload, set_up
from quorate.schemes.ecdsa.setup import MAX_SHARDS
from quorate.testing import Simulation


@pytest.mark.parametrize("group", [TOY_GROUP, SECP256K1], ids=lambda group: group.name)
def test_both_ends_hold_the_same_seed_and_fingerprint_and_opposite_roles(group) -> None:
    ends = pair("a", "b", group)
    a, b = ends["a"], ends["b"]
    assert (a.peer, b.peer) == ("b", "a")
    assert a.fingerprint == b.fingerprint
    assert a.zero_seed == b.zero_seed
    assert a.sender.fingerprint() == b.receiver.fingerprint()
    assert b.sender.fingerprint() == a.receiver.fingerprint()
    assert a.sender.delta != b.sender.delta


def test_each_setup_has_a_delta_of_its_own() -> None:
    deltas = {
        end.sender.delta + end.zero_seed.reveal()
        for generation in (0, 1)
        for end in pair("a", "b", TOY_GROUP, generation).values()
    }
    assert len(deltas) == 4


def test_storage_gives_back_what_was_stored() -> None:
    setup = pair("a", "b")["a"]
    again = PairSetup.from_bytes(setup.to_bytes())
    assert again == setup
    with pytest.raises(Malformed):
        PairSetup.from_bytes(setup.to_bytes() + b"\x00")
    with pytest.raises(Malformed):
        PairSetup.from_bytes(setup.to_bytes()[:-1])


def test_nothing_secret_is_printed() -> None:
    setup = pair("a", "b")["a"]
    assert setup.zero_seed.reveal().hex() not in repr(setup)
    assert "leaves" not in repr(setup)


def test_a_session_agreed_for_another_instance_is_not_begun() -> None:
    result = Simulation(
        SETUP,
        lambda party: set_up(party, 1, 0, parameters=sizes(TOY_GROUP), group=TOY_GROUP),
        ["a", "b"],
        payload=instance_payload(0, 0),
    ).run()
    assert all("another instance" in str(error) for error in result.errors.values())
    assert len(result.errors) == 2


def test_a_setup_is_between_two() -> None:
    result = Simulation(
        SETUP,
        lambda party: set_up(party, 0, 0, parameters=sizes(TOY_GROUP), group=TOY_GROUP),
        3,
        payload=instance_payload(0, 0),
    ).run()
    assert all("between two parties" in str(error) for error in result.errors.values())


def test_shards_and_generations_have_limits() -> None:
    instance_payload(MAX_SHARDS - 1, 2**32 - 1)
    for shard, generation in ((MAX_SHARDS, 0), (-1, 0), (0, 2**32), (0, -1)):
        with pytest.raises(LocalError):
            instance_payload(shard, generation)
