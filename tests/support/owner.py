"""A device for tests of nodes: drives their sessions through a hub, without the SDK."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE, formation_structure
from quorate.account.requests import LiveRequest, Signatures
from quorate.account.shards import DEVICE_SHARD
from quorate.account.transitions import formed_record
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.groups import SECP256K1
from quorate.identity import account_id
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    SETUP,
    SIGN,
    PairSetup,
    Signature,
    Signer,
    instance_payload,
    set_up,
    sign,
    suite,
)
from quorate.session import Declaration, KeyPair, Party, PublicKeys, Session, SessionSpec, roster_digest
from quorate.sharing.formation import DECLARATION as FORMATION
from quorate.sharing.formation import DeviceSecret, Formed, form_as_device
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.hub import Hub, Outcome

T = TypeVar("T")
Run = Callable[[Party], Coroutine[Any, Any, T]]


@dataclass
class Owner:
    """One user's device. `generation` counts its setups."""

    committee: LocalCommittee
    user: str = "alice"
    keys: KeyPair = field(default_factory=lambda: KeyPair.generate(system_rng))
    pairs: dict[str, PairSetup] = field(default_factory=dict)
    generation: int = 1

    def __post_init__(self) -> None:
        self.token = self.committee.token(self.user, self.keys.public)
        self.account = account_id(self.committee.network, self.user)

    def roster(self, parties: tuple[str, ...]) -> Mapping[str, PublicKeys]:
        return {
            name: self.keys.public if name == DEVICE else self.committee.identities[name] for name in parties
        }

    def proposal(self, declaration: Declaration, parties: tuple[str, ...], **fields: Any) -> SessionSpec:
        parties = tuple(sorted(parties))
        return SessionSpec(
            declaration.name,
            declaration.version,
            fields.get("suite", "secp256k1"),
            fields.get("key", b""),
            fields.get("epoch", 0),
            parties,
            fields.get("roster", roster_digest(self.roster(parties))),
            len(parties),
            "",
            fields.get("payload", b""),
        )

    async def run(
        self,
        proposal: SessionSpec,
        declaration: Declaration,
        run: Run[T],
        *,
        credential: bytes | None = None,
        deadline: float = 10.0,
    ) -> tuple[Outcome, T]:
        """One session with all its nodes; our own seat runs `run`."""
        roster = self.roster(proposal.parties)
        channels: dict[str, MemoryChannel] = {}

        def local(spec: SessionSpec) -> Session[T]:
            return Session(spec, DEVICE, self.keys, roster, declaration, SECP256K1, run, rng=system_rng)

        try:
            for name in proposal.parties:
                if name != DEVICE:
                    channels[name] = await self.committee.connect(name)
            hub = Hub(
                channels,
                roster,
                proposer=DEVICE,
                identity=self.keys,
                credential=self.token if credential is None else credential,
                deadline=deadline,
            )
            return await hub.run(proposal, {DEVICE: system_rng(32)}, local)
        finally:
            for channel in channels.values():
                await channel.close()

    async def set_up(self, node: str, **fields: Any) -> PairSetup:
        self.generation += 1
        generation = fields.pop("generation", self.generation)
        shard = fields.pop("shard", DEVICE_SHARD)
        fields = {
            "suite": suite(SECP256K1, STANDARD),
            "payload": instance_payload(shard, generation),
            **fields,
        }
        proposal = self.proposal(SETUP, (DEVICE, node), **fields)

        async def run(party: Party) -> PairSetup:
            return await set_up(party, shard, generation)

        _, setup = await self.run(proposal, SETUP, run)
        self.pairs[node] = setup
        return setup

    async def form(self, keys: int = 1, **fields: Any) -> tuple[Formed, KeyRecord, dict[str, bytes]]:
        committee = self.committee
        structure = formation_structure(committee.names, committee.quorums.degree)
        secret = DeviceSecret.draw(SECP256K1, system_rng)
        request = secret.request(
            SECP256K1,
            network=fields.pop("network", committee.network),
            account=fields.pop("account", self.account),
            index=0,
            structure=structure,
            keys=keys,
        )
        proposal = self.proposal(FORMATION, (*committee.names, DEVICE), payload=encode(request), **fields)

        async def run(party: Party) -> Formed:
            return await form_as_device(party, secret)

        outcome, formed = await self.run(proposal, FORMATION, run)
        return formed, formed_record(formed, self.roster(proposal.parties)), dict(outcome.outcomes)

    def make_live(self, formed: Formed, signatures: dict[str, bytes]) -> None:
        """Show the certificate to every node that is up."""
        wanted = LiveRequest(formed.statement, Signatures(tuple(sorted(signatures.items()))))
        for node in self.committee.nodes.values():
            node.make_live(wanted)

    async def sign(
        self, formed: Formed, nodes: tuple[str, ...], payload: bytes, digest: bytes, **fields: Any
    ) -> Signature:
        parties = tuple(sorted((*nodes, DEVICE)))
        fields = {
            "suite": suite(SECP256K1, STANDARD),
            "key": formed.share.key_id,
            "epoch": formed.share.epoch,
            "payload": payload,
            **fields,
        }
        credential = fields.pop("credential", None)
        proposal = self.proposal(SIGN, parties, **fields)
        signer = Signer.of(formed.share, parties)
        pairs = {name: self.pairs[name] for name in nodes}

        async def run(party: Party) -> Signature | None:
            return await sign(party, signer, pairs, digest, combiner=DEVICE)

        _, signature = await self.run(proposal, SIGN, run, credential=credential)
        assert signature is not None
        return signature
