"""Shares flip from one epoch to the next in one write, and the old epoch is erased."""

import pytest
from tests.unit.vault.conftest import KEY, OpenVault

from quorate.errors import AlreadyUsed, LocalError, Unavailable
from quorate.vault import Place, Vault
from quorate.vault.rows import epoch_scope
from quorate.vault.shares import ShareState


def test_a_flip_activates_the_new_share_and_erases_the_old_one(vault: Vault, open_again: OpenVault) -> None:
    vault.put(Place("notes", "a", "n1", KEY, 1), b"dies with epoch one")
    vault.shares.put(KEY, 2, b"two", owner="n1")
    assert vault.shares.get(KEY).reveal() == b"the share of epoch one"
    assert vault.shares.get(KEY, 2).reveal() == b"two"
    vault.shares.activate(KEY, 2)
    for reader in (vault, open_again()):
        assert reader.shares.active_epoch(KEY) == 2
        assert reader.shares.get(KEY).reveal() == b"two"
        assert reader.shares.epochs(KEY) == {1: ShareState.SUPERSEDED, 2: ShareState.ACTIVE}
        with pytest.raises(Unavailable, match="erased"):
            reader.shares.get(KEY, 1)
        assert not reader.data_keys.exists(epoch_scope(KEY, 1))
        assert reader.get(Place("notes", "a", "n1", KEY, 1)) is None


def test_activating_twice_does_nothing_more(vault: Vault) -> None:
    before = vault.generation.value
    vault.shares.activate(KEY, 1)
    assert vault.generation.value == before


def test_flips_go_forward_only(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"two", owner="n1")
    vault.shares.put(KEY, 3, b"three", owner="n1")
    vault.shares.activate(KEY, 3)
    assert vault.shares.epochs(KEY)[2] is ShareState.SUPERSEDED
    with pytest.raises(Unavailable):
        vault.shares.activate(KEY, 2)
    with pytest.raises(AlreadyUsed):
        vault.shares.put(KEY, 2, b"two", owner="n1")
    with pytest.raises(AlreadyUsed):
        vault.shares.put(KEY, 0, b"zero", owner="n1")


def test_only_a_pending_share_is_activated(vault: Vault) -> None:
    with pytest.raises(Unavailable, match="waits"):
        vault.shares.activate(KEY, 2)


def test_the_same_share_again_is_accepted_and_another_is_not(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"two", owner="n1")
    vault.shares.put(KEY, 2, b"two", owner="n1")
    with pytest.raises(AlreadyUsed):
        vault.shares.put(KEY, 2, b"other", owner="n1")
    with pytest.raises(AlreadyUsed):
        vault.shares.put(KEY, 2, b"two", owner="n2")


def test_a_discarded_share_is_gone_and_the_epoch_may_be_tried_again(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"first try", owner="n1")
    vault.shares.discard(KEY, 2)
    vault.shares.discard(KEY, 2)
    with pytest.raises(Unavailable):
        vault.shares.get(KEY, 2)
    assert not vault.data_keys.exists(epoch_scope(KEY, 2))
    vault.shares.put(KEY, 2, b"second try", owner="n1")
    assert vault.shares.get(KEY, 2).reveal() == b"second try"
    with pytest.raises(LocalError, match="only a pending"):
        vault.shares.discard(KEY, 1)


def test_nothing_is_stored_into_an_epoch_whose_erasure_is_ordered(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"first try", owner="n1")
    with pytest.raises(LocalError, match="being erased"), vault.transaction():
        vault.shares.discard(KEY, 2)
        vault.shares.put(KEY, 2, b"would be lost with the old data key", owner="n1")
    assert vault.shares.get(KEY, 2).reveal() == b"first try"


def test_erasing_a_key_erases_every_epoch(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"two", owner="n1")
    assert vault.shares.keys() == [KEY]
    vault.shares.erase(KEY)
    assert vault.shares.keys() == []
    assert vault.shares.active_epoch(KEY) is None
    for epoch in (1, 2):
        with pytest.raises(Unavailable):
            vault.shares.get(KEY, epoch)
        assert not vault.data_keys.exists(epoch_scope(KEY, epoch))
    with pytest.raises(Unavailable, match="no active share"):
        vault.shares.get(KEY)


def test_a_flip_joins_the_transaction_of_its_caller(vault: Vault) -> None:
    vault.shares.put(KEY, 2, b"two", owner="n1")
    with pytest.raises(ZeroDivisionError), vault.transaction():
        vault.shares.activate(KEY, 2)
        raise ZeroDivisionError
    assert vault.shares.get(KEY).reveal() == b"the share of epoch one"
    with vault.transaction():
        vault.slots.write_once("register", KEY, b"entry of epoch two")
        vault.shares.activate(KEY, 2)
        assert vault.data_keys.exists(epoch_scope(KEY, 1)), "destroyed before the flip was durable"
    assert not vault.data_keys.exists(epoch_scope(KEY, 1))


def test_a_share_that_was_never_there_is_unavailable(vault: Vault) -> None:
    for key, epoch in (("unknown", None), ("unknown", 1), (KEY, 9)):
        with pytest.raises(Unavailable):
            vault.shares.get(key, epoch)
