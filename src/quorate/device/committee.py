"""Following the committee: a device learns that the nodes have gone on to another epoch, and goes with them.

What it trusts is the committee it knows. From there a chain of records, each signed by E nodes of the one
before, leads to the present one, and R' nodes of that have signed that it is in force: one honest node is
enough to hear of it from. A wallet's new record is taken when more nodes than may lie say the same, and only
if it differs from the old one by what a resharing changes; this device's own share stays what it was
(docs/protocols/resharing.md).

Presignatures of the past epoch are burned with the share's old row, in the write that adopts the new one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from quorate.account import KeyRecord
from quorate.account.carrying import check_carried
from quorate.account.committee import Activation, CommitteeRecord, Succession, verify_chain
from quorate.device.network import Network
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Abort, LimitExceeded, Malformed, ProofRejected, Refused
from quorate.sharing.epochs import committee_epoch
from quorate.vault import Vault

PAUSES: Final = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between looks for a wallet's new record. The nodes go on one after the other, within a moment of
each other; until enough of them have, there is nobody to sign with in either epoch."""

CHANGE_LOOKS: Final = 60
CHANGE_LOOK_SECONDS: Final = 2.0
"""How often, and how long, a device that wants a wallet looks whether a change of committee is over."""

_KIND: Final = "committee"
_PAST: Final = "committee-past"


class _Followed(Canonical, frozen=True):
    """How the network came from the committee of digest `root` to the present one."""

    root: bytes
    chain: tuple[Succession, ...]


def followed(vault: Vault, network: Network) -> Network:
    """The network as this device last knew it; `network` is what its file says. Runs in the worker thread.

    A chain that does not begin at the committee of the file was that of another file, and is passed over.
    """
    kept = vault.records.get(_KIND, network.name)
    if kept is None:
        return network
    known = decode(_Followed, kept.value)
    if known.root != network.record.digest:
        digests = [one.record.digest for one in known.chain]
        if network.record.digest not in digests:
            return network
        known = _Followed(b"", known.chain[digests.index(network.record.digest) + 1 :])
    return network.in_epoch_of(verify_chain(network.record, known.chain))


def records_known(vault: Vault, network: Network) -> list[CommitteeRecord]:
    """All committees this device has known up to `network`, oldest first. Runs in the worker thread."""
    kept = vault.records.get(_KIND, network.name)
    chain = () if kept is None else decode(_Followed, kept.value).chain
    known = {one.record.epoch: one.record for one in chain}
    for record in vault.records.list(_PAST):
        past = decode(CommitteeRecord, record.value)
        known[past.epoch] = past
    known[network.epoch] = network.record
    return [record for epoch, record in sorted(known.items()) if epoch <= network.epoch]


async def follow(desk: Desk) -> bool:
    """Ask the nodes for a later committee, and make it the desk's; gives whether there is one.

    Answers that do not follow from what is known are passed over: some nodes may lie.
    """
    since = desk.network.epoch
    answers = await asyncio.gather(*(_told(desk, name, since) for name in desk.network.names))
    best: tuple[int, list[Succession]] | None = None
    for answer in answers:
        if answer is None:
            continue
        chain, proof = answer
        try:
            record = verify_chain(desk.network.record, chain)
            proof.verify(record)
        except (ProofRejected, Malformed):
            continue
        if best is None or record.epoch > best[0]:
            best = record.epoch, chain
    if best is None or best[0] <= desk.network.epoch:
        return False
    network = desk.network.in_epoch_of(best[1][-1].record)
    await desk.worker(_keep, desk.vault, desk.network, best[1])
    await desk.worker(desk.book.renew_all)
    desk.network = network
    desk.nodes.follow(network)
    return True


async def went_on(desk: Desk, error: Abort) -> bool:
    """Whether the nodes have gone on to another epoch, and that is why something has failed.

    Where they say that they are about to, waits for it: nobody makes a wallet meanwhile.
    """
    if await follow(desk):
        return True
    if not isinstance(error, Refused) or error.code != "changing":
        return False
    for _ in range(CHANGE_LOOKS):
        await asyncio.sleep(CHANGE_LOOK_SECONDS)
        if await follow(desk):
            return True
    return False


async def carry(desk: Desk, shelf: Shelf, entry: Entry) -> Entry | None:
    """The wallet in the committee epoch of the desk's network; None while too few nodes say what it is."""
    epoch = desk.network.epoch
    if committee_epoch(entry.record.epoch) == epoch:
        return entry
    records = await asyncio.gather(*(_record(desk, name, entry) for name in desk.network.names))
    counted = Counter(encode(record) for record in records if record is not None)
    for data, count in counted.most_common():
        if count <= desk.network.quorums.liars:
            continue
        record = decode(KeyRecord, data)
        try:
            check_carried(entry.record, record, desk.network.record)
            adopted: Entry = await desk.worker(shelf.carry, entry, record)
        except Malformed:
            continue
        return adopted
    return None


async def catch_up(desk: Desk, shelf: Shelf, entry: Entry) -> Entry | None:
    """The wallet in a later committee epoch, if the nodes have gone on to one; None if they have not.

    Waits a moment for nodes that are about to follow the first of them.
    """
    before = entry.record.epoch
    for pause in PAUSES:
        await asyncio.sleep(pause)
        went_on = await follow(desk)
        if not went_on and committee_epoch(before) == desk.network.epoch:
            return None
        carried = await carry(desk, shelf, entry)
        if carried is not None:
            return carried
    return None


async def _told(desk: Desk, name: str, since: int) -> tuple[list[Succession], Activation] | None:
    try:
        chain, proof = await desk.nodes.committee(name, since)
    except (Abort, LimitExceeded):  # one node's nonsense ends nobody's following
        return None
    return (chain, proof) if chain and proof is not None else None


async def _record(desk: Desk, name: str, entry: Entry) -> KeyRecord | None:
    try:
        records = await desk.nodes.wallets(name)
    except (Abort, LimitExceeded):  # one node's nonsense ends nobody's following
        return None
    return next((record for record in records if record.key == entry.record.key), None)


def _end_of(known: _Followed) -> bytes:
    return known.chain[-1].record.digest if known.chain else known.root


def _keep(vault: Vault, network: Network, fresh: list[Succession]) -> None:
    name = f"{network.name}/{network.epoch:05}"
    if vault.records.get(_PAST, name) is None:
        vault.records.put(_PAST, name, encode(network.record), expected=0)
    kept = vault.records.get(_KIND, network.name)
    known = None if kept is None else decode(_Followed, kept.value)
    if known is None or _end_of(known) != network.record.digest:
        known = _Followed(network.record.digest, ())
    whole = _Followed(known.root, (*known.chain, *fresh))
    version = 0 if kept is None else kept.version
    vault.records.put(_KIND, network.name, encode(whole), expected=version)
