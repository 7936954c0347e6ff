"""A JSON-RPC endpoint over HTTP in a thread: a real EVM behind it, and a way to make it misbehave."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self

from quorate.chains.ethereum.evm import InProcessEvm
from quorate.errors import Refused

Answer = Callable[..., Any]


class RpcServer:
    """``with RpcServer(evm) as server`` serves `server.url`; `server.methods` may be replaced one by one.

    `server.reply`, when set, is what is sent instead of any answer: (status, headers, body).
    """

    def __init__(self, evm: InProcessEvm) -> None:
        self.evm = evm
        self.calls: list[tuple[str, list[Any]]] = []
        self.reply: tuple[int, dict[str, str], bytes] | None = None
        self.methods: dict[str, Answer] = {
            "eth_chainId": lambda: hex(int(evm.chain.reference)),
            "eth_getTransactionCount": lambda address, _: hex(evm.nonce(address)),
            "eth_getBalance": lambda address, _: hex(evm.balance(address)),
            "eth_feeHistory": lambda *_: {"baseFeePerGas": [hex(7), hex((evm.fees()[0] - 10**9) // 2)]},
            "eth_maxPriorityFeePerGas": lambda: hex(10**9),
            "eth_gasPrice": lambda: hex(evm.fees()[0]),
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": lambda raw: evm.send(bytes.fromhex(raw[2:])),
            "eth_getTransactionByHash": lambda hash_: {"hash": hash_} if evm.receipt(hash_) else None,
            "eth_getTransactionReceipt": self._receipt,
        }

    def __enter__(self) -> Self:
        lock, server = Lock(), self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    status, headers, body = server.reply or (
                        200,
                        {},
                        json.dumps(server.answer(request)).encode(),
                    )
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Silence."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/key-of-the-user"
        self._thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((request["method"], request["params"]))
        head = {"jsonrpc": "2.0", "id": request["id"]}
        try:
            return {**head, "result": self.methods[request["method"]](*request["params"])}
        except Refused as error:
            return {**head, "error": {"code": -32000, "message": str(error)}}

    def _estimate(self, call: dict[str, Any]) -> str:
        names = {"maxFeePerGas": "max_fee_per_gas", "maxPriorityFeePerGas": "max_priority_fee_per_gas"}
        fields = {names.get(name, name): value for name, value in call.items() if name != "gasPrice"}
        for name in ("value", "max_fee_per_gas", "max_priority_fee_per_gas"):
            if name in fields:
                fields[name] = int(fields[name], 16)
        return hex(self.evm.estimate_gas(fields))

    def _receipt(self, transaction_hash: str) -> dict[str, Any] | None:
        found = self.evm.receipt(transaction_hash)
        return found and {
            "status": hex(found.succeeded),
            "gasUsed": hex(found.gas_used),
            "blockNumber": hex(found.block),
        }
