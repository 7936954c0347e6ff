"""A presignature answers one request."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.vault.conftest import KEY, NOW, SIGNERS, OpenVault, put_presignature

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, ProofRejected, Unavailable
from quorate.secret import Secret
from quorate.vault import Vault
from quorate.vault.onetime import MAX_LIFETIME_SECONDS, MAX_READY

ID = b"\x01" * 32
REQUEST, OTHER = b"r" * 32, b"s" * 32


def echo(value: Secret[bytes]) -> bytes:
    return b"answer from " + value.reveal()


def ready(vault: Vault) -> list[bytes]:
    return vault.presignatures.ready(KEY, 1, SIGNERS, NOW)


def test_the_same_request_gets_the_same_bytes_and_another_gets_none(
    vault: Vault, open_again: OpenVault
) -> None:
    put_presignature(vault, ID)
    assert ready(vault) == [ID]
    assert vault.presignatures.answer(ID, REQUEST, NOW, echo) == b"answer from phi u v"
    assert ready(vault) == []

    def never(value: Secret[bytes]) -> bytes:
        raise AssertionError("computed a second time")

    for reader in (vault, open_again()):
        assert reader.presignatures.answer(ID, REQUEST, NOW, never) == b"answer from phi u v"
        with pytest.raises(AlreadyUsed):
            reader.presignatures.answer(ID, OTHER, NOW, never)
        with pytest.raises(AlreadyUsed):
            reader.presignatures.consume(ID, REQUEST, NOW)


def test_a_value_is_taken_out_once(vault: Vault, open_again: OpenVault) -> None:
    put_presignature(vault, ID)
    assert vault.presignatures.consume(ID, REQUEST, NOW).reveal() == b"phi u v"
    for reader in (vault, open_again()):
        for request in (REQUEST, OTHER):
            with pytest.raises(AlreadyUsed):
                reader.presignatures.consume(ID, request, NOW)
            with pytest.raises(AlreadyUsed):
                reader.presignatures.answer(ID, request, NOW, echo)


def test_an_id_belongs_to_one_key_epoch_and_signer_set_whatever_has_become_of_it(vault: Vault) -> None:
    """Ids are no secret; a caller about another key must find nothing to use or to burn."""
    assert not vault.presignatures.belongs(ID, KEY, 1, SIGNERS)
    put_presignature(vault, ID)
    for use in (lambda: None, lambda: vault.presignatures.consume(ID, REQUEST, NOW)):
        use()
        assert vault.presignatures.belongs(ID, KEY, 1, SIGNERS)
        assert vault.presignatures.belongs(ID, KEY, 1, tuple(reversed(SIGNERS)))
        assert not vault.presignatures.belongs(ID, "another", 1, SIGNERS)
        assert not vault.presignatures.belongs(ID, KEY, 2, SIGNERS)
        assert not vault.presignatures.belongs(ID, KEY, 1, SIGNERS[:-1])


def test_a_party_that_starts_can_burn_all_that_waits(vault: Vault, open_again: OpenVault) -> None:
    put_presignature(vault, ID)
    put_presignature(vault, b"\x02" * 32)
    vault.presignatures.consume(ID, REQUEST, NOW)
    assert open_again().presignatures.burn_all() == 1
    assert ready(vault) == []
    with pytest.raises(Unavailable):
        vault.presignatures.consume(b"\x02" * 32, REQUEST, NOW)


def test_using_one_wipes_its_columns(vault: Vault) -> None:
    put_presignature(vault, ID)
    vault.presignatures.consume(ID, REQUEST, NOW)
    with vault.transaction() as tx:
        assert tx.query("SELECT state, body, answer FROM presignatures") == [("consumed", None, None)]


def test_a_failed_computation_burns_it_and_stores_nothing_it_wrote(vault: Vault) -> None:
    put_presignature(vault, ID)

    def fail(value: Secret[bytes]) -> bytes:
        vault.slots.write_once("s", "written by the failure", b"")
        raise ProofRejected("no")

    with pytest.raises(ProofRejected):
        vault.presignatures.answer(ID, REQUEST, NOW, fail)
    assert vault.slots.read("s", "written by the failure") is None
    with pytest.raises(Unavailable, match="burned"):
        vault.presignatures.answer(ID, REQUEST, NOW, echo)


def test_what_the_computation_writes_is_stored_with_the_answer(vault: Vault) -> None:
    put_presignature(vault, ID)

    def also_write(value: Secret[bytes]) -> bytes:
        return vault.slots.write_once("s", "n", b"drawn entropy")

    assert vault.presignatures.answer(ID, REQUEST, NOW, also_write) == b"drawn entropy"
    assert vault.slots.read("s", "n") == b"drawn entropy"


def test_it_is_durable_on_return_and_so_refuses_a_larger_transaction(vault: Vault) -> None:
    put_presignature(vault, ID)
    with pytest.raises(LocalError, match="larger transaction"), vault.transaction():
        vault.presignatures.consume(ID, REQUEST, NOW)
    assert ready(vault) == [ID]


def test_of_many_racing_requests_exactly_one_is_answered(vault: Vault) -> None:
    put_presignature(vault, ID)

    def race(number: int) -> bytes | None:
        try:
            return vault.presignatures.answer(ID, bytes([number]) * 32, NOW, lambda value: bytes([number]))
        except AlreadyUsed:
            return None

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for answer in pool.map(race, range(24)) if answer is not None]
    assert len(answers) == 1


def test_an_id_is_never_stored_twice(vault: Vault) -> None:
    put_presignature(vault, ID)
    with pytest.raises(AlreadyUsed):
        put_presignature(vault, ID)
    vault.presignatures.burn(ID)
    with pytest.raises(AlreadyUsed):
        put_presignature(vault, ID, b"another value")


def test_burned_expired_and_unknown_ones_are_not_available(vault: Vault) -> None:
    burned, expired, unknown = b"\x02" * 32, b"\x03" * 32, b"\x04" * 32
    put_presignature(vault, burned)
    put_presignature(vault, expired, expires=NOW + 1)
    vault.presignatures.burn(burned)
    assert vault.presignatures.ready(KEY, 1, SIGNERS, NOW + 1) == []
    for name in (burned, expired, unknown):
        with pytest.raises(Unavailable):
            vault.presignatures.answer(name, REQUEST, NOW + 1, echo)
        with pytest.raises(Unavailable):
            vault.presignatures.consume(name, REQUEST, NOW + 1)


def test_purging_destroys_the_expired_only(vault: Vault) -> None:
    put_presignature(vault, b"\x02" * 32, expires=NOW + 1)
    put_presignature(vault, ID)
    assert vault.presignatures.purge(NOW + 2) == 1
    assert ready(vault) == [ID]


def test_they_are_listed_by_signer_set_and_by_peer(vault: Vault) -> None:
    put_presignature(vault, b"\x02" * 32, expires=NOW + 60)
    put_presignature(vault, ID)
    put_presignature(vault, b"\x05" * 32, signers=("n1", "n3"), pairs={"n3": 1})
    assert vault.presignatures.ready(KEY, 1, ("n2", "n1", "device"), NOW) == [b"\x02" * 32, ID]
    assert vault.presignatures.ready(KEY, 1, ("n1", "n3"), NOW) == [b"\x05" * 32]
    assert vault.presignatures.ready_with("n2", NOW) == [ID, b"\x02" * 32]
    assert vault.presignatures.ready_with("n3", NOW + 7200) == []


def test_a_pool_has_a_largest_size(vault: Vault) -> None:
    for number in range(MAX_READY):
        put_presignature(vault, bytes([number]) * 32)
    with pytest.raises(LimitExceeded):
        put_presignature(vault, b"\xff" * 32)
    put_presignature(vault, b"\xff" * 32, signers=("n1", "n3"))


def test_none_lives_longer_than_a_day(vault: Vault) -> None:
    with pytest.raises(LimitExceeded):
        put_presignature(vault, ID, expires=NOW + MAX_LIFETIME_SECONDS + 1)


def test_it_belongs_to_the_active_epoch(vault: Vault) -> None:
    with pytest.raises(Unavailable, match="not active"):
        put_presignature(vault, ID, epoch=2)
    with pytest.raises(Unavailable, match="not active"):
        put_presignature(vault, ID, key="another key")


def test_the_flip_of_an_epoch_burns_what_is_ready_and_drops_the_answers(vault: Vault) -> None:
    used = b"\x02" * 32
    put_presignature(vault, used)
    put_presignature(vault, ID)
    vault.presignatures.answer(used, REQUEST, NOW, echo)
    vault.shares.put(KEY, 2, b"the share of epoch two", owner="n1")
    vault.shares.activate(KEY, 2)
    with pytest.raises(Unavailable):
        vault.presignatures.consume(ID, REQUEST, NOW)
    for request in (REQUEST, OTHER):
        with pytest.raises(AlreadyUsed):
            vault.presignatures.answer(used, request, NOW, echo)


def test_burning_an_epoch_leaves_other_keys_alone(vault: Vault) -> None:
    vault.shares.put("other", 1, b"share", owner="n1")
    vault.shares.activate("other", 1)
    put_presignature(vault, ID)
    put_presignature(vault, b"\x02" * 32, key="other")
    vault.shares.erase(KEY)
    assert ready(vault) == []
    assert vault.presignatures.ready("other", 1, SIGNERS, NOW) == [b"\x02" * 32]


def test_a_row_put_back_under_another_id_does_not_open(vault: Vault) -> None:
    put_presignature(vault, ID)
    put_presignature(vault, b"\x02" * 32, b"another")
    with vault.transaction() as tx:
        row = tx.query_one("SELECT body FROM presignatures WHERE id = ?", (ID.hex(),))
        assert row is not None
        tx.execute("UPDATE presignatures SET body = ? WHERE id = ?", (row[0], (b"\x02" * 32).hex()))
    with pytest.raises(ProofRejected):
        vault.presignatures.consume(b"\x02" * 32, REQUEST, NOW)
