"""Attacks on what chains sign: one payload that is two things, value that no policy sees, time that is lost.

Each of these worked once. A request is read by every signer with the same code, so what passes here passes
everywhere.
"""

from __future__ import annotations

import time
from typing import Literal

import pytest
import solders.message
import solders.transaction
from nacl.signing import SigningKey
from solders.signature import Signature
from tests.unit.chains.starknet.test_family import KEY as STARK_KEY
from tests.unit.chains.starknet.test_family import MAIN, OWN, TO, invocation

from quorate.chains import Chain, Chains, Request
from quorate.chains.near import requests as near
from quorate.chains.near.accounts import ED25519, AccessKey
from quorate.chains.near.actions import (
    AddKey,
    CallPermission,
    Delegate,
    DelegateAction,
    FunctionCall,
    Transfer,
)
from quorate.chains.near.transaction import Transaction
from quorate.chains.polkadot import requests as polkadot
from quorate.chains.polkadot.extrinsic import Extrinsic, signed_bytes
from quorate.chains.polkadot.networks import KNOWN
from quorate.chains.polkadot.scale import compact
from quorate.chains.solana import requests as solana
from quorate.chains.solana.message import Instruction, Message, parse
from quorate.chains.solana.offchain import PREFIX, parse_off_chain
from quorate.chains.solana.programs import SYSTEM
from quorate.chains.starknet import requests as starknet
from quorate.chains.starknet.felts import address
from quorate.chains.starknet.preview import STRK
from quorate.chains.starknet.transaction import MAX_OLD_CALLDATA, InvokeV1
from quorate.chains.validators.messages import BlockHeader, Fork
from quorate.chains.validators.networks import KNOWN as BEACONS
from quorate.chains.validators.requests import to_payload
from quorate.encoding import base58, encode
from quorate.errors import Malformed, Refused
from quorate.groups import group_named

OTHER = Chain("polkadot:" + "ab" * 16, "Another", "ANY", 10)
CHAINS = Chains([OTHER])
WHOLE = SigningKey(b"\x31" * 32)
KEY = bytes(WHOLE.verify_key)
THIEF = bytes([7]) * 32
DOT = KNOWN[0]


# --- one signature, two chains ----------------------------------------------------------------------------


def in_disguise(version: str, genesis: bytes) -> Extrinsic:
    """An extrinsic whose payload is a Solana transaction that empties the same key's account there.

    The call is the beginning of a message whose last instruction takes all that Polkadot adds as data; the
    System program reads the first twelve bytes of it and ignores the rest.
    """
    tail = calling(b"\0\0", genesis).payload(DOT)[2:]
    transfer = (2).to_bytes(4, "little") + (10**9).to_bytes(8, "little")
    # a version 0 message ends with its lookup tables: the last byte of the block's hash says there are none
    data = transfer + (tail if version == "legacy" else tail[:-1])
    call = Instruction(2, b"\0\1", data)
    keys = (KEY, THIEF, base58.decode(SYSTEM, 32, "program"))
    message = Message(version, 1, 0, 1, keys, bytes([9]) * 32, (call,)).to_bytes()
    assert message.endswith(tail)
    return calling(message[: -len(tail)], genesis)


def calling(call: bytes, genesis: bytes, scheme: Literal["ed25519", "sr25519"] = "ed25519") -> Extrinsic:
    return Extrinsic(scheme, call, b"\0", 0, 0, 1, 1, genesis, genesis, None)


@pytest.mark.parametrize(("version", "chain"), [("legacy", DOT.chain), ("legacy", OTHER), ("v0", OTHER)])
def test_an_unknown_call_on_polkadot_is_no_transaction_of_solana(version: str, chain: Chain) -> None:
    genesis = DOT.genesis if chain is DOT.chain else b"\xab" * 16 + bytes(16)
    extrinsic = in_disguise(version, genesis)
    signed = signed_bytes(extrinsic.payload(DOT))
    # what a signature on it would have been worth
    message = solders.message.from_bytes_versioned(signed)
    signature = Signature.from_bytes(WHOLE.sign(signed).signature)
    solders.transaction.VersionedTransaction.populate(message, [signature]).verify_and_hash_message()
    assert parse(signed).signers == (KEY,)
    payload = polkadot.extrinsic(extrinsic, CHAINS.address(chain.caip2, KEY), chain.caip2)
    with pytest.raises(Refused) as error:
        CHAINS.decode(payload, KEY)
    assert error.value.code == "looks-like-transaction"


def test_the_same_call_by_another_kind_of_key_or_hashed_is_only_unknown() -> None:
    legacy = in_disguise("legacy", DOT.genesis)
    longer = calling(legacy.call + bytes(100), DOT.genesis)
    payload = polkadot.extrinsic(longer, CHAINS.address(DOT.chain.caip2, KEY), DOT.chain.caip2)
    assert CHAINS.decode(payload, KEY).fields["calls"] == ()
    sr25519 = calling(legacy.call, DOT.genesis, "sr25519")
    point = group_named("ristretto255").generator
    payload = polkadot.extrinsic(sr25519, CHAINS.address(DOT.chain.caip2, point), DOT.chain.caip2)
    assert CHAINS.decode(payload, point).fields["calls"] == ()


def test_an_unknown_call_on_polkadot_is_no_message_of_solana_either() -> None:
    """All that the extrinsic adds stands among the signers; the text is the end of a block's hash."""
    text = b"I owe you a million"
    block = bytes(30 - len(text)) + len(text).to_bytes(2, "little") + text

    def calling_as(call: bytes) -> Extrinsic:
        return Extrinsic("ed25519", call, b"\x15\0", 0, 0, 1, 1, DOT.genesis, block, None)

    between = len(calling_as(b"\0\0").payload(DOT)) - 2 - 2 - len(text)
    filler = -between % 32
    head = PREFIX + bytes(1 + 32 + 1) + bytes([1 + (between + filler) // 32])
    extrinsic = calling_as(head + KEY + bytes(filler))
    signed = signed_bytes(extrinsic.payload(DOT))
    message = parse_off_chain(signed)
    assert (message.text, KEY in message.signers) == (text.decode(), True)
    payload = polkadot.extrinsic(extrinsic, CHAINS.address(DOT.chain.caip2, KEY), DOT.chain.caip2)
    with pytest.raises(Refused) as error:
        CHAINS.decode(payload, KEY)
    assert error.value.code == "looks-like-message"


@pytest.mark.parametrize("begins", [b"<Bytes>", b"\xffquorate message, version 1\n"])
def test_an_unknown_call_on_polkadot_is_no_beginning_of_a_message(begins: bytes) -> None:
    payload = polkadot.extrinsic(
        calling(begins, DOT.genesis), CHAINS.address(DOT.chain.caip2, KEY), DOT.chain.caip2
    )
    with pytest.raises(Refused) as error:
        CHAINS.decode(payload, KEY)
    assert error.value.code == "looks-like-message"


def test_a_bare_text_on_solana_is_no_message_of_polkadot() -> None:
    for text, fails in (("<Bytes>log me in</Bytes>", True), ("<Bytes>log me in", False)):
        body = text.encode()
        payload = Request(1, solana.MAINNET, base58.encode(KEY), "message", body).to_payload()
        if not fails:
            assert CHAINS.decode(payload, KEY).fields["text"] == text
            continue
        with pytest.raises(Refused) as error:
            CHAINS.decode(payload, KEY)
        assert error.value.code == "other-chain"


# --- value that no policy sees ----------------------------------------------------------------------------


def sent_on_near(*actions: object) -> bytes:
    account = KEY.hex()
    body = Transaction(account, AccessKey(ED25519, KEY), 1, "bob.near", bytes(32), actions)  # type: ignore[arg-type]
    return near.transaction(body.to_bytes())


def test_what_a_relayer_pays_for_others_on_near_has_a_recipient() -> None:
    key = AccessKey(ED25519, THIEF)
    inner = DelegateAction("bob.near", "thief.near", (Transfer(10**27),), 1, 99, key)
    fields = CHAINS.decode(sent_on_near(Delegate(inner, 0, bytes(64))), KEY).fields
    assert (fields["value"], fields["recipients"]) == (10**27, ("thief.near",))
    call = DelegateAction("bob.near", "thief.near", (FunctionCall("keep", b"", 1, 5),), 1, 99, key)
    fields = CHAINS.decode(sent_on_near(Delegate(call, 0, bytes(64))), KEY).fields
    assert (fields["value"], fields["recipients"]) == (5, ("thief.near",))


def test_an_account_on_starknet_that_takes_its_own_tokens_by_allowance_spends_them() -> None:
    me = int(starknet_account(), 16)
    for name in ("transfer_from", "transferFrom"):
        calls = ((STRK, "approve", (me, 10**20, 0)), (STRK, name, (me, TO, 10**20, 0)))
        decoded = CHAINS.decode(starknet.invoke(invocation(calls), MAIN), STARK_KEY)
        assert decoded.fields["amount"] == 10**20
        assert decoded.fields["recipients"] == (address(TO),)
    others = ((STRK, "transfer_from", (TO, me, 10**20, 0)),)
    decoded = CHAINS.decode(starknet.invoke(invocation(others), MAIN), STARK_KEY)
    assert decoded.fields["amount"] == 0


def starknet_account() -> str:
    return address(OWN.address())


def test_rewards_sent_elsewhere_on_polkadot_stand_in_a_field() -> None:
    network = next(network for network in KNOWN if network.runtimes[0].staking is not None)
    staking = network.runtimes[0].staking
    assert staking is not None
    caip2, genesis = network.chain.caip2, network.genesis
    elsewhere = CHAINS.address(caip2, THIEF)
    for call in (
        bytes([staking, 7, 3]) + THIEF,
        bytes([staking, 0]) + compact(10**10) + b"\3" + THIEF,
        bytes([network.runtimes[0].utility, 2]) + compact(1) + bytes([staking, 7, 3]) + THIEF,
    ):
        extrinsic = Extrinsic("ed25519", call, b"\0", 0, 0, 1_003_000, 26, genesis, genesis, b"")
        payload = polkadot.extrinsic(extrinsic, CHAINS.address(caip2, KEY), caip2)
        assert CHAINS.decode(payload, KEY).fields["payees"] == (elsewhere,)
    own = Extrinsic("ed25519", bytes([staking, 7, 1]), b"\0", 0, 0, 1_003_000, 26, genesis, genesis, b"")
    payload = polkadot.extrinsic(own, CHAINS.address(caip2, KEY), caip2)
    assert CHAINS.decode(payload, KEY).fields["payees"] == ()


# --- slashing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [(), (Chain(BEACONS[0].chain.caip2, "Renamed", "ETH", 9),)])
def test_a_duty_belongs_to_the_whole_root_of_a_known_network(rows: tuple[Chain, ...]) -> None:
    """Its id has half of the root, and the history of a validator is kept by the whole."""
    chains, validator = Chains(rows), group_named("bls12381g1").generator
    mainnet = BEACONS[0]

    def block(root: bytes) -> bytes:
        header = BlockHeader(Fork(bytes(4), root), 7, 1, bytes(32), bytes(32), bytes(32))
        return to_payload(header, chains.address(mainnet.chain.caip2, validator), mainnet.chain.caip2)

    duty = chains.decode(block(mainnet.root), validator).duty
    assert duty is not None
    assert duty.network == mainnet.root
    with pytest.raises(Refused) as error:
        chains.decode(block(mainnet.root[:16] + bytes(16)), validator)
    assert error.value.code == "chain-mismatch"


# --- time -------------------------------------------------------------------------------------------------


def test_an_old_invocation_is_short_because_its_hash_is_slow() -> None:
    def asked(felts: int) -> bytes:
        body = encode(InvokeV1(OWN, 7, 10**15, (bytes(32),) * felts))
        return Request(1, MAIN, starknet_account(), "invoke-v1", body).to_payload()

    before = time.process_time()
    CHAINS.decode(asked(MAX_OLD_CALLDATA), STARK_KEY)
    assert time.process_time() - before < 1
    with pytest.raises(Malformed):
        CHAINS.decode(asked(MAX_OLD_CALLDATA + 1), STARK_KEY)


def test_names_of_methods_are_not_counted_anew_for_each() -> None:
    """Two thousand empty names took a tenth of a second, and a payload holds sixteen such keys."""
    key = AccessKey(ED25519, KEY)
    limited = AddKey(key, 0, CallPermission(None, "x", ("",) * 2000))
    payload = sent_on_near(*[limited] * 16)
    before = time.process_time()
    CHAINS.decode(payload, KEY)
    assert time.process_time() - before < 0.5
