"""FROST in two sessions at a node: nonces made in advance, and one message with a stored pair of them.

The nonces lie in the vault where presignatures lie, under the same rule: consumed, durably and for exactly
one request, before the session that answers begins (`quorate.vault.onetime`). What is signed is read here
from the payload, as always; the part of the key is opened from the active epoch's share when the request
comes.
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.account import KeyRecord
from quorate.account.requests import OnlineRequest
from quorate.chains.reading import Reading
from quorate.encoding import decode, encode
from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, Malformed, Refused, Unavailable
from quorate.groups import parser_for
from quorate.node.callers import Caller
from quorate.node.offers.offer import JudgedOffer, Run
from quorate.node.offers.signing import (
    MAX_PRESIGNATURE_SECONDS,
    as_device,
    check_suite,
    permit,
    read,
    session_of,
)
from quorate.schemes.quorum import Signer
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import (
    ONLINE,
    PREPARE,
    Batch,
    Prepared,
    ReadyNonces,
    Request,
    Schnorr,
    Share,
    answer,
    check_session,
    contribute,
    prepare,
)
from quorate.secret import Secret
from quorate.session import Party, PublicKeys, SessionSpec
from quorate.transport.host import Hosted


class PrepareOffer(JudgedOffer[tuple[KeyRecord, Schnorr, int]]):
    """``schnorr.prepare``: draws nonces for a few signatures, and keeps them with everybody's commitments."""

    def _judge(self, caller: Caller, spec: SessionSpec) -> tuple[KeyRecord, Schnorr, int]:
        record = self._services.keybook.authorise(caller, spec)
        scheme = schnorr_named(spec.suite.rpartition("/")[2])
        if record.curve not in scheme.curves:
            raise Refused(f"{scheme.name} does not sign on {record.curve}", code="curve")
        check_suite(spec, scheme.suite(record.group))
        try:
            return record, scheme, Batch.from_payload(spec.payload).count
        except (Malformed, LimitExceeded) as error:
            raise Refused(str(error), code="payload") from None

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        as_device(caller)
        record, scheme, count = await self.judged(caller, spec)
        share = await services.worker(services.keybook.share, record)
        signer = await services.worker(Signer.of, share, spec.parties)

        async def run(party: Party) -> list[Prepared]:
            return await prepare(party, signer, scheme.schnorr, count=count)

        def keep(made: list[Prepared]) -> bytes:
            now = services.clock()
            with services.vault.transaction():
                for one in made:
                    services.vault.presignatures.put(
                        one.id,
                        one.to_bytes(),
                        key=record.key.hex(),
                        epoch=record.epoch,
                        signers=spec.parties,
                        pairs={},
                        expires=now + MAX_PRESIGNATURE_SECONDS,
                        now=now,
                        scheme=scheme.name,
                    )
            return b""

        return Run(session_of(services, PREPARE, spec, roster, record, run), services, keep)


class PreparedOffer(JudgedOffer[tuple[KeyRecord, Schnorr, OnlineRequest, Reading, int]]):
    """``schnorr.online``: one share from a stored pair of nonces, for one request, for ever."""

    def _judge(
        self, caller: Caller, spec: SessionSpec
    ) -> tuple[KeyRecord, Schnorr, OnlineRequest, Reading, int]:
        record = self._services.keybook.authorise(caller, spec)
        try:
            asked = decode(OnlineRequest, spec.payload)
        except Malformed as error:
            raise Refused(str(error), code="payload") from None
        reading, index = read(self._services, record, asked.payload)
        scheme = reading.scheme(index)
        if not isinstance(scheme, Schnorr):
            raise Refused(f"{scheme.name} does not sign with prepared nonces", code="presignature")
        check_suite(spec, scheme.suite(record.group))
        return record, scheme, asked, reading, index

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        device = as_device(caller)
        record, scheme, asked, reading, index = await self.judged(caller, spec)
        await permit(services, reading)
        message = reading.digest(index).value
        request = Request.of(
            spec,
            asked.presignature,
            scheme.schnorr,
            message,
            combiner=device.name,
            tweak=reading.tweak(index),
            path=reading.path,
        )
        share = await services.worker(services.keybook.share, record)
        signer = await services.worker(Signer.of, share, spec.parties)
        reply = await services.worker(self._answer, spec, record, scheme, request, signer, message)

        async def run(party: Party) -> None:
            await contribute(party, reply)

        return Run(session_of(services, ONLINE, spec, roster, record, run), services, _nothing)

    def _answer(
        self,
        spec: SessionSpec,
        record: KeyRecord,
        scheme: Schnorr,
        request: Request,
        signer: Signer,
        message: bytes,
    ) -> Share:
        services = self._services
        kept = services.vault.presignatures
        # The caller was judged for this key and no other; see `OnlineOffer` of ECDSA.
        if not kept.belongs(request.prepared, record.key.hex(), record.epoch, spec.parties, scheme.name):
            raise Refused(
                "this key and these signers have no such nonces", code="presignature", parties=[services.me]
            )

        def make(stored: Secret[bytes]) -> bytes:
            ready = ReadyNonces(Prepared.from_bytes(stored.reveal()))
            check_session(spec, services.me, ready.public, request)
            return encode(answer(ready, signer, scheme.schnorr, request, message))

        try:
            stored = kept.answer(request.prepared, request.hash(), services.clock(), make)
        except (AlreadyUsed, Unavailable) as error:
            raise Refused(str(error), code="presignature", parties=[services.me]) from None
        return read_share(stored, record)


def schnorr_named(name: str) -> Schnorr:
    """The Schnorr scheme of that name. Raises `Refused`."""
    try:
        scheme = scheme_named(name)
    except (Unavailable, LocalError) as error:
        raise Refused(str(error), code="scheme") from None
    if not isinstance(scheme, Schnorr):
        raise Refused(f"{name} does not sign with prepared nonces", code="scheme")
    return scheme


def read_share(data: bytes, record: KeyRecord) -> Share:
    """A share that the vault has kept as the answer to a request."""
    return decode(Share, data, parser_for(record.group))


def _nothing(_: object) -> bytes:
    return b""
