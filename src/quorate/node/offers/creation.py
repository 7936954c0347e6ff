"""Creating a wallet at a node: forming the key, and making an epoch live on a certificate.

Forming ends with a share that is staged and a signed KEY-FORMED statement; the first refresh
(`quorate.node.offers.refreshing`) ends with a staged next epoch and a signed PREPARED statement. Neither
signs anything yet. Whoever shows R such signatures makes the epoch live here, in one write.
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.account.pool import MAX_CLAIMED
from quorate.account.presets import DEVICE, formation_structure
from quorate.account.transitions import formed_record
from quorate.encoding import decode
from quorate.errors import Malformed, Refused
from quorate.groups import group_named
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.offers.offer import JudgedOffer, Run
from quorate.node.pool import CURVES
from quorate.session import Party, PublicKeys, Session, SessionSpec
from quorate.sharing.epochs import epoch_number
from quorate.sharing.formation import DECLARATION, FormationRequest, Formed, form_as_node
from quorate.sharing.statements import to_sign
from quorate.transport.host import Hosted


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

        try:
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
        except BaseException:
            services.pool.release(curve, grants)
            raise

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
