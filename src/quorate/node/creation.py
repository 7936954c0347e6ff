"""Creating a wallet at a node: forming the key, and making an epoch live on a certificate.

Forming ends with a share that is staged and a signed KEY-FORMED statement; the first refresh
(`quorate.node.refreshing`) ends with a staged next epoch and a signed PREPARED statement. Neither signs
anything yet. Whoever shows R such signatures makes the epoch live here, in one write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from quorate.account.presets import DEVICE, formation_structure
from quorate.account.requests import LiveRequest
from quorate.account.transitions import formed_record
from quorate.encoding import decode
from quorate.errors import Malformed, ProofRejected, Refused
from quorate.groups import group_named
from quorate.node.callers import Caller, DeviceCaller
from quorate.node.offers import Run, Services
from quorate.session import Party, PublicKeys, Session, SessionSpec
from quorate.sharing.formation import DECLARATION, FormationRequest, Formed, form_as_node
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.statements import KeyFormed, KeyLive, Prepared, to_sign, verify_certificate
from quorate.transport.host import Hosted
from quorate.vault.rows import Place

POOL_TABLE: Final = "pool"
POOL_SCOPE: Final = "pool"
FIRST_EPOCH: Final = "first-epoch"
PLAIN: Final = b"plain"

CURVES: Final = ("secp256k1",)
"""Curves that wallets are formed on so far."""


class FormOffer:
    """``formation``: the nodes generate a key, and the device joins it."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def consider(self, caller: Caller, spec: SessionSpec) -> None:
        await self._services.worker(self._judge, caller, spec)

    def _judge(self, caller: Caller, spec: SessionSpec) -> FormationRequest:
        services = self._services
        config, me = services.config, services.me
        if not isinstance(caller, DeviceCaller):
            raise Refused("wallets are made for devices", code="caller")
        try:
            request = decode(FormationRequest, spec.payload)
        except Malformed as error:
            raise Refused(str(error), code="payload") from None
        if (request.network, request.account) != (config.network, caller.account):
            raise Refused("the key would belong to another account or network", code="account", parties=[me])
        if request.structure != str(formation_structure(config.nodes, config.quorums.degree)):
            raise Refused("this network forms keys between all its nodes and one device", code="structure")
        if spec.parties != tuple(sorted((*config.nodes, DEVICE))) or spec.suite not in CURVES:
            raise Refused("forming needs all nodes, the device, and a curve we know", code="parties")
        if request.keys not in (1, 2):
            raise Refused("one key, and at most one spare for the first refresh", code="payload")
        services.keybook.check_room(caller.account)
        return request

    async def open(self, caller: Caller, spec: SessionSpec, roster: Mapping[str, PublicKeys]) -> Hosted:
        services = self._services
        await services.worker(self._judge, caller, spec)

        async def run(party: Party) -> Formed:
            return await form_as_node(party)

        session = Session(
            spec,
            services.me,
            services.identity,
            roster,
            DECLARATION,
            group_named(spec.suite),
            run,
            rng=services.rng,
        )

        def keep(formed: Formed) -> bytes:
            record = formed_record(formed, roster)
            with services.vault.transaction():
                services.keybook.stage(record, formed.share)
                for spare in formed.keys[1:]:
                    services.vault.put(pool_place(services.me, spare.key_id), spare.to_bytes())
            services.log("formed", key=record.key)
            return services.identity.sign(to_sign(formed.statement))

        return Run(session, services, keep)


def pool_place(me: str, key_id: bytes) -> Place:
    """Where a node keeps its part of a generated key that no wallet uses yet."""
    return Place(POOL_TABLE, key_id.hex(), owner=me, scope=f"{POOL_SCOPE}:{key_id.hex()}")


def spare_key(services: Services, key_id: bytes) -> GeneratedKey:
    """Our part of an unused key. Raises `Refused` with code ``pool``."""
    kept = services.vault.get(pool_place(services.me, key_id))
    if kept is None:
        raise Refused("that spare key is not here, or was used", code="pool", parties=[services.me])
    return GeneratedKey.from_bytes(kept)


def claim_first_epoch(services: Services, key_id: bytes, way: bytes) -> None:
    """Decide, once for ever at this node, how a formed key becomes live: as it is, or by one refresh.

    Otherwise a device could make both live, each at some of the nodes. Raises `Refused`.
    """
    if services.vault.slots.write_once(FIRST_EPOCH, key_id.hex(), way) != way:
        raise Refused(
            "this key has begun to become live another way; create a new wallet",
            code="first-epoch",
            parties=[services.me],
        )


def make_live(services: Services, wanted: LiveRequest) -> tuple[KeyLive, bytes]:
    """Adopt the staged epoch that a certificate speaks of; our signed KEY-LIVE. Runs in the worker.

    Raises `Refused`: certificate short or false, nothing staged here, staged something else.
    """
    statement = wanted.statement
    config = services.config
    try:
        verify_certificate(statement, wanted.signatures.as_mapping(), config.identities, config.quorums.ready)
    except (ProofRejected, Malformed) as error:
        raise Refused(str(error), code="certificate", parties=[services.me]) from None
    epoch = statement.epoch if isinstance(statement, Prepared) else 0
    record = services.keybook.staged(statement.key_id, epoch)
    if isinstance(statement, KeyFormed):
        claim_first_epoch(services, statement.key_id, PLAIN)
    if (record.structure, record.public_key, record.account) != (
        statement.structure,
        statement.public_key,
        statement.account,
    ):
        raise Refused("another epoch than the certified one is staged here", code="staged")
    services.keybook.adopt(record)
    live = KeyLive(
        record.network,
        record.account,
        record.key,
        record.epoch,
        record.structure,
        record.public_key,
        to_sign(statement),
        statement.archive,
    )
    return live, services.identity.sign(to_sign(live))
