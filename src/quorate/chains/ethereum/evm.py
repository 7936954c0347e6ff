"""An Ethereum of one's own, inside the process: for the demonstration and for tests.

A thin wrapper over eth-tester on py-evm, which nobody here wrote and which checks signatures, nonces,
balances and gas as the network does (Prague rules). It needs the extra ``evm``; nothing else in the package
imports it. It keeps its state in memory and mines one block for each transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.chain import Chain
from quorate.chains.ethereum.address import checksummed, parse_address
from quorate.chains.ethereum.heavy import load
from quorate.chains.text import plain
from quorate.errors import Refused, Unavailable

EVM_CHAIN: Final = Chain("eip155:131277322940537", "In-process EVM", "ETH")
"""The chain id is built into eth-tester."""


_JUDGES: Final = frozenset({"eth", "eth_keys", "eth_tester", "eth_utils", "rlp"})
"""Top-level modules whose errors are verdicts on a transaction; they share no base class."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a transaction."""

    transaction_hash: str
    succeeded: bool
    block: int
    gas_used: int
    contract: str | None


class InProcessEvm:
    """A fresh chain, whose first account pays for `fund`."""

    chain = EVM_CHAIN

    def __init__(self) -> None:
        load()
        try:
            from eth_tester import EthereumTester, PyEVMBackend
            from eth_tester.exceptions import BackendDistributionNotFound
        except ImportError as error:
            raise _missing() from error
        try:
            backend = PyEVMBackend()
        except BackendDistributionNotFound as error:
            raise _missing() from error
        self._tester: Any = EthereumTester(backend)
        self._bank = self._tester.get_accounts()[0]

    def fund(self, address: str, wei: int) -> None:
        """Give an account `wei` from the bank's million ether."""
        to = checksummed(parse_address(address, "address"))
        self._tester.send_transaction({"from": self._bank, "to": to, "value": wei, "gas": 21_000})

    def balance(self, address: str) -> int:
        """In wei."""
        return int(self._tester.get_balance(address))

    def nonce(self, address: str) -> int:
        """The nonce the account's next transaction needs."""
        return int(self._tester.get_nonce(address))

    def code(self, address: str) -> bytes:
        """The account's code; for a delegated account ``ef0100`` and the address."""
        return bytes.fromhex(str(self._tester.get_code(address)).removeprefix("0x"))

    def fees(self) -> tuple[int, int]:
        """(maxFeePerGas, maxPriorityFeePerGas) that the next block takes, with room to spare."""
        base = int(self._tester.get_block_by_number("pending")["base_fee_per_gas"])
        return 2 * base + 10**9, 10**9

    def estimate_gas(self, fields: Mapping[str, Any]) -> int:
        """The gas a call with eth-tester's field names would use. `Refused` when it fails."""
        with _Refusing("the call would fail"):
            return int(self._tester.estimate_gas(dict(fields)))

    def send(self, raw: bytes) -> str:
        """Execute a raw signed transaction in a block of its own and return its hash.

        Raises `Refused` with code ``evm`` when the EVM does not accept it: a wrong signature shows as the
        lack of funds of whichever account it recovers to.
        """
        with _Refusing("the EVM refused the transaction"):
            return str(self._tester.send_raw_transaction("0x" + raw.hex()))

    def receipt(self, transaction_hash: str) -> Receipt | None:
        """The receipt, or None for a hash this chain has not seen."""
        from eth_tester.exceptions import TransactionNotFound

        try:
            found = self._tester.get_transaction_receipt(transaction_hash)
        except TransactionNotFound:
            return None
        return Receipt(
            transaction_hash=transaction_hash,
            succeeded=found["status"] == 1,
            block=int(found["block_number"]),
            gas_used=int(found["gas_used"]),
            contract=found["contract_address"] or None,
        )


class _Refusing:
    """Turns py-evm's and eth-tester's errors into `Refused`."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and type(error).__module__.partition(".")[0] in _JUDGES:
            raise Refused(f"{self._what}: {plain(str(error))}", code="evm") from error


def _missing() -> Unavailable:
    return Unavailable(
        "the in-process EVM is not installed; it comes with the extra: pip install 'quorate[evm]'"
    )
