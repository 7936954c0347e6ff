"""Signing at a node: by any scheme in one session; and ECDSA in two, with a presignature stored between.

Scheme, digest and key are computed here from the payload (`quorate.chains.reading`); the policy decides on
the decoded payload; a stored presignature is consumed, durably and for exactly this request, before the
session that answers begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from quorate.account import KeyRecord
from quorate.account.presets import PAIRED_CURVES
from quorate.account.requests import OnlineRequest, PresignRequest
from quorate.chains.reading import Reading, read_for, read_numbered
from quorate.encoding import decode
from quorate.errors import AlreadyUsed, Malformed, Refused, Unavailable
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.offers.offer import (
    JudgedOffer,
    Partners,
    Run,
    Services,
    checked,
    partners_of,
    refuse_frozen,
)
from quorate.node.policy import Asked
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SIGN,
    Answer,
    PairSetup,
    Presignature,
    ReadyPresignature,
    Request,
    Signer,
    answer,
    check_session,
    contribute,
    presign,
    suite,
)
from quorate.secret import Secret
from quorate.session import Declaration, Party, ProtocolRun, PublicKeys, Session, SessionSpec
from quorate.transport.host import Hosted

T = TypeVar("T")

MAX_PRESIGNATURE_SECONDS: Final = 12 * 3600
"""How long a presignature may wait: what is known in advance is worth more the longer it is known."""


SIGN_SUFFIX: Final = ".sign"
"""How the protocols of schemes that sign in one session are called: ``ecdsa.sign``, ``schnorr.sign``."""


class SignOffer(JudgedOffer[tuple[KeyRecord, Reading, int]]):
    """Signing from nothing: the session's payload is a chain's signing request, which names the scheme."""

    def _judge(self, caller: Caller, spec: SessionSpec) -> tuple[KeyRecord, Reading, int]:
        record = self._services.keybook.authorise(caller, spec)
        reading, index = read(self._services, record, spec.payload)
        scheme = reading.scheme(index)
        if spec.protocol != scheme.declaration.name:  # its version is the session's to check
            raise Refused(f"{scheme.name} signs in sessions of {scheme.declaration.name}", code="protocol")
        check_suite(spec, scheme.suite(record.group))
        return record, reading, index

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        device = as_device(caller)
        record, reading, index = await self.judged(caller, spec)
        scheme, message, tweak = reading.scheme(index), reading.digest(index).value, reading.tweak(index)
        seat = await seat_of(services, device, record, spec, paired=scheme.needs_pairs)
        await permit(services, reading)

        async def run(party: Party) -> None:
            await scheme.sign(
                party,
                seat.signer,
                message,
                combiner=device.name,
                pairs=seat.pairs,
                tweak=tweak,
                path=reading.path,
                checking=seat.checking,
            )

        session = session_of(services, scheme.declaration, spec, roster, record, run)
        return Run(session, services, _nothing, seat.partners)


class PresignOffer(JudgedOffer[tuple[KeyRecord, int]]):
    """``ecdsa.presign``: makes one presignature and keeps our part of it, sealed, for one later request."""

    def _judge(self, caller: Caller, spec: SessionSpec) -> tuple[KeyRecord, int]:
        record = authorised(self._services, caller, spec)
        try:
            expires = decode(PresignRequest, spec.payload).expires
        except Malformed as error:
            raise Refused(str(error), code="payload") from None
        now = self._services.clock()
        if not now < expires <= now + MAX_PRESIGNATURE_SECONDS:
            hours = MAX_PRESIGNATURE_SECONDS // 3600
            raise Refused(f"prepared signatures are kept for at most {hours} hours", code="expiry")
        return record, expires

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        device = as_device(caller)
        record, expires = await self.judged(caller, spec)
        seat = await seat_of(services, device, record, spec, paired=True)

        async def run(party: Party) -> Presignature:
            return await presign(party, seat.signer, seat.pairs, expires=expires, checking=seat.checking)

        def keep(made: Presignature) -> bytes:
            with services.vault.transaction():
                # a quarantine has burned what was stored by then; what it came too early for is not stored
                refuse_frozen(services, seat.partners)
                services.vault.presignatures.put(
                    made.id,
                    made.to_bytes(),
                    key=record.key.hex(),
                    epoch=record.epoch,
                    signers=spec.parties,
                    pairs={peer: setup.shard for peer, setup in seat.partners.values()},
                    expires=expires,
                    now=services.clock(),
                )
            return made.id

        return Run(session_of(services, PRESIGN, spec, roster, record, run), services, keep, seat.partners)


class OnlineOffer(JudgedOffer[tuple[KeyRecord, OnlineRequest, bytes]]):
    """``ecdsa.online``: one answer from a stored presignature, to one request, for ever."""

    def _judge(self, caller: Caller, spec: SessionSpec) -> tuple[KeyRecord, OnlineRequest, bytes]:
        record = authorised(self._services, caller, spec)
        try:
            asked = decode(OnlineRequest, spec.payload)
        except Malformed as error:
            raise Refused(str(error), code="payload") from None
        reading, index = read(self._services, record, asked.payload)
        if reading.scheme(index).declaration != SIGN or reading.tweak(index) is not None:
            raise Refused("a stored presignature is ECDSA's, by the key itself", code="presignature")
        return record, asked, reading.digest(index).value

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        device = as_device(caller)
        record, asked, digest = await self.judged(caller, spec)
        tweak = record.group.scalar(0)
        request = Request.of(spec, asked.presignature, digest, combiner=device.name, tweak=tweak)
        reply = await services.worker(self._answer, record, spec, request)

        async def run(party: Party) -> None:
            await contribute(party, reply, device.name)

        return Run(session_of(services, ONLINE, spec, roster, record, run), services, _nothing)

    def _answer(self, record: KeyRecord, spec: SessionSpec, request: Request) -> Answer:
        services = self._services
        # The caller was judged for this key and no other. Without this a login of one account, with an id
        # that any fellow signer knows, would get an answer over another account's key.
        if not services.vault.presignatures.belongs(
            request.presignature, record.key.hex(), record.epoch, spec.parties
        ):
            raise Refused(
                "this key and these signers have no such presignature",
                code="presignature",
                parties=[services.me],
            )

        def make(kept: Secret[bytes]) -> bytes:
            ready = ReadyPresignature(Presignature.from_bytes(kept.reveal()))
            check_session(spec, services.me, ready.public, request)
            return answer(ready, request).to_bytes()

        try:
            stored = services.vault.presignatures.answer(
                request.presignature, request.hash(), services.clock(), make
            )
        except (AlreadyUsed, Unavailable) as error:
            raise Refused(str(error), code="presignature", parties=[services.me]) from None
        return Answer.from_bytes(stored, record.group)


def authorised(services: Services, caller: Caller, spec: SessionSpec) -> KeyRecord:
    """The record `caller` may sign with in this session by ECDSA; the suite must be the key's own."""
    record = services.keybook.authorise(caller, spec)
    if record.curve not in PAIRED_CURVES:
        raise Refused(f"keys on {record.curve} do not sign by ECDSA", code="suite")
    check_suite(spec, suite(record.group, STANDARD))
    return record


def check_suite(spec: SessionSpec, expected: str) -> None:
    """Raises `Refused` for a session over another suite than the key's."""
    if spec.suite != expected:
        raise Refused(f"this key signs over {expected}", code="suite")


def read(services: Services, record: KeyRecord, data: bytes) -> tuple[Reading, int]:
    """What is to be signed, read here from a session's payload, and which of its digests is meant.

    The policy has agreed to all of the request. Raises `Refused`, `Malformed`.
    """
    payload, index = read_numbered(data)
    reading = read_for(services.chains, record, payload)
    reading.digest(index)
    services.policy.decide(reading.decoded, Asked(record.account, record.key))
    return reading, index


async def permit(services: Services, reading: Reading) -> None:
    """Before anything of a signature leaves: a validator's duty is remembered, durably. Raises `Refused`.

    As late as that, because a duty that was permitted and then not signed is lost to any other.
    """
    if (asked := reading.decoded.duty) is not None:
        duties = services.vault.duties
        await services.worker(duties.permit, asked.validator, asked.network, asked.duty)


@dataclass(frozen=True, slots=True)
class Seat:
    """Our place in a signing session: our part of the key, and our OT setups with the other signers."""

    signer: Signer
    partners: Partners
    checking: Callable[[], AbstractContextManager[object]]

    @property
    def pairs(self) -> Mapping[str, PairSetup]:
        """The setups by party name."""
        return {name: setup for name, (_, setup) in self.partners.items()}


async def seat_of(
    services: Services, device: DeviceCaller, record: KeyRecord, spec: SessionSpec, *, paired: bool
) -> Seat:
    """Our seat among these signers, from our own share and setups. Raises `Refused` or `Missing`."""
    share = await services.worker(services.keybook.share, record)
    signer = await services.worker(Signer.of, share, spec.parties)
    partners = await partners_of(services, device, spec) if paired else {}
    return Seat(signer, partners, partial(checked, services, device, partners))


def as_device(caller: Caller) -> DeviceCaller:
    """Signing is asked for by devices only."""
    if not isinstance(caller, DeviceCaller):
        raise Refused("a node cannot ask for signatures", code="caller")
    return caller


def session_of(
    services: Services,
    declaration: Declaration,
    spec: SessionSpec,
    roster: Mapping[str, PublicKeys],
    record: KeyRecord,
    run: ProtocolRun[T],
) -> Session[T]:
    """A session over the key's group; never journaled: what dies in the middle of a signature stays dead."""
    identity = services.keys_in(roster)
    return Session(spec, services.me, identity, roster, declaration, record.group, run, rng=services.rng)


def _nothing(_: object) -> bytes:
    return b""
