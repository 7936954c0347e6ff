"""Real node processes: a named account signs, is in use from then on, and who watches knows its address."""

from __future__ import annotations

from embit.descriptor import Descriptor
from eth_account import Account
from eth_account.messages import encode_defunct
from tests.processes.conftest import Machine


def test_an_account_is_named_signs_and_is_seen_by_those_who_watch(
    machine: Machine, addresses: dict[str, str]
) -> None:
    which = ["--wallet", addresses["server"], "--json"]
    assert machine.quorate("wallet", "accounts", *which).data["accounts"] == []
    savings = machine.quorate("wallet", "add-account", "savings", *which)
    assert savings.code == 0, savings.err
    (row,) = savings.data["accounts"]
    assert (row["path"], row["used"]) == ("0/0", False)
    assert row["address"] != addresses["server"]
    again = machine.quorate("wallet", "add-account", "savings", *which)
    assert again.code == 3
    assert "already" in again.out + again.err
    signed = machine.quorate("sign", "bitcoin", "--message", "hello", "--path", "0/0", "--yes", *which)
    assert signed.code == 0, signed.out + signed.err
    ethereum = machine.quorate("sign", "message", "hello", "--path", "0/0", "--yes", *which)
    assert ethereum.data["address"] == row["address"]
    signature = ethereum.data["signed"]
    assert Account.recover_message(encode_defunct(text="hello"), signature=signature) == row["address"]
    watch = machine.quorate("wallet", "watch", *which).data
    assert Descriptor.from_string(watch["taproot receive"]).derive(0).address() == signed.data["address"]
    renamed = machine.quorate("wallet", "rename-account", "savings", "rent", *which).data["accounts"]
    assert [(row["name"], row["used"]) for row in renamed] == [("rent", True)]
    listed = machine.quorate("wallet", "accounts", "--wallet", addresses["server"])
    assert listed.out.split() == ["0/0", row["address"], "rent"]
