"""A node's configuration: one TOML file, read once, checked whole, with errors that name the line's key.

Thresholds come from here only; nothing a peer or a device sends can lower them. The loader refuses a
committee that could not keep its promises (`quorate.sharing.quorums`): with d < 2t + f a revoked device
could still find d + 1 nodes that have not heard of the revocation.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from quorate.chains import Chain, ChainRow
from quorate.errors import LocalError, Malformed
from quorate.session import PublicKeys, is_party_id
from quorate.sharing.quorums import Quorums

MAX_CONFIG_BYTES: Final = 1 << 20
"""Far more than any committee needs; a wrong file is refused before it is parsed."""


MAX_POOL: Final = 100_000
"""Keys of a curve to keep ahead: each is a row of 600 bytes, and dealt anew in each renewal."""

MAX_BATCH: Final = 1024
"""Of `quorate.vault.pool`, which is not loaded for reading a configuration."""


RESTART_GAP_SECONDS: Final = 10.0
"""Between two nodes that start anew after a change of committee (`quorate.node.forgetting`): more than a
start takes, also on a busy machine."""


class BadConfig(LocalError):
    """The configuration cannot be used; the message names the file, the key and what to write there."""


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A node of the committee: its name, where it listens, its public identity in hex (65 bytes)."""

    name: str
    url: str
    identity: str


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`d`: degree of the sharing, d+1 nodes sign; `t`: how many may lie; `f`: how many more may be down."""

    d: int
    t: int = 0
    f: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    network: str
    network_key: str
    listen: str
    storage: str
    keys: str
    seal: str
    committee: list[Peer]
    thresholds: Thresholds
    freshness_proofs: bool = False
    epoch: int = 0
    parent: str = ""
    joining: bool = False
    renewal_days: float = 7.0
    restart_gap: float = RESTART_GAP_SECONDS
    operator_key: str = ""
    allow_blind: bool = False
    shards_ahead: int = 64
    background_cpu: float = 0.25
    pool_target: int = 200
    pool_batch: int = 200
    pool_account_keys: int = 8
    chains: list[ChainRow] = []


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """A checked configuration. `host` and `port` say where to listen; paths are absolute.

    `committee` is what the operator wrote: the nodes of epoch `epoch`, whose record follows on the one of
    digest `parent` (32 zeros for the first). Who they are now is known to `quorate.node.committee` alone.
    """

    name: str
    network: str
    network_key: PublicKeys
    host: str
    port: int
    storage: str
    keys: Path
    seal: str
    committee: Mapping[str, Peer]
    identities: Mapping[str, PublicKeys]
    quorums: Quorums
    allow_blind: bool
    shards_ahead: int
    background_cpu: float
    chains: tuple[Chain, ...]
    epoch: int = 0
    parent: bytes = bytes(32)
    renewal_days: float = 0.0
    operator_key: PublicKeys | None = None
    restart_gap: float = RESTART_GAP_SECONDS
    pool_target: int = 0
    pool_batch: int = 200
    pool_account_keys: int = 8

    @property
    def nodes(self) -> tuple[str, ...]:
        """All names, in the order of the file, which is the order of their points."""
        return tuple(self.committee)


def load_config(path: Path) -> NodeConfig:
    """Read and check `path`. Raises `BadConfig`."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadConfig(f"{path}: cannot be read ({error.strerror})") from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise BadConfig(f"{path}: {len(raw)} bytes is no configuration of a node")
    try:
        file = msgspec.convert(tomllib.loads(raw.decode()), _File)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadConfig(f"{path}: {error}") from None
    try:
        return _checked(file, path.resolve().parent)
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from None


def quorums(nodes: int, thresholds: Thresholds) -> Quorums:
    """The quorums of a committee of this size. Raises `BadConfig` for thresholds that keep no promise."""
    try:
        return Quorums(nodes, thresholds.d, thresholds.t, thresholds.f).require_revocation()
    except Malformed as error:
        raise BadConfig(f"thresholds: {error}") from None


def placed(url: str, base: Path) -> str:
    """A storage or seal with its path as meant from `base`, wherever the node is started."""
    for prefix in ("sqlite:///", "keyfile:"):
        if url.startswith(prefix) and not Path(url.removeprefix(prefix)).is_absolute():
            return f"{prefix}{base / url.removeprefix(prefix)}"
    return url


def _checked(file: _File, base: Path) -> NodeConfig:
    names = [peer.name for peer in file.committee]
    if len(set(names)) != len(names) or not all(map(is_party_id, names)):
        raise BadConfig("committee: names are distinct, of lower-case letters, digits and dashes")
    if file.joining == (file.name in names) or not is_party_id(file.name):
        raise BadConfig(
            f"name: {file.name!r} is not in the committee ({', '.join(names)}), as it must be unless "
            "joining = true, which is for a node that waits to be taken in"
        )
    if file.freshness_proofs:
        # they would let d < 2t + f be sound; a switch that does nothing must not look like one that does
        raise BadConfig("freshness_proofs: not supported; choose thresholds with d >= 2t + f")
    if not 0 < file.background_cpu <= 1:
        raise BadConfig("background_cpu: a share of one core, above 0 and at most 1")
    if not 0 <= file.renewal_days <= 366:
        raise BadConfig("renewal_days: days between renewals of the committee, at most 366; 0 for none")
    if not 0 <= file.pool_target <= MAX_POOL:
        raise BadConfig(f"pool_target: keys of each curve to keep ahead, at most {MAX_POOL}; 0 for none")
    if not 2 <= file.pool_account_keys <= MAX_POOL:
        raise BadConfig("pool_account_keys: new keys for one account in a day; a wallet takes up to two")
    if not 1 <= file.pool_batch <= MAX_BATCH:
        raise BadConfig(f"pool_batch: keys made in one session, between 1 and {MAX_BATCH}")
    if not 0 <= file.restart_gap <= 3600:
        raise BadConfig("restart_gap: seconds between two nodes that start anew, at most 3600")
    if not 0 <= file.shards_ahead <= 64:
        raise BadConfig("shards_ahead: between 0 and 64")
    identities = {peer.name: _keys(f"identity of {peer.name}", peer.identity) for peer in file.committee}
    if len(set(identities.values())) != len(names):
        # quorums count operators; whoever has one key under two names would be counted twice
        raise BadConfig("committee: every node has an identity of its own")
    host, port = _address(file.listen)
    return NodeConfig(
        name=file.name,
        network=file.network,
        network_key=_keys("network_key", file.network_key),
        host=host,
        port=port,
        storage=placed(file.storage, base),
        keys=base / file.keys,
        seal=placed(file.seal, base),
        committee={peer.name: peer for peer in file.committee},
        identities=identities,
        quorums=quorums(len(names), file.thresholds),
        allow_blind=file.allow_blind,
        shards_ahead=file.shards_ahead,
        background_cpu=file.background_cpu,
        chains=_chains(file.chains),
        epoch=_epoch(file.epoch),
        parent=_parent(file.parent, file.epoch),
        renewal_days=file.renewal_days,
        restart_gap=file.restart_gap,
        operator_key=_keys("operator_key", file.operator_key) if file.operator_key else None,
        pool_target=file.pool_target,
        pool_batch=file.pool_batch,
        pool_account_keys=file.pool_account_keys,
    )


def _keys(what: str, text: str) -> PublicKeys:
    try:
        return PublicKeys.from_bytes(bytes.fromhex(text))
    except (ValueError, Malformed) as error:
        raise BadConfig(f"{what}: {error}") from None


def _epoch(number: int) -> int:
    if not 0 <= number < 1 << 16:
        raise BadConfig("epoch: the number of the committee's epoch, from 0 to 65535")
    return number


def _parent(text: str, epoch: int) -> bytes:
    try:
        digest = bytes.fromhex(text) or bytes(32)
    except ValueError:
        digest = b""
    if len(digest) != 32 or (digest == bytes(32)) != (epoch == 0):
        raise BadConfig(
            "parent: the digest of the committee's record before this one, 64 hex digits; none for epoch 0"
        )
    return digest


def _chains(rows: Iterable[ChainRow]) -> tuple[Chain, ...]:
    try:
        return tuple(row.chain() for row in rows)
    except LocalError as error:
        raise BadConfig(f"chains: {error}") from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadConfig(f"listen: {text!r} is not host:port")
    return host, int(port)


def to_toml(values: Mapping[str, Any]) -> str:
    """Write plain values as TOML: what `quorate up` needs for the files it makes, and no more."""
    lines: list[str] = []
    tables: list[str] = []
    for key, value in values.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{key}]\n" + to_toml(value))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            tables.extend(f"\n[[{key}]]\n" + to_toml(item) for item in value)
        else:
            lines.append(f"{key} = {_literal(value)}\n")
    return "".join(lines) + "".join(tables)


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    # A JSON string is a TOML basic string for the characters that occur here.
    return msgspec.json.encode(str(value)).decode()
