"""Signing at a node: presign, online with a stored presignature, and both at once.

The digest is computed here from the payload; the policy decides on the decoded payload; a stored
presignature is consumed, durably and for exactly this request, before the session that answers begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from quorate.account import KeyRecord
from quorate.account.requests import OnlineRequest, PresignRequest
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
    sign,
    suite,
)
from quorate.secret import Secret
from quorate.session import Declaration, Party, ProtocolRun, PublicKeys, Session, SessionSpec
from quorate.transport.host import Hosted

T = TypeVar("T")

MAX_PRESIGNATURE_SECONDS: Final = 12 * 3600
"""How long a presignature may wait: what is known in advance is worth more the longer it is known."""


class SignOffer(JudgedOffer[tuple[KeyRecord, bytes]]):
    """``ecdsa.sign``: the payload of the session is a chain's signing request."""

    def _judge(self, caller: Caller, spec: SessionSpec) -> tuple[KeyRecord, bytes]:
        record = authorised(self._services, caller, spec)
        return record, digest_of(self._services, record, spec.payload)

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        device = as_device(caller)
        record, digest = await self.judged(caller, spec)
        seat = await seat_of(services, device, record, spec)

        async def run(party: Party) -> None:
            await sign(party, seat.signer, seat.pairs, digest, combiner=device.name, checking=seat.checking)

        return Run(session_of(services, SIGN, spec, roster, record, run), services, _nothing, seat.partners)


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
        seat = await seat_of(services, device, record, spec)

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
        return record, asked, digest_of(self._services, record, asked.payload)

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
    """The record `caller` may sign with in this session; the suite must be the key's own."""
    record = services.keybook.authorise(caller, spec)
    if spec.suite != suite(record.group, STANDARD):
        raise Refused(f"this key signs over {suite(record.group, STANDARD)}", code="suite")
    return record


def digest_of(services: Services, record: KeyRecord, payload: bytes) -> bytes:
    """What is to be signed, computed from the payload here, after the policy has agreed to it."""
    decoded = services.chains.decode(payload, record.public_key)
    services.policy.decide(decoded, Asked(record.account, record.key))
    return decoded.digest


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


async def seat_of(services: Services, device: DeviceCaller, record: KeyRecord, spec: SessionSpec) -> Seat:
    """Our seat among these signers, from our own share and setups. Raises `Refused` or `Missing`."""
    share = await services.worker(services.keybook.share, record)
    signer = await services.worker(Signer.of, share, spec.parties)
    partners = await partners_of(services, device, spec)
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
