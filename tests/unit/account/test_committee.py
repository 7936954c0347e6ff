"""The chain of committee records and the certificates of the switch, one forgery after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest

from quorate.account.committee import (
    FIRST_PARENT,
    MAX_NODES,
    MAX_URL_BYTES,
    Activation,
    Claim,
    CommitteeRecord,
    Erased,
    Frozen,
    Seat,
    Stored,
    Succession,
    check_succession,
    in_order,
    parties_of_change,
    succession_digest,
    verify_chain,
)
from quorate.encoding import decode, encode
from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.sharing.epochs import MAX_EPOCH

NETWORK = "test"
change = msgspec.structs.replace


def pair(name: str, epoch: int) -> KeyPair:
    """A node's keys: one signing key for life, one sealing key for each epoch."""
    signing = Secret(SeededRng(digest(Tag.SIMULATION_SEED, name.encode()))(32))
    sealing = Secret(SeededRng(digest(Tag.SIMULATION_SEED, name.encode(), bytes([epoch])))(32))
    return KeyPair.of(signing, sealing)


def seat(name: str, epoch: int) -> Seat:
    return Seat(name, f"https://{name}.example", pair(name, epoch).public.to_bytes())


def record(
    epoch: int, names: Sequence[str], thresholds: tuple[int, int, int], parent: CommitteeRecord | None
) -> CommitteeRecord:
    before = FIRST_PARENT if parent is None else parent.digest
    return CommitteeRecord(NETWORK, epoch, tuple(seat(n, epoch) for n in names), *thresholds, before)


FIVE = ("ada", "bob", "cas", "dee", "eve")
FIRST = record(0, FIVE, (2, 1, 0), None)
SECOND = record(1, ("ada", "cas", "dee", "eve", "fay", "gus", "hal"), (3, 1, 1), FIRST)
THIRD = record(2, ("gus", "hal", "ivo", "joy", "ada"), (2, 1, 0), SECOND)


def signed(subject: bytes, by: CommitteeRecord, names: Sequence[str]) -> tuple[tuple[str, bytes], ...]:
    return in_order({name: pair(name, by.epoch).sign(subject) for name in names})


def succession(new: CommitteeRecord, old: CommitteeRecord, names: Sequence[str] | None = None) -> Succession:
    chosen = old.names[: old.quorums.echo] if names is None else names
    return Succession(new, signed(succession_digest(new), old, chosen))


CHAIN = (succession(SECOND, FIRST), succession(THIRD, SECOND))


# --- a record ------------------------------------------------------------------------------------------


def test_a_record_reads_back_and_says_who_sits_where() -> None:
    assert decode(CommitteeRecord, encode(SECOND)) == SECOND
    assert SECOND.names[0] == "ada"
    assert SECOND.identities["gus"] == pair("gus", 1).public
    assert (SECOND.quorums.echo, SECOND.quorums.ready) == (5, 5)
    assert SECOND.seat("gus") == seat("gus", 1)
    assert SECOND.seat("bob") is None
    assert parties_of_change(FIRST, SECOND)["ada"] == pair("ada", 1).public
    assert parties_of_change(FIRST, SECOND)["bob"] == pair("bob", 0).public


@pytest.mark.parametrize(
    "changes",
    [
        {"members": FIRST.members[:4]},  # too few for the thresholds
        {"members": (*FIRST.members[:4], FIRST.members[0])},
        {"members": (*FIRST.members[:4], change(FIRST.members[0], name="zed"))},
        {"members": (*FIRST.members[:4], change(seat("eve", 0), name="Eve"))},
        {"members": ()},
        {"members": (*FIRST.members[:4], change(seat("eve", 0), keys=bytes(65)))},
        {"members": (*FIRST.members[:4], change(seat("eve", 0), url=""))},
        {"members": (*FIRST.members[:4], change(seat("eve", 0), url="x" * (MAX_URL_BYTES + 1)))},
        {"degree": 4},
        {"liars": 2},
        {"away": 1},
        {"degree": -1},
        {"parent": bytes([1]) * 32},
        {"epoch": 1},
        {"epoch": -1},
        {"epoch": MAX_EPOCH + 1, "parent": bytes([1]) * 32},
        {"parent": b""},
        {"network": ""},
    ],
)
def test_an_unsound_record_is_not_read(changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        decode(CommitteeRecord, encode(_unchecked(FIRST, changes)))


def _unchecked(of: CommitteeRecord, changes: dict[str, Any]) -> list[Any]:
    """The wire form of a record that could not be made."""
    return [changes.get(field, getattr(of, field)) for field in CommitteeRecord.__struct_fields__]


def test_a_shared_sealing_key_counts_one_operator_twice() -> None:
    shared = (
        KeyPair.of(Secret(b"s" * 32), Secret(b"x" * 32)),
        KeyPair.of(Secret(b"t" * 32), Secret(b"x" * 32)),
    )
    seats = [Seat(name, "u", keys.public.to_bytes()) for name, keys in zip("yz", shared, strict=True)]
    with pytest.raises(Malformed, match="keys of its own"):
        CommitteeRecord(NETWORK, 0, (*FIRST.members[:3], *seats), 2, 1, 0)


def test_a_committee_has_at_most_so_many_nodes() -> None:
    names = [f"n{i}" for i in range(MAX_NODES + 1)]
    of_size = record(0, names[:-1], (15, 7, 1), None)
    assert decode(CommitteeRecord, encode(of_size)) == of_size
    with pytest.raises(Malformed):
        decode(CommitteeRecord, encode(_unchecked(of_size, {"members": [seat(n, 0) for n in names]})))


def test_records_that_differ_in_anything_have_different_digests() -> None:
    swapped = (SECOND.members[1], SECOND.members[0], *SECOND.members[2:])
    others = [
        change(SECOND, members=swapped),  # another order is other points
        change(SECOND, degree=4, away=0),
        change(SECOND, parent=bytes([7]) * 32),
        change(SECOND, epoch=2),
        change(SECOND, network="other"),
        change(SECOND, members=(change(SECOND.members[0], url="http://elsewhere"), *SECOND.members[1:])),
    ]
    assert len({SECOND.digest, *(other.digest for other in others)}) == 7


# --- the chain -----------------------------------------------------------------------------------------


def test_a_chain_leads_from_a_trusted_record_to_the_last() -> None:
    assert verify_chain(FIRST, []) == FIRST
    assert verify_chain(FIRST, CHAIN) == THIRD
    assert verify_chain(SECOND, CHAIN[1:]) == THIRD
    read = decode(tuple[Succession, ...], encode(CHAIN))
    assert verify_chain(FIRST, read) == THIRD


@pytest.mark.parametrize(
    ("chain", "trusted"),
    [
        (CHAIN, SECOND),  # an epoch again
        (CHAIN[1:], FIRST),  # an epoch left out
        (CHAIN[::-1], FIRST),
        ((CHAIN[0], CHAIN[0]), FIRST),
    ],
)
def test_a_chain_in_another_order_is_refused(chain: Sequence[Succession], trusted: CommitteeRecord) -> None:
    with pytest.raises(ProofRejected, match="does not follow"):
        verify_chain(trusted, chain)


FEW = FIRST.names[: FIRST.quorums.echo - 1]


@pytest.mark.parametrize(
    ("signatures", "says"),
    [
        (signed(succession_digest(SECOND), FIRST, FEW), "3 signatures, 4 are needed"),
        (signed(succession_digest(SECOND), FIRST, FEW) * 2, "named once"),
        ((*signed(succession_digest(SECOND), FIRST, FEW), ("eve", bytes(64))), "signature of eve"),
        # signed by the new committee itself
        (signed(succession_digest(SECOND), SECOND, SECOND.names), "not of the committee"),
        (signed(succession_digest(SECOND), FIRST, FIVE)[::-1], "ascending"),
        # signatures over something else of this very record
        (signed(SECOND.digest, FIRST, FIVE), "not over this"),
        (signed(succession_digest(THIRD), FIRST, FIVE), "not over this"),
        # one key under another's name
        (in_order({n: pair("ada", 0).sign(succession_digest(SECOND)) for n in FIVE}), "not over this"),
    ],
)
def test_a_succession_needs_e_distinct_nodes_of_the_parent(
    signatures: tuple[tuple[str, bytes], ...], says: str
) -> None:
    with pytest.raises(ProofRejected, match=says):
        verify_chain(FIRST, [Succession(SECOND, signatures)])


def test_signatures_of_all_are_as_good_as_of_e() -> None:
    assert verify_chain(FIRST, [succession(SECOND, FIRST, FIVE)]) == SECOND


Mutation = Callable[[CommitteeRecord], CommitteeRecord]


@pytest.mark.parametrize(
    ("mutate", "says"),
    [
        (lambda r: change(r, network="other"), "ours is of test"),
        (lambda r: change(r, epoch=2), "does not follow"),
        (lambda r: change(r, parent=bytes([9]) * 32), "does not follow"),
        # within the protocols' bounds, and no revocation would be real
        (lambda r: change(r, members=r.members[:4], degree=1, liars=1, away=0), "revoked device"),
        # the name stays and the key goes
        (
            lambda r: change(r, members=(change(seat("zed", 1), name="ada"), *r.members[1:])),
            "another identity",
        ),
        # the key stays and the name goes
        (
            lambda r: change(r, members=(change(seat("bob", 1), name="zed"), *r.members[1:])),
            "another identity",
        ),
        (lambda r: change(r, members=(seat("ada", 0), *r.members[1:])), "keeps a sealing key"),
    ],
)
def test_what_cannot_follow_is_refused_though_all_sign_it(mutate: Mutation, says: str) -> None:
    record_ = mutate(SECOND)
    with pytest.raises(ProofRejected, match=says):
        check_succession(FIRST, record_)
    with pytest.raises(ProofRejected, match=says):
        verify_chain(FIRST, [succession(record_, FIRST, FIVE)])


def test_a_node_that_left_may_come_back_and_one_may_take_an_old_name() -> None:
    again = record(2, ("bob", "ada", "cas", "dee", "eve"), (2, 1, 0), SECOND)
    assert verify_chain(FIRST, [CHAIN[0], succession(again, SECOND)]) == again


# --- claims --------------------------------------------------------------------------------------------


def test_a_claim_is_a_nodes_own_word_for_this_epoch() -> None:
    claim = Claim.make(FIRST, seat("fay", 1), pair("fay", 1))
    decode(Claim, encode(claim)).verify(FIRST)
    for other in (change(FIRST, network="other"), SECOND, change(FIRST, degree=3, liars=0)):
        with pytest.raises(ProofRejected, match="another epoch"):
            claim.verify(other)
    for forged in (
        change(claim, seat=change(claim.seat, url="http://mine")),
        change(claim, seat=seat("gus", 1)),
        change(claim, seat=Seat("fay", claim.seat.url, pair("fay", 2).public.to_bytes())),
        Claim.make(FIRST, seat("fay", 1), pair("gus", 1)),
    ):
        with pytest.raises(ProofRejected, match="not by this key"):
            forged.verify(FIRST)


# --- the switch ----------------------------------------------------------------------------------------

KEYS, ROOT = bytes([3]) * 32, bytes([4]) * 32
FROZEN = Frozen(NETWORK, SECOND.digest, KEYS)
STORED = Stored(NETWORK, 1, SECOND.digest, ROOT)


def test_e_old_nodes_freeze_what_is_reshared() -> None:
    enough = signed(FROZEN.to_sign(), FIRST, FIRST.names[:4])
    frozen = change(FROZEN, signatures=enough)
    decode(Frozen, encode(frozen)).verify(FIRST, SECOND)
    for forged in (
        change(frozen, signatures=enough[:3]),
        change(frozen, signatures=(*enough[:3], enough[2])),
        change(frozen, keys=ROOT),
        change(FROZEN, signatures=signed(FROZEN.to_sign(), SECOND, SECOND.names)),
        change(frozen, record=THIRD.digest),
        change(frozen, network="other"),
    ):
        with pytest.raises(ProofRejected):
            forged.verify(FIRST, SECOND)
    with pytest.raises(ProofRejected, match="does not follow"):
        frozen.verify(SECOND, SECOND)


def test_r_new_nodes_that_stored_the_same_put_an_epoch_in_force() -> None:
    enough = signed(STORED.to_sign(), SECOND, SECOND.names[:5])
    decode(Activation, encode(Activation(STORED, enough))).verify(SECOND)
    Activation(STORED, signed(STORED.to_sign(), SECOND, SECOND.names)).verify(SECOND)


def _activation(changes: dict[str, Any], by: CommitteeRecord, names: Sequence[str]) -> Activation:
    stored = change(STORED, **changes)
    return Activation(stored, signed(stored.to_sign(), by, names))


@pytest.mark.parametrize(
    ("forged", "says"),
    [
        (_activation({}, SECOND, SECOND.names[:4]), "4 signatures, 5 are needed"),
        (_activation({}, FIRST, FIVE), "not of the committee"),  # the old committee activates nothing
        (_activation({"epoch": 2}, SECOND, SECOND.names), "another epoch"),
        (_activation({"record": THIRD.digest}, SECOND, SECOND.names), "another epoch"),
        (_activation({"network": "other"}, SECOND, SECOND.names), "another epoch"),
        (
            Activation(change(STORED, root=KEYS), signed(STORED.to_sign(), SECOND, SECOND.names)),
            "not over this",
        ),
    ],
)
def test_an_activation_is_of_r_distinct_new_nodes_over_one_root(forged: Activation, says: str) -> None:
    with pytest.raises(ProofRejected, match=says):
        forged.verify(SECOND)


def test_half_an_activation_on_one_root_and_half_on_another_is_none() -> None:
    """Two roots never both get R' signatures unless more than t' nodes sign both."""
    one = signed(STORED.to_sign(), SECOND, SECOND.names[:3])
    other = signed(change(STORED, root=KEYS).to_sign(), SECOND, SECOND.names[3:])
    with pytest.raises(ProofRejected, match="not over this"):
        Activation(STORED, in_order(dict(one + other))).verify(SECOND)
    assert 2 * SECOND.quorums.ready - len(SECOND.members) > SECOND.quorums.liars


def test_one_signer_spelt_in_two_ways_counts_for_none() -> None:
    name, signature = signed(STORED.to_sign(), SECOND, ["ada"])[0]
    for spelt in ("Ada", "ada ", "ada\u0000", "\uff41da"):
        twice = in_order({name: signature, spelt: signature})
        with pytest.raises(ProofRejected, match="not of the committee"):
            Activation(STORED, twice).verify(SECOND)


def test_no_statement_of_the_switch_is_another() -> None:
    claim = Claim.make(FIRST, seat("fay", 1), pair("fay", 1))
    subjects = {
        FIRST.digest,
        SECOND.digest,
        succession_digest(SECOND),
        FROZEN.to_sign(),
        STORED.to_sign(),
        Erased(NETWORK, 0, FIRST.digest).to_sign(),
        Erased(NETWORK, 1, SECOND.digest).to_sign(),
        claim.to_sign(),
    }
    assert len(subjects) == 8
