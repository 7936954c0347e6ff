"""A sealed row opens in its place and nowhere else."""

import shutil
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.vault.conftest import KEY, NOW, OpenVault, put_presignature

from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, LocalError, ProofRejected, Unavailable
from quorate.vault import KeyFileSeal, Place, Vault
from quorate.vault.rows import MAX_ROW_BYTES, epoch_scope

HERE = Place("items", "one", "alice", KEY, 1)
ELSEWHERE = [
    replace(HERE, table="others"),
    replace(HERE, row="two"),
    replace(HERE, owner="bob"),
    replace(HERE, key="another key"),
    replace(HERE, epoch=2),
    replace(HERE, key="", epoch=0, scope="identity"),
    replace(HERE, key="", epoch=0, scope=epoch_scope(KEY, 1)),
]


def move(vault: Vault, place: Place, to: Place) -> None:
    """What somebody who may write to the database can do with a row."""
    with vault.transaction() as tx:
        tx.execute(
            "UPDATE sealed_rows SET kind = ?, id = ?, owner = ?, key_id = ?, epoch = ?, scope = ? "
            "WHERE kind = ? AND id = ?",
            (to.table, to.row, to.owner, to.key, to.epoch, to.scope, place.table, place.row),
        )


def change(vault: Vault, place: Place, body: bytes) -> None:
    with vault.transaction() as tx:
        tx.execute(
            "UPDATE sealed_rows SET body = ? WHERE kind = ? AND id = ?", (body, place.table, place.row)
        )


def body_of(vault: Vault, place: Place) -> bytes:
    with vault.transaction() as tx:
        row = tx.query_one("SELECT body FROM sealed_rows WHERE kind = ? AND id = ?", (place.table, place.row))
    assert row is not None
    return bytes(row[0])


def test_rows_are_stored_found_replaced_and_deleted(vault: Vault, open_again: OpenVault) -> None:
    other = Place("items", "two", "bob", scope="identity")
    assert vault.get(HERE) is None
    vault.put(HERE, b"first")
    vault.put(HERE, b"second")
    vault.put(other, b"")
    again = open_again()
    assert again.get(HERE) == b"second"
    assert again.get(other) == b""
    assert again.list("items") == [HERE, other]
    assert again.list("items", owner="bob") == [other]
    assert again.list("nothing") == []
    assert again.delete(HERE)
    assert not again.delete(HERE)
    assert vault.get(HERE) is None


@pytest.mark.parametrize("there", ELSEWHERE, ids=lambda place: repr(place)[6:60])
def test_a_row_moved_to_another_place_does_not_open(vault: Vault, there: Place) -> None:
    vault.put(replace(there, row="makes the data key"), b"x")
    vault.put(HERE, b"value")
    move(vault, HERE, there)
    with pytest.raises(ProofRejected, match="moved from another place"):
        vault.get(there)


def test_every_field_of_a_place_is_bound() -> None:
    bindings = {place.binding() for place in [HERE, *ELSEWHERE]}
    assert len(bindings) == 1 + len(ELSEWHERE)


def test_an_old_copy_of_a_row_replayed_under_another_epoch_does_not_open(vault: Vault) -> None:
    vault.put(HERE, b"of epoch one")
    old = body_of(vault, HERE)
    vault.put(replace(HERE, epoch=2), b"of epoch two")
    change(vault, replace(HERE, epoch=2), old)
    with pytest.raises(ProofRejected):
        vault.get(replace(HERE, epoch=2))


def test_a_changed_or_truncated_row_does_not_open(vault: Vault) -> None:
    vault.put(HERE, b"value")
    good = body_of(vault, HERE)
    for bad in (
        b"",
        good[:1],
        good[:13],
        good[:-1],
        good + b"\0",
        b"\x02" + good[1:],
        good[:5] + bytes([good[5] ^ 1]) + good[6:],
        good[:-1] + bytes([good[-1] ^ 0x80]),
    ):
        change(vault, HERE, bad)
        with pytest.raises(ProofRejected):
            vault.get(HERE)
    change(vault, HERE, good)
    assert vault.get(HERE) == b"value"


def test_equal_values_do_not_look_equal(vault: Vault) -> None:
    vault.put(HERE, b"value")
    first = body_of(vault, HERE)
    vault.put(HERE, b"value")
    assert body_of(vault, HERE) != first
    assert b"value" not in first


def test_a_row_belongs_to_an_epoch_or_to_a_scope() -> None:
    with pytest.raises(LocalError):
        Place("items", "one")
    with pytest.raises(LocalError):
        Place("items", "one", key=KEY, epoch=1, scope="identity")


def test_a_row_has_a_largest_size(vault: Vault) -> None:
    vault.put(HERE, bytes(MAX_ROW_BYTES))
    with pytest.raises(LimitExceeded):
        vault.put(HERE, bytes(MAX_ROW_BYTES + 1))


def test_destroying_a_scope_erases_its_rows_and_records(vault: Vault) -> None:
    place = Place("items", "two", scope="draft")
    vault.put(place, b"value")
    vault.records.put("wallet", "w", b"value", expected=0, scope="draft")
    vault.destroy("draft")
    assert vault.get(place) is None
    assert vault.records.get("wallet", "w") is None
    assert not vault.data_keys.exists("draft")
    vault.put(place, b"again")
    assert vault.get(place) == b"again"


# --- what is left of an erased epoch -------------------------------------------------------------------

SECRETS = {
    "share": b"\x8f\x13SHARE-OF-EPOCH-ONE\xfe\x07\x99\x01\xaa\xbb\xcc",
    "presignature": b"\x17\xe2PRESIGNATURE-OF-ONE\x80\x00\x31\x44\x0d",
    "answer": b"\x55\x01ANSWER-KEPT-FOR-RETRY\xf0\xf1\xf2\xf3\xf4",
    "row": b"\x9a\x9bMAILBOX-ITEM-OF-ONE\x00\x01\x02\x03\x04\x05",
}


def forms(secret: bytes) -> Iterator[bytes]:
    yield secret
    yield secret[::-1]
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    for lead in range(3):  # base64 depends on the alignment
        yield b64encode(bytes(lead) + secret)[4:-4]


def leaks(folder: Path) -> list[str]:
    return [
        f"{name} in {path.name}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for name, secret in SECRETS.items()
        if any(form in path.read_bytes() for form in forms(secret))
    ]


def fill(vault: Vault) -> None:
    vault.shares.put(KEY, 1, SECRETS["share"], owner="n1")
    vault.shares.activate(KEY, 1)
    put_presignature(vault, b"\x01" * 32, SECRETS["presignature"])
    put_presignature(vault, b"\x02" * 32, b"used")
    vault.presignatures.answer(b"\x02" * 32, b"r" * 32, NOW, lambda value: SECRETS["answer"])
    vault.put(Place("mailbox", "item", "n2", KEY, 1), SECRETS["row"])


def test_after_an_epoch_is_erased_nothing_on_disk_or_in_an_earlier_copy_of_the_database_opens(
    tmp_path: Path,
) -> None:
    live, copied = tmp_path / "live", tmp_path / "copied"
    seal = KeyFileSeal.create(tmp_path / "seal.key", rng=system_rng)
    vault = Vault.open(f"sqlite:///{live}/vault.db", live / "keys", seal, rng=system_rng)
    fill(vault)
    copied.mkdir()
    for file in live.glob("vault.db*"):  # database, WAL and index; not the data keys
        shutil.copy(file, copied)
    assert (copied / "vault.db-wal").stat().st_size > 0

    vault.shares.put(KEY, 2, b"two", owner="n1")
    vault.shares.activate(KEY, 2)
    vault.close()
    assert leaks(tmp_path) == []

    # The copy, with the data keys and the seal as they are now: as much as a thief could hold.
    shutil.copytree(live / "keys", copied / "keys")
    old = Vault.open(f"sqlite:///{copied}/vault.db", copied / "keys", seal, rng=system_rng)
    assert old.rolled_back
    with old.transaction() as tx:
        assert tx.query("SELECT state FROM shares WHERE epoch = 1") == [("active",)], (
            "the copy is from before"
        )
    for read in (
        lambda: old.shares.get(KEY, 1),
        lambda: old.get(Place("mailbox", "item", "n2", KEY, 1)),
        lambda: old.presignatures.answer(b"\x02" * 32, b"r" * 32, NOW, lambda value: b""),
    ):
        old.acknowledge_rollback()
        with pytest.raises(Unavailable, match="erased for ever"):
            read()
    old.close()


def test_the_search_for_leaks_would_find_one(tmp_path: Path) -> None:
    for number, form in enumerate(forms(b"\x00" + SECRETS["share"])):
        (tmp_path / f"{number}").write_bytes(b"around " + form + b" around")
    found = leaks(tmp_path)
    assert len({line.rpartition(" ")[2] for line in found}) == 7


def test_before_the_erasure_the_same_copy_opens(tmp_path: Path) -> None:
    """The control of the test above: it is the data key that matters."""
    live, copied = tmp_path / "live", tmp_path / "copied"
    seal = KeyFileSeal.create(tmp_path / "seal.key", rng=system_rng)
    vault = Vault.open(f"sqlite:///{live}/vault.db", live / "keys", seal, rng=system_rng)
    fill(vault)
    vault.close()
    shutil.copytree(live, copied)
    old = Vault.open(f"sqlite:///{copied}/vault.db", copied / "keys", seal, rng=system_rng)
    assert old.shares.get(KEY, 1).reveal() == SECRETS["share"]
    old.close()


def test_an_order_read_before_it_was_carried_out_does_not_destroy_the_next_data_key(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"first try", owner="n1")
    vault.shares.discard(KEY, 2)
    vault.shares.put(KEY, 2, b"second try", owner="n1")
    vault._rows._erase(epoch_scope(KEY, 2))  # what a replica does that listed the orders just before
    assert vault.shares.get(KEY, 2).reveal() == b"second try"
