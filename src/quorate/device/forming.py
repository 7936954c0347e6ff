"""Forming one key with the nodes, on any curve, and bringing its backups in: what a creation is made of.

Steps 1 and 2 of `quorate.device.create`. What comes of them is kept nowhere yet; a key that is given up here
is used by nobody, ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from quorate.account import KeyRecord
from quorate.account.pool import Index
from quorate.account.presets import DEVICE, FIRST_DEVICE_POINT, formation_structure
from quorate.account.requests import LiveRequest, Signatures
from quorate.account.transitions import formed_record, refreshed_record
from quorate.device.assign import assign
from quorate.device.backup.link import BackupLink
from quorate.device.committee import follow
from quorate.device.sessions import Desk
from quorate.encoding import encode
from quorate.errors import Blame, LocalError, Missing, Refused, Suspicion
from quorate.groups import Group
from quorate.session import Party, PublicIdentity, SessionSpec, roster_digest
from quorate.sharing import formation, refresh
from quorate.sharing.access import AccessStructure
from quorate.sharing.change import Change, Standing, Target, propose
from quorate.sharing.epochs import committee_epoch, epoch_number
from quorate.sharing.formation import DeviceSecret, Formed, form_as_device
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.refresh import Refreshed, refresh_as_factor
from quorate.sharing.statements import Grant, KeyFormed, Prepared, verify_certificate
from quorate.transport.channel import Channel

MAX_FORMATIONS: Final = 3
"""Tries to form a key: a node may fall silent, or the committee change."""

MAX_USED_KEYS: Final = 8
"""Keys that turn out to be used at some node, by a try before that ended badly: as many as an account may
hold open, and each costs one round trip."""

_OTHER_EPOCH: Final = ("epoch", "committee")
_USED_KEY: Final = ("pool-taken", "pool-held")

REFRESH_SECONDS: Final = 300
"""How long the request to bring in the backups may stand open; all parties are present."""

Report = Callable[[str], None]
"""Told in a few plain words what is being done now."""


async def form(desk: Desk, group: Group, keys: int, report: Report) -> tuple[Formed, KeyRecord, LiveRequest]:
    """Step 1: a key of `group` of 2-of-(nodes, device), and the nodes' certificate of it.

    It takes `keys` of the pool: another one where a refresh follows.

    What fails is tried again on other keys, since some nodes may have used the first ones: without nodes that
    were named, if the others are enough, and in the epoch in which the nodes are.
    """
    names = list(desk.network.names)
    tried: set[Index] = set()
    tries, used_keys = MAX_FORMATIONS, MAX_USED_KEYS
    while True:
        secret = DeviceSecret.draw(group, desk.rng)
        index = int.from_bytes(desk.rng(4), "big") >> 1
        try:
            committed = _commitment(desk, group, secret, index)
            grants = await assign(desk, group, committed, keys, report, tried)
            tried |= {(grant.batch, grant.position) for grant in grants}
            return await _form_with(desk, group, names, secret, index, grants)
        except (Missing, Blame, Suspicion) as error:
            tries -= 1
            others = [name for name in names if name not in error.parties]
            if not tries or len(others) == len(names) or len(others) < _enough(desk):
                raise
            report(f"forming the key without {', '.join(sorted(set(names) - set(others)))}")
            names = others
        except Refused as error:
            if error.code in _USED_KEY and used_keys:
                used_keys -= 1
            elif error.code in _OTHER_EPOCH and tries > 1 and await follow(desk):
                tries -= 1
                names = list(desk.network.names)
            else:
                raise


def _enough(desk: Desk) -> int:
    return max(desk.network.quorums.echo, desk.network.quorums.ready)


def _commitment(desk: Desk, group: Group, secret: DeviceSecret, index: int) -> bytes:
    return secret.commitment(group, network=desk.network.name, account=desk.login().account, index=index)


async def _form_with(
    desk: Desk,
    group: Group,
    names: Sequence[str],
    secret: DeviceSecret,
    index: int,
    grants: tuple[Grant, ...],
) -> tuple[Formed, KeyRecord, LiveRequest]:
    network, login = desk.network, desk.login()
    request = secret.request(
        group,
        network=network.name,
        account=login.account,
        index=index,
        structure=formation_structure(network.names, network.quorums.degree),
        grants=grants,
    )
    channels = await desk.connect_enough(names, _enough(desk))
    roster = desk.roster(*channels)
    declaration = formation.DECLARATION
    proposal = SessionSpec(
        declaration.name,
        declaration.version,
        group.name,
        b"",
        epoch_number(network.epoch, 0),
        tuple(sorted(roster)),
        roster_digest(roster),
        2,
        "wallet",
        encode(request),
    )

    async def protocol(party: Party) -> Formed:
        return await form_as_device(party, secret)

    try:
        outcome, formed = await desk.run(channels, roster, proposal, declaration, group, protocol)
    finally:
        desk.release(channels)
    certificate = _certificate(desk, formed.statement, outcome.outcomes)
    everybody = {**network.identities, DEVICE: desk.identity.public}
    return formed, formed_record(formed, everybody), certificate


async def refresh_onto(
    desk: Desk,
    structure: AccessStructure,
    formed: Formed,
    record: KeyRecord,
    certificate: LiveRequest,
    links: Mapping[str, BackupLink],
) -> tuple[KeyRecord, LiveRequest, KeyShare]:
    """Step 2: onto the fresh line of the second pool key, with every backup as a factor of its own.

    Between the nodes that have formed the key: those that have signed `certificate`.
    """
    nodes = await desk.connect_enough([name for name, _ in certificate.signatures.by], _enough(desk))
    roster: dict[str, PublicIdentity] = {
        **desk.roster(*nodes),
        **{name: link.keys for name, link in links.items()},
    }
    standing = Standing(
        record.network,
        record.account,
        committee_epoch(record.epoch),
        formed.share,
        {DEVICE: desk.identity.public.to_bytes()},
    )
    change = _change(desk, structure, formed, standing, roster)
    declaration = refresh.DECLARATION
    proposal = SessionSpec(
        declaration.name,
        declaration.version,
        record.curve,
        record.key,
        record.epoch,
        tuple(sorted(roster)),
        roster_digest(roster),
        2,
        "refresh",
        encode(change),
    )

    async def protocol(party: Party) -> Refreshed:
        return await refresh_as_factor(party, standing=standing)

    channels: dict[str, Channel] = {**nodes, **{name: link.channel for name, link in links.items()}}
    try:
        outcome, refreshed = await desk.run(channels, roster, proposal, declaration, record.group, protocol)
    finally:
        desk.release(nodes)
    if refreshed.share is None:
        raise LocalError("the refresh left this device out")
    after = refreshed_record(record, change, refreshed.share)
    signatures = {name: outcome.outcomes[name] for name in nodes}
    certificate = _certificate(desk, refreshed.statement, signatures)
    return after, certificate, refreshed.share


def _change(
    desk: Desk,
    structure: AccessStructure,
    formed: Formed,
    standing: Standing,
    roster: Mapping[str, PublicIdentity],
) -> Change:
    targets = [
        Target(point, name, "device" if name == DEVICE else "backup", roster[name].to_bytes())
        for name, point in structure.factors.items()
    ]
    if structure.factors[DEVICE] != FIRST_DEVICE_POINT:
        raise LocalError("a wallet is formed with this device at its second point")
    return propose(
        standing,
        structure,
        targets,
        pool=[key.key_id for key in formed.spare],
        online=[DEVICE],
        expires=int(desk.clock()) + REFRESH_SECONDS,
        nonce=desk.rng(32),
    )


def _certificate(desk: Desk, statement: KeyFormed | Prepared, signatures: Mapping[str, bytes]) -> LiveRequest:
    """The nodes' signatures over one statement, verified. Raises `ProofRejected`."""
    verify_certificate(statement, signatures, desk.network.identities, desk.network.quorums.ready)
    return LiveRequest(statement, Signatures(tuple(sorted(signatures.items()))))
