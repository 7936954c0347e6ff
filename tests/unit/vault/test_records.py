"""Named records with versions, and slots that are written once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.vault.conftest import OpenVault

from quorate.errors import LimitExceeded, ProofRejected, Remedy
from quorate.vault import Vault
from quorate.vault.records import NEW, Record, Stale
from quorate.vault.rows import MAX_ROW_BYTES


@pytest.mark.parametrize("scope", ["", "identity"])
def test_a_record_grows_by_versions(vault: Vault, open_again: OpenVault, scope: str) -> None:
    records = vault.records
    assert records.get("wallet", "w") is None
    assert records.put("wallet", "w", b"one", expected=NEW, scope=scope) == 1
    assert records.put("wallet", "w", b"two", expected=1, scope=scope) == 2
    records.put("wallet", "a", b"", expected=NEW, scope=scope)
    records.put("account", "w", b"another kind", expected=NEW, scope=scope)
    again = open_again().records
    assert again.get("wallet", "w") == Record("w", 2, b"two")
    assert again.list("wallet") == [Record("a", 1, b""), Record("w", 2, b"two")]
    again.delete("wallet", "w", expected=2)
    assert records.get("wallet", "w") is None


def test_a_slower_writer_is_told_to_read_again(vault: Vault) -> None:
    records = vault.records
    records.put("wallet", "w", b"one", expected=NEW)
    with pytest.raises(Stale) as caught:
        records.put("wallet", "w", b"other", expected=NEW)
    assert caught.value.remedy is Remedy.RETRY
    records.put("wallet", "w", b"two", expected=1)
    for stale in (
        lambda: records.put("wallet", "w", b"x", expected=1),
        lambda: records.delete("wallet", "w", expected=1),
    ):
        with pytest.raises(Stale):
            stale()
    with pytest.raises(Stale):
        records.put("wallet", "missing", b"x", expected=4)
    assert records.get("wallet", "w") == Record("w", 2, b"two")


def test_a_sealed_record_is_sealed_to_its_name_and_version(vault: Vault) -> None:
    vault.records.put("wallet", "a", b"plain secret", expected=NEW, scope="identity")
    vault.records.put("wallet", "b", b"another", expected=NEW, scope="identity")
    with vault.transaction() as tx:
        (body,) = tx.query_one("SELECT body FROM records WHERE name = 'a'") or (b"",)
        assert b"plain secret" not in bytes(body)
        tx.execute("UPDATE records SET body = ? WHERE name = 'b'", (bytes(body),))
    with pytest.raises(ProofRejected):
        vault.records.get("wallet", "b")
    with vault.transaction() as tx:
        tx.execute("UPDATE records SET version = 9 WHERE name = 'a'")
    with pytest.raises(ProofRejected):
        vault.records.get("wallet", "a")


def test_a_record_has_a_largest_size(vault: Vault) -> None:
    with pytest.raises(LimitExceeded):
        vault.records.put("wallet", "w", bytes(MAX_ROW_BYTES + 1), expected=NEW)


def test_the_first_value_written_to_a_slot_stays(vault: Vault, open_again: OpenVault) -> None:
    assert vault.slots.read("refresh", "w/2") is None
    assert vault.slots.write_once("refresh", "w/2", b"first") == b"first"
    assert vault.slots.write_once("refresh", "w/2", b"second") == b"first"
    assert vault.slots.write_once("other", "w/2", b"second") == b"second"
    assert open_again().slots.read("refresh", "w/2") == b"first"


def test_of_racing_writers_all_learn_the_one_value(vault: Vault, open_again: OpenVault) -> None:
    both = (vault, open_again())

    def write(number: int) -> bytes:
        return both[number % 2].slots.write_once("s", "n", bytes([number]))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(write, range(24)))) == 1
