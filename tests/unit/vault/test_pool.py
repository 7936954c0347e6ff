"""The pool: one vote for each key, for ever; parts are there until used or burned, and then nowhere."""

import time

import pytest
from tests.unit.vault.conftest import OpenVault

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, Unavailable
from quorate.vault import Vault
from quorate.vault.pool import MAX_BATCH, BatchState, KeyState, PoolIndex

CURVE = "secp256k1"
ALICE, BOB = b"a" * 32, b"b" * 32
ONE, TWO = b"1" * 32, b"2" * 32
NOW = 1_800_000_000.0


def batch(count: int, name: bytes = b"k") -> list[tuple[bytes, bytes]]:
    return [((name + str(at).encode()).ljust(32, b"."), b"part %d" % at) for at in range(count)]


def at(position: int, number: int = 1) -> PoolIndex:
    return PoolIndex(CURVE, number, position)


@pytest.fixture
def pooled(vault: Vault) -> Vault:
    vault.pool.put(CURVE, 1, batch(4))
    return vault


def test_a_batch_is_stored_whole_and_found_by_index_and_id(pooled: Vault, open_again: OpenVault) -> None:
    pooled.pool.put("ed25519", 1, batch(2, b"e"))
    for vault in (pooled, open_again()):
        pool = vault.pool
        assert pool.depth(CURVE) == 4
        assert pool.unassigned(CURVE, 3) == [at(0), at(1), at(2)]
        assert pool.read(at(2)).reveal() == b"part 2"
        found = pool.find(batch(4)[3][0])
        assert found is not None
        assert (found.index, found.state) == (at(3), KeyState.FREE)
        assert [(b.number, b.count, b.state) for b in pool.batches(CURVE)] == [(1, 4, BatchState.STORED)]


def test_a_batch_number_is_taken_part_in_once_and_stored_once(vault: Vault) -> None:
    vault.pool.begin(CURVE, 1, 4)
    with pytest.raises(AlreadyUsed):
        vault.pool.begin(CURVE, 1, 4)
    assert [b.state for b in vault.pool.batches()] == [BatchState.BEGUN]
    vault.pool.put(CURVE, 1, batch(4))
    with pytest.raises(AlreadyUsed):
        vault.pool.put(CURVE, 1, batch(4, b"x"))
    with pytest.raises(AlreadyUsed):
        vault.pool.begin(CURVE, 1, 4)
    vault.pool.begin("ed25519", 1, 4)


@pytest.mark.parametrize("count", [0, MAX_BATCH + 1])
def test_a_batch_has_a_size(vault: Vault, count: int) -> None:
    with pytest.raises(LimitExceeded):
        vault.pool.begin(CURVE, 1, count)
    with pytest.raises(LimitExceeded):
        vault.pool.put(CURVE, 1, [(ONE, b"")] * count)


def test_a_vote_is_given_once_and_renewed_for_the_same_account(pooled: Vault, open_again: OpenVault) -> None:
    pooled.pool.sign(at(0), ALICE, ONE, NOW)
    pooled.pool.sign(at(0), ALICE, TWO, NOW + 9)
    for vault in (pooled, open_again()):
        with pytest.raises(AlreadyUsed):
            vault.pool.sign(at(0), BOB, ONE, NOW)
        key = vault.pool.get(at(0))
        assert key is not None
        assert (key.state, key.account, key.commitment) == (KeyState.SIGNED, ALICE, TWO)
        assert (key.signed, key.committed) == (NOW, NOW + 9)
        assert vault.pool.depth(CURVE) == 3
        assert [key.index for key in vault.pool.open_of(CURVE, ALICE)] == [at(0)]
        assert vault.pool.open_of(CURVE, BOB) == []
        assert vault.pool.votes(CURVE) == {at(0): ALICE}


def test_votes_are_counted_by_time_and_account(pooled: Vault) -> None:
    for position, account in enumerate([ALICE, ALICE, BOB]):
        pooled.pool.sign(at(position), account, ONE, NOW + position)
    assert pooled.pool.signed_since(NOW - 1) == 3
    assert pooled.pool.signed_since(NOW) == 2
    assert pooled.pool.signed_since(NOW - 1, ALICE) == 2
    assert pooled.pool.signed_since(NOW + 5) == 0


def test_a_grant_needs_no_vote_of_ours_and_wins_over_it(pooled: Vault) -> None:
    assert pooled.pool.grant(at(0), ALICE).reveal() == b"part 0"
    pooled.pool.sign(at(1), BOB, ONE, NOW)
    assert pooled.pool.grant(at(1), ALICE).reveal() == b"part 1"
    assert {key.index for key in pooled.pool.open_of(CURVE, ALICE)} == {at(0), at(1)}
    with pytest.raises(AlreadyUsed):
        pooled.pool.sign(at(0), BOB, ONE, NOW)
    with pytest.raises(LocalError, match="two accounts"):
        pooled.pool.grant(at(0), BOB)
    with pytest.raises(Unavailable):
        pooled.pool.grant(at(9), ALICE)


def test_a_key_set_apart_for_a_wallet_is_open_no_more(pooled: Vault) -> None:
    with pytest.raises(Unavailable, match="not one to set apart"):
        pooled.pool.set_apart(at(0))
    pooled.pool.grant(at(0), ALICE)
    pooled.pool.set_apart(at(0))
    assert pooled.pool.open_of(CURVE, ALICE) == []
    assert pooled.pool.read(at(0)).reveal() == b"part 0"
    with pytest.raises(Unavailable):
        pooled.pool.set_apart(at(0))
    with pytest.raises(Unavailable):
        pooled.pool.grant(at(0), ALICE)
    with pytest.raises(AlreadyUsed):
        pooled.pool.sign(at(0), ALICE, ONE, NOW)


def test_a_member_that_joins_keeps_the_votes_of_the_committee_before(vault: Vault) -> None:
    parts = {at: (key, part) for at, (key, part) in enumerate(batch(4))}
    vault.pool.stage(CURVE, 1, 3, parts)
    vault.pool.inherit({at(0): ALICE, at(1): b"", at(9): ALICE})
    vault.pool.activate(3)
    vault.pool.inherit({at(0): BOB})
    assert vault.pool.unassigned(CURVE, 9) == [at(2), at(3)]
    vault.pool.sign(at(0), ALICE, ONE, NOW)
    with pytest.raises(AlreadyUsed):
        vault.pool.sign(at(0), BOB, ONE, NOW)
    with pytest.raises(Unavailable):
        vault.pool.sign(at(1), ALICE, ONE, NOW)
    assert vault.pool.grant(at(1), BOB).reveal() == b"part 1"
    with pytest.raises(AlreadyUsed):
        vault.pool.put(CURVE, 1, batch(4))


@pytest.mark.parametrize("end", ["use", "burn"])
def test_a_part_that_was_used_or_burned_is_nowhere_and_its_neighbours_stay(
    pooled: Vault, open_again: OpenVault, end: str
) -> None:
    pooled.pool.grant(at(0), ALICE)
    with pooled.transaction() as tx:
        ((body,),) = tx.query("SELECT body FROM pool_parts WHERE position = 0")
    getattr(pooled.pool, end)(at(0))
    getattr(pooled.pool, end)(at(0))
    pooled.pool.burn(at(0))
    with pooled.transaction() as tx:  # an old copy of the database still has the row
        tx.execute(
            "INSERT INTO pool_parts (curve, batch, position, epoch, body) VALUES (?, 1, 0, 0, ?)",
            (CURVE, bytes(body)),
        )
    for vault in (pooled, open_again()):
        with pytest.raises(Unavailable, match="erased for ever"):
            vault.pool.read(at(0))
        with pytest.raises(Unavailable):
            vault.pool.grant(at(0), ALICE)
        with pytest.raises(AlreadyUsed):
            vault.pool.sign(at(0), ALICE, ONE, NOW)
        assert vault.pool.read(at(1)).reveal() == b"part 1"
        assert vault.pool.open_of(CURVE, ALICE) == []


def test_a_part_moved_to_another_place_does_not_open(pooled: Vault) -> None:
    with pooled.transaction() as tx:
        ((body,),) = tx.query("SELECT body FROM pool_parts WHERE position = 0")
        tx.execute("UPDATE pool_parts SET body = ? WHERE position = 1", (bytes(body),))
    with pytest.raises(LocalError, match="moved from another place"):
        pooled.pool.read(at(1))


def test_a_next_epoch_is_staged_beside_the_live_one_and_replaces_it_in_one_write(
    pooled: Vault, open_again: OpenVault
) -> None:
    pool = pooled.pool
    pool.burn(at(3))
    pool.stage(CURVE, 1, 1, {0: (ONE, b"first try"), 1: (ONE, b"x")})
    pool.stage(CURVE, 1, 1, {at: (ONE, b"new %d" % at) for at in range(4)})
    assert {at: part.reveal() for at, part in pool.live_parts(CURVE, 1, 0).items()} == {
        at: b"part %d" % at for at in range(3)
    }
    assert set(pool.live_parts(CURVE, 1, 1)) == {0, 1, 2}
    assert pool.read(at(1)).reveal() == b"part 1"
    assert pool.grant(at(2), ALICE).reveal() == b"part 2"
    pool.activate(1)
    pool.activate(1)
    for vault in (pooled, open_again()):
        assert vault.pool.read(at(1)).reveal() == b"new 1"
        assert vault.pool.live_parts(CURVE, 1, 0) == {}
        assert not vault.data_keys.exists(f"pool:{CURVE}:1:0#1")
        with pytest.raises(Unavailable):
            vault.pool.read(at(3))
    pool.use(at(2))
    assert set(pool.live_parts(CURVE, 1, 1)) == {0, 1}


def test_a_key_that_was_not_dealt_anew_is_offered_no_more(pooled: Vault) -> None:
    pooled.pool.stage(CURVE, 1, 1, {0: (ONE, b"new"), 2: (ONE, b"new")})
    pooled.pool.activate(1)
    assert pooled.pool.unassigned(CURVE, 9) == [at(0), at(2)]
    with pytest.raises(Unavailable):
        pooled.pool.sign(at(1), ALICE, ONE, NOW)


def test_a_staged_epoch_that_is_given_up_is_gone(pooled: Vault) -> None:
    pooled.pool.stage(CURVE, 1, 1, {0: (ONE, b"new")})
    pooled.pool.burn(at(0))
    assert not pooled.data_keys.exists(f"pool:{CURVE}:1:1#0")
    pooled.pool.stage(CURVE, 1, 1, {1: (ONE, b"new")})
    pooled.pool.discard(1)
    assert pooled.pool.live_parts(CURVE, 1, 1) == {}
    assert pooled.pool.read(at(1)).reveal() == b"part 1"


def test_after_a_restored_database_no_key_that_looks_free_is_voted_on_and_no_batch_begun(
    pooled: Vault, open_again: OpenVault
) -> None:
    pooled.pool.sign(at(0), ALICE, ONE, NOW)
    with pooled.transaction() as tx:
        tx.execute("UPDATE generation SET value = value - 1")
    vault = open_again()
    assert vault.rolled_back
    assert vault.pool.depth(CURVE) == 0
    vault.pool.sign(at(0), ALICE, TWO, NOW)  # our vote for Alice is not forgotten
    with pytest.raises(Unavailable, match="not one this party votes on"):
        vault.pool.sign(at(1), ALICE, ONE, NOW)
    assert vault.pool.grant(at(1), BOB).reveal() == b"part 1"
    assert vault.pool.abstains
    with pytest.raises(Unavailable, match="takes part in no batch"):
        vault.pool.begin(CURVE, 2, 4)
    vault.pool.stage(CURVE, 1, 1, {2: (ONE, b"new")})
    vault.pool.activate(1)
    assert not vault.pool.abstains
    vault.pool.begin(CURVE, 2, 4)


def test_a_thousand_keys_are_stored_well_within_a_second(vault: Vault) -> None:
    parts = [(bytes([at // 256, at % 256]) * 16, bytes(330)) for at in range(1000)]
    begun = time.perf_counter()
    vault.pool.put(CURVE, 1, parts)
    took = time.perf_counter() - begun
    assert vault.pool.depth(CURVE) == 1000
    assert took < 1.0
