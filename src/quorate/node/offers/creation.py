"""Creating a wallet at a node: forming the key, and making an epoch live on a certificate.

Forming ends with a share that is staged and a signed KEY-FORMED statement; the first refresh
(`quorate.node.offers.refreshing`) ends with a staged next epoch and a signed PREPARED statement. Neither
signs anything yet. Whoever shows R such signatures makes the epoch live here, in one write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quorate.account.pool import MAX_CLAIMED
from quorate.account.presets import DEVICE, formation_structure
from quorate.account.requests import LiveRequest
from quorate.account.transitions import formed_record, live_statement
from quorate.encoding import decode, encode
from quorate.errors import Malformed, ProofRejected, Refused, Remedy
from quorate.groups import group_named
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.keybook import FIRST_EPOCH, PLAIN
from quorate.node.offers.offer import JudgedOffer, Run, Services
from quorate.session import Party, PublicKeys, Session, SessionSpec
from quorate.sharing.epochs import epoch_number, user_epoch
from quorate.sharing.formation import DECLARATION, FormationRequest, Formed, form_as_node
from quorate.sharing.statements import KeyFormed, KeyLive, Prepared, to_sign, verify_certificate
from quorate.transport.host import Hosted

CURVES: Final = ("secp256k1",)
"""Curves that wallets are formed on so far."""


class FormOffer(JudgedOffer[FormationRequest]):
    """``formation``: the nodes bring a key of their pool that is the account's, and the device joins it.

    An echo quorum of nodes is enough; the others hold their parts of the key already.
    """

    def _judge(self, caller: Caller, spec: SessionSpec) -> FormationRequest:
        services = self._services
        committee, me = services.committee, services.me
        if not isinstance(caller, DeviceCaller):
            raise Refused("wallets are made for devices", code="caller")
        try:
            request = decode(FormationRequest, spec.payload)
        except Malformed as error:
            raise Refused(str(error), code="payload") from None
        if spec.epoch != epoch_number(committee.epoch, 0):
            raise Refused(
                f"the committee is in epoch {committee.epoch}; read it anew", code="epoch", parties=[me]
            )
        if (request.network, request.account) != (services.config.network, caller.account):
            raise Refused("the key would belong to another account or network", code="account", parties=[me])
        if request.structure != str(formation_structure(committee.names, committee.quorums.degree)):
            raise Refused("this network forms keys between all its nodes and one device", code="structure")
        if DEVICE not in spec.parties or spec.suite not in CURVES:
            raise Refused("forming needs the device, and a curve we know", code="parties")
        committee.check_quorum(set(spec.parties) - {DEVICE})
        if len(request.grants) > MAX_CLAIMED:
            raise Refused("one key of the pool, and at most one for the first refresh", code="payload")
        services.check_quiet()
        services.keybook.check_room(caller.account, services.clock())
        return request

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        request = await self.judged(caller, spec)
        await services.worker(services.keybook.count_formation, request.account, services.clock())
        await services.worker(services.keybook.make_room, request.account, services.clock())

        curve, grants = spec.suite, request.grants
        pool = await services.worker(
            services.pool.redeem, request.account, curve, request.device_commitment, grants
        )

        async def run(party: Party) -> Formed:
            return await form_as_node(party, pool=pool)

        session = Session(
            spec,
            services.me,
            services.keys_in(roster),
            roster,
            DECLARATION,
            group_named(spec.suite),
            run,
            rng=services.rng,
        )

        def keep(formed: Formed) -> bytes:
            record = formed_record(formed, {**services.committee.identities, **roster})
            services.check_epoch(record)
            spares = [spare.key_id for spare in formed.keys[1:]]
            statement = to_sign(formed.statement)
            try:
                with services.vault.transaction():
                    services.keybook.stage(record, formed.share, statement)
                    services.keybook.begin(record.account, record.key, spares, services.clock())
                    services.pool.formed(curve, grants)
            finally:
                services.pool.release(curve, grants)
            services.log("formed", key=record.key)
            return services.identity.sign(statement)

        def give_up() -> None:
            services.pool.release(curve, grants)

        return Run(session, services, keep, on_fail=give_up)


def claim_first_epoch(services: Services, key_id: bytes, way: bytes) -> None:
    """Decide, once for ever at this node, how a formed key becomes live: as it is, or by this one refresh.

    `way` is `PLAIN`, or the hash of the refresh's request. Otherwise a device could make several first
    epochs, each live at some of the nodes. Raises `Refused`.
    """
    if services.vault.slots.write_once(FIRST_EPOCH, key_id.hex(), way) != way:
        raise Refused(
            "this key has begun to become live another way; create a new wallet",
            code="first-epoch",
            parties=[services.me],
        )


def make_live(services: Services, wanted: LiveRequest) -> tuple[KeyLive, bytes]:
    """Adopt the staged epoch that a certificate speaks of; our signed KEY-LIVE. Runs in the worker.

    Raises `Refused`: certificate short or false, nothing staged here, staged something else; or the database
    was restored, and what it holds may be long past.
    """
    if services.vault.rolled_back:
        raise Refused(
            f"{services.me} was restored from an older copy and waits for its operator",
            code="rolled-back",
            parties=[services.me],
        )
    if services.committee.frozen:
        raise Refused(
            "the committee is changing; this wallet becomes live in a moment",
            code="changing",
            parties=[services.me],
            remedy=Remedy.RETRY,
        )
    statement = wanted.statement
    user = user_epoch(statement.epoch) if isinstance(statement, Prepared) else 0
    staged = services.keybook.staged(statement.key_id, epoch_number(services.committee.epoch, user))
    record = staged.record
    # Signed by the committee in whose epoch it was made; that may have changed since, and so may our share.
    signers = services.committee.at(staged.made_in)
    if signers is None:
        raise Refused("this node does not know the committee that signed it", code="certificate")
    try:
        signatures = wanted.signatures.as_mapping()
        verify_certificate(statement, signatures, signers.identities, signers.quorums.ready)
    except (ProofRejected, Malformed) as error:
        raise Refused(str(error), code="certificate", parties=[services.me]) from None
    # The whole statement, not some of its fields: two refreshes of one key may agree in all but their line.
    if staged.statement != to_sign(statement):
        raise Refused("another epoch than the certified one is staged here", code="staged")
    if isinstance(statement, KeyFormed):
        claim_first_epoch(services, statement.key_id, PLAIN)
    services.keybook.adopt(record, encode(wanted))
    live = live_statement(record, statement)
    return live, services.identity.sign(to_sign(live))
