"""Creating a wallet: form its keys with the nodes, bring its backups in, make them live.

docs/protocols/wallet-formation.md and docs/protocols/refresh.md, as the device walks them:

1. get committee keys out of the nodes' pool (`quorate.device.assign`) and form a key on one, between nodes
   and this device; every node signs what came out (KEY-FORMED);
2. when there are backups: one refresh onto a fresh line, each backup in a process of its own (PREPARED);
   both steps for each curve that is wanted, one after the other (`quorate.device.forming`);
3. keep the certificates and our shares, bring the wallet into the account's register
   (docs/protocols/register.md), and take it for live only when R nodes have signed that they act on that.

An echo quorum of nodes is enough for all of it; the others have their parts of the pool keys.
Before step 3 is written down, an error or a crash leaves nothing: those keys are never used. After it, the
wallet is finished at the next start. OT setups with all nodes are made meanwhile, where the curve needs them.

A key that is added later to a wallet goes the same way, with the same factors: the backups' files are opened
by their own processes, with their passwords, and are written anew with another share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quorate.account import KeyRecord, structure_for
from quorate.account.authority import CURVES
from quorate.account.presets import DEVICE, PAIRED_CURVES
from quorate.account.requests import LiveRequest
from quorate.device.backup import Backup, read_header
from quorate.device.backup.link import BackupLink
from quorate.device.committee import carry, follow
from quorate.device.forming import Report, form, refresh_onto
from quorate.device.register import AccountRegister
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf, WalletState
from quorate.errors import LocalError, Malformed, Missing, Refused
from quorate.groups import Group, group_named
from quorate.sharing.access import AccessStructure
from quorate.sharing.epochs import committee_epoch
from quorate.sharing.keyshare import KeyShare

DEFAULT_CURVES: Final = ("secp256k1",)
"""What a wallet has keys on unless somebody says otherwise."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: a preset's name or an expression, a place for each backup, a key on each curve.

    `added_to` is the first key of the wallet that the keys are for, None for a new one.
    """

    preset: str
    structure: AccessStructure
    backups: Mapping[str, Backup]
    label: str = ""
    curves: tuple[str, ...] = DEFAULT_CURVES
    added_to: Entry | None = None

    @classmethod
    def of(
        cls,
        desk: Desk,
        preset: str,
        backups: Mapping[str, Backup],
        label: str = "",
        curves: Sequence[str] = DEFAULT_CURVES,
    ) -> Wish:
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
        _check_backups(structure, backups)
        for backup in backups.values():
            backup.check_place()
        return cls(preset, structure, dict(backups), label, _checked(curves))

    @classmethod
    def adding(
        cls, curves: Sequence[str], wallet: Sequence[Entry], backups: Mapping[str, tuple[str, str]]
    ) -> Wish:
        """Further keys for the wallet with these. `backups` gives path and password by factor.

        Raises `LocalError`, `Unavailable`, `Malformed`.
        """
        first = wallet[0]
        known = {entry.record.curve for entry in wallet}
        if twice := known & set(curves):
            raise LocalError(
                f"this wallet has a key on {', '.join(sorted(twice))}; it gives any number of accounts"
            )
        structure = first.record.access
        given = {name: Backup.at(path, password) for name, (path, password) in backups.items()}
        _check_backups(structure, given)
        for backup in given.values():
            if read_header(backup.path).key != first.key:
                raise LocalError(f"{backup.path} is not the backup of this wallet")
        return cls(first.preset, structure, given, first.label, _checked(curves), first)


def _checked(curves: Sequence[str]) -> tuple[str, ...]:
    if not curves or len(set(curves)) != len(curves):
        raise LocalError("name each curve of a wallet's keys once")
    for curve in curves:
        if curve not in CURVES:
            raise LocalError(f"no keys on {curve!r}; there are {', '.join(sorted(CURVES))}")
        group_named(curve)
    return tuple(curves)


def _check_backups(structure: AccessStructure, backups: Mapping[str, Backup]) -> None:
    wanted = sorted(name for name in structure.factors if name != DEVICE)
    if sorted(backups) != wanted:
        named = ", ".join(wanted) or "none"
        raise LocalError(f"backups wanted by this wallet: {named}; give a file for each and no other")
    if len({backup.path for backup in backups.values()}) != len(backups):
        raise LocalError("every backup needs a file of its own")


async def create(desk: Desk, shelf: Shelf, wish: Wish, report: Report) -> list[Entry]:
    """Make the wallet, or the further keys; gives them live, as wished. Raises `Abort`, `LocalError`."""
    peers = desk.network.names if PAIRED_CURVES & set(wish.curves) else ()
    setups = asyncio.gather(
        *(desk.ensure_setup(name) for name in peers),
        return_exceptions=True,  # a setup that fails now is made when it is needed
    )
    creation = desk.rng(16).hex()
    links: dict[str, BackupLink] = {}
    kept = False
    places = tuple((name, str(backup.path)) for name, backup in sorted(wish.backups.items()))
    # A file that was there before is no leftover of this creation, whatever becomes of it.
    fresh = tuple(path for _, path in places) if wish.added_to is None else ()
    await desk.worker(shelf.begin, creation, fresh, int(desk.clock()))
    starting = [asyncio.create_task(_start(desk, name, b, links)) for name, b in wish.backups.items()]
    try:
        made = []
        for curve in wish.curves:
            found = await _make(desk, wish, group_named(curve), starting, links, report)
            made.append(found)
        now = int(desk.clock())
        entries = [
            Entry(wish.label, wish.preset, record, certificate, WalletState.STAGED, places, now)
            for record, certificate, _ in made
        ]
        staged = [(entry, share) for entry, (_, _, share) in zip(entries, made, strict=True)]
        first = entries[0] if wish.added_to is None else wish.added_to
        await desk.worker(shelf.stage_all, creation, staged, first.key)
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
    live = [await make_live(desk, shelf, entry) for entry in entries]
    await setups
    return live


async def _make(
    desk: Desk,
    wish: Wish,
    group: Group,
    starting: Sequence[asyncio.Task[None]],
    links: Mapping[str, BackupLink],
    report: Report,
) -> tuple[KeyRecord, LiveRequest, KeyShare]:
    """Steps 1 and 2 for one key."""
    which = "the key" if len(wish.curves) == 1 else f"the key on {group.name}"
    report(f"forming {which}")
    formed, record, certificate = await form(desk, group, 2 if wish.backups else 1, report)
    for name in desk.network.names if group.name in PAIRED_CURVES else ():
        # What the nodes need among themselves to sign; nobody waits for it, and it delays no key.
        desk.in_background(desk.nodes.make_instances(name))
    await asyncio.gather(*starting)
    if not wish.backups:
        return record, certificate, formed.share
    report("bringing in the backup")
    return await refresh_onto(desk, wish.structure, formed, record, certificate, links)


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
