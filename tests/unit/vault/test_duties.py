"""No validator's duty is done in two ways: across restarts, threads, processes and restored databases."""

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.vault.conftest import OpenVault

from quorate.entropy import system_rng
from quorate.errors import LocalError, Malformed, Refused, Unavailable
from quorate.vault import KeyFileSeal, Vault, slashing
from quorate.vault.slashing import (
    Attestation,
    Block,
    Bounds,
    Duty,
    read_interchange,
    write_interchange,
)
from quorate.vault.storage import Storage

VALIDATOR, OTHER = b"\xaa" * 48, b"\xbb" * 48
NETWORK, TESTNET = b"\x4b" * 32, b"\x21" * 32
R, S = b"r" * 32, b"s" * 32
TABLES = ("generation", "duty_validators", "duty_blocks", "duty_attestations")


def refused(vault: Vault, duty: Duty, code: str = "slashable", validator: bytes = VALIDATOR) -> None:
    before = vault.duties.history(validator, NETWORK)
    with pytest.raises(Refused) as caught:
        vault.duties.permit(validator, NETWORK, duty)
    assert caught.value.code == code
    assert vault.duties.history(validator, NETWORK) == before


@pytest.mark.parametrize(
    ("duty", "conflicting"),
    [
        (Block(10, R), Block(10, S)),
        (Attestation(4, 5, R), Attestation(4, 5, S)),
        (Attestation(4, 8, R), Attestation(5, 7, S)),
    ],
    ids=["block", "double vote", "surround"],
)
def test_a_conflicting_duty_is_refused_as_often_as_it_is_asked_also_after_a_restart(
    vault: Vault, open_again: OpenVault, duty: Duty, conflicting: Duty
) -> None:
    assert vault.duties.permit(VALIDATOR, NETWORK, duty) is True
    for reader in (vault, open_again(), open_again()):
        refused(reader, conflicting)
        refused(reader, conflicting)
        assert reader.duties.permit(VALIDATOR, NETWORK, duty) is False


def test_bounds_survive_a_restart(vault: Vault, open_again: OpenVault) -> None:
    vault.duties.permit(VALIDATOR, NETWORK, Block(10, R))
    vault.duties.permit(VALIDATOR, NETWORK, Attestation(4, 5, R))
    refused(open_again(), Block(9, S), "below-bound")
    refused(open_again(), Attestation(4, 4, S), "below-bound")


def test_validators_and_networks_are_apart(vault: Vault) -> None:
    assert vault.duties.permit(VALIDATOR, NETWORK, Block(10, R))
    assert vault.duties.permit(OTHER, NETWORK, Block(10, S))
    assert vault.duties.permit(VALIDATOR, TESTNET, Block(10, S))
    refused(vault, Block(10, S))


def test_it_is_durable_on_return_and_so_refuses_a_larger_transaction(vault: Vault) -> None:
    with pytest.raises(LocalError, match="larger transaction"), vault.transaction():
        vault.duties.permit(VALIDATOR, NETWORK, Block(10, R))
    assert not vault.duties.history(VALIDATOR, NETWORK).blocks


def test_of_many_racing_duties_for_one_slot_exactly_one_is_done(vault: Vault, open_again: OpenVault) -> None:
    vaults = [vault, open_again()]

    def race(number: int) -> bool:
        try:
            return vaults[number % 2].duties.permit(VALIDATOR, NETWORK, Block(10, bytes([number]) * 32))
        except Refused:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(race, range(24))) == 1
    assert len(vault.duties.history(VALIDATOR, NETWORK).blocks) == 1


def _compete(url: str, room: Path, number: int, start: Callable[[], object], results: object) -> None:
    seal = KeyFileSeal.load(room / "seal.key", rng=system_rng)
    vault = Vault.open(url, room / "keys", seal, rng=system_rng)
    start()
    won = 0
    for slot in range(40):
        try:
            won += (
                1 << slot if vault.duties.permit(VALIDATOR, NETWORK, Block(slot, bytes([number]) * 32)) else 0
            )
        except Refused:
            continue
    vault.close()
    os.write(results.fileno(), won.to_bytes(8, "big"))  # type: ignore[attr-defined]


def test_a_second_process_never_does_the_same_duty_otherwise(tmp_path: Path) -> None:
    """Two replicas of one node on one database, asked at the same time for different blocks of each slot."""
    url = f"sqlite:///{tmp_path / 'vault.db'}"
    seal = KeyFileSeal.create(tmp_path / "seal.key", rng=system_rng)
    Vault.open(url, tmp_path / "keys", seal, rng=system_rng).close()
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as answers, os.fdopen(writing, "wb") as end:
        children = [
            context.Process(target=_compete, args=(url, tmp_path, number, barrier.wait, end))
            for number in (1, 2)
        ]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
        first, second = (int.from_bytes(answers.read(8), "big") for _ in children)
    assert first & second == 0
    assert (first | second).bit_length() == 40


def copy_of(storage: Storage) -> dict[str, list[tuple[object, ...]]]:
    with storage.transaction() as tx:
        return {table: tx.query(f"SELECT * FROM {table}") for table in TABLES}


def restore(storage: Storage, snapshot: dict[str, list[tuple[object, ...]]]) -> None:
    with storage.transaction() as tx:
        for table, rows in snapshot.items():
            tx.execute(f"DELETE FROM {table}")
            for row in rows:
                marks = ", ".join("?" for _ in row)
                tx.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # type: ignore[arg-type]


def test_a_restored_database_freezes_every_validator_until_bounds_are_given(
    vault: Vault, open_again: OpenVault
) -> None:
    vault.duties.permit(VALIDATOR, NETWORK, Block(10, R))
    backup = copy_of(vault.storage)
    vault.duties.permit(VALIDATOR, NETWORK, Block(11, R))
    vault.duties.permit(OTHER, NETWORK, Block(11, R))  # whom the copy has never heard of
    restore(vault.storage, backup)
    again = open_again()
    assert again.rolled_back
    for validator in (VALIDATOR, OTHER):
        with pytest.raises(Unavailable, match="older copy"):
            again.duties.permit(validator, NETWORK, Block(11, S))
    again.acknowledge_rollback()
    for validator in (VALIDATOR, OTHER):
        assert again.duties.frozen(validator, NETWORK)
        refused(again, Block(11, S), "validator-frozen", validator)
        refused(open_again(), Block(500, S), "validator-frozen", validator)
        again.duties.set_bounds(validator, NETWORK, Bounds(slot=100, source=3, target=3))
        assert not again.duties.frozen(validator, NETWORK)
        refused(again, Block(11, S), "below-bound", validator)
        assert again.duties.permit(validator, NETWORK, Block(101, S))


def test_an_import_adds_and_never_takes_away(vault: Vault, open_again: OpenVault) -> None:
    vault.duties.permit(VALIDATOR, NETWORK, Block(10, R))
    file = write_interchange(
        {
            VALIDATOR: slashing.History.of([Block(20, S), Block(30, R)], [Attestation(4, 5, R)]),
            OTHER: slashing.History.of([Block(7, R)], []),
        },
        NETWORK,
    )
    assert vault.duties.import_file(file, NETWORK) == 2
    again = open_again()
    for slot in (10, 20, 30):
        refused(again, Block(slot, b"x" * 32))
    refused(again, Block(15, R), "below-bound")
    assert again.duties.permit(VALIDATOR, NETWORK, Block(30, R)) is False
    refused(again, Block(7, S), validator=OTHER)
    refused(again, Attestation(3, 6, S))
    assert vault.duties.import_file(file, NETWORK) == 2
    assert not again.duties.frozen(VALIDATOR, NETWORK)


def test_a_file_with_one_bad_entry_is_not_taken_at_all(vault: Vault) -> None:
    file = json.loads(write_interchange({VALIDATOR: slashing.History.of([Block(20, S)], [])}, NETWORK))
    file["data"].append({**file["data"][0], "pubkey": "0x00"})
    with pytest.raises(Malformed):
        vault.duties.import_file(json.dumps(file).encode(), NETWORK)
    with pytest.raises(Refused):
        vault.duties.import_file(write_interchange({}, TESTNET), NETWORK)
    assert vault.duties.history(VALIDATOR, NETWORK) == slashing.History()


def test_an_export_carries_the_protection_to_another_vault(vault: Vault, tmp_path: Path) -> None:
    vault.duties.permit(VALIDATOR, NETWORK, Block(10, R))
    vault.duties.permit(VALIDATOR, NETWORK, Attestation(4, 5, R))
    vault.duties.permit(OTHER, TESTNET, Block(10, R))
    file = vault.duties.export_file(NETWORK)
    assert set(read_interchange(file, NETWORK)) == {VALIDATOR}
    seal = KeyFileSeal.create(tmp_path / "second" / "seal.key", rng=system_rng)
    room = tmp_path / "second" / "keys"
    second = Vault.open(f"sqlite:///{tmp_path / 'second' / 'vault.db'}", room, seal, rng=system_rng)
    second.duties.import_file(file, NETWORK)
    refused(second, Block(10, S))
    refused(second, Attestation(3, 6, S))
    assert second.duties.permit(VALIDATOR, NETWORK, Block(10, R)) is False
    second.close()


def test_a_history_stays_small_and_its_bounds_stand_for_the_rest(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slashing.History.pruned, "__defaults__", (5,))
    for slot in range(12):
        vault.duties.permit(VALIDATOR, NETWORK, Block(slot, R))
        vault.duties.permit(VALIDATOR, NETWORK, Attestation(slot, slot + 1, R))
    with vault.transaction() as tx:
        assert tx.query("SELECT COUNT(*) FROM duty_blocks") == [(5,)]
        assert tx.query("SELECT COUNT(*) FROM duty_attestations") == [(5,)]
    assert vault.duties.history(VALIDATOR, NETWORK).bounds == Bounds(6, 6, 7)
    refused(vault, Block(3, R), "below-bound")
    refused(vault, Attestation(3, 4, R), "below-bound")
    assert vault.duties.permit(VALIDATOR, NETWORK, Block(7, R)) is False


def test_a_duty_without_a_root_and_a_name_of_another_length_are_refused(vault: Vault) -> None:
    with pytest.raises(LocalError, match="signing root"):
        vault.duties.permit(VALIDATOR, NETWORK, Block(10, b""))
    for validator, network in ((VALIDATOR[1:], NETWORK), (VALIDATOR, NETWORK[1:])):
        with pytest.raises(Malformed):
            vault.duties.permit(validator, network, Block(10, R))
