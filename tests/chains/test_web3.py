"""web3.py takes the account unchanged, and a real EVM behind it accepts what comes out."""

from typing import Any

import pytest
from eth_account.messages import encode_defunct
from tests.chains.keys import LocalKey
from tests.chains.test_evm import DEPLOY_STORE_SEVEN, STORE_SEVEN
from tests.unit.chains.test_typed_data import MAIL
from web3 import AsyncWeb3, EthereumTesterProvider, Web3
from web3.middleware import SignAndSendRawMiddlewareBuilder
from web3.providers.eth_tester import AsyncEthereumTesterProvider

from quorate.chains import Chains
from quorate.chains.ethereum.account import QuorateAccount
from quorate.chains.ethereum.evm import EVM_CHAIN

CHAINS = Chains([EVM_CHAIN])
KEY = LocalKey(b"\x11" * 32)
TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"
ETHER = 10**18


def sign(payload: bytes) -> bytes:
    return KEY.sign(CHAINS.decode(payload, KEY.public_key).digest)


@pytest.fixture
def account() -> QuorateAccount:
    return QuorateAccount(KEY.public_key, sign, chain=EVM_CHAIN.caip2, chains=CHAINS)


@pytest.fixture
def w3(account: QuorateAccount) -> Web3:
    chain = Web3(EthereumTesterProvider())
    bank = chain.eth.accounts[0]
    chain.eth.send_transaction({"from": bank, "to": account.address, "value": 10 * ETHER})
    return chain


def test_a_transaction_signed_and_sent_by_hand(w3: Web3, account: QuorateAccount) -> None:
    fields: Any = {
        "chainId": w3.eth.chain_id,
        "nonce": w3.eth.get_transaction_count(account.address),
        "gas": 21_000,
        "maxFeePerGas": w3.to_wei(10, "gwei"),
        "maxPriorityFeePerGas": w3.to_wei(1, "gwei"),
        "to": TO,
        "value": ETHER,
    }
    signed = account.sign_transaction(fields)
    transaction_hash = w3.eth.send_raw_transaction(signed.raw_transaction)
    assert transaction_hash == signed.hash
    assert w3.eth.wait_for_transaction_receipt(transaction_hash)["status"] == 1
    assert w3.eth.get_balance(TO) == ETHER


def test_the_middleware_signs_what_is_sent_from_the_account(w3: Web3, account: QuorateAccount) -> None:
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    w3.eth.default_account = account.address
    receipt = w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction({"to": TO, "value": ETHER}))
    assert receipt["status"] == 1
    assert receipt["from"] == account.address
    assert w3.eth.get_balance(TO) == ETHER


def test_a_contract_is_deployed_and_called_through_the_middleware(w3: Web3, account: QuorateAccount) -> None:
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build([account]), layer=0)
    w3.eth.default_account = account.address
    receipt = w3.eth.wait_for_transaction_receipt(
        w3.eth.contract(abi=[], bytecode=DEPLOY_STORE_SEVEN).constructor().transact()
    )
    contract = receipt["contractAddress"]
    assert bytes(w3.eth.get_code(contract)) == STORE_SEVEN
    assert w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction({"to": contract}))["status"] == 1


async def test_the_asynchronous_web3_takes_it_too(account: QuorateAccount) -> None:
    w3 = AsyncWeb3(AsyncEthereumTesterProvider())
    bank = (await w3.eth.accounts)[0]
    await w3.eth.send_transaction({"from": bank, "to": account.address, "value": ETHER})
    w3.middleware_onion.inject(SignAndSendRawMiddlewareBuilder.build(account), layer=0)
    transaction_hash = await w3.eth.send_transaction({"from": account.address, "to": TO, "value": ETHER // 2})
    assert (await w3.eth.wait_for_transaction_receipt(transaction_hash))["status"] == 1
    assert await w3.eth.get_balance(TO) == ETHER // 2


def test_messages_recover_to_the_account(w3: Web3, account: QuorateAccount) -> None:
    message = encode_defunct(text="I own this account")
    signature = account.sign_message(message).signature
    assert w3.eth.account.recover_message(message, signature=signature) == account.address


def test_typed_data_is_signed_as_web3s_own_account_signs_it(w3: Web3) -> None:
    everywhere = QuorateAccount(KEY.public_key, sign, chains=CHAINS)
    theirs = w3.eth.account.from_key(KEY.secret)
    assert everywhere.sign_typed_data(full_message=MAIL) == theirs.sign_typed_data(full_message=MAIL)


def test_a_delegation_signed_by_the_account_is_accepted(w3: Web3, account: QuorateAccount) -> None:
    chain_id, nonce = w3.eth.chain_id, w3.eth.get_transaction_count(account.address)
    authorization = account.sign_authorization({"chainId": chain_id, "address": TO, "nonce": nonce + 1})
    fields: Any = {
        "chainId": chain_id,
        "nonce": nonce,
        "gas": 100_000,
        "maxFeePerGas": w3.to_wei(10, "gwei"),
        "maxPriorityFeePerGas": w3.to_wei(1, "gwei"),
        "to": account.address,
        "authorizationList": [authorization],
    }
    signed = account.sign_transaction(fields)
    w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(signed.raw_transaction))
    assert bytes(w3.eth.get_code(account.address)) == bytes.fromhex("ef0100" + TO[2:])
