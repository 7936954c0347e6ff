"""The network a device belongs to: its nodes, where they listen, who they are, and the quorums.

Read from ``network.json``, which `quorate up` writes and an operator publishes. Everything in it is public,
but not unimportant: whoever can change the identities in it is the network to this device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate.account.committee import FIRST_PARENT, CommitteeRecord, Seat
from quorate.chains import Chain, ChainRow
from quorate.errors import LocalError, Malformed, Unavailable
from quorate.session import PublicKeys, is_party_id
from quorate.sharing.quorums import Quorums

MAX_FILE_BYTES: Final = 1 << 20
"""A few hundred bytes a node; a larger file is not this one."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class NodeRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node: its name, its address (http or https), its public identity in hex (65 bytes)."""

    name: Text
    url: Text
    identity: Text


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    network: Text
    degree: int
    liars: int
    away: int
    nodes: list[NodeRow]
    chains: list[ChainRow] = []
    epoch: int = 0
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Network:
    """A checked network. `nodes` is in the order of the nodes' points; `record` is the same as the nodes
    sign it from one committee epoch to the next."""

    name: str
    quorums: Quorums
    nodes: Mapping[str, NodeRow]
    identities: Mapping[str, PublicKeys]
    record: CommitteeRecord
    chains: tuple[Chain, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        quorums: Quorums,
        nodes: Iterable[NodeRow],
        chains: Iterable[Chain] = (),
        *,
        epoch: int = 0,
        parent: bytes = FIRST_PARENT,
    ) -> Network:
        """Check the parts. Raises `Malformed`, `LocalError`."""
        rows = {node.name: node for node in nodes}
        if len(rows) != quorums.nodes or not all(map(is_party_id, rows)):
            raise Malformed(f"network {name}: {quorums.nodes} nodes with distinct plain names are needed")
        identities = {row.name: _keys(row) for row in rows.values()}
        if len(set(identities.values())) != len(rows):
            raise Malformed(f"network {name}: every node has an identity of its own")
        seats = tuple(Seat(row.name, row.url, identities[row.name].to_bytes()) for row in rows.values())
        record = CommitteeRecord(name, epoch, seats, quorums.degree, quorums.liars, quorums.away, parent)
        return cls(name, quorums, rows, identities, record, tuple(chains))

    @property
    def epoch(self) -> int:
        """The committee epoch."""
        return self.record.epoch

    def in_epoch_of(self, record: CommitteeRecord) -> Network:
        """The same network with a later committee."""
        rows = [NodeRow(seat.name, seat.url, seat.keys.hex()) for seat in record.members]
        return Network.of(
            self.name, record.quorums, rows, self.chains, epoch=record.epoch, parent=record.parent
        )

    @classmethod
    def read(cls, path: Path) -> Network:
        """Read ``network.json``. Raises `Unavailable` or `Malformed`, naming the file and what to do."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise Unavailable(
                f"no network is known on this machine ({path} is missing); start one: quorate up"
            ) from None
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from None
        try:
            if len(data) > MAX_FILE_BYTES:
                raise Malformed(f"{len(data)} bytes is no description of a network")
            file = msgspec.json.decode(data, type=_File)
            quorums = Quorums(len(file.nodes), file.degree, file.liars, file.away).require_revocation()
            chains = [row.chain() for row in file.chains]
            parent = bytes.fromhex(file.parent) or FIRST_PARENT
            return cls.of(file.network, quorums, file.nodes, chains, epoch=file.epoch, parent=parent)
        except (msgspec.ValidationError, ValueError, LocalError) as error:
            raise Malformed(f"{path}: {error}") from None

    def to_json(self) -> bytes:
        """What `read` reads."""
        quorums = self.quorums
        chains = [ChainRow.of(chain) for chain in self.chains]
        file = _File(
            self.name,
            quorums.degree,
            quorums.liars,
            quorums.away,
            list(self.nodes.values()),
            chains,
            self.epoch,
            "" if self.record.parent == FIRST_PARENT else self.record.parent.hex(),
        )
        return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"

    @property
    def names(self) -> tuple[str, ...]:
        """All nodes' names, in the order of their points."""
        return tuple(self.nodes)


def _keys(row: NodeRow) -> PublicKeys:
    try:
        return PublicKeys.from_bytes(bytes.fromhex(row.identity))
    except (ValueError, Malformed) as error:
        raise Malformed(f"identity of {row.name}: {error}") from None
