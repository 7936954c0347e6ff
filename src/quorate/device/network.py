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


@dataclass(frozen=True, slots=True)
class Network:
    """A checked network. `nodes` is in the order of the nodes' points."""

    name: str
    quorums: Quorums
    nodes: Mapping[str, NodeRow]
    identities: Mapping[str, PublicKeys]
    chains: tuple[Chain, ...] = ()

    @classmethod
    def of(
        cls, name: str, quorums: Quorums, nodes: Iterable[NodeRow], chains: Iterable[Chain] = ()
    ) -> Network:
        """Check the parts. Raises `Malformed`, `LocalError`."""
        rows = {node.name: node for node in nodes}
        if len(rows) != quorums.nodes or not all(map(is_party_id, rows)):
            raise Malformed(f"network {name}: {quorums.nodes} nodes with distinct plain names are needed")
        identities = {row.name: _keys(row) for row in rows.values()}
        if len(set(identities.values())) != len(rows):
            raise Malformed(f"network {name}: every node has an identity of its own")
        return cls(
            name,
            quorums,
            rows,
            identities,
            tuple(chains),
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
            return cls.of(file.network, quorums, file.nodes, [row.chain() for row in file.chains])
        except (msgspec.DecodeError, UnicodeDecodeError, LocalError) as error:
            raise Malformed(f"{path}: {error}") from None

    def to_json(self) -> bytes:
        """What `read` reads."""
        quorums = self.quorums
        chains = [ChainRow.of(chain) for chain in self.chains]
        file = _File(
            self.name, quorums.degree, quorums.liars, quorums.away, list(self.nodes.values()), chains
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
