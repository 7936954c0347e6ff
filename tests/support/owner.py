"""A device for tests of nodes: drives their sessions through a hub, without the SDK."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tests.support.registering import enter

from quorate.account import KeyRecord, structure_for
from quorate.account.presets import DEVICE, formation_structure
from quorate.account.requests import LiveRequest, Signatures
from quorate.account.shards import DEVICE_SHARD
from quorate.account.transitions import formed_record, refreshed_record
from quorate.clock import unix_time
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.errors import QuorateError
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
from quorate.sharing.change import Standing, Target, propose
from quorate.sharing.epochs import epoch_number
from quorate.sharing.formation import DECLARATION as FORMATION
from quorate.sharing.formation import DeviceSecret, Formed, form_as_device
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.refresh import DECLARATION as REFRESH
from quorate.sharing.refresh import Refreshed, refresh_as_factor
from quorate.sharing.statements import Grant
from quorate.testing.committee import LocalCommittee
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Begin, Propose
from quorate.transport.host import host
from quorate.transport.hub import Hub, Outcome

T = TypeVar("T")
_NUMBERS = itertools.count(1)
Run = Callable[[Party], Coroutine[Any, Any, T]]


@dataclass
class Backup:
    """A backup's seat in a refresh, in memory: keeps its share for the test to look at."""

    me: str = "backup"
    keys: KeyPair = field(default_factory=lambda: KeyPair.generate(system_rng))
    roster: Mapping[str, PublicKeys] = field(default_factory=dict)
    share: KeyShare | None = None
    session: Session[Refreshed] | None = None

    async def consider(self, propose: Propose) -> bytes:
        return system_rng(32)

    async def open(self, propose: Propose, nonce: bytes, begin: Begin) -> Any:
        async def run(party: Party) -> Refreshed:
            return await refresh_as_factor(party)

        self.session = Session(
            begin.spec, self.me, self.keys, self.roster, REFRESH, SECP256K1, run, rng=system_rng
        )
        return self

    def finish(self) -> bytes:
        assert self.session is not None
        self.share = self.session.result().share
        return b""

    def fail(self, error: QuorateError) -> None:
        self.share = None


async def at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


@dataclass
class Owner:
    """One user's device. `generation` counts its setups.

    Users are distinct by default: an account's second device writes no entry of its register before a factor
    of the account has let it in.
    """

    committee: LocalCommittee
    user: str = field(default_factory=lambda: f"alice-{next(_NUMBERS)}")
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
            fields["roster"] if "roster" in fields else roster_digest(self.roster(parties)),
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
        roster: Mapping[str, PublicKeys] | None = None,
        extra: Mapping[str, MemoryChannel] | None = None,
    ) -> tuple[Outcome, T]:
        """One session with all its nodes (and `extra` parties); our own seat runs `run`."""
        roster = self.roster(proposal.parties) if roster is None else roster
        channels: dict[str, MemoryChannel] = dict(extra or {})

        def local(spec: SessionSpec) -> Session[T]:
            return Session(spec, DEVICE, self.keys, roster, declaration, SECP256K1, run, rng=system_rng)

        try:
            for name in proposal.parties:
                if name != DEVICE and name not in channels:
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

    async def form(
        self,
        keys: int = 1,
        *,
        grants: tuple[Grant, ...] | None = None,
        nodes: tuple[str, ...] | None = None,
        secret: DeviceSecret | None = None,
        **fields: Any,
    ) -> tuple[Formed, KeyRecord, dict[str, bytes]]:
        """Form a key on `keys` keys of the pool, or on these `grants`, with all nodes or these."""
        committee = self.committee
        structure = formation_structure(committee.names, committee.quorums.degree)
        secret = DeviceSecret.draw(SECP256K1, system_rng) if secret is None else secret
        place = {
            "network": fields.pop("network", committee.network),
            "account": fields.pop("account", self.account),
            "index": 0,
        }
        if grants is None:
            commitment = secret.commitment(SECP256K1, **place)
            grants = committee.grants(place["account"], commitment, keys)
        request = secret.request(SECP256K1, **place, structure=structure, grants=grants)
        present = committee.names if nodes is None else nodes
        fields.setdefault("epoch", epoch_number(committee.epoch, 0))
        proposal = self.proposal(FORMATION, (*present, DEVICE), payload=encode(request), **fields)

        async def run(party: Party) -> Formed:
            return await form_as_device(party, secret)

        outcome, formed = await self.run(proposal, FORMATION, run)
        roster = self.roster((*committee.names, DEVICE))
        return formed, formed_record(formed, roster), dict(outcome.outcomes)

    async def personal(self) -> tuple[KeyShare, KeyRecord, KeyShare]:
        """A live 2-of-3 wallet: the device's share, the record, and the backup's share."""
        formed, record, _ = await self.form(keys=2)
        committee = self.committee
        backup = Backup()
        new = structure_for("personal", committee.names, committee.quorums.degree)
        own = self.keys.public.to_bytes()
        standing = Standing(record.network, record.account, 0, formed.share, {DEVICE: own})
        targets = [
            Target(2, DEVICE, "device", own),
            Target(3, "backup", "backup", backup.keys.public.to_bytes()),
        ]
        change = propose(
            standing,
            new,
            targets,
            pool=[key.key_id for key in formed.spare],
            online=[DEVICE],
            expires=int(unix_time()) + 60,
            nonce=system_rng(32),
        )
        parties = tuple(sorted((*committee.names, DEVICE, "backup")))
        roster = {**self.roster((*committee.names, DEVICE)), "backup": backup.keys.public}
        backup.roster = roster
        proposal = self.proposal(
            REFRESH,
            parties,
            key=record.key,
            roster=roster_digest(roster),
            payload=encode(change),
        )

        async def run(party: Party) -> Refreshed:
            return await refresh_as_factor(party, standing=standing)

        near, far = MemoryChannel.pair()
        serving = asyncio.create_task(host(far, backup, at_once))
        outcome, refreshed = await self.run(proposal, REFRESH, run, roster=roster, extra={"backup": near})
        await serving
        signatures = {name: outcome.outcomes[name] for name in committee.names}
        self.show(LiveRequest(refreshed.statement, Signatures(tuple(sorted(signatures.items())))))
        assert refreshed.share is not None
        assert backup.share is not None
        return refreshed.share, refreshed_record(record, change, refreshed.share), backup.share

    def make_live(self, formed: Formed, signatures: dict[str, bytes]) -> None:
        """Bring the key into the account's register."""
        self.show(LiveRequest(formed.statement, Signatures(tuple(sorted(signatures.items())))))

    def show(self, wanted: LiveRequest, *, staged_at: str = "") -> None:
        """Bring what is certified into the account's register, so that the nodes that are up make it live."""
        enter(self.committee, self.account, self.keys, wanted, staged_at=staged_at)

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
