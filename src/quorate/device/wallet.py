"""A wallet, as an application uses it: an address, previews, signatures.

    wallet = await device.create_wallet("server")
    print(wallet.address)
    signed = await wallet.sign_transaction({"to": "0x…", "value": 10**15, "chainId": 1, ...})

Every request becomes a payload first, the bytes that all signers read (`quorate.chains`); `preview` shows
what they read. The low face is `payload_of…` and `sign`, which takes a payload of any chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from quorate.account import survival
from quorate.chains import Chain, Chains, Decoded, Preview, Signed
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf, WalletState
from quorate.device.sign import SigningRoom
from quorate.errors import LocalError, Unavailable

if TYPE_CHECKING:
    from quorate.chains.ethereum.account import QuorateAccount

ETHEREUM: Final = "eip155:1"


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to know of a wallet, in plain values. `survives` is a sentence for its owner."""

    address: str
    label: str
    preset: str
    structure: str
    survives: str
    backups: tuple[str, ...]
    nodes: tuple[str, ...]
    network: str
    key: str
    epoch: int
    created: int

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Wallet:
    """One live wallet of a device. Made by `Device`; all coroutines run on the loop it was made on."""

    def __init__(self, desk: Desk, shelf: Shelf, entry: Entry, chains: Chains) -> None:
        if entry.state is not WalletState.LIVE:
            raise Unavailable("this wallet is not finished; start its nodes and open the device again")
        self._entry = entry
        self._chains = chains
        self._room = SigningRoom(desk, shelf, entry)
        self._loop = asyncio.get_running_loop()
        self._desk = desk

    def __repr__(self) -> str:
        return f"Wallet({self.address})"

    @property
    def address(self) -> str:
        """The address on Ethereum and every chain like it."""
        return self.address_on(ETHEREUM)

    @property
    def label(self) -> str:
        """The name its owner gave it."""
        return self._entry.label

    @property
    def public_key(self) -> bytes:
        """33 bytes, compressed."""
        return self._entry.record.public_key

    def address_on(self, chain: str) -> str:
        """The address on a chain, by its CAIP-2 id. Raises `Refused` for a chain nobody here knows."""
        return self._chains.address(chain, self._entry.record.point)

    def chain(self, name: str) -> Chain:
        """The row of a chain, by its CAIP-2 id. Raises `Refused` for one nobody here knows."""
        return self._chains.chain(name)

    # --- requests ------------------------------------------------------------------------------------

    def payload_of_transaction(self, fields: Mapping[str, Any]) -> bytes:
        """A complete Ethereum transaction by its JSON-RPC names; ``chainId`` names the chain."""
        from quorate.chains.ethereum import requests

        return requests.transaction(fields, self.address)

    def payload_of_message(self, message: str | bytes, chain: str = ETHEREUM) -> bytes:
        """A personal message (EIP-191)."""
        from quorate.chains.ethereum import requests

        return requests.message(message, self.address, chain)

    def payload_of_typed_data(self, document: Mapping[str, Any], chain: str = "") -> bytes:
        """Typed data (EIP-712); `chain` where its domain names none."""
        from quorate.chains.ethereum import requests

        return requests.typed_data(document, self.address, chain)

    def preview(self, request: bytes | str | Mapping[str, Any]) -> Preview:
        """What would be signed, for a person to read.

        Takes a payload, a message's text, or a mapping: typed data if it has a ``primaryType``, else a
        transaction. Raises what the nodes would refuse it with.
        """
        return self.decode(self._payload(request)).preview

    def decode(self, payload: bytes) -> Decoded:
        """A payload understood, as every signer understands it. Raises `Malformed` or `Refused`."""
        return self._chains.decode(payload, self._entry.record.point)

    # --- signatures ----------------------------------------------------------------------------------

    async def sign_transaction(self, fields: Mapping[str, Any]) -> Signed:
        """Sign a transaction. `raw` is what is sent to the chain, `id` its hash.

        Raises `TooFewNodes`, naming who is missing; `Refused` when a node's policy says no; `Malformed`.
        """
        return await self.sign(self.payload_of_transaction(fields))

    async def sign_message(self, message: str | bytes, chain: str = ETHEREUM) -> Signed:
        """Sign a personal message; `raw` is the 65-byte signature."""
        return await self.sign(self.payload_of_message(message, chain))

    async def sign_typed_data(self, document: Mapping[str, Any], chain: str = "") -> Signed:
        """Sign typed data; `raw` is the 65-byte signature."""
        return await self.sign(self.payload_of_typed_data(document, chain))

    async def sign(self, payload: bytes) -> Signed:
        """Sign a payload of any chain, and attach the signature; verified before it is returned."""
        decoded = await asyncio.to_thread(self.decode, payload)
        signature = await self._room.sign(payload, decoded.digest)
        return self._chains.attach(decoded, [signature.to_bytes()])

    async def prepare(self, count: int = 1) -> int:
        """Do the slow part of the next `count` signatures now; gives how many are ready.

        They serve the same nodes for six hours and are used by the next signatures on their own.
        """
        return await self._room.prepare(count)

    def account(self, chain: str = ETHEREUM) -> QuorateAccount:
        """An eth-account `LocalAccount` for web3.py and its like; it signs through this wallet.

        Its methods block, so call them from a thread other than the event loop's (``asyncio.to_thread``),
        or use the synchronous SDK.
        """
        from quorate.chains.ethereum.account import QuorateAccount

        return QuorateAccount(
            self._entry.record.point, self._sign_from_thread, chain=chain, chains=self._chains
        )

    def show(self) -> Facts:
        """Facts about the wallet."""
        record = self._room.record
        return Facts(
            address=self.address,
            label=self._entry.label,
            preset=self._entry.preset,
            structure=record.structure,
            survives=survival(record.access),
            backups=tuple(path for _, path in self._entry.backups),
            nodes=tuple(self._desk.network.names),
            network=record.network,
            key=self._entry.key,
            epoch=record.epoch,
            created=self._entry.created,
        )

    def _payload(self, request: bytes | str | Mapping[str, Any]) -> bytes:
        if isinstance(request, bytes):
            return request
        if isinstance(request, str):
            return self.payload_of_message(request)
        if "primaryType" in request:
            return self.payload_of_typed_data(request)
        return self.payload_of_transaction(request)

    def _sign_from_thread(self, payload: bytes) -> bytes:
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            raise LocalError(
                "an account's methods block, which would stop the loop they wait for: call them with "
                "asyncio.to_thread, or use await wallet.sign_transaction(...)"
            )

        async def run() -> bytes:
            decoded = await asyncio.to_thread(self.decode, payload)
            return (await self._room.sign(payload, decoded.digest)).to_bytes()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()
