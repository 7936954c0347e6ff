"""Kill a process before each durable step of the pool's writes, and look at what is left (`test_vault`)."""
# ruff: noqa: F811 - fixtures are imported, and then named by tests

from tests.crash.test_vault import (  # noqa: F401 - the fixtures
    NewHouse,
    Release,
    crashes,
    new_house,
    on_both_engines,
    rooms,
)

from quorate.errors import Unavailable
from quorate.vault import Vault
from quorate.vault.pool import KeyState, PoolIndex

CURVE = "secp256k1"
ALICE, BOB, COMMITMENT = b"a" * 32, b"b" * 32, b"c" * 32
NOW = 1_800_000_000.0
PARTS = [(bytes([at]) * 32, b"part %d" % at) for at in range(3)]
FIRST, SECOND, THIRD = (PoolIndex(CURVE, 1, at) for at in range(3))


def stored(vault: Vault) -> None:
    vault.pool.put(CURVE, 1, PARTS)
    vault.pool.grant(FIRST, ALICE)


def part(vault: Vault, index: PoolIndex) -> bytes | None:
    try:
        return vault.pool.read(index).reveal()
    except Unavailable:
        return None


def no_drafts(vault: Vault) -> bool:
    return not list((vault.data_keys._directory / "drafts").iterdir())


@on_both_engines
def test_a_batch_is_stored_whole_or_not_at_all_and_can_be_stored_again(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.pool.put(CURVE, 1, PARTS)
        release(b"stored")

    depths = set()
    for vault, released in crashes(new_house, work):
        depth = vault.pool.depth(CURVE)
        depths.add(depth)
        assert depth == 3 or not released
        if not depth:
            vault.pool.put(CURVE, 1, PARTS)
        assert [part(vault, index) for index in (FIRST, SECOND, THIRD)] == [value for _, value in PARTS]
        assert no_drafts(vault)
    assert depths == {0, 3}


@on_both_engines
def test_a_vote_that_was_said_is_never_forgotten(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.pool.sign(SECOND, ALICE, COMMITMENT, NOW)
        release(b"signed")

    states = set()
    for vault, released in crashes(new_house, work, prepare=stored):
        key = vault.pool.get(SECOND)
        assert key is not None
        states.add(key.state)
        assert key.state is KeyState.SIGNED or not released
        assert (key.state is KeyState.SIGNED) == (key.account == ALICE) == (key.commitment == COMMITMENT)
    assert states == {KeyState.FREE, KeyState.SIGNED}


@on_both_engines
def test_a_burned_part_is_gone_for_ever_or_whole_and_its_neighbours_stay(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.pool.burn(FIRST)
        release(b"burned")

    states = set()
    for vault, released in crashes(new_house, work, prepare=stored):
        key = vault.pool.get(FIRST)
        assert key is not None
        states.add(key.state)
        burned = key.state is KeyState.BURNED
        assert burned or not released
        assert vault.data_keys.exists(f"pool:{CURVE}:1:0#0") is not burned
        assert part(vault, FIRST) == (None if burned else b"part 0")
        assert (part(vault, SECOND), part(vault, THIRD)) == (b"part 1", b"part 2")
        assert no_drafts(vault)
        vault.pool.burn(FIRST)
        assert part(vault, FIRST) is None
        assert not vault.rolled_back
    assert states == {KeyState.GRANTED, KeyState.BURNED}


def test_a_change_of_the_committee_leaves_the_old_parts_or_the_new_ones(new_house: NewHouse) -> None:
    def prepare(vault: Vault) -> None:
        stored(vault)
        vault.pool.stage(CURVE, 1, 1, {at: (COMMITMENT, b"new %d" % at) for at in range(3)})

    def work(vault: Vault, release: Release) -> None:
        vault.pool.activate(1)
        release(b"activated")

    seen = set()
    for vault, released in crashes(new_house, work, prepare=prepare):
        now = tuple(part(vault, index) for index in (FIRST, SECOND, THIRD))
        seen.add(now)
        assert now == (b"new 0", b"new 1", b"new 2") or not released
        assert vault.data_keys.exists(f"pool:{CURVE}:1:0#1") is (now[1] == b"part 1")
        vault.pool.activate(1)
        assert part(vault, SECOND) == b"new 1"
        assert no_drafts(vault)
    assert seen == {(b"part 0", b"part 1", b"part 2"), (b"new 0", b"new 1", b"new 2")}
