"""The SDK without ``await``: the same devices and wallets, driven by one private event-loop thread.

    with quorate.connect() as device:
        device.log_in()
        wallet = device.create_wallet("server")
        signed = wallet.sign_transaction({...})

Each call blocks until it is done. Objects may be used from any thread; calls of one device take turns.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from quorate.chains import Decoded, Preview, Signed
from quorate.device.backup import Backup
from quorate.device.create import DEFAULT_CURVES
from quorate.device.device import Device as AsyncDevice
from quorate.device.login import Issuer, LoginRecord
from quorate.device.wallet import ETHEREUM, Facts
from quorate.device.wallet import Wallet as AsyncWallet
from quorate.errors import LocalError

if TYPE_CHECKING:
    from quorate.chains.ethereum.account import QuorateAccount

T = TypeVar("T")


def connect(home: Path | str | None = None, *, log_in: bool = True) -> Device:
    """Open the device of a home directory and, if need be, log it in.

    Raises `Unavailable` when no network is known there: ``quorate up`` starts one.
    """
    device = Device(AsyncDevice.open(home))
    if log_in and not device.logged_in:
        try:
            device.log_in()
        except BaseException:
            device.close()
            raise
    return device


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="quorate", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; an interrupt cancels it."""
        if self._loop.is_closed():
            coroutine.close()
            raise LocalError("this device is closed; connect again")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5.0)
        self._loop.close()


class Device:
    """See `quorate.device.device.Device`; open from the moment it is made until `close`."""

    def __init__(self, inner: AsyncDevice) -> None:
        self._inner = inner
        self._loop = _Loop()
        self._closed = False
        try:
            self._loop.run(inner.__aenter__())
        except BaseException:
            self._loop.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close connections and vault, and end the thread. Repeating it does nothing."""
        if not self._closed:
            self._closed = True
            self._loop.run(self._inner.__aexit__(None, None, None))
            self._loop.stop()

    @property
    def logged_in(self) -> bool:
        """Whether there is a login that has not run out."""
        return self._inner.logged_in

    def log_in(self, issuer: Issuer | None = None) -> LoginRecord:
        """See `quorate.device.device.Device.log_in`."""
        return self._loop.run(self._inner.log_in(issuer))

    def create_wallet(
        self,
        preset: str = "personal",
        backup: Backup | Mapping[str, Backup] | None = None,
        *,
        label: str = "",
        keys: Sequence[str] = DEFAULT_CURVES,
        report: Callable[[str], None] | None = None,
    ) -> Wallet:
        """See `quorate.device.device.Device.create_wallet`."""
        reporting = {} if report is None else {"report": report}
        making = self._inner.create_wallet(preset, backup, label=label, keys=keys, **reporting)
        return Wallet(self._loop.run(making), self._loop)

    def add_key(self, wallet: Wallet, *curves: str, password: str | Mapping[str, str] = "") -> Wallet:
        """See `quorate.device.device.Device.add_key`."""
        return Wallet(
            self._loop.run(self._inner.add_key(wallet.inner, *curves, password=password)), self._loop
        )

    def wallets(self) -> list[Wallet]:
        """All wallets of this device, oldest first."""
        return [Wallet(wallet, self._loop) for wallet in self._loop.run(self._inner.wallets())]

    def wallet(self, which: str | None = None) -> Wallet:
        """One wallet: by address or label, or the only one there is."""
        return Wallet(self._loop.run(self._inner.wallet(which)), self._loop)


class Wallet:
    """See `quorate.device.wallet.Wallet`."""

    def __init__(self, inner: AsyncWallet, loop: _Loop) -> None:
        self._inner = inner
        self._loop = loop

    def __repr__(self) -> str:
        return repr(self._inner)

    @property
    def inner(self) -> AsyncWallet:
        """The same wallet for callers on the event loop."""
        return self._inner

    @property
    def curves(self) -> tuple[str, ...]:
        """The curves it has keys on."""
        return self._inner.curves

    @property
    def address(self) -> str:
        """The address on Ethereum and every chain like it."""
        return self._inner.address

    @property
    def label(self) -> str:
        """The name its owner gave it."""
        return self._inner.label

    @property
    def account(self) -> QuorateAccount:
        """An eth-account `LocalAccount` that signs through this wallet: web3.py takes it as it is."""
        return self._inner.account()

    def account_on(self, chain: str) -> QuorateAccount:
        """The same with another chain for requests that name none themselves."""
        return self._inner.account(chain)

    def address_on(self, chain: str, path: str = "", *, curve: str = "") -> str:
        """The address on a chain, by its CAIP-2 id; of an account derived at `path`."""
        return self._inner.address_on(chain, path, curve=curve)

    def addresses_on(self, chain: str, path: str = "", *, curve: str = "") -> Mapping[str, str]:
        """Every address there, by its kind."""
        return self._inner.addresses_on(chain, path, curve=curve)

    def public_key_on(self, curve: str) -> bytes:
        """Of the key on a curve, in the curve's usual encoding."""
        return self._inner.public_key_on(curve)

    def preview(self, request: bytes | str | Mapping[str, Any]) -> Preview:
        """What would be signed, for a person to read."""
        return self._inner.preview(request)

    def decode(self, payload: bytes) -> Decoded:
        """A payload understood, as every signer understands it."""
        return self._inner.decode(payload)

    def sign_transaction(self, fields: Mapping[str, Any]) -> Signed:
        """Sign a transaction; `raw` is what is sent, `id` its hash."""
        return self._loop.run(self._inner.sign_transaction(fields))

    def sign_message(self, message: str | bytes, chain: str = ETHEREUM) -> Signed:
        """Sign a personal message; `raw` is the 65-byte signature."""
        return self._loop.run(self._inner.sign_message(message, chain))

    def sign_typed_data(self, document: Mapping[str, Any], chain: str = "") -> Signed:
        """Sign typed data; `raw` is the 65-byte signature."""
        return self._loop.run(self._inner.sign_typed_data(document, chain))

    def sign(self, payload: bytes) -> Signed:
        """Sign a payload of any chain."""
        return self._loop.run(self._inner.sign(payload))

    def prepare(self, count: int = 1, scheme: str = "") -> int:
        """Do the slow part of the next `count` signatures now; gives how many are ready."""
        return self._loop.run(self._inner.prepare(count, scheme))

    def show(self) -> Facts:
        """Facts about the wallet."""
        return self._inner.show()
