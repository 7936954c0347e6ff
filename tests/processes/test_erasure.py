"""After an epoch is erased, nothing that was ever written of it opens: not in place, not in an earlier copy.

Real vaults of three nodes and a device, on disk, under the product's own creation of a wallet (nodes and
device in this process, `tests.support.local_device`). Their databases with WAL are copied while the epoch
lives, as a backup of the database would; the directories of data keys are not in it, as they must not be.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.local_device import PASSWORD, local_device
from tests.support.scan import Search

from quorate.device import Backup, Device
from quorate.device.sessions import Event, Opened
from quorate.entropy import system_rng
from quorate.errors import Unavailable
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.testing.committee import LocalCommittee
from quorate.vault import KeyFileSeal, Place, Vault

KEYS = "keys"


@dataclass
class Site:
    """Where everybody's directories are, and copies of them."""

    committee: LocalCommittee
    device: Device
    home: Path
    copies: Path
    values: dict[str, int] = field(default_factory=dict)

    def rooms(self) -> dict[str, Path]:
        """Each party's directory."""
        return {
            **{name: self.committee.home / name for name in self.committee.names},
            "device": self.home / "device",
        }

    def copy(self, name: str) -> None:
        """Copy everything, as the disk holds it at this moment, keys and all; `backup` leaves those out."""
        for party, room in self.rooms().items():
            shutil.copytree(room, self.copies / name / party)

    def with_keys_of(self, copied: str, keys: str, party: str, to: Path) -> Vault:
        """A vault of the database in one copy and the data keys in another."""
        shutil.copytree(
            self.copies / copied / party, to, ignore=lambda _, names: [KEYS] if KEYS in names else []
        )
        shutil.copytree(self.copies / keys / party / KEYS, to / KEYS)
        seal = KeyFileSeal.load(to / "seal.key", rng=system_rng)
        database = next(path for path in to.iterdir() if path.suffix in (".db", ".sqlite"))
        return Vault.open(f"sqlite:///{database}", to / KEYS, seal, rng=system_rng)

    def backups(self) -> Iterator[Path]:
        """The copies made before, without data keys."""
        for path in (self.copies / "before").rglob("*"):
            if path.is_file() and KEYS not in path.parts:
                yield path


def sealed_in_epoch(database: Path, key: str, epoch: int) -> list[tuple[Place, bytes]]:
    """Every sealed value of an epoch in a database file, with the place it was sealed to."""
    connection = sqlite3.connect(database)
    found = []
    where = " WHERE key_id = ? AND epoch = ?"
    for owner, body in connection.execute("SELECT owner, body FROM shares" + where, (key, epoch)):
        found.append((Place("shares", f"{key}/{epoch}", owner, key, epoch), body))
    for kind, row, owner, body in connection.execute(
        "SELECT kind, id, owner, body FROM sealed_rows" + where, (key, epoch)
    ):
        found.append((Place(kind, row, owner, key, epoch), body))
    for row, signers, body, answer in connection.execute(
        "SELECT id, signers, body, answer FROM presignatures" + where, (key, epoch)
    ):
        found.append((Place("presignatures", row, signers, key, epoch), body))
        found.append((Place("presignature_answers", row, signers, key, epoch), answer))
    for curve, batch, at, within, body in connection.execute(
        "SELECT curve, batch, position, p.epoch, p.body FROM pool_parts p "
        "JOIN pool_keys USING (curve, batch, position) WHERE apart = 1"
    ):
        scope = f"pool:{curve}:{batch}:{within}#{at}"
        found.append((Place("pool", f"{curve}/{batch}/{at}", scope=scope), body))
    connection.close()
    return [(place, body) for place, body in found if body is not None]


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    committee = LocalCommittee(tmp_path / "nodes", 3, 1)
    sites: list[Site] = []

    def watch(event: Event) -> None:
        if isinstance(event, Opened) and event.protocol == "refresh":
            sites[0].copy("before")

    async with local_device(committee, tmp_path / "home", monkeypatch, observer=watch) as device:
        sites.append(Site(committee, device, tmp_path / "home", tmp_path / "copies"))
        yield sites[0]
    await committee.close()


async def test_the_first_epoch_and_its_spare_key_are_gone_once_the_wallet_is_live(
    site: Site, tmp_path: Path
) -> None:
    wallet = await site.device.create_wallet("personal", Backup.to(tmp_path / "file", PASSWORD))
    key = wallet.show().key
    site.copy("after")
    for name in site.committee.names:
        old = site.with_keys_of("before", "before", name, tmp_path / f"{name}-old")
        boxes = sealed_in_epoch(site.copies / "before" / name / "node.db", key, 0)
        assert [place.table for place, _ in boxes] == ["shares", "pool"]
        for place, box in boxes:
            data = old._rows.open(place, box)
            share = KeyShare if place.table == "shares" else GeneratedKey
            site.values[f"{place.table} of {name}"] = share.from_bytes(data).share.reveal().value
        old.close()
        now = site.with_keys_of("before", "after", name, tmp_path / f"{name}-now")
        assert now.rolled_back
        for place, box in boxes:
            with pytest.raises(Unavailable, match="erased for ever"):
                now._rows.open(place, box)
        with pytest.raises(Unavailable, match="erased for ever"):
            now.shares.get(key, 0)
        assert (
            now.records.get("node-key", "signing") is not None
        )  # the copy and the keys are good for the rest
        now.close()
    assert len(site.values) == 6
    search = Search(site.values)
    assert search.files(*site.rooms().values(), *site.backups(), tmp_path / "file") == set()


async def test_presignatures_and_answers_of_an_epoch_go_with_it_at_nodes_and_device(
    site: Site, tmp_path: Path
) -> None:
    """No protocol of this version refreshes a live wallet; the flip is that of the vaults themselves."""
    wallet = await site.device.create_wallet("server")
    key = wallet.show().key
    await wallet.prepare(2)
    await wallet.sign_message("consumes one of the two")
    vaults = {name: node.vault for name, node in site.committee.nodes.items()}
    vaults["device"] = site.device.desk.vault
    for party, vault in vaults.items():
        share = vault.shares.get(key, 0).reveal()
        site.values[party] = KeyShare.from_bytes(share).share.reveal().value
        vault.shares.put(key, 1, b"the share of the next epoch", owner=party)
    site.copy("before")
    for vault in vaults.values():
        vault.shares.activate(key, 1)
    site.copy("after")

    tables = set()
    for party, room in site.rooms().items():
        database = next(path.name for path in room.iterdir() if path.suffix in (".db", ".sqlite"))
        boxes = sealed_in_epoch(site.copies / "before" / party / database, key, 0)
        old = site.with_keys_of("before", "before", party, tmp_path / f"{party}-old")
        now = site.with_keys_of("before", "after", party, tmp_path / f"{party}-now")
        for place, box in boxes:
            tables.add(place.table)
            assert old._rows.open(place, box)
            with pytest.raises(Unavailable, match="erased for ever"):
                now._rows.open(place, box)
        assert now.shares.get(key, 1).reveal() == b"the share of the next epoch"
        assert sealed_in_epoch(site.copies / "after" / party / database, key, 0) == []
        old.close()
        now.close()
    assert tables == {"shares", "presignatures", "presignature_answers"}
    assert Search(site.values).files(*site.rooms().values(), *site.backups()) == set()
