"""FROST's nonces made in advance, at the device: a session that draws them, one message for each signature.

They lie in the vault where presignatures lie, and are taken out, durably and for one whole request, before
any share is read: the device combines, and its own share, which never leaves, is made of the same pair.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE
from quorate.account.requests import OnlineRequest
from quorate.chains.reading import Reading, numbered
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry
from quorate.encoding import encode
from quorate.errors import AlreadyUsed, LocalError, QuorateError, Refused, Remedy, Unavailable
from quorate.schemes.schnorr import (
    ONLINE,
    PREPARE,
    Batch,
    Prepared,
    ReadyNonces,
    Request,
    Schnorr,
    collect,
    prepare,
)
from quorate.session import Party
from quorate.transport.channel import Channel

PRESIGNATURE_SECONDS: Final = 6 * 3600
"""How long a prepared signature waits. Nodes allow twelve hours."""


class PreparedNonces:
    """Of one key. `seat` gives our part among signers, `run` is one session with them."""

    def __init__(
        self, desk: Desk, seat: Callable[..., Awaitable[Any]], run: Callable[..., Awaitable[Any]]
    ) -> None:
        self._desk = desk
        self._seat = seat
        self._run = run

    async def prepare(
        self,
        entry: Entry,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        scheme: Schnorr,
        count: int,
    ) -> int:
        """Draw nonces for `count` signatures of these signers; gives how many wait then."""
        signer, _ = await self._seat(entry, signers, paired=False)

        async def protocol(party: Party) -> list[Prepared]:
            return await prepare(party, signer, scheme.schnorr, count=count)

        record, payload = entry.record, Batch(count).to_payload()
        suite = scheme.suite(record.group)
        made = await self._run(record, channels, signers, PREPARE, suite, payload, protocol)
        return int(await self._desk.worker(self._keep, record, made, signers, scheme.name))

    async def sign(
        self,
        entry: Entry,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        waiting: list[bytes],
        reading: Reading,
        index: int,
    ) -> bytes:
        """The signature on one digest of a request, with the first of what is `waiting`."""
        scheme, message, chosen = reading.scheme(index), reading.digest(index).value, waiting[0]
        if not isinstance(scheme, Schnorr):
            raise LocalError(f"{scheme.name} does not sign with prepared nonces")
        signer, _ = await self._seat(entry, signers, paired=False)

        async def protocol(party: Party) -> bytes:
            request = Request.of(
                party.spec,
                chosen,
                scheme.schnorr,
                message,
                combiner=DEVICE,
                tweak=reading.tweak(index),
                path=reading.path,
            )
            # Consumed durably before any share is read; the steps of a session run in the worker.
            try:
                kept = self._desk.vault.presignatures.consume(chosen, request.hash(), self._desk.clock())
            except AlreadyUsed as error:
                # another signature of this moment was quicker; this one goes on with something else
                raise Unavailable(str(error), remedy=Remedy.RETRY) from None
            nonces = ReadyNonces(Prepared.from_bytes(kept.reveal()))
            return await collect(party, nonces, signer, scheme.schnorr, request, message)

        record, suite = entry.record, scheme.suite(entry.record.group)
        asked = encode(OnlineRequest(chosen, numbered(reading.decoded.payload, index)))
        try:
            signature: bytes = await self._run(record, channels, signers, ONLINE, suite, asked, protocol)
        except QuorateError as error:
            # As with presignatures: a node that has none, as after a restart, most likely has none at all.
            gone = isinstance(error, Refused) and error.code == "presignature"
            await self._desk.worker(burn, self._desk, waiting if gone else [chosen])
            raise
        return signature

    def _keep(self, record: KeyRecord, made: list[Prepared], signers: tuple[str, ...], scheme: str) -> int:
        now = self._desk.clock()
        with self._desk.vault.transaction():
            for one in made:
                self._desk.vault.presignatures.put(
                    one.id,
                    one.to_bytes(),
                    key=record.key.hex(),
                    epoch=record.epoch,
                    signers=signers,
                    pairs={},
                    expires=now + PRESIGNATURE_SECONDS,
                    now=now,
                    scheme=scheme,
                )
        return len(ready(self._desk, record, signers, scheme))


def ready(desk: Desk, record: KeyRecord, signers: tuple[str, ...], scheme: str) -> list[bytes]:
    """What waits for these signers and this scheme; in the worker."""
    key = record.key.hex()
    return desk.vault.presignatures.ready(key, record.epoch, signers, desk.clock(), scheme)


def burn(desk: Desk, prepared: list[bytes]) -> None:
    """Let go of what is of no more use; in the worker."""
    for one in prepared:
        desk.vault.presignatures.burn(one)
