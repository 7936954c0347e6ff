"""The list that a change of committee carries over: what it takes and leaves, and what liars do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import pytest

from quorate.account.carrying import Holding
from quorate.account.changing import (
    HELD_A_CHUNK,
    HELD_A_PAGE,
    MAX_PROOF_BYTES,
    Assembly,
    HeldRow,
    Page,
    PooledRow,
    assemble,
    inventory_digest,
    pages_of,
)
from quorate.account.committee import FIRST_PARENT, CommitteeRecord, Seat
from quorate.account.records import Factor, FactorKind, KeyRecord, Member
from quorate.account.requests import LiveRequest, Signatures
from quorate.encoding import decode, encode
from quorate.entropy import SeededRng
from quorate.errors import Malformed
from quorate.groups import group_named
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret
from quorate.session import KeyPair
from quorate.sharing.access import AccessStructure
from quorate.sharing.epochs import epoch_number
from quorate.sharing.polynomial import Polynomial
from quorate.sharing.statements import KeyFormed, to_sign

GROUP = group_named("secp256k1")
FIVE = ("ada", "bob", "cas", "dee", "eve")
NINE = (*FIVE, "fay", "gus", "hal", "ivo")
change = msgspec.structs.replace


@cache
def pair(name: str, epoch: int = 0) -> KeyPair:
    seed = digest(Tag.SIMULATION_SEED, name.encode())
    return KeyPair.of(Secret(seed), Secret(digest(Tag.SIMULATION_SEED, seed, bytes([epoch]))))


def committee(
    names: Sequence[str], thresholds: tuple[int, int, int], epoch: int = 0, parent: bytes = FIRST_PARENT
) -> CommitteeRecord:
    seats = tuple(Seat(name, "u", pair(name, epoch).public.to_bytes()) for name in names)
    return CommitteeRecord("test", epoch, seats, *thresholds, parent)


OLD = committee(FIVE, (2, 1, 0))
NEW = committee((*FIVE[1:], "fay"), (2, 1, 0), 1, OLD.digest)


def holding(number: int, *, user: int = 0, of: CommitteeRecord = OLD, line: int = 0) -> Holding:
    """A wallet's key; `line` makes another of the same id."""
    rng = SeededRng(digest(Tag.SIMULATION_SEED, b"wallet", bytes([number, user, line, len(of.members)])))
    polynomial = Polynomial.random(GROUP, of.degree, rng)
    members = tuple(
        Member(seat.name, seat.keys, GROUP.generator.multiply(polynomial.at(x).reveal()).to_bytes())
        for x, seat in enumerate(of.members, 1)
    )
    public = GROUP.generator.multiply(GROUP.random_scalar(rng)).to_bytes()
    device = Factor("device", FactorKind.DEVICE, pair("device").public.to_bytes(), public)
    structure = str(AccessStructure.with_committee(of.names, of.degree, {"device": 2}))
    key = digest(Tag.SIMULATION_SEED, b"key", bytes([number]))
    record = KeyRecord(
        *("test", bytes(32), key, GROUP.name, epoch_number(of.epoch, user), public, bytes(32)),
        *(structure, members, (device,)),
    )
    return Holding(record, to_sign(formed(record)), of.epoch)


def formed(record: KeyRecord) -> KeyFormed:
    return KeyFormed(
        *("test", record.account, record.curve, record.key, record.structure, record.public_key),
        *(tuple(member.public_share for member in record.committee[:3]), (("device", record.public_key),)),
        record.chain_code,
    )


def proof(of: Holding, signers: Sequence[str]) -> bytes:
    """The certificate that a key was formed."""
    statement = formed(of.record)
    by = tuple((name, pair(name).sign(to_sign(statement))) for name in signers)
    return encode(LiveRequest(statement, Signatures(by)))


def pooled(position: int, *, account: bytes = b"", seed: int = 0) -> PooledRow:
    rng = SeededRng(digest(Tag.SIMULATION_SEED, b"pool", bytes([position, seed])))
    points = Polynomial.random(GROUP, 2, rng).commit().points
    key_id = digest(Tag.SIMULATION_SEED, b"pooled", bytes([position, seed]))
    return PooledRow(GROUP.name, 1, position, key_id, tuple(p.to_bytes() for p in points), account, account)


def listed(
    held: Mapping[str, Sequence[HeldRow]],
    pool: Mapping[str, Sequence[PooledRow]] | None = None,
    *,
    old: CommitteeRecord = OLD,
    new: CommitteeRecord = NEW,
) -> Assembly:
    rows = pool or {}
    shown = {name: pages_of(new.digest, held.get(name, ()), rows.get(name, ())) for name in held}
    return assemble(old, new, shown)


def by(
    names: str | Sequence[str], row: HeldRow, everybody: Sequence[str] = FIVE[:4]
) -> dict[str, list[HeldRow]]:
    """Inventories of these nodes in which some hold a key."""
    return {name: [row] if name in names else [] for name in everybody}


# --- what is listed ------------------------------------------------------------------------------------


def test_what_all_hold_is_listed_live_or_not() -> None:
    live, waiting = holding(1), holding(2)
    rows = [HeldRow(live, True), HeldRow(waiting, False)]
    found = listed(dict.fromkeys(FIVE, rows))
    assert found.labels == {live.label, waiting.label}
    assert found.live == {live.label}
    assert [chunk.spare for chunk in found.chunks] == [False]
    assert found.chunks[0].keys.nodes == OLD.names


def test_the_list_is_the_same_whoever_makes_it_and_in_whatever_order_it_was_heard() -> None:
    rows = [HeldRow(holding(number), True) for number in range(4)]
    pool = [pooled(number) for number in range(4)]
    one = listed(dict.fromkeys(FIVE, rows), dict.fromkeys(FIVE, pool))
    other = listed(dict.fromkeys(FIVE[::-1], rows[::-1]), dict.fromkeys(FIVE, pool[::-1]))
    assert one.digest == other.digest
    assert one.digest != listed(dict.fromkeys(FIVE, rows[:3]), dict.fromkeys(FIVE, pool)).digest
    assert one.digest != listed(dict.fromkeys(FIVE, rows), dict.fromkeys(FIVE, pool[:3])).digest


def test_fewer_inventories_than_r_make_no_list() -> None:
    row = HeldRow(holding(1), True)
    with pytest.raises(Malformed, match="inventories of 4"):
        listed(by(FIVE, row, FIVE[:3]))
    with pytest.raises(Malformed, match="inventories of 4"):
        listed(by(FIVE, row, (*FIVE[:3], "zed")))


def test_keys_are_in_chunks_of_those_who_hold_them() -> None:
    """So a dealer that lacks one key is missing in the session of that key alone."""
    everywhere, some = HeldRow(holding(1), True), HeldRow(holding(2), True)
    held = {name: [everywhere, some] if name != "dee" else [everywhere] for name in FIVE}
    assert [chunk.keys.count for chunk in listed(held).chunks] == [1, 1]


def test_a_chunk_is_of_no_more_keys_than_are_stored_at_once() -> None:
    rows = [HeldRow(holding(number), True) for number in range(HELD_A_CHUNK + 1)]
    assert len(pages_of(NEW.digest, rows, ())) == 1 + HELD_A_CHUNK // HELD_A_PAGE
    chunks = listed(dict.fromkeys(FIVE, rows)).chunks
    assert sorted(chunk.keys.count for chunk in chunks) == [1, HELD_A_CHUNK]


# --- what cannot be dealt is not listed, or the change would stand still at it for ever ----------------


def test_an_unfinished_wallet_at_a_few_nodes_is_left_behind() -> None:
    """Its device has gone while it was made: two or three nodes hold it, and three must deal."""
    for few in (FIVE[:1], FIVE[:2], FIVE[:3]):
        assert listed(by(few, HeldRow(holding(1), False))).labels == frozenset()


def test_an_unfinished_wallet_that_d_plus_1_honest_nodes_hold_moves_along() -> None:
    one = holding(1)
    found = listed(by(FIVE[:4], HeldRow(one, False)))
    assert (found.labels, found.live) == ({one.label}, frozenset())


def test_a_wallet_that_more_nodes_than_may_lie_say_is_live_moves() -> None:
    one = holding(1)
    found = listed(by(("ada", "dee"), HeldRow(one, True)))
    assert (found.labels, found.live) == ({one.label}, {one.label})


def test_one_certificate_moves_a_wallet_that_few_of_the_shown_have_made_live() -> None:
    one = holding(1)
    held = by(("ada", "bob"), HeldRow(one, False))
    assert listed(held).labels == frozenset()
    held["ada"] = [HeldRow(one, True, proof(one, FIVE[:4]))]
    assert listed(held).labels == {one.label}


def test_a_certificate_that_a_key_was_made_makes_it_live_nowhere() -> None:
    """A device and a liar would have a key sign that the register has never heard of."""
    one = holding(1)
    held = by(FIVE, HeldRow(one, False), FIVE)
    held["ada"] = [HeldRow(one, True, proof(one, FIVE[:4]))]
    found = listed(held)
    assert (found.labels, found.live) == ({one.label}, frozenset())


@pytest.mark.parametrize(
    "false",
    [
        lambda one: proof(one, FIVE[:3]),  # fewer than R
        lambda one: proof(one, (*FIVE[:3], "ada")),
        lambda one: proof(one, (*FIVE[:3], "fay")),
        lambda one: proof(holding(2), FIVE),
        lambda one: proof(one, FIVE)[:-1],
        lambda one: b"\x00",
    ],
)
def test_a_certificate_that_is_none_moves_nothing(false: object) -> None:
    one = holding(1)
    held = by(("ada", "bob"), HeldRow(one, False))
    held["ada"] = [HeldRow(one, True, false(one))]  # type: ignore[operator]
    assert listed(held).labels == frozenset()


def test_a_certificate_of_another_epoch_moves_nothing() -> None:
    one = change(holding(1), made_in=1)
    held = by(("ada", "bob"), HeldRow(one, False))
    held["ada"] = [HeldRow(one, True, proof(one, FIVE))]
    assert listed(held).labels == frozenset()


def test_a_liar_brings_in_nothing_that_it_alone_shows() -> None:
    """Neither a wallet of its own making, nor other public shares under a true certificate."""
    own, true = holding(7), holding(1)
    forged = change(true, record=change(holding(1, line=1).record))
    held = by(FIVE[1:4], HeldRow(true, True))
    held["ada"] = [
        HeldRow(own, True, proof(own, FIVE)),
        HeldRow(forged, True, proof(true, FIVE)),
    ]
    found = listed(held)
    assert found.labels == {true.label}
    (chunk,) = found.chunks
    assert chunk.held[true.label] == true


def test_a_liar_that_hides_a_live_wallet_does_not_lose_it() -> None:
    """R nodes made it live; one is not among those shown, one lies: two honest ones are left."""
    one = holding(1)
    assert listed(by(("cas", "dee"), HeldRow(one, True))).labels == {one.label}


def test_the_same_holds_where_an_echo_quorum_would_be_too_few_to_look_at() -> None:
    """n=9, t=2: E is 6 and R is 7. Of 5 honest nodes that made a wallet live, R of all show at least 3."""
    old = committee(NINE, (4, 2, 0))
    new = committee(NINE, (4, 2, 0), 1, old.digest)
    one = holding(1, of=old)
    with pytest.raises(Malformed, match="inventories of 7"):
        listed(by(NINE[:6], HeldRow(one, True), NINE[:6]), old=old, new=new)
    shown = by(NINE[4:7], HeldRow(one, True), NINE[:7])
    assert listed(shown, old=old, new=new).labels == {one.label}
    shown = by(NINE[4:6], HeldRow(one, True), NINE[:7])
    assert listed(shown, old=old, new=new).labels == frozenset()


def test_of_one_key_in_two_user_epochs_the_last_live_one_moves() -> None:
    """A device died between the nodes it told of a new epoch: some have erased the old one."""
    before, after = holding(1), holding(1, user=1)
    assert before.label != after.label
    held = {name: [HeldRow(before, True)] for name in FIVE[2:4]}
    held |= {name: [HeldRow(after, True)] for name in FIVE[:2]}
    assert listed(held).labels == {after.label}
    waiting = {name: [HeldRow(before, True), HeldRow(after, False)] for name in FIVE[:4]}
    assert listed(waiting).labels == {before.label}


def test_a_key_of_another_committee_is_not_listed() -> None:
    strange = holding(1, of=committee(FIVE[::-1], (2, 1, 0)))
    assert listed(by(FIVE, HeldRow(strange, True), FIVE)).labels == frozenset()


# --- the pool ------------------------------------------------------------------------------------------


def test_pooled_keys_that_more_than_may_lie_show_are_spare() -> None:
    rows = [pooled(0), pooled(1)]
    pool = {"ada": rows, "bob": rows, "cas": rows[:1], "dee": [pooled(1, seed=1)]}
    (chunk,) = listed(dict.fromkeys(FIVE[:4], ()), pool).chunks
    assert chunk.spare
    assert set(chunk.pooled) == {row.key_id for row in rows}


def test_votes_for_pooled_keys_are_told_and_make_no_other_row() -> None:
    mine, yours = b"a" * 32, b"b" * 32
    pool = {
        "ada": [pooled(0, account=mine)],
        "bob": [pooled(0, account=yours)],
        "cas": [pooled(0)],
        "dee": [pooled(0)],
    }
    found = listed(dict.fromkeys(FIVE[:4], ()), pool)
    assert found.chunks[0].keys.count == 1
    assert found.votes[GROUP.name, 1, 0] == {(mine, mine), (yours, yours)}


# --- pages ---------------------------------------------------------------------------------------------


def test_an_inventory_is_the_same_in_pages_and_stands_for_itself() -> None:
    rows = [HeldRow(holding(number), True) for number in range(3)]
    pages = pages_of(NEW.digest, rows, [pooled(0)])
    assert [(page.number, page.pages) for page in pages] == [(0, 2), (1, 2)]
    again = [decode(Page, encode(page)) for page in pages]
    assert inventory_digest(again) == inventory_digest(pages)
    assert inventory_digest(pages[::-1]) != inventory_digest(pages)
    assert [page.pages for page in pages_of(NEW.digest, (), ())] == [1]


def test_a_page_of_full_rows_fits_a_parcel() -> None:
    one = holding(1)
    rows = [HeldRow(one, True, proof(one, FIVE))] * HELD_A_PAGE
    assert len(encode(pages_of(NEW.digest, rows, ())[0])) < 1 << 20
    with pytest.raises(Malformed):
        decode(HeldRow, encode(HeldRow(one, True, bytes(MAX_PROOF_BYTES + 1))))
