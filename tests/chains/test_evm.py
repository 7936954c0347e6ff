"""py-evm accepts what the chain layer attaches, of each type, and nothing that differs in one byte."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from tests.chains.keys import LocalKey

from quorate.chains import Chains
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.evm import EVM_CHAIN, InProcessEvm
from quorate.errors import Refused, Unavailable

CHAINS = Chains([EVM_CHAIN])
KEY = LocalKey(b"\x11" * 32)
TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"
ETHER = 10**18

# PUSH1 7, PUSH0, SSTORE, STOP: whoever runs this stores 7 at slot 0
STORE_SEVEN = bytes.fromhex("60075f5500")
# deploys the five bytes after it: PUSH1 5, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN
DEPLOY_STORE_SEVEN = bytes.fromhex("60058060095f395ff3") + STORE_SEVEN


@pytest.fixture
def evm() -> InProcessEvm:
    chain = InProcessEvm()
    chain.fund(KEY.address, ETHER)
    return chain


def fields(evm: InProcessEvm, **changes: Any) -> dict[str, Any]:
    fee, tip = evm.fees()
    base = {
        "chainId": int(EVM_CHAIN.reference),
        "nonce": evm.nonce(KEY.address),
        "gas": 21_000,
        "maxFeePerGas": fee,
        "maxPriorityFeePerGas": tip,
        "to": TO,
        "value": ETHER // 10,
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def legacy(evm: InProcessEvm, **changes: Any) -> dict[str, Any]:
    return fields(evm, gasPrice=evm.fees()[0], maxFeePerGas=None, maxPriorityFeePerGas=None, **changes)


def signed(values: dict[str, Any], key: LocalKey = KEY) -> bytes:
    return key.attach(requests.transaction(values, key.address), CHAINS).raw


@pytest.mark.parametrize(
    ("make", "gas"),
    [
        (legacy, 21_000),
        (lambda evm: legacy(evm, accessList=[{"address": TO, "storageKeys": [0]}], gas=30_000), 25_300),
        (fields, 21_000),
        (lambda evm: fields(evm, data="0x1234", gas=30_000), 21_080),  # EIP-7623
    ],
    ids=["legacy", "access-list", "dynamic-fee", "dynamic-fee-with-data"],
)
def test_a_transfer_of_each_type_moves_the_balance(
    evm: InProcessEvm, make: Callable[[InProcessEvm], dict[str, Any]], gas: int
) -> None:
    transaction_hash = evm.send(signed(make(evm)))
    receipt = evm.receipt(transaction_hash)
    assert receipt is not None
    assert receipt.succeeded
    assert receipt.transaction_hash == transaction_hash
    assert receipt.gas_used == gas
    assert evm.balance(TO) == ETHER // 10
    assert evm.balance(KEY.address) < ETHER - ETHER // 10
    assert evm.nonce(KEY.address) == 1


def test_the_hash_is_the_one_that_was_attached(evm: InProcessEvm) -> None:
    attached = KEY.attach(requests.transaction(fields(evm), KEY.address), CHAINS)
    assert evm.send(attached.raw) == attached.id


def test_a_transfer_with_any_byte_changed_is_refused(evm: InProcessEvm) -> None:
    raw = signed(fields(evm))
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        with pytest.raises(Refused) as caught:
            evm.send(bytes(changed))
        assert caught.value.code == "evm"
    assert evm.balance(TO) == 0
    evm.send(raw)
    assert evm.balance(TO) == ETHER // 10


def test_a_replay_is_refused(evm: InProcessEvm) -> None:
    raw = signed(fields(evm))
    evm.send(raw)
    with pytest.raises(Refused, match="the EVM refused"):
        evm.send(raw)


def test_more_than_the_account_holds_is_refused(evm: InProcessEvm) -> None:
    with pytest.raises(Refused, match="the EVM refused"):
        evm.send(signed(fields(evm, value=ETHER)))


def test_a_contract_is_created_and_called(evm: InProcessEvm) -> None:
    creation = fields(evm, to=None, value=0, data=DEPLOY_STORE_SEVEN, gas=100_000)
    receipt = evm.receipt(evm.send(signed(creation)))
    assert receipt is not None
    assert receipt.contract is not None
    assert evm.code(receipt.contract) == STORE_SEVEN
    call = evm.receipt(evm.send(signed(fields(evm, to=receipt.contract, value=0, gas=60_000))))
    assert call is not None
    assert call.succeeded
    assert call.gas_used > 40_000


def test_a_delegation_gives_the_account_code(evm: InProcessEvm) -> None:
    # the sender's own nonce has moved past the transaction's when the authorization is looked at
    authorization = {"chainId": int(EVM_CHAIN.reference), "address": TO, "nonce": 1}
    entry = KEY.attach(requests.authorization(authorization, KEY.address), CHAINS)
    signed_entry = {**authorization, **{name: entry.details[name] for name in ("yParity", "r", "s")}}
    values = fields(evm, to=KEY.address, value=0, gas=100_000, authorizationList=[signed_entry])
    receipt = evm.receipt(evm.send(signed(values)))
    assert receipt is not None
    assert receipt.succeeded
    assert evm.code(KEY.address) == bytes.fromhex("ef0100" + TO[2:])
    assert evm.nonce(KEY.address) == 2


def test_a_delegation_of_another_account_is_carried_by_ours(evm: InProcessEvm) -> None:
    other = LocalKey(b"\x22" * 32)
    authorization = {"chainId": int(EVM_CHAIN.reference), "address": TO, "nonce": 0}
    entry = other.attach(requests.authorization(authorization, other.address), CHAINS)
    signed_entry = {**authorization, **{name: entry.details[name] for name in ("yParity", "r", "s")}}
    evm.send(signed(fields(evm, to=KEY.address, value=0, gas=100_000, authorizationList=[signed_entry])))
    assert evm.code(other.address) == bytes.fromhex("ef0100" + TO[2:])


def test_a_hash_nobody_sent_has_no_receipt(evm: InProcessEvm) -> None:
    assert evm.receipt("0x" + "12" * 32) is None


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "eth_tester", None)
    with pytest.raises(Unavailable, match=r"quorate\[evm\]"):
        InProcessEvm()


def test_without_py_evm_the_error_names_the_extra_too() -> None:
    code = (
        "import sys; sys.modules['eth'] = None\n"
        "from quorate.chains.ethereum.evm import InProcessEvm\n"
        "from quorate.errors import Unavailable\n"
        "try: InProcessEvm()\n"
        "except Unavailable as error: sys.exit(0 if 'quorate[evm]' in str(error) else 1)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
