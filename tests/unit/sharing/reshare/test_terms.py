"""What a session of resharing is bound to."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from quorate.errors import LimitExceeded, Malformed
from quorate.groups import group_named
from quorate.sharing.avss import Setting
from quorate.sharing.epochs import MAX_EPOCH, epoch_number
from quorate.sharing.quorums import Quorums
from quorate.sharing.reshare import MAX_KEYS, RESHARE, keys_per_session
from quorate.testing import unsafe_identity
from quorate.testing.resharings import OldCommittee

OLD = OldCommittee(("a", "b", "c", "d", "e"), Quorums(5, 2, 1, 0))
NEW = ("a", "b", "c", "d", "f", "g", "h")
TERMS = OLD.terms(NEW, Quorums(7, 3, 1, 1))
ROSTER = {name: unsafe_identity(name).public for name in "abcdefgh"}


def test_a_party_is_in_it_once_with_whatever_seats_it_has() -> None:
    assert TERMS.parties == tuple("abcdefgh")
    assert (TERMS.combined, TERMS.needed) == (3, 3)
    spare = dataclasses.replace(TERMS, spare=True)
    assert (spare.combined, spare.needed) == (3, 4)


def test_all_parties_make_the_same_agreement_without_a_word() -> None:
    spec = TERMS.spec(ROSTER)
    assert spec.id == TERMS.spec(dict(reversed(ROSTER.items()))).id
    assert spec.epoch == epoch_number(1, 0)
    assert (spec.protocol, spec.parties) == (RESHARE.name, TERMS.parties)
    assert len(set(spec.nonces)) == len(spec.parties)


def test_every_part_of_the_terms_makes_another_session() -> None:
    quorums = Quorums(7, 3, 1, 1)
    others = [
        dataclasses.replace(TERMS, change=bytes(32)),
        dataclasses.replace(TERMS, epoch=2),
        dataclasses.replace(TERMS, chunk=1),
        dataclasses.replace(TERMS, attempt=1),
        dataclasses.replace(TERMS, spare=True),
        dataclasses.replace(TERMS, new_nodes=NEW[::-1]),
        dataclasses.replace(TERMS, new_quorums=Quorums(7, 2, 1, 1)),
        dataclasses.replace(TERMS, old_quorums=Quorums(5, 2, 0, 1)),
        OldCommittee(OLD.nodes, OLD.quorums, seed=2).terms(NEW, quorums),
        OldCommittee(OLD.nodes[::-1], OLD.quorums).terms(NEW, quorums),
        OldCommittee(OLD.nodes, OLD.quorums, group=group_named("secp256k1")).terms(NEW, quorums),
    ]
    ids = {TERMS.spec(ROSTER).id, *(terms.spec(ROSTER).id for terms in others)}
    assert len(ids) == len(others) + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"change": b"short"},
        {"old_quorums": Quorums(5, 1, 1, 0)},  # keys of degree 2
        {"old_quorums": Quorums(7, 2, 1, 0)},
        {"new_nodes": NEW[:6]},
        {"new_nodes": (*NEW[:6], "a")},
        {"chunk": -1},
        {"attempt": -1},
        {"chunk": 1 << 32},
    ],
)
def test_terms_that_do_not_fit_each_other_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="resharing"):
        dataclasses.replace(TERMS, **wrong)


def test_the_last_epoch_has_no_successor() -> None:
    with pytest.raises(LimitExceeded):
        dataclasses.replace(TERMS, epoch=MAX_EPOCH + 1)


@pytest.mark.parametrize("degree", [1, 2, 4, 6, 10, 15])
@pytest.mark.parametrize("name", ["secp256k1"])
def test_as_many_keys_as_are_said_to_fit_do_fit(name: str, degree: int) -> None:
    group = group_named(name)
    nodes = 2 * degree + 1
    quorums = Quorums(nodes, degree, 0, 0)
    names = tuple(f"n{number}" for number in range(nodes))
    fitting = keys_per_session(group, degree)
    assert 100 < fitting <= MAX_KEYS
    Setting(bytes(32), group, names, quorums, fitting)
    with pytest.raises(Malformed, match=r"fit one message|at once"):
        Setting(bytes(32), group, names, quorums, fitting + 1)
