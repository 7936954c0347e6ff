"""Resharing among the honest: renewal, other committees, other thresholds, gaps, both seats of a party."""

from __future__ import annotations

import dataclasses

import pytest

from quorate.errors import Malformed
from quorate.groups import group_named
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import Reshared, root
from quorate.testing import Simulation
from quorate.testing.resharings import CHANGE, EpochChange, OldCommittee, change, key_id

Q4, Q5, Q5F, Q7, Q7F = (
    Quorums(4, 1, 1, 0),
    Quorums(5, 2, 1, 0),
    Quorums(5, 2, 0, 2),
    Quorums(7, 2, 2, 0),
    Quorums(7, 3, 1, 1),
)

CHANGES = {
    "renewal": (("abcde", Q5), ("abcde", Q5)),
    "one removed, three added": (("abcde", Q5), ("abcdfgh", Q7F)),
    "two removed": (("abcdefg", Q7F), ("abcde", Q5)),
    "lower degree": (("abcdefg", Q7F), ("abcd", Q4)),
    "higher degree": (("abcd", Q4), ("abcdefg", Q7F)),
    "all others": (("abcde", Q5), ("vwxyz", Q5)),
    "same nodes at other points": (("abcde", Q5), ("cdeab", Q5)),
    "same nodes by another degree": (("abcdefg", Q7), ("abcdefg", Q7F)),
    "one node to one node": (("a", Quorums(1, 0, 0, 0)), ("b", Quorums(1, 0, 0, 0))),
    "one node to itself": (("a", Quorums(1, 0, 0, 0)), ("a", Quorums(1, 0, 0, 0))),
    "a sole holder to many": (("a", Quorums(1, 0, 0, 0)), ("abcd", Q4)),
}


@pytest.mark.parametrize("name", CHANGES)
def test_keys_stay_and_shares_are_fresh(name: str) -> None:
    old, new = CHANGES[name]
    epoch = change(old, new)
    result = epoch.play()
    assert not result.errors
    for node in epoch.terms.new_nodes:
        fresh = result.values[node].shares.reveal()
        # by degree 0 every share is the key itself
        assert epoch.terms.new_quorums.degree == 0 or not set(fresh) & set(epoch.old.shares.get(node, ()))
    for node in set(old[0]) - set(new[0]):
        assert result.values[node] is None


@pytest.mark.parametrize("name", ["secp256k1"])
def test_on_a_real_curve_too(name: str) -> None:
    epoch = change(("abcd", Q4), ("bcdef", Q5), count=2, group=group_named(name))
    assert not epoch.play().errors


def test_new_shares_are_kept_as_generated_keys_are() -> None:
    epoch = change(("abcd", Q4), ("abcde", Q5), group=group_named("secp256k1"))
    result = epoch.play()
    codes = {key_id(number): bytes([number]) * 32 for number in range(3)}
    parts = result.values["e"].parts("e", codes)
    assert [part.key_id for part in parts] == list(codes)
    assert [part.chain_code for part in parts] == list(codes.values())
    for part in parts:
        assert GeneratedKey.from_bytes(part.to_bytes()).public.public_share("e") is not None
    with pytest.raises(Malformed, match="does not belong"):
        result.values["e"].parts("d", codes)


def test_the_root_is_of_all_chunks_in_order_and_of_this_change() -> None:
    one, two = (change(("abcd", Q4), ("abcd", Q4), chunk=chunk).play().values["a"] for chunk in (0, 1))
    assert one.digest != two.digest
    roots = {
        root(CHANGE, [one.digest, two.digest]),
        root(CHANGE, [two.digest, one.digest]),
        root(CHANGE, [one.digest]),
        root(bytes(32), [one.digest, two.digest]),
    }
    assert len(roots) == 4


def test_nodes_may_be_called_anything_a_party_may_be_called() -> None:
    names = ("view", "deal", "0", "7", "63")
    old = OldCommittee(names, Q5)
    assert not EpochChange(old, old.terms(names, Q5)).play().errors


# --- gaps ----------------------------------------------------------------------------------------------


def lacking(gaps: dict[str, tuple[int, ...]], *, spare: bool, kept: tuple[int, ...] = ()) -> EpochChange:
    epoch = change(("abcde", Q5), ("abcde", Q5), spare=spare, kept=kept)
    for node, indices in gaps.items():
        epoch.old.lose(node, *indices)
    return epoch


def test_a_spare_key_that_few_lack_is_made_by_the_others() -> None:
    epoch = lacking({"b": (1,)}, spare=True)
    for seed in range(5):
        assert epoch.play(seed).values["c"].lost == ()


def test_a_spare_key_that_too_many_lack_is_lost_and_the_others_stay() -> None:
    epoch = lacking({"a": (1,), "b": (1,), "c": (1,)}, spare=True)
    result = epoch.play()
    for node in "abcde":
        assert result.values[node].lost == (key_id(1),)
        assert result.values[node].keys.key_ids == (key_id(0), key_id(2))
        assert len(result.values[node].shares.reveal()) == 2


def test_when_every_spare_key_is_gone_there_is_an_end_all_the_same() -> None:
    epoch = lacking(dict.fromkeys("abc", (0, 1, 2)), spare=True)
    result = epoch.play()
    assert not result.errors
    for node in "abcde":
        assert result.values[node].keys is None
        assert len(result.values[node].lost) == 3
        assert result.values[node].parts(node, {}) == []


def test_no_dealing_that_lacks_a_live_key_counts() -> None:
    """Its dealer has lost a live share and still receives the new one. As many may as leave d+1."""
    epoch = lacking({"b": (1,), "e": (0,)}, spare=False)
    for seed in range(5):
        result = epoch.play(seed)
        assert result.values["c"].dealers == ("a", "c", "d")
        assert len(result.values["b"].shares.reveal()) == 3


def test_nor_one_that_lacks_a_spare_key_which_the_receivers_know_to_be_live() -> None:
    epoch = lacking({"b": (1,)}, spare=True, kept=(1,))
    for seed in range(5):
        assert "b" not in epoch.play(seed).values["c"].dealers


def test_a_share_that_is_not_on_record_is_lacking_and_not_dealt() -> None:
    epoch = lacking({}, spare=True)
    share = epoch.old.shares["b"][1]
    assert share is not None
    epoch.old.shares["b"][1] = (share + 1) % TOY_GROUP.order
    result = epoch.play()
    assert not result.blamed()


def test_no_dealing_of_a_node_whose_disk_is_new_counts_and_it_receives() -> None:
    epoch = change(("abcde", Q5), ("abcde", Q5))
    epoch.old.shares["c"] = []
    result = epoch.play()
    assert "c" not in result.values["a"].dealers
    assert len(result.values["c"].shares.reveal()) == 3


# --- the session is of these terms ---------------------------------------------------------------------


@pytest.mark.parametrize("field", ["change", "epoch", "chunk", "attempt"])
def test_a_session_about_something_else_is_not_begun(field: str) -> None:
    epoch = change(("abcd", Q4), ("abcd", Q4))
    other = dataclasses.replace(epoch.terms, **{field: bytes(32) if field == "change" else 7})
    wrong = dataclasses.replace(epoch, terms=other)
    simulation = epoch.simulation(by_hand={"b": wrong.seat("b")})
    result = simulation.run()
    assert isinstance(result.errors["b"], Malformed)
    assert isinstance(result.values["a"], Reshared)  # three of four are enough


def test_a_session_of_other_parties_is_not_begun() -> None:
    epoch = change(("abcd", Q4), ("abcd", Q4))
    one_more = Simulation(
        epoch.simulation().declaration,
        {party: epoch.seat(party) for party in "abcde"},
        tuple("abcde"),
        payload=epoch.terms.payload,
        epoch=1 << 16,
    )
    assert all(isinstance(error, Malformed) for error in one_more.run().errors.values())


def test_a_new_attempt_draws_afresh() -> None:
    """Never the same share by a polynomial that is partly known: nothing of two attempts is alike."""
    first = change(("abcd", Q4), ("abcd", Q4)).play(seed=5)
    second = change(("abcd", Q4), ("abcd", Q4), attempt=1).play(seed=6)
    for node in "abcd":
        one, two = first.values[node], second.values[node]
        assert not set(one.shares.reveal()) & set(two.shares.reveal())
        assert one.keys.columns[0] == two.keys.columns[0]
        assert not set(one.keys.columns[1]) & set(two.keys.columns[1])
