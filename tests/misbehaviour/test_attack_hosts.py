"""Attacks on the hosts of signing: real nodes, and devices that do not keep to the rules.

The protocol's own checks are tested elsewhere. Here the attacker is a customer: it has a login, keys and
setups of its own, and is the hub of its sessions. It tries to use what belongs to another account, and to
cost two honest nodes something.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.owner import Owner

from quorate.account import KeyRecord
from quorate.account.requests import OnlineRequest, PresignRequest
from quorate.chains.ethereum.requests import message
from quorate.chains.registry import Chains
from quorate.clock import unix_time
from quorate.encoding import encode
from quorate.errors import Refused
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    Answer,
    Presignature,
    ReadyPresignature,
    Request,
    Signer,
    combine,
    presign,
    suite,
    verify,
)
from quorate.session import Party
from quorate.sharing.formation import Formed
from quorate.testing.committee import LocalCommittee

CHAIN = "eip155:1"
CHAINS = Chains()
NODES = ("node1", "node2")
SIGNERS = ("device", *NODES)


@pytest.fixture
async def committee(tmp_path: Path) -> AsyncIterator[LocalCommittee]:
    made = LocalCommittee(tmp_path, size=3, degree=1)
    yield made
    await made.close()


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

    async def presign(self) -> Presignature:
        expires = int(unix_time()) + 3600
        proposal = self.owner.proposal(
            PRESIGN, SIGNERS, payload=encode(PresignRequest(expires)), **self.fields()
        )
        signer = Signer.of(self.formed.share, SIGNERS)
        pairs = {name: self.owner.pairs[name] for name in NODES}

        async def run(party: Party) -> Presignature:
            return await presign(party, signer, pairs, expires=expires)

        return (await self.owner.run(proposal, PRESIGN, run))[1]

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


async def test_a_login_of_one_account_gets_no_answer_from_another_accounts_presignature(
    committee: LocalCommittee,
) -> None:
    """Who holds a stolen device and one node's help lacks the victim's login, and brings its own instead.

    Ids of presignatures are known to every signer. If a node checked only that the caller may use the key
    *named in the session*, these answers and the stolen device's part would be the victim's signature.
    """
    alice = await Customer.of(committee, "alice")
    mallory = await Customer.of(committee, "mallory")
    stolen = await alice.presign()
    with pytest.raises(Refused) as refused:
        request, answers = await mallory.ask(stolen.id, "all of it to mallory")
        signature = combine(ReadyPresignature(stolen), request, answers)
        verify(alice.record.point, request.digest, signature)
    assert refused.value.code == "presignature"
    # nor is it burned by the attempt: the owner still signs with it
    request, answers = await alice.ask(stolen.id, "rent")
    verify(alice.record.point, request.digest, combine(ReadyPresignature(stolen), request, answers))
