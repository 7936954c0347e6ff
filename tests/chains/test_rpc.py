"""The JSON-RPC endpoint: filled, sent and waited for on a real EVM; and every way it can misbehave."""

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.chains.keys import LocalKey
from tests.chains.rpc_server import RpcServer
from tests.chains.test_evm import DEPLOY_STORE_SEVEN

from quorate.chains import Chain, Chains
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.evm import EVM_CHAIN, InProcessEvm
from quorate.chains.ethereum.rpc import MAX_RESPONSE_BYTES, MAX_SUGGESTED_FEE, EthereumRpc
from quorate.errors import LocalError, Malformed, Refused, Remedy, Unavailable

CHAINS = Chains([EVM_CHAIN])
KEY = LocalKey(b"\x11" * 32)
TO = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"
ETHER = 10**18


@pytest.fixture
def server() -> Iterator[RpcServer]:
    evm = InProcessEvm()
    evm.fund(KEY.address, ETHER)
    with RpcServer(evm) as running:
        yield running


def rpc(server: RpcServer, **options: Any) -> EthereumRpc:
    return EthereumRpc(server.url, EVM_CHAIN, **{"poll_seconds": 0.01, **options})


def sign(fields: dict[str, Any]) -> bytes:
    return KEY.attach(requests.transaction(fields, KEY.address), CHAINS).raw


async def test_a_bare_transfer_is_filled_sent_and_mined(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        assert await endpoint.balance(KEY.address) == ETHER
        fields = await endpoint.fill({"to": TO, "value": ETHER // 10}, KEY.address)
        assert fields["chainId"] == int(EVM_CHAIN.reference)
        assert fields["nonce"] == 0
        assert fields["gas"] == 21_000
        transaction_hash = await endpoint.send(sign(fields))
        receipt = await endpoint.wait(transaction_hash)
    assert receipt["status"] == "0x1"
    assert server.evm.balance(TO) == ETHER // 10


async def test_a_contract_creation_gets_gas_with_a_margin(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        fields = await endpoint.fill({"data": DEPLOY_STORE_SEVEN}, KEY.address)
        receipt = await endpoint.wait(await endpoint.send(sign(fields)))
    assert receipt["status"] == "0x1"
    assert fields["gas"] > int(receipt["gasUsed"], 16)


async def test_what_is_given_is_kept(server: RpcServer) -> None:
    given = {
        "to": TO,
        "value": "0x1",
        "nonce": 5,
        "gas": "0x5208",
        "maxFeePerGas": "0x77359400",
        "maxPriorityFeePerGas": 1,
        "chainId": int(EVM_CHAIN.reference),
    }
    async with rpc(server) as endpoint:
        assert await endpoint.fill(given, KEY.address) == given
    assert [method for method, _ in server.calls] == ["eth_chainId"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"maxFeePerGas": 2 * 7 + 3, "maxPriorityFeePerGas": 3}),
        ({"maxPriorityFeePerGas": "0x5"}, {"maxFeePerGas": 2 * 7 + 5, "maxPriorityFeePerGas": "0x5"}),
        ({"maxFeePerGas": "0x2"}, {"maxFeePerGas": "0x2", "maxPriorityFeePerGas": 2}),
        ({"maxFeePerGas": 90}, {"maxFeePerGas": 90, "maxPriorityFeePerGas": 3}),
        ({"type": 0}, {"gasPrice": 11}),
        ({"type": "0x1"}, {"gasPrice": 11}),
        ({"gasPrice": 4}, {"gasPrice": 4}),
    ],
)
async def test_the_fees_follow_what_is_given(
    server: RpcServer, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    server.methods |= {
        "eth_feeHistory": lambda *_: {"baseFeePerGas": ["0x6", "0x7"]},
        "eth_maxPriorityFeePerGas": lambda: "0x3",
        "eth_gasPrice": lambda: "0xb",
    }
    async with rpc(server) as endpoint:
        filled = await endpoint.fill({"to": TO, "gas": 21_000, **given}, KEY.address)
    assert {name: filled[name] for name in filled if "Fee" in name or "Price" in name} == expected


@pytest.mark.parametrize("history", [{}, {"baseFeePerGas": []}, None])
async def test_a_chain_without_base_fees_gets_a_legacy_transaction(server: RpcServer, history: Any) -> None:
    server.methods["eth_feeHistory"] = lambda *_: history
    async with rpc(server) as endpoint:
        filled = await endpoint.fill({"to": TO, "gas": 21_000}, KEY.address)
    assert "gasPrice" in filled
    assert "maxFeePerGas" not in filled


async def test_an_endpoint_on_another_chain_is_refused(server: RpcServer) -> None:
    with pytest.raises(Refused, match=r"is on chain 131277322940537, not on Ethereum \(1\)") as caught:
        async with EthereumRpc(server.url, Chain("eip155:1", "Ethereum", "ETH")):
            pass
    assert caught.value.code == "chain-mismatch"


async def test_a_suggested_fee_has_a_ceiling(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        server.methods["eth_maxPriorityFeePerGas"] = lambda: hex(MAX_SUGGESTED_FEE // 21_000 + 1)
        with pytest.raises(Refused, match="give gas and fees yourself") as caught:
            await endpoint.fill({"to": TO, "value": 1}, KEY.address)
        assert caught.value.code == "fee"
        server.methods["eth_maxPriorityFeePerGas"] = lambda: hex(10**9)
        server.methods["eth_estimateGas"] = lambda _: hex(1 << 60)
        with pytest.raises(Refused, match="give gas and fees yourself"):
            await endpoint.fill({"to": TO, "value": 1}, KEY.address)


async def test_a_call_that_would_fail_is_an_error_of_the_endpoint(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        with pytest.raises(Refused, match="refuses eth_estimateGas") as caught:
            await endpoint.fill({"data": "0xfe"}, KEY.address)
    assert caught.value.code == "rpc"


async def test_sending_twice_is_sending_once(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        raw = sign(await endpoint.fill({"to": TO, "value": 5}, KEY.address))
        assert await endpoint.send(raw) == await endpoint.send(raw)
    assert server.evm.balance(TO) == 5


async def test_a_transaction_the_chain_refuses_is_an_error(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        raw = sign(await endpoint.fill({"to": TO, "value": 5, "nonce": 9}, KEY.address))
        with pytest.raises(Refused, match="refuses eth_sendRawTransaction"):
            await endpoint.send(raw)


async def test_another_hash_than_ours_is_a_lie(server: RpcServer) -> None:
    server.methods["eth_sendRawTransaction"] = lambda _: "0x" + "12" * 32
    async with rpc(server) as endpoint:
        with pytest.raises(Malformed, match="another transaction hash"):
            await endpoint.send(b"\x02\xc0")


async def test_waiting_outlasts_a_hiccup(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        fields = await endpoint.fill({"to": TO, "value": 5}, KEY.address)
        transaction_hash = await endpoint.send(sign(fields))
        server.reply = (503, {}, b"busy")
        waiting = asyncio.create_task(endpoint.wait(transaction_hash))
        await asyncio.sleep(0.05)
        server.reply = None
        assert (await waiting)["status"] == "0x1"


async def test_waiting_ends_with_advice(server: RpcServer) -> None:
    async with rpc(server) as endpoint:
        with pytest.raises(Unavailable, match="look it up before signing another") as caught:
            await endpoint.wait("0x" + "12" * 32, seconds=0.1)
    assert caught.value.remedy is Remedy.RETRY


async def test_a_receipt_without_status_is_malformed(server: RpcServer) -> None:
    server.methods["eth_getTransactionReceipt"] = lambda _: {"gasUsed": "0x1"}
    async with rpc(server) as endpoint:
        with pytest.raises(Malformed, match="receipt without status"):
            await endpoint.wait("0x" + "12" * 32)


@pytest.mark.parametrize(
    ("reply", "error", "message"),
    [
        ((503, {}, b"busy"), Unavailable, "HTTP status 503"),
        ((307, {"Location": "http://127.0.0.1:1/"}, b""), Unavailable, "HTTP status 307"),
        ((200, {}, b""), Malformed, "no JSON"),
        ((200, {}, b"<html>"), Malformed, "no JSON"),
        ((200, {}, b"\xff"), Malformed, "no JSON"),
        ((200, {}, b"[]"), Malformed, "no JSON-RPC"),
        ((200, {}, b"{}"), Malformed, "neither result nor error"),
        ((200, {}, b'{"id":99,"result":"0x1"}'), Malformed, "neither result nor error"),
        ((200, {}, b'{"id":2,"result":"12"}'), Malformed, "no number"),
        ((200, {}, b'{"id":2,"result":"0xzz"}'), Malformed, "no number"),
        ((200, {}, b'{"id":2,"result":12}'), Malformed, "no number"),
        ((200, {}, b'{"id":2,"result":null}'), Malformed, "no number"),
        ((200, {}, b'{"id":2,"result":' + b"[" * 50_000), Malformed, "deeply nested"),
        ((200, {}, b" " * (MAX_RESPONSE_BYTES + 1)), Malformed, "more than"),
        (
            (200, {"Content-Encoding": "gzip"}, gzip.compress(b'{"id":2,"result":"0x1"}')),
            Malformed,
            "no JSON",
        ),
        (
            (200, {}, b'{"id":2,"error":{"message":"no\\u001b[2J\\u202e"}}'),
            Refused,
            r"no\\u\{1b\}\[2J\\u\{202e\}",
        ),
        ((400, {}, b'{"id":2,"error":"bad"}'), Refused, "refuses eth_getBalance: bad"),
    ],
)
async def test_an_answer_that_is_none_is_named(
    server: RpcServer, reply: tuple[int, dict[str, str], bytes], error: type[Exception], message: str
) -> None:
    async with rpc(server) as endpoint:
        server.reply = reply
        with pytest.raises(error, match=message) as caught:
            await endpoint.balance(KEY.address)
    assert "key-of-the-user" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


async def test_an_endpoint_that_is_not_there_is_named_without_its_key(server: RpcServer) -> None:
    url = "http://user:secret@127.0.0.1:9/key-of-the-user"
    with pytest.raises(Unavailable, match=r"127.0.0.1:9 cannot be reached") as caught:
        async with EthereumRpc(url, EVM_CHAIN):
            pass
    assert "secret" not in str(caught.value)
    assert "key-of-the-user" not in str(caught.value)


async def test_an_endpoint_that_does_not_answer_is_given_up() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        await asyncio.sleep(1)
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        with pytest.raises(Unavailable, match=r"did not answer within 0.1 s"):
            async with EthereumRpc(f"http://127.0.0.1:{port}", EVM_CHAIN, call_seconds=0.1):
                pass


@pytest.mark.parametrize(
    "url", ["", "localhost:8545", "ftp://host", "http://", "http://host:port", "http://[::1"]
)
def test_what_is_no_url_is_an_error(url: str) -> None:
    with pytest.raises(LocalError, match="--rpc: expected a URL"):
        EthereumRpc(url, EVM_CHAIN)


async def test_the_call_that_is_estimated_is_the_one_that_is_signed(server: RpcServer) -> None:
    server.methods["eth_estimateGas"] = lambda _: "0x10000"
    access = [{"address": TO, "storageKeys": ["0x" + "01" * 32]}]
    async with rpc(server) as endpoint:
        filled = await endpoint.fill(
            {"to": TO, "value": 1, "data": b"\x01\x02", "accessList": access}, KEY.address
        )
    (call,) = next(params for method, params in server.calls if method == "eth_estimateGas")
    assert call["from"] == KEY.address
    assert call["value"] == "0x1"
    assert call["data"] == "0x0102"
    assert call["accessList"] == access
    assert filled["gas"] == 0x10000 * 6 // 5
    assert json.dumps(call)
