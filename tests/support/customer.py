"""Customers of one committee who sign, presign and ask by hand, and may cheat while they do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.owner import Owner

from quorate.account import KeyRecord
from quorate.account.requests import OnlineRequest, PresignRequest
from quorate.chains.ethereum.requests import message
from quorate.chains.registry import Chains
from quorate.clock import unix_time
from quorate.encoding import encode
from quorate.primitives import vole
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SIGN,
    Answer,
    Derivation,
    Presignature,
    Request,
    Signature,
    Signer,
    presign,
    sign,
    suite,
    verify,
)
from quorate.schemes.ecdsa.checks import extension_id, presigning_id
from quorate.schemes.ecdsa.messages import Commitment, Extension, Opening
from quorate.session import Party
from quorate.sharing.formation import Formed
from quorate.testing.committee import LocalCommittee

CHAIN = "eip155:1"
CHAINS = Chains()
NODES = ("node1", "node2")
SIGNERS = ("device", *NODES)


@dataclass
class Customer:
    """An owner with a live key of its own, and setups with the nodes it signs with."""

    owner: Owner
    formed: Formed
    record: KeyRecord

    @classmethod
    async def of(cls, committee: LocalCommittee, user: str) -> Customer:
        owner = Owner(committee, user=user)
        formed, record, signatures = await owner.form()
        owner.make_live(formed, signatures)
        for node in NODES:
            await owner.set_up(node)
        return cls(owner, formed, record)

    def fields(self) -> dict[str, object]:
        share = self.formed.share
        return {"suite": suite(share.group, STANDARD), "key": share.key_id, "epoch": share.epoch}

    def payload(self, text: str) -> tuple[bytes, bytes]:
        payload = message(text, CHAINS.address(CHAIN, self.record.public_key), CHAIN)
        return payload, CHAINS.decode(payload, self.record.public_key).digest

    def pairs(self) -> dict[str, Any]:
        return {name: self.owner.pairs[name] for name in NODES}

    async def sign(self, text: str, **how: Any) -> Signature:
        payload, digest = self.payload(text)
        proposal = self.owner.proposal(SIGN, SIGNERS, payload=payload, **self.fields())
        signer = Signer.of(self.formed.share, SIGNERS)

        async def run(party: Party) -> Signature | None:
            return await sign(party, signer, self.pairs(), digest, combiner="device")

        _, signature = await self.owner.run(proposal, SIGN, run, **how)
        assert signature is not None
        verify(self.record.point, digest, signature)
        return signature

    async def cheat(self, victim: str, **how: Any) -> None:
        """Sign with an extension message to `victim` that fails its leak-bearing check."""
        payload, _ = self.payload("cheat")
        proposal = self.owner.proposal(SIGN, SIGNERS, payload=payload, **self.fields())
        signer = Signer.of(self.formed.share, SIGNERS)

        async def run(party: Party) -> None:
            ssid = presigning_id(
                party.session_id, party.path, signer.quorum, party.spec.suite, Derivation.ROOT
            )
            party.broadcast(Commitment(ssid, bytes(32)))
            for peer, setup in self.pairs().items():
                esid = extension_id(ssid, party.me, peer, setup.fingerprint)
                _, body = vole.start(party.group, STANDARD, setup.receiver, esid, party.rng)
                if peer == victim:
                    body = body[:-1] + bytes([body[-1] ^ 1])
                party.send(peer, Extension(setup.fingerprint, body))
            await party.gather(Opening)

        await self.owner.run(proposal, SIGN, run, **how)

    async def presign(self, **how: Any) -> Presignature:
        expires = int(unix_time()) + 3600
        proposal = self.owner.proposal(
            PRESIGN, SIGNERS, payload=encode(PresignRequest(expires)), **self.fields()
        )
        signer = Signer.of(self.formed.share, SIGNERS)

        async def run(party: Party) -> Presignature:
            return await presign(party, signer, self.pairs(), expires=expires)

        return (await self.owner.run(proposal, PRESIGN, run, **how))[1]

    async def ask(self, presignature: bytes, text: str) -> tuple[Request, Mapping[str, Answer]]:
        """The nodes' answers from a presignature of this id, over our own key and payload."""
        payload, digest = self.payload(text)
        asked = encode(OnlineRequest(presignature, payload))
        proposal = self.owner.proposal(ONLINE, SIGNERS, payload=asked, **self.fields())

        async def run(party: Party) -> tuple[Request, Mapping[str, Answer]]:
            zero = self.formed.share.group.scalar(0)
            request = Request.of(party.spec, presignature, digest, combiner="device", tweak=zero)
            return request, await party.gather(Answer)

        return (await self.owner.run(proposal, ONLINE, run))[1]
