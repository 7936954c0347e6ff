"""Standing sessions of the small protocol `quorate.testing.broadcasts`, on a committee in one process."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from quorate.encoding import decode, encode
from quorate.errors import QuorateError
from quorate.groups import SECP256K1
from quorate.node.node import Node
from quorate.node.standing import Seat, StandingProtocol
from quorate.node.standing.protocol import Write
from quorate.session import Party, SessionSpec, roster_digest
from quorate.sharing.dkg import DKG, Batch, DkgResult, generate
from quorate.testing.broadcasts import BROADCASTS, broadcasts
from quorate.testing.committee import LocalCommittee

Delivered = dict[str, bytes]


class Broadcasting(StandingProtocol):
    """One node's part. Results lie in the vault's records."""

    name = BROADCASTS.name

    def __init__(self, node: Node) -> None:
        self._node = node
        self.judge: Callable[[SessionSpec, str], None] = lambda spec, proposer: None
        self.failures: list[QuorateError] = []
        self.before_keeping: Callable[[], None] = lambda: None
        self.when_begun: Callable[[], None] = lambda: None

    def consider(self, spec: SessionSpec, proposer: str) -> None:
        self.judge(spec, proposer)

    def seat(self, spec: SessionSpec) -> Seat:
        liars = self._node.committee.quorums.liars

        async def run(party: Party) -> Delivered:
            return await broadcasts(party, liars)

        committee = self._node.committee
        return Seat(committee.keys, committee.identities, BROADCASTS, SECP256K1, run)

    def keep(self, spec: SessionSpec, value: Any) -> Write:
        body = encode(sorted(value.items()))

        def write() -> None:
            self.before_keeping()
            self._node.vault.records.put("delivered", spec.id.hex(), body, expected=0)

        return write

    def begun(self, spec: SessionSpec) -> None:
        self.when_begun()

    def failed(self, spec: SessionSpec, error: QuorateError) -> None:
        self.failures.append(error)


class Generating(Broadcasting):
    """Key generation: what is delivered is each key's id, with its public key, and who dealt it."""

    name = DKG.name

    def seat(self, spec: SessionSpec) -> Seat:
        committee, batch = self._node.committee, decode(Batch, spec.payload)

        async def run(party: Party) -> DkgResult:
            return await generate(party, quorums=committee.quorums, count=batch.count, nodes=committee.names)

        return Seat(committee.keys, committee.identities, DKG, SECP256K1, run)

    def keep(self, spec: SessionSpec, value: Any) -> Write:
        parts = value.parts(self._node.config.name)
        return super().keep(
            spec, {part.key_id.hex(): part.public.commitment.points[0].to_bytes() for part in parts}
        )


def batch_of(committee: LocalCommittee, count: int, number: int = 1) -> SessionSpec:
    """A session of key generation."""
    record = next(iter(committee.nodes.values())).committee.record
    batch = Batch(committee.network, record.epoch, record.digest, "secp256k1", number, count)
    return batch.spec(committee.identities, committee.quorums)


def result_at(node: Node, session: bytes) -> Delivered | None:
    found = node.vault.records.get("delivered", session.hex())
    return None if found is None else dict(msgspec.msgpack.decode(found.value))


def spec_of(committee: LocalCommittee, number: int = 1) -> SessionSpec:
    """What every node derives alike."""
    return SessionSpec(
        BROADCASTS.name,
        BROADCASTS.version,
        "secp256k1",
        b"",
        0,
        tuple(sorted(committee.names)),
        roster_digest(committee.identities),
        committee.quorums.echo,
        "a test",
        str(number).encode(),
        tuple(str(number).encode().ljust(32) for _ in committee.names),
    )


class StandingCommittee:
    """Nodes that speak the protocol, also after they were started again."""

    def __init__(
        self,
        committee: LocalCommittee,
        *,
        protocol: Callable[[Node], "Broadcasting"] | None = None,
        tick_seconds: float = 0.05,
    ) -> None:
        self.committee = committee
        self.protocols: dict[str, Broadcasting] = {}
        self._protocol = protocol or Broadcasting
        self._tick_seconds = tick_seconds
        for name in committee.nodes:
            self._prepare(name)

    def _prepare(self, name: str) -> None:
        node = self.committee.nodes[name]
        self.protocols[name] = self._protocol(node)
        node.standing._protocols[self.protocols[name].name] = self.protocols[name]
        node.standing._tick_seconds = self._tick_seconds

    def link(self, *names: str) -> None:
        """Start the links of these, or of all."""
        for name in names or self.committee.nodes:
            self.committee.nodes[name].start_links()

    async def stop(self, name: str) -> None:
        await self.committee.stop(name)

    def start(self, name: str) -> None:
        self.committee.start(name)
        self._prepare(name)
        self.link(name)

    def results(self, session: bytes) -> dict[str, Delivered | None]:
        return {name: result_at(node, session) for name, node in self.committee.nodes.items()}

    def agreed(self, session: bytes, *names: str) -> bool:
        """All of these have a result; what two of them have of one dealer is the same."""
        found = self.results(session)
        assert_agreement([one for one in found.values() if one is not None])
        return all(found.get(name) is not None for name in names or self.committee.names)

    def retired(self, session: bytes, *names: str) -> bool:
        nodes = [self.committee.nodes[name] for name in names or self.committee.names]
        return all(node.vault.standing.state(session) == "retired" for node in nodes)

    def deviations(self) -> list[str]:
        return [line for line in self.committee.log.getvalue().splitlines() if '"deviation"' in line]


def assert_agreement(results: list[Delivered]) -> None:
    for one in results:
        for other in results:
            assert all(other[dealer] == value for dealer, value in one.items() if dealer in other)


async def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for something that must happen."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not true():
                await asyncio.sleep(0.01)
    assert true(), "it never happened"


def decoded(spec: bytes) -> SessionSpec:
    return decode(SessionSpec, spec)
