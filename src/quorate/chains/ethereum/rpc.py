"""An Ethereum node's JSON-RPC, asked for what a transaction lacks and handed what is signed (``--rpc URL``).

Off unless a URL is given. The endpoint is not trusted: it must be on the chain that is signed for, its
answers are parsed strictly under size and time limits, its words are made harmless before they are shown, a
fee it suggests has a ceiling, and the hash it reports must be ours. It can still lie about balances and
nonces, and it learns the account's address; both are in the nature of asking.

No redirect is followed and no proxy is taken from the environment. URLs often hold an access key, so errors
name the host alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, NoReturn, Self
from urllib.parse import urlsplit

from quorate.chains.chain import Chain
from quorate.chains.ethereum.address import checksummed, keccak, parse_address
from quorate.chains.ethereum.networks import chain_id
from quorate.chains.ethereum.rpc_fields import integer
from quorate.chains.text import decimal, nested_deeper, plain
from quorate.errors import LocalError, Malformed, Refused, Remedy, Unavailable

CALL_SECONDS: Final = 20.0
"""One call. Public endpoints answer within a second; estimating a heavy call can take several."""

RECEIPT_SECONDS: Final = 180.0
"""Waiting for a receipt. Ethereum's blocks come every 12 seconds; fifteen of them without inclusion deserve a
person's attention."""

POLL_SECONDS: Final = 1.0

MAX_RESPONSE_BYTES: Final = 1 << 20
"""One answer. The largest expected one is the receipt of a transaction with many logs."""

MAX_RESPONSE_DEPTH: Final = 32
"""Brackets within each other in an answer; a transaction with its lists has five."""

MAX_SUGGESTED_FEE: Final = 10**17
"""The most, in wei, that the endpoint's suggestions may let a transaction cost besides its value (0.1 ether).
An endpoint that suggests more is mistaken or hostile; the caller can give fees of its own."""

GAS_MARGIN: Final = (6, 5)
"""A fifth more than estimated for calls, whose cost may change before they are mined; the rest comes back."""


class EthereumRpc:
    """One endpoint; an async context manager::

        async with EthereumRpc(url, chain) as rpc:
            fields = await rpc.fill({"to": to, "value": 10**18}, account)
            ...
            receipt = await rpc.wait(await rpc.send(raw))

    Every call raises `Unavailable` (network, time), `Malformed` (the answer is not JSON-RPC as specified),
    or `Refused` with code ``rpc`` (the endpoint answered with an error).
    """

    def __init__(
        self,
        url: str,
        chain: Chain,
        *,
        call_seconds: float = CALL_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._url = url
        self._name = _host(url)
        self._chain = chain
        self._call_seconds = call_seconds
        self._poll_seconds = poll_seconds
        self._session: Any = None
        self._calls = 0

    async def __aenter__(self) -> Self:
        """Connects, and refuses an endpoint of another chain (code ``chain-mismatch``)."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._call_seconds),
            # a small compressed answer can unpack to gigabytes
            headers={"Accept-Encoding": "identity"},
            auto_decompress=False,
        )
        try:
            await self._check_chain()
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def fill(self, fields: Mapping[str, Any], account: str) -> dict[str, Any]:
        """The same transaction with chainId, nonce, fees and gas where they were missing.

        What is given stays as it is. `Refused` with code ``fee`` when the suggested fee is above
        `MAX_SUGGESTED_FEE`, with ``rpc`` when the call would fail.
        """
        filled = {name: value for name, value in fields.items() if value is not None and name != "from"}
        filled.setdefault("chainId", chain_id(self._chain.caip2))
        sender = checksummed(parse_address(account, "account"))
        if "nonce" not in filled:
            filled["nonce"] = await self._number("eth_getTransactionCount", sender, "pending")
        suggested = await self._fill_fees(filled)
        if "gas" not in filled:
            filled["gas"] = await self._estimate(filled, sender)
            suggested = True
        if suggested:
            self._check_fee(filled)
        return filled

    async def balance(self, account: str) -> int:
        """In wei, at the latest block."""
        return await self._number("eth_getBalance", account, "latest")

    async def send(self, raw: bytes) -> str:
        """Hand in a raw signed transaction; its hash. Handing in the same one twice is no error."""
        expected = "0x" + keccak(raw).hex()
        try:
            answer = await self._call("eth_sendRawTransaction", "0x" + raw.hex())
        except Refused:
            # "already known" is worded differently everywhere; whether the node knows it is a fact
            if await self._call("eth_getTransactionByHash", expected) is None:
                raise
            return expected
        if answer != expected:
            self._malformed("reports another transaction hash than that of what was sent")
        return expected

    async def wait(self, transaction_hash: str, seconds: float = RECEIPT_SECONDS) -> dict[str, Any]:
        """The receipt, once there is one. `Unavailable` after `seconds`; it may still be mined."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    receipt = await self._receipt(transaction_hash)
                    if isinstance(receipt, dict) and receipt.get("status") in ("0x0", "0x1"):
                        return receipt
                    if receipt is not None:
                        self._malformed("gives a receipt without status")
                    await asyncio.sleep(self._poll_seconds)
        except TimeoutError:
            raise Unavailable(
                f"no receipt of {transaction_hash} after {seconds:g} s; it may still be mined, so look it up "
                "before signing another transaction with the same nonce",
                remedy=Remedy.RETRY,
            ) from None

    async def _receipt(self, transaction_hash: str) -> Any:
        try:
            return await self._call("eth_getTransactionReceipt", transaction_hash)
        except Unavailable:
            return None  # the next poll may get through, and the deadline ends them all

    async def _check_chain(self) -> None:
        expected = chain_id(self._chain.caip2)
        actual = await self._number("eth_chainId")
        if actual != expected:
            raise Refused(
                f"the endpoint {self._name} is on chain {actual}, not on {self._chain.name} ({expected})",
                code="chain-mismatch",
            )

    async def _fill_fees(self, filled: dict[str, Any]) -> bool:
        """Whether anything was filled in."""
        given = {"gasPrice", "maxFeePerGas", "maxPriorityFeePerGas"} & set(filled)
        legacy = "type" in filled and integer(filled["type"], "type") < 2
        if given in ({"gasPrice"}, {"maxFeePerGas", "maxPriorityFeePerGas"}):
            return False
        base = None if legacy and not given else await self._base_fee()
        if base is None and not given:
            filled["gasPrice"] = await self._number("eth_gasPrice")
            return True
        if "maxPriorityFeePerGas" not in filled:
            tip = await self._number("eth_maxPriorityFeePerGas")
            filled["maxPriorityFeePerGas"] = min(
                tip, integer(filled.get("maxFeePerGas", tip), "maxFeePerGas")
            )
        # twice the base fee outlasts six full blocks, each of which may raise it by an eighth
        tip = integer(filled["maxPriorityFeePerGas"], "maxPriorityFeePerGas")
        filled.setdefault("maxFeePerGas", 2 * (base or 0) + tip)
        return True

    async def _base_fee(self) -> int | None:
        """The next block's base fee, or None on a chain without EIP-1559."""
        history = await self._call("eth_feeHistory", "0x1", "latest", [])
        fees = history.get("baseFeePerGas") if isinstance(history, dict) else None
        if fees is None or fees == []:
            return None
        return self._quantity(fees[-1] if isinstance(fees, list) else fees, "eth_feeHistory")

    async def _estimate(self, filled: Mapping[str, Any], sender: str) -> int:
        call = {
            name: _encoded(value)
            for name, value in filled.items()
            if name not in ("chainId", "nonce", "type")
        }
        estimate = await self._number("eth_estimateGas", {**call, "from": sender})
        plain_transfer = estimate <= 21_000 and not filled.get("data")
        return estimate if plain_transfer else estimate * GAS_MARGIN[0] // GAS_MARGIN[1]

    def _check_fee(self, filled: Mapping[str, Any]) -> None:
        name = "maxFeePerGas" if "maxFeePerGas" in filled else "gasPrice"
        price, gas = integer(filled[name], name), integer(filled["gas"], "gas")
        fee = price * gas
        if fee > MAX_SUGGESTED_FEE:
            raise Refused(
                f"the endpoint {self._name} suggests a fee of up to {self._chain.amount(fee)} "
                f"({gas} gas at {decimal(price, 9)} gwei), more than "
                f"{self._chain.amount(MAX_SUGGESTED_FEE)}; give gas and fees yourself if you mean it",
                code="fee",
            )

    async def _number(self, method: str, *params: Any) -> int:
        return self._quantity(await self._call(method, *params), method)

    def _quantity(self, value: Any, method: str) -> int:
        try:
            if isinstance(value, str):
                return integer(value, method)
        except Malformed:
            pass
        return self._malformed(f"answers {method} with something that is no number")

    async def _call(self, method: str, *params: Any) -> Any:
        self._calls += 1
        request = {"jsonrpc": "2.0", "id": self._calls, "method": method, "params": list(params)}
        answer = self._parsed(await self._post(request), method)
        error = answer.get("error")
        if error is not None:
            words = error.get("message") if isinstance(error, dict) else error
            raise Refused(f"the endpoint {self._name} refuses {method}: {plain(str(words), 200)}", code="rpc")
        if "result" not in answer or answer.get("id") != self._calls:
            self._malformed(f"answers {method} with neither result nor error")
        return answer["result"]

    async def _post(self, request: Mapping[str, Any]) -> bytes:
        import aiohttp

        try:
            async with self._session.post(self._url, json=request, allow_redirects=False) as response:
                data = b""
                async for chunk in response.content.iter_any():
                    data += chunk
                    if len(data) > MAX_RESPONSE_BYTES:
                        self._malformed(f"answers with more than {MAX_RESPONSE_BYTES} bytes")
                # some endpoints send JSON-RPC errors with status 400 or 500; the rest is judged by status
                if response.status != 200 and not data.lstrip().startswith(b"{"):
                    self._unavailable(f"answers with HTTP status {response.status}")
                return data
        except TimeoutError:
            self._unavailable(f"did not answer within {self._call_seconds:g} s")
        except (aiohttp.ClientError, OSError) as error:
            # the error's own text may hold the whole URL
            self._unavailable(f"cannot be reached ({type(error).__name__})")

    def _parsed(self, data: bytes, method: str) -> dict[str, Any]:
        try:
            text = data.decode()
            if nested_deeper(text, MAX_RESPONSE_DEPTH):
                self._malformed(f"answers {method} with a deeply nested text")
            answer = json.loads(text)
        except (ValueError, RecursionError):
            self._malformed(f"answers {method} with something that is no JSON")
        if not isinstance(answer, dict):
            self._malformed(f"answers {method} with something that is no JSON-RPC")
        return answer

    def _malformed(self, what: str) -> NoReturn:
        raise Malformed(f"the endpoint {self._name} {what}")

    def _unavailable(self, what: str) -> NoReturn:
        raise Unavailable(f"the endpoint {self._name} {what}", remedy=Remedy.RETRY)


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LocalError("--rpc: expected a URL like https://host/path")
    return plain(parts.hostname if port is None else f"{parts.hostname}:{port}")


def _encoded(value: Any) -> Any:
    """A field as JSON-RPC writes it."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return hex(value)
    if isinstance(value, bytes | bytearray):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {name: _encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(inner) for inner in value]
    dump = getattr(value, "model_dump", None)
    return _encoded(dump(by_alias=True)) if callable(dump) else value
