"""web3.py with the account of a real wallet: unchanged code, an EVM that accepts."""

from collections.abc import Iterator
from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from tests.processes.conftest import Machine
from web3 import EthereumTesterProvider, Web3
from web3.middleware import SignAndSendRawMiddlewareBuilder

import quorate
from quorate.device.synchronous import Device, Wallet
from quorate.errors import LocalError

TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"
ETHER = 10**18


@pytest.fixture
def device(machine: Machine) -> Iterator[Device]:
    with quorate.connect(machine.home.path) as found:
        yield found


@pytest.fixture
def wallet(device: Device, addresses: dict[str, str]) -> Wallet:
    return device.wallet(addresses["server"])


@pytest.fixture
def w3(wallet: Wallet) -> Web3:
    chain = Web3(EthereumTesterProvider())
    bank = chain.eth.accounts[0]
    chain.eth.send_transaction({"from": bank, "to": wallet.address, "value": ETHER})
    return chain


def test_a_transaction_signed_by_the_account_is_accepted(w3: Web3, wallet: Wallet) -> None:
    account = wallet.account
    assert isinstance(account, LocalAccount)
    fields: Any = {
        "chainId": w3.eth.chain_id,
        "nonce": 0,
        "gas": 21_000,
        "maxFeePerGas": w3.to_wei(10, "gwei"),
        "maxPriorityFeePerGas": w3.to_wei(1, "gwei"),
        "to": TO,
        "value": ETHER // 10,
    }
    sent = w3.eth.send_raw_transaction(account.sign_transaction(fields).raw_transaction)
    assert w3.eth.wait_for_transaction_receipt(sent)["status"] == 1
    assert w3.eth.get_balance(TO) == ETHER // 10


def test_the_middleware_signs_what_is_sent_from_the_wallet(w3: Web3, wallet: Wallet) -> None:
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(wallet.account), layer=0)
    w3.eth.default_account = wallet.account.address
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction({"to": TO, "value": 5}))
    assert (receipt["status"], receipt["from"]) == (1, wallet.address)


def test_messages_and_typed_data_signed_either_way_recover_to_the_address(wallet: Wallet) -> None:
    message = encode_defunct(text="hello")
    for signature in (wallet.account.sign_message(message).signature, wallet.sign_message("hello").raw):
        assert Account.recover_message(message, signature=signature) == wallet.address


def test_a_closed_device_says_so_and_closes_once(machine: Machine, addresses: dict[str, str]) -> None:
    device = quorate.connect(machine.home.path)
    wallet = device.wallet(addresses["server"])
    device.close()
    device.close()
    with pytest.raises(LocalError, match="connect again"):
        wallet.sign_message("late")


def test_there_is_no_key_to_take(wallet: Wallet) -> None:
    with pytest.raises(LocalError):
        _ = wallet.account.key


async def test_on_the_event_loop_itself_the_account_says_why_it_cannot_block(
    machine: Machine, addresses: dict[str, str]
) -> None:
    async with quorate.Device.open(machine.home.path) as device:
        account = (await device.wallet(addresses["server"])).account()
        with pytest.raises(LocalError, match="to_thread"):
            account.sign_message(encode_defunct(text="hello"))
