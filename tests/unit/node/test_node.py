"""Nodes that form keys and sign with a device, over channels in memory, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio
from tests.support.owner import Owner

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE
from quorate.account.requests import PresignRequest
from quorate.chains.ethereum.requests import blind, message
from quorate.chains.registry import Chains
from quorate.clock import unix_time
from quorate.encoding import encode
from quorate.errors import Abort, Refused
from quorate.groups import SECP256K1
from quorate.node.callers import DeviceCaller
from quorate.node.offers.signing import MAX_PRESIGNATURE_SECONDS
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import PRESIGN, suite, verify
from quorate.session import Party
from quorate.sharing.formation import Formed
from quorate.testing.committee import LocalCommittee

CHAIN = "eip155:1"
CHAINS = Chains()
QUORUM = ("node1", "node3", "node4")


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def committee(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCommittee]:
    """One committee for the whole module; a test that stops a node starts it again."""
    made = LocalCommittee(tmp_path_factory.mktemp("committee"))
    yield made
    await made.close()


@dataclass
class Wallet:
    owner: Owner
    formed: Formed
    record: KeyRecord

    def payload(self, text: str = "hello") -> tuple[bytes, bytes]:
        """A message request of this wallet, and its digest."""
        address = CHAINS.address(CHAIN, self.record.public_key)
        payload = message(text, address, CHAIN)
        return payload, CHAINS.decode(payload, self.record.public_key).digest


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wallet(committee: LocalCommittee) -> Wallet:
    owner = Owner(committee)
    formed, record, signatures = await owner.form()
    owner.make_live(formed, signatures)
    for node in QUORUM:
        await owner.set_up(node)
    return Wallet(owner, formed, record)


async def test_a_formed_key_goes_live_and_signs_with_three_nodes(wallet: Wallet) -> None:
    payload, digest = wallet.payload()
    signature = await wallet.owner.sign(wallet.formed, QUORUM, payload, digest)
    verify(wallet.record.point, digest, signature)


async def test_a_key_that_is_not_live_does_not_sign(committee: LocalCommittee) -> None:
    owner = Owner(committee)
    formed, record, _ = await owner.form()
    for node in QUORUM:
        await owner.set_up(node)
    payload, digest = Wallet(owner, formed, record).payload()
    with pytest.raises(Refused) as refused:
        await owner.sign(formed, QUORUM, payload, digest)
    assert refused.value.code == "unknown-key"


async def test_a_node_signs_the_digest_it_computes_itself(wallet: Wallet) -> None:
    """A device that claims another digest for the same payload gets no signature over it."""
    payload, _ = wallet.payload()
    with pytest.raises(Exception, match=r"make a signature|another request"):
        await wallet.owner.sign(wallet.formed, QUORUM, payload, b"\x01" * 32)


async def test_another_account_cannot_use_the_key(wallet: Wallet, committee: LocalCommittee) -> None:
    mallory = Owner(committee, user="mallory")
    for node in QUORUM:
        await mallory.set_up(node)
    payload, digest = wallet.payload()
    with pytest.raises(Refused) as refused:
        await mallory.sign(wallet.formed, QUORUM, payload, digest)
    assert refused.value.code == "account"


async def test_another_device_of_the_same_account_is_no_factor(
    wallet: Wallet, committee: LocalCommittee
) -> None:
    thief = Owner(committee, user=wallet.owner.user)
    for node in QUORUM:
        await thief.set_up(node)
    payload, digest = wallet.payload()
    with pytest.raises(Refused) as refused:
        await thief.sign(wallet.formed, QUORUM, payload, digest)
    assert refused.value.code == "factor"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"epoch": 1}, "epoch"),
        ({"key": b"k" * 32}, "unknown-key"),
        ({"suite": "secp256k1"}, "suite"),
        ({"credential": b""}, "login"),
        ({"credential": b"rubbish"}, "login"),
    ],
)
async def test_what_does_not_fit_the_record_is_refused(
    wallet: Wallet, fields: dict[str, object], code: str
) -> None:
    payload, digest = wallet.payload()
    with pytest.raises(Refused) as refused:
        await wallet.owner.sign(wallet.formed, QUORUM, payload, digest, **fields)
    assert refused.value.code == code


async def test_a_blind_digest_is_refused_unless_the_node_allows_it(wallet: Wallet) -> None:
    address = CHAINS.address(CHAIN, wallet.record.public_key)
    payload = blind(b"\x07" * 32, address, CHAIN)
    with pytest.raises(Refused) as refused:
        await wallet.owner.sign(wallet.formed, QUORUM, payload, b"\x07" * 32)
    assert refused.value.code == "blind-digest"


@pytest.mark.parametrize("seconds", [-1, 0, MAX_PRESIGNATURE_SECONDS + 60])
async def test_a_presignature_waits_neither_for_ever_nor_from_yesterday(wallet: Wallet, seconds: int) -> None:
    owner, share = wallet.owner, wallet.formed.share
    request = PresignRequest(int(unix_time()) + seconds)
    fields = {"key": share.key_id, "suite": suite(SECP256K1, STANDARD), "payload": encode(request)}
    proposal = owner.proposal(PRESIGN, (*QUORUM, DEVICE), **fields)

    async def nothing(party: Party) -> None:
        return None

    with pytest.raises(Refused) as refused:
        await owner.run(proposal, PRESIGN, nothing)
    assert refused.value.code == "expiry"


async def test_signing_without_a_setup_says_so(wallet: Wallet, committee: LocalCommittee) -> None:
    payload, digest = wallet.payload()
    other = ("node2", "node3", "node4")
    wallet.owner.pairs["node2"] = replace(wallet.owner.pairs["node1"], peer="node2")
    with pytest.raises(Refused) as refused:
        await wallet.owner.sign(wallet.formed, other, payload, digest)
    assert refused.value.code == "no-instance"


async def test_after_a_failed_check_the_device_logs_in_again_before_a_fresh_setup(
    wallet: Wallet, committee: LocalCommittee
) -> None:
    owner, node = wallet.owner, committee.nodes["node1"]
    peer = DeviceCaller(owner.account, owner.keys.public, 0).peer
    await node.worker(lambda: node.pairs.freeze(peer, 0, "check failed", leak_bearing=True))
    payload, digest = wallet.payload()
    with pytest.raises(Refused) as refused:
        await owner.sign(wallet.formed, QUORUM, payload, digest)
    assert refused.value.code == "login-again"
    with pytest.raises(Refused) as refused:
        await owner.set_up("node1")
    assert refused.value.code == "login-again"
    owner.token = committee.token(owner.user, owner.keys.public, later=2)
    await owner.set_up("node1")
    verify(wallet.record.point, digest, await owner.sign(wallet.formed, QUORUM, payload, digest))


async def test_a_node_that_is_down_is_missing_and_another_takes_its_place(
    wallet: Wallet, committee: LocalCommittee
) -> None:
    await committee.stop("node3")
    payload, digest = wallet.payload()
    with pytest.raises(Exception, match="node3 is down"):
        await wallet.owner.sign(wallet.formed, QUORUM, payload, digest)
    await wallet.owner.set_up("node5")
    other = ("node1", "node4", "node5")
    verify(wallet.record.point, digest, await wallet.owner.sign(wallet.formed, other, payload, digest))
    committee.start("node3")


async def test_after_a_restart_of_every_node_the_wallet_signs(
    wallet: Wallet, committee: LocalCommittee
) -> None:
    for name in committee.names:
        await committee.stop(name)
        committee.start(name)
    payload, digest = wallet.payload()
    verify(wallet.record.point, digest, await wallet.owner.sign(wallet.formed, QUORUM, payload, digest))


async def test_a_used_generation_of_a_setup_is_refused(wallet: Wallet) -> None:
    with pytest.raises(Refused) as refused:
        await wallet.owner.set_up("node1", generation=1)
    assert refused.value.code == "generation"


async def test_too_few_signatures_make_nothing_live(committee: LocalCommittee) -> None:
    owner = Owner(committee)
    formed, _, signatures = await owner.form()
    few = dict(sorted(signatures.items())[: committee.quorums.ready - 1])
    with pytest.raises(Refused) as refused:
        owner.make_live(formed, few)
    assert refused.value.code == "evidence"


async def test_a_node_that_is_closing_takes_no_new_session(committee: LocalCommittee) -> None:

    owner = Owner(committee)
    await owner.form()
    committee.nodes["node1"].closing = True
    with pytest.raises(Abort, match="shutting down"):
        await owner.form()
    committee.nodes["node1"].closing = False
