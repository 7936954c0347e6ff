"""A journal comes back whole after a restart, and not at all after its end."""

from collections.abc import Sequence

import pytest
from tests.unit.vault.conftest import OpenVault

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, ProofRejected, Unavailable
from quorate.session.journal import Journal
from quorate.vault import Vault, journal
from quorate.vault.rows import MAX_ROW_BYTES

A, B = b"\xaa" * 32, b"\xbb" * 32
RECORDS: list[tuple[bytes, tuple[bytes, ...]]] = [
    (b"", (b"first", b"second")),
    (b"from n2", ()),
    (b"from n3", (b"answer",)),
]


def write(
    journal: Journal, session: bytes = A, records: Sequence[tuple[bytes, tuple[bytes, ...]]] = RECORDS
) -> None:
    journal.begin(session, b"header with a seed")
    for inbound, outbound in records:
        journal.append(session, inbound, outbound)


def test_it_is_the_journal_that_sessions_ask_for(vault: Vault, open_again: OpenVault) -> None:
    port: Journal = vault.journal
    write(port)
    write(port, B, [])
    again = open_again().journal
    assert again.open_sessions() == [A, B]
    assert again.load(A) == (b"header with a seed", RECORDS)
    assert again.load(B) == (b"header with a seed", [])
    assert again.load(b"unknown") is None


def test_a_record_is_written_in_its_own_place_or_not_at_all(vault: Vault) -> None:
    write(vault.journal)
    vault.journal.append(A, b"from n4", (), number=3)
    for taken in (3, 5):
        with pytest.raises(AlreadyUsed, match="another process"):
            vault.journal.append(A, b"from n5", (), number=taken)
    found = vault.journal.load(A)
    assert found is not None
    assert len(found[1]) == 4


def test_the_end_of_a_session_destroys_its_data_key(vault: Vault) -> None:
    write(vault.journal)
    write(vault.journal, B)
    vault.journal.end(A)
    vault.journal.end(A)
    assert vault.journal.load(A) is None
    assert vault.journal.open_sessions() == [B]
    assert not vault.data_keys.exists(f"journal:{A.hex()}")
    assert vault.data_keys.exists(f"journal:{B.hex()}")
    with pytest.raises(LocalError, match="no journal"):
        vault.journal.append(A, b"late", ())


def test_records_of_an_ended_session_put_back_do_not_open(vault: Vault) -> None:
    write(vault.journal)
    with vault.transaction() as tx:
        header = tx.query("SELECT session, header FROM journals")
        records = tx.query("SELECT session, number, body FROM journal_records")
    vault.journal.end(A)
    with vault.transaction() as tx:
        for row in header:
            tx.execute("INSERT INTO journals (session, header) VALUES (?, ?)", row)
        for row in records:
            tx.execute("INSERT INTO journal_records (session, number, body) VALUES (?, ?, ?)", row)
    with pytest.raises(Unavailable):
        vault.journal.load(A)


def test_a_session_begins_once(vault: Vault) -> None:
    write(vault.journal)
    with pytest.raises(AlreadyUsed):
        vault.journal.begin(A, b"another seed")
    assert vault.journal.load(A) == (b"header with a seed", RECORDS)


def test_a_record_needs_a_beginning(vault: Vault) -> None:
    with pytest.raises(LocalError, match="begin one"):
        vault.journal.append(A, b"x", ())


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM journal_records WHERE number = 1",
        "UPDATE journal_records SET number = number + 5",
        "UPDATE journal_records SET body = (SELECT body FROM journal_records WHERE number = 0 AND session = "
        f"'{A.hex()}') WHERE number = 2",
        f"UPDATE journal_records SET body = (SELECT r.body FROM journal_records r WHERE r.number = 1 "
        f"AND r.session = '{B.hex()}') WHERE number = 1",
        f"UPDATE journals SET header = (SELECT j.header FROM journals j WHERE j.session = '{B.hex()}')",
    ],
)
def test_records_dropped_from_the_middle_swapped_or_taken_from_elsewhere_do_not_open(
    vault: Vault, tampering: str
) -> None:
    write(vault.journal)
    write(vault.journal, B)
    with vault.transaction() as tx:
        tx.execute(tampering)
    with pytest.raises(ProofRejected):
        vault.journal.load(A)


def test_a_record_joins_the_transaction_of_its_caller(vault: Vault) -> None:
    write(vault.journal, records=[])
    with pytest.raises(ZeroDivisionError), vault.transaction():
        vault.journal.append(A, b"lost", ())
        raise ZeroDivisionError
    vault.journal.append(A, b"kept", ())
    assert vault.journal.load(A) == (b"header with a seed", [(b"kept", ())])


def test_a_journal_and_its_records_have_a_largest_size(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_RECORDS", 2)
    with pytest.raises(LimitExceeded, match="records"):
        write(vault.journal)
    with pytest.raises(LimitExceeded):
        vault.journal.begin(B, bytes(MAX_ROW_BYTES + 1))
