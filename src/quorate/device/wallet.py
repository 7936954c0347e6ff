"""A wallet, as an application uses it: an address, previews, signatures.

    wallet = await device.create_wallet("server")
    print(wallet.address)
    signed = await wallet.sign_transaction({"to": "0x…", "value": 10**15, "chainId": 1, ...})

Every request becomes a payload first, the bytes that all signers read (`quorate.chains`); `preview` shows
what they read. The low face is `payload_of…` and `sign`, which takes a payload of any chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from quorate.account import KeyRecord, survival
from quorate.chains import Chain, Chains, Decoded, Preview, Request, Signed
from quorate.chains.reading import Reading, child_of, read_for
from quorate.device.accounts import KeyAccounts
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf, WalletState
from quorate.device.sign import SigningRoom
from quorate.errors import LocalError, Refused, Unavailable
from quorate.schemes.registry import scheme_named
from quorate.vault.slashing import Bounds

if TYPE_CHECKING:
    from quorate.chains.ethereum.account import QuorateAccount

ETHEREUM: Final = "eip155:1"
ETHEREUM_CURVE: Final = "secp256k1"
VALIDATOR_CURVE: Final = "bls12381g1"

OTHER_KEY: Final = frozenset({"other-account", "other-curve"})
"""The codes with which a family refuses a payload that is for another key than the one it was shown."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to know of a wallet, in plain values. `survives` is a sentence for its owner.

    `key` and `epoch` are the first key's; `keys` has curve, id and public key of each.
    """

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
    keys: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The same for JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


class Wallet:
    """One live wallet of a device. Made by `Device`; all coroutines run on the loop it was made on."""

    def __init__(self, desk: Desk, shelf: Shelf, entries: Sequence[Entry], chains: Chains) -> None:
        if not entries or any(entry.state is not WalletState.LIVE for entry in entries):
            raise Unavailable("this wallet is not finished; start its nodes and open the device again")
        self._first = entries[0]
        self._chains = chains
        self._shelf = shelf
        self._rooms = {entry.record.curve: SigningRoom(desk, shelf, entry) for entry in entries}
        self._loop = asyncio.get_running_loop()
        self._desk = desk

    def __repr__(self) -> str:
        return f"Wallet({self.address})"

    @property
    def id(self) -> str:
        """What the device calls the wallet: the id of its first key, in hex."""
        return self._first.key

    @property
    def address(self) -> str:
        """The address on Ethereum and every chain like it; without a key for that, the first key in hex."""
        if ETHEREUM_CURVE in self._rooms:
            return self.address_on(ETHEREUM)
        return self.public_key.hex()

    @property
    def label(self) -> str:
        """The name its owner gave it."""
        return self._first.label

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called by, in lower case: address, label, and every key in hex."""
        keys = (room.record.public_key.hex() for room in self._rooms.values())
        return self.address.lower(), self.label.lower(), *keys

    @property
    def curves(self) -> tuple[str, ...]:
        """The curves it has keys on, the first key's first."""
        return tuple(self._rooms)

    @property
    def public_key(self) -> bytes:
        """Of the first key, compressed."""
        return self._first.record.public_key

    def public_key_on(self, curve: str) -> bytes:
        """Of the key on a curve, in the curve's usual encoding. Raises `LocalError`."""
        return self._room(curve).record.public_key

    def public_key_at(self, curve: str, path: str) -> bytes:
        """Of an account derived from the key on a curve (docs/derivation.md); the key's own for ``""``."""
        return child_of(self._room(curve).record, path).to_bytes()

    def address_on(self, chain: str, path: str = "", *, curve: str = "") -> str:
        """The address on a chain, by its CAIP-2 id: of the key, or of an account derived from it.

        Of the key that is usual there, unless `curve` says otherwise. Raises `Refused` for a chain nobody
        here knows, `LocalError` without a key that has accounts there.
        """
        return self._chains.address(chain, child_of(self._record_for(chain, curve), path))

    def addresses_on(self, chain: str, path: str = "", *, curve: str = "") -> Mapping[str, str]:
        """Every address there, by its kind, the default one first; otherwise as `address_on`."""
        return self._chains.addresses(chain, child_of(self._record_for(chain, curve), path))

    def curve_for(self, chain: str) -> str:
        """The curve of the key that signs on a chain unless somebody says otherwise. Raises `LocalError`."""
        return self._rooms_for(chain)[0].record.curve

    def chains_of(self, namespace: str) -> tuple[Chain, ...]:
        """The rows of a family of chains, by its CAIP-2 namespace; the main network first."""
        return tuple(self._chains.family(f"{namespace}:").chains.values())

    def chain(self, name: str) -> Chain:
        """The row of a chain, by its CAIP-2 id. Raises `Refused` for one nobody here knows."""
        return self._chains.chain(name)

    # --- requests ------------------------------------------------------------------------------------

    def payload_of_transaction(self, fields: Mapping[str, Any], path: str = "") -> bytes:
        """A complete Ethereum transaction by its JSON-RPC names; ``chainId`` names the chain.

        Here and below, `path` is that of a derived account.
        """
        from quorate.chains.ethereum import requests

        return requests.transaction(fields, self.address_on(ETHEREUM, path), path)

    def payload_of_message(self, message: str | bytes, chain: str = ETHEREUM, path: str = "") -> bytes:
        """A personal message (EIP-191)."""
        from quorate.chains.ethereum import requests

        return requests.message(message, self.address_on(ETHEREUM, path), chain, path)

    def payload_of_typed_data(self, document: Mapping[str, Any], chain: str = "", path: str = "") -> bytes:
        """Typed data (EIP-712); `chain` where its domain names none."""
        from quorate.chains.ethereum import requests

        return requests.typed_data(document, self.address_on(ETHEREUM, path), chain, path)

    def preview(self, request: bytes | str | Mapping[str, Any]) -> Preview:
        """What would be signed, for a person to read.

        Takes a payload, a message's text, or a mapping: typed data if it has a ``primaryType``, else a
        transaction. Raises what the nodes would refuse it with.
        """
        return self.decode(self._payload(request)).preview

    def decode(self, payload: bytes) -> Decoded:
        """A payload understood, as every signer understands it. Raises `Malformed` or `Refused`."""
        return self._read(payload)[1].decoded

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
        room, reading = await asyncio.to_thread(self._read, payload)
        signatures = await room.sign(reading)
        if reading.path:
            await self.accounts(room.record.curve).signed(reading.path)
        return self._chains.attach(reading.decoded, signatures)

    async def prepare(self, count: int = 1, scheme: str = "") -> int:
        """Do the slow part of the next `count` signatures now; gives how many are ready.

        They serve the same nodes for six hours and are used by the next signatures on their own. `scheme` is
        ``ecdsa``, ``ed25519`` and the like; by default what the first key usually signs by.
        """
        curve = self._first.record.curve
        wanted = scheme_named(scheme or ("ed25519" if curve == "ed25519" else "ecdsa"))
        usual = [name for name in wanted.curves if name in self._rooms]
        return await self._room(usual[0] if usual else wanted.curve).prepare(count, wanted)

    def accounts(self, curve: str = "") -> KeyAccounts:
        """The accounts derived from the key on a curve, the first key's unless you say; see `KeyAccounts`.

        Raises `LocalError` without such a key, and for a curve whose keys have none.
        """
        return KeyAccounts(self._room(curve or self.curves[0]).record, self._shelf, self._desk.worker)

    def account(self, chain: str = ETHEREUM, path: str = "") -> QuorateAccount:
        """An eth-account `LocalAccount` for web3.py and its like; it signs through this wallet, or for the
        account derived at `path`.

        Its methods block, so call them from a thread other than the event loop's (``asyncio.to_thread``),
        or use the synchronous SDK.
        """
        from quorate.chains.ethereum.account import QuorateAccount

        key = self.public_key_at(ETHEREUM_CURVE, path)
        return QuorateAccount(key, self._sign_from_thread, chain=chain, chains=self._chains, path=path)

    async def set_duty_bounds(self, network: bytes, slot: int, epoch: int) -> None:
        """Let this wallet's validator sign only after a slot and an epoch, as far as this device is asked.

        `network` is the 32-byte genesis validators root. For a validator that has signed somewhere else
        before, and after this device's database was restored, when the validator stands still until somebody
        gives numbers behind all that was signed: the present ones are. Bounds never fall.
        """
        key = self._room(VALIDATOR_CURVE).record.public_key
        bounds = Bounds(slot, epoch, epoch)
        await self._desk.worker(self._desk.vault.duties.set_bounds, key, network, bounds)

    def show(self) -> Facts:
        """Facts about the wallet."""
        record = self._rooms[self._first.record.curve].record
        return Facts(
            address=self.address,
            label=self._first.label,
            preset=self._first.preset,
            structure=record.structure,
            survives=survival(record.access),
            backups=tuple(path for _, path in self._first.backups),
            nodes=tuple(self._desk.network.names),
            network=record.network,
            key=self._first.key,
            epoch=record.epoch,
            created=self._first.created,
            keys=tuple(
                {"curve": curve, "key": room.record.key.hex(), "public_key": room.record.public_key.hex()}
                for curve, room in self._rooms.items()
            ),
        )

    def _room(self, curve: str) -> SigningRoom:
        room = self._rooms.get(curve)
        if room is None:
            raise LocalError(f"this wallet has no key on {curve}; add one: quorate wallet add-key {curve}")
        return room

    def _record_for(self, chain: str, curve: str) -> KeyRecord:
        """Of the key on `curve`, or the one that is usual on a chain; it must have accounts there."""
        record = self._room(curve or self.curve_for(chain)).record
        if record.curve not in self._chains.family(chain).curves_on(chain):
            raise LocalError(f"a key on {record.curve} has no account on {chain}")
        return record

    def _rooms_for(self, chain: str) -> list[SigningRoom]:
        """Of the keys that have accounts on a chain, the usual one first. Raises `LocalError`."""
        curves = self._chains.family(chain).curves_on(chain)
        return [self._rooms[curve] for curve in curves if curve in self._rooms] or [self._room(curves[0])]

    def _read(self, payload: bytes) -> tuple[SigningRoom, Reading]:
        """Which key a payload is for, and what it says."""
        *others, last = self._rooms_for(Request.from_payload(payload).chain)
        for room in others:
            try:
                return room, read_for(self._chains, room.record, payload)
            except Refused as refused:
                if refused.code not in OTHER_KEY:
                    raise
        return last, read_for(self._chains, last.record, payload)

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
            room, reading = await asyncio.to_thread(self._read, payload)
            (signature,) = await room.sign(reading)
            return signature

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()
