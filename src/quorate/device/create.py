"""Creating a wallet: form its key with the nodes, bring its backups in, make it live.

docs/protocols/wallet-formation.md and docs/protocols/refresh.md, as the device walks them:

1. get committee keys out of the nodes' pool (`quorate.device.assign`) and form a key on one, between nodes
   and this device; every node signs what came out (KEY-FORMED);
2. when there are backups: one refresh onto a fresh line, each backup in a process of its own (PREPARED);
3. keep the certificate and our share, bring the wallet into the account's register
   (docs/protocols/register.md), and take it for live only when R nodes have signed that they act on that.

An echo quorum of nodes is enough for all of it; the others have their parts of the pool keys.
Before step 3 is written down, an error or a crash leaves nothing: that key is never used. After it, the
wallet is finished at the next start. OT setups with all nodes are made meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quorate.account import KeyRecord, structure_for
from quorate.account.pool import Index
from quorate.account.presets import DEVICE, FIRST_DEVICE_POINT, formation_structure
from quorate.account.requests import LiveRequest, Signatures
from quorate.account.transitions import formed_record, refreshed_record
from quorate.device.assign import assign
from quorate.device.backup import Backup
from quorate.device.backup.link import BackupLink
from quorate.device.committee import carry, follow
from quorate.device.register import AccountRegister
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf, WalletState
from quorate.encoding import encode
from quorate.errors import (
    Blame,
    LocalError,
    Malformed,
    Missing,
    Refused,
    Suspicion,
)
from quorate.groups import SECP256K1
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

CURVE: Final = SECP256K1

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


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: a preset's name or an expression, and a place for each backup in it."""

    preset: str
    structure: AccessStructure
    backups: Mapping[str, Backup]
    label: str = ""

    @classmethod
    def of(cls, desk: Desk, preset: str, backups: Mapping[str, Backup], label: str = "") -> Wish:
        """Check a wish before anybody is asked. Raises `Malformed`, `LocalError`, `Unavailable`."""
        try:
            structure = structure_for(preset, desk.network.names, desk.network.quorums.degree)
        except Malformed as error:
            raise Malformed(
                f"{preset!r} is neither personal nor server nor an expression like '2 of (3 of (node1 node2 "
                f"node3 node4 node5), device, backup)': {error}"
            ) from None
        if structure.root.needed != 2:
            raise LocalError(f"{structure}: this version makes wallets where any two members sign")
        wanted = sorted(name for name in structure.factors if name != DEVICE)
        if sorted(backups) != wanted:
            named = ", ".join(wanted) or "none"
            raise LocalError(f"backups wanted by this wallet: {named}; give a file for each and no other")
        if len({backup.path for backup in backups.values()}) != len(backups):
            raise LocalError("every backup needs a file of its own")
        for backup in backups.values():
            backup.check_place()
        return cls(preset, structure, dict(backups), label)


async def create(desk: Desk, shelf: Shelf, wish: Wish, report: Report) -> Entry:
    """Make the wallet; gives it live. Raises `Abort`, `LocalError`."""
    setups = asyncio.gather(
        *(desk.ensure_setup(name) for name in desk.network.names),
        return_exceptions=True,  # a setup that fails now is made when it is needed
    )
    creation = desk.rng(16).hex()
    links: dict[str, BackupLink] = {}
    kept = False
    places = tuple((name, str(backup.path)) for name, backup in sorted(wish.backups.items()))
    await desk.worker(shelf.begin, creation, tuple(path for _, path in places), int(desk.clock()))
    starting = [asyncio.create_task(_start(desk, name, b, links)) for name, b in wish.backups.items()]
    try:
        report("forming the key")
        formed, record, certificate = await _form(desk, 2 if wish.backups else 1, report)
        for name in desk.network.names:
            # What the nodes need among themselves to sign; nobody waits for it, and it delays no key.
            desk.in_background(desk.nodes.make_instances(name))
        await asyncio.gather(*starting)
        share = formed.share
        if wish.backups:
            report("bringing in the backup")
            record, certificate, share = await _refresh(desk, wish, formed, record, certificate, links)
        now = int(desk.clock())
        entry = Entry(wish.label, wish.preset, record, certificate, WalletState.STAGED, places, now)
        await desk.worker(shelf.stage, creation, entry, share)
        kept = True
    finally:
        # One that is still coming up is waited for, or nobody would end it.
        await asyncio.gather(*starting, return_exceptions=True)
        await asyncio.gather(*(link.finish(kept=kept) for link in links.values()))
        if not kept:
            setups.cancel()
            await asyncio.gather(setups, return_exceptions=True)
            await desk.worker(shelf.give_up, creation)
    report("making it live")
    live = await make_live(desk, shelf, entry)
    await setups
    return live


async def make_live(desk: Desk, shelf: Shelf, entry: Entry) -> Entry:
    """Bring the wallet into the account's register; it is live when R nodes act on that. Repeatable.

    Raises `Missing` while too few answer; the wallet stays staged and nothing is lost. Where the nodes have
    gone on to another committee epoch meanwhile, the wallet becomes live in that.
    """
    try:
        return await _make_live(desk, shelf, entry)
    except Missing:
        if not await follow(desk) and committee_epoch(entry.record.epoch) == desk.network.epoch:
            raise
        return await _make_live(desk, shelf, entry)


async def _make_live(desk: Desk, shelf: Shelf, entry: Entry) -> Entry:
    register = await AccountRegister.open(desk)
    try:
        await register.enter(entry.record, entry.certificate)
    except Missing as missing:
        raise Missing(
            f"the wallet is not live yet: {missing}. Start the others; it is finished when the device next "
            "reaches them",
            parties=missing.parties,
            needed=missing.needed,
        ) from None
    except Refused as refused:
        if refused.code != "changing":
            raise
        raise Missing(f"the wallet is not live yet: {refused}", parties=refused.parties) from None
    carried = await carry(desk, shelf, entry)
    if carried is None:
        names = desk.network.names
        raise Missing("the nodes do not yet agree on the wallet's record", parties=names, needed=1)
    done: Entry = await desk.worker(shelf.make_live, carried)
    return done


async def _start(desk: Desk, name: str, backup: Backup, links: dict[str, BackupLink]) -> None:
    login = desk.login()
    keys = desk.identity.public
    links[name] = await BackupLink.start(name, backup, desk.network, login.account, keys)


async def _form(desk: Desk, keys: int, report: Report) -> tuple[Formed, KeyRecord, LiveRequest]:
    """Step 1: the key of 2-of-(nodes, device), and the nodes' certificate of it.

    What fails is tried again on other keys, since some nodes may have used the first ones: without nodes that
    were named, if the others are enough, and in the epoch in which the nodes are.
    """
    names = list(desk.network.names)
    tried: set[Index] = set()
    tries, used_keys = MAX_FORMATIONS, MAX_USED_KEYS
    while True:
        secret = DeviceSecret.draw(CURVE, desk.rng)
        index = int.from_bytes(desk.rng(4), "big") >> 1
        try:
            grants = await assign(desk, CURVE, _commitment(desk, secret, index), keys, report, tried)
            tried |= {(grant.batch, grant.position) for grant in grants}
            return await _form_with(desk, names, secret, index, grants)
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


def _commitment(desk: Desk, secret: DeviceSecret, index: int) -> bytes:
    return secret.commitment(CURVE, network=desk.network.name, account=desk.login().account, index=index)


async def _form_with(
    desk: Desk, names: Sequence[str], secret: DeviceSecret, index: int, grants: tuple[Grant, ...]
) -> tuple[Formed, KeyRecord, LiveRequest]:
    network, login = desk.network, desk.login()
    request = secret.request(
        CURVE,
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
        CURVE.name,
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
        outcome, formed = await desk.run(channels, roster, proposal, declaration, CURVE, protocol)
    finally:
        desk.release(channels)
    certificate = _certificate(desk, formed.statement, outcome.outcomes)
    everybody = {**network.identities, DEVICE: desk.identity.public}
    return formed, formed_record(formed, everybody), certificate


async def _refresh(
    desk: Desk,
    wish: Wish,
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
    change = _change(desk, wish, formed, standing, roster)
    declaration = refresh.DECLARATION
    proposal = SessionSpec(
        declaration.name,
        declaration.version,
        CURVE.name,
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
        outcome, refreshed = await desk.run(channels, roster, proposal, declaration, CURVE, protocol)
    finally:
        desk.release(nodes)
    if refreshed.share is None:
        raise LocalError("the refresh left this device out")
    after = refreshed_record(record, change, refreshed.share)
    signatures = {name: outcome.outcomes[name] for name in nodes}
    certificate = _certificate(desk, refreshed.statement, signatures)
    return after, certificate, refreshed.share


def _change(
    desk: Desk, wish: Wish, formed: Formed, standing: Standing, roster: Mapping[str, PublicIdentity]
) -> Change:
    targets = [
        Target(point, name, "device" if name == DEVICE else "backup", roster[name].to_bytes())
        for name, point in wish.structure.factors.items()
    ]
    if wish.structure.factors[DEVICE] != FIRST_DEVICE_POINT:
        raise LocalError("a wallet is formed with this device at its second point")
    return propose(
        standing,
        wish.structure,
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
