"""One key's signatures: the sessions of each scheme, and what is prepared for ECDSA and for FROST.

Which nodes take part is decided in `quorate.device.tries`. What a check of our own has found to leak is
stored (the OT setup is frozen) before the session says another word.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE
from quorate.account.requests import OnlineRequest, PresignRequest
from quorate.chains.reading import Reading, numbered
from quorate.device.nonces import PRESIGNATURE_SECONDS, PreparedNonces, burn, ready
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf
from quorate.device.tries import Tries
from quorate.encoding import encode
from quorate.errors import AlreadyUsed, LocalError, QuorateError, Refused, Remedy, Suspicion, Unavailable
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SIGN,
    PairSetup,
    Presignature,
    ReadyPresignature,
    Request,
    Signature,
    collect,
    presign,
    suite,
)
from quorate.schemes.quorum import Signer
from quorate.schemes.scheme import Scheme
from quorate.schemes.schnorr import MAX_BATCH, Schnorr
from quorate.session import Declaration, Party, ProtocolRun, SessionSpec, roster_digest
from quorate.transport.channel import Channel
from quorate.vault.onetime import ECDSA

T = TypeVar("T")


class SigningRoom:
    """Signs with one of a wallet's keys."""

    def __init__(self, desk: Desk, shelf: Shelf, entry: Entry) -> None:
        self._desk = desk
        self._shelf = shelf
        self._tries = Tries(desk, shelf, entry)
        self._frost = PreparedNonces(desk, self._seat, self._run)

    @property
    def record(self) -> KeyRecord:
        return self._tries.record

    async def sign(self, reading: Reading) -> list[bytes]:
        """Sign a request of a chain, as this device has read it: a signature for each of its digests.

        Raises `Abort`, `LocalError`.
        """
        if (asked := reading.decoded.duty) is not None:
            # Two quorums of nodes may share none. This device is in both, and all that an honest one needs.
            duties = self._desk.vault.duties
            await self._desk.worker(duties.permit, asked.validator, asked.network, asked.duty)
        return [await self._sign(reading, index) for index in range(len(reading.digests))]

    async def prepare(self, count: int, scheme: Scheme) -> int:
        """Do ahead what needs no message, for the next `count` signatures; gives how many wait then.

        Raises `LocalError` for a scheme that has nothing to do ahead.
        """
        batch = MAX_BATCH if isinstance(scheme, Schnorr) else 1
        if not isinstance(scheme, Schnorr) and scheme.declaration != SIGN:
            raise LocalError(f"{scheme.name} has nothing to do ahead; sign as you are")

        async def attempt(entry: Entry, channels: Mapping[str, Channel]) -> int:
            signers = tuple(sorted((*channels, DEVICE)))
            if isinstance(scheme, Schnorr):
                return await self._frost.prepare(entry, channels, signers, scheme, min(count, batch))
            return await self._presign(entry, channels, signers)

        waiting = 0
        while count > 0:
            async with self._desk.signing:
                waiting = await self._tries.run(attempt, paired=scheme.needs_pairs)
            count -= batch
        return waiting

    async def _sign(self, reading: Reading, index: int) -> bytes:
        """The signature on one digest; a prepared one where one is there for the chosen nodes."""
        scheme = reading.scheme(index)
        # What is prepared for ECDSA is for the key itself; FROST's nonces are for any child of it.
        cold = not isinstance(scheme, Schnorr) and (
            scheme.declaration != SIGN or reading.tweak(index) is not None
        )

        async def attempt(entry: Entry, channels: Mapping[str, Channel]) -> bytes:
            nonlocal cold
            signers = tuple(sorted((*channels, DEVICE)))
            ready = [] if cold else await self._waiting(entry, signers, scheme.name)
            if ready:
                cold = True  # whatever becomes of it, the next try leans on nothing prepared
                if isinstance(scheme, Schnorr):
                    return await self._frost.sign(entry, channels, signers, ready, reading, index)
                return await self._online(entry, channels, signers, ready[0], reading, index)
            return await self._cold(entry, channels, signers, reading, index)

        async with self._desk.signing:
            return await self._tries.run(attempt, paired=scheme.needs_pairs)

    # --- the sessions --------------------------------------------------------------------------------

    async def _cold(
        self,
        entry: Entry,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        reading: Reading,
        index: int,
    ) -> bytes:
        scheme, message = reading.scheme(index), reading.digest(index).value
        signer, pairs = await self._seat(entry, signers, paired=scheme.needs_pairs)
        login = self._desk.login().issued

        async def protocol(party: Party) -> bytes:
            signature = await scheme.sign(
                party,
                signer,
                message,
                combiner=DEVICE,
                pairs=pairs,
                tweak=reading.tweak(index),
                path=reading.path,
                checking=partial(self._checked, pairs, login),
            )
            return _own(signature)

        payload, suite_name = numbered(reading.decoded.payload, index), scheme.suite(entry.record.group)
        return await self._run(
            entry.record, channels, signers, scheme.declaration, suite_name, payload, protocol
        )

    async def _presign(self, entry: Entry, channels: Mapping[str, Channel], signers: tuple[str, ...]) -> int:
        signer, pairs = await self._seat(entry, signers, paired=True)
        expires = int(self._desk.clock()) + PRESIGNATURE_SECONDS
        login = self._desk.login().issued

        async def protocol(party: Party) -> Presignature:
            checking = partial(self._checked, pairs, login)
            return await presign(party, signer, pairs, expires=expires, checking=checking)

        payload, suite_name = encode(PresignRequest(expires)), suite(entry.record.group, STANDARD)
        made = await self._run(entry.record, channels, signers, PRESIGN, suite_name, payload, protocol)
        return int(await self._desk.worker(self._keep, entry.record, made, signers, pairs, expires))

    async def _online(
        self,
        entry: Entry,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        presignature: bytes,
        reading: Reading,
        index: int,
    ) -> bytes:
        digest = reading.digest(index).value

        async def protocol(party: Party) -> Signature:
            tweak = entry.record.group.scalar(0)
            request = Request.of(party.spec, presignature, digest, combiner=DEVICE, tweak=tweak)
            # Consumed durably before any answer is read; the steps of a session run in the worker.
            try:
                kept = self._desk.vault.presignatures.consume(
                    presignature, request.hash(), self._desk.clock()
                )
            except AlreadyUsed as error:
                # another signature of this moment was quicker; this one goes on with something else
                raise Unavailable(str(error), remedy=Remedy.RETRY) from None
            return await collect(party, ReadyPresignature(Presignature.from_bytes(kept.reveal())), request)

        asked = encode(OnlineRequest(presignature, numbered(reading.decoded.payload, index)))
        suite_name = suite(entry.record.group, STANDARD)
        try:
            found = await self._run(entry.record, channels, signers, ONLINE, suite_name, asked, protocol)
        except QuorateError as error:
            # Some node may have answered, so it is of no more use. One that says it has none, as after a
            # restart, most likely has none of the others either: each would cost a signature a try.
            gone = isinstance(error, Refused) and error.code == "presignature"
            useless = await self._waiting(entry, signers, ECDSA) if gone else [presignature]
            await self._desk.worker(burn, self._desk, useless)
            raise
        return found.to_bytes()

    async def _run(
        self,
        record: KeyRecord,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        declaration: Declaration,
        suite_name: str,
        payload: bytes,
        protocol: ProtocolRun[T],
    ) -> T:
        roster = record.roster(signers)
        proposal = SessionSpec(
            declaration.name,
            declaration.version,
            suite_name,
            record.key,
            record.epoch,
            signers,
            roster_digest(roster),
            len(signers),
            "signature",
            payload,
        )

        _, result = await self._desk.run(channels, roster, proposal, declaration, record.group, protocol)
        return result

    # --- storage, in the worker ----------------------------------------------------------------------

    async def _seat(
        self, entry: Entry, signers: tuple[str, ...], *, paired: bool
    ) -> tuple[Signer, dict[str, PairSetup]]:
        found: tuple[Signer, dict[str, PairSetup]]
        found = await self._desk.worker(self._take_seat, entry, signers, paired)
        return found

    def _take_seat(
        self, entry: Entry, signers: tuple[str, ...], paired: bool
    ) -> tuple[Signer, dict[str, PairSetup]]:
        if self._shelf.entry(entry.key).record != entry.record:
            raise Unavailable("the wallet has followed its nodes to another epoch", remedy=Remedy.RETRY)
        signer = Signer.of(self._shelf.share(entry), signers)
        book = self._desk.book
        return signer, {name: book.load(name) for name in signers if name != DEVICE and paired}

    @contextmanager
    def _checked(self, pairs: Mapping[str, PairSetup], login: int) -> Iterator[None]:
        """The context of the leak-bearing checks (`checking` of `quorate.schemes.ecdsa.presign`)."""
        with self._desk.book.checking(pairs):
            try:
                yield
            except Suspicion as error:
                for name in error.parties if error.leak_bearing else ():
                    if name in pairs:
                        # Runs in the worker, inside the step that found it: durable before anybody is told.
                        self._desk.book.freeze(name, str(error), leak_bearing=True, login=login)
                raise

    def _refuse_frozen(self, pairs: Mapping[str, PairSetup]) -> None:
        for name, setup in pairs.items():
            self._desk.book.refuse_frozen(name, setup)

    async def _waiting(self, entry: Entry, signers: tuple[str, ...], scheme: str) -> list[bytes]:
        found: list[bytes] = await self._desk.worker(ready, self._desk, entry.record, signers, scheme)
        return found

    def _keep(
        self,
        record: KeyRecord,
        made: Presignature,
        signers: tuple[str, ...],
        pairs: Mapping[str, PairSetup],
        expires: int,
    ) -> int:
        now = self._desk.clock()
        with self._desk.vault.transaction():
            self._refuse_frozen(pairs)
            self._desk.vault.presignatures.put(
                made.id,
                made.to_bytes(),
                key=record.key.hex(),
                epoch=record.epoch,
                signers=signers,
                pairs={name: setup.shard for name, setup in pairs.items()},
                expires=expires,
                now=now,
            )
        return len(ready(self._desk, record, signers, ECDSA))


def _own(signature: bytes | None) -> bytes:
    if signature is None:
        raise LocalError("the combiner of a signature is given it")
    return signature
