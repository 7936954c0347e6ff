"""The family: accounts, previews, StarkWare's own verifier over our signatures, and every refusal."""

import json
from typing import Any

import msgspec
import pytest
from crypto_cpp_py.cpp_bindings import cpp_get_public_key, cpp_sign, cpp_verify
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.signers import DealtKey

from quorate.chains import Chain, Chains, Request
from quorate.chains.chain import Level, Risk
from quorate.chains.starknet import requests
from quorate.chains.starknet.account import CLASSES, MAX_CONSTRUCTOR, Deployment, deployment_of
from quorate.chains.starknet.calls import MAX_CALLS, read
from quorate.chains.starknet.family import DEFAULT_CLASS
from quorate.chains.starknet.felts import address, felt
from quorate.chains.starknet.hashes import selector
from quorate.chains.starknet.preview import MAX_DATA, QUIET_FEE, STRK, UNLIMITED
from quorate.chains.starknet.requests import bound, calldata
from quorate.chains.starknet.transaction import (
    MAX_CALLDATA,
    MAX_WORD,
    Bounds,
    DeployAccount,
    Invoke,
    InvokeV1,
)
from quorate.encoding import encode
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused
from quorate.groups import SECP256K1, group_named
from quorate.groups.stark import FIELD, ORDER

MAIN, SEPOLIA = "starknet:SN_MAIN", "starknet:SN_SEPOLIA"
CHAINS = Chains([Chain("starknet:MINE_1", "Mine", "STRK")])
STARK = group_named("stark")

SECRET = 0x139FE4D6F02E666E86A6F58E65060F115CD3C185BD9E98BD829636931458F79
POINT = STARK.generator.multiply_public(STARK.scalar(SECRET))
KEY = POINT.to_bytes()
X = int.from_bytes(KEY[1:], "big")

TO = 0x69C0F9BCD79697BDCEAF7748E3FF8F34AA39E4063CE44896AF664C0C96F6C10
TOKEN = 0x49D36570D4E46F48E99674BD3FCC84644DDD6B96F7C741B1562B82F9E004DC7
FEE = Bounds(bound(0, 10**13), bound(10**6, 10**10), bound(1000, 10**12))  # 0.011 STRK
OWN = deployment_of(KEY, DEFAULT_CLASS)
SEND = ((STRK, "transfer", (TO, 15 * 10**17, 0)),)


def sign(digest: bytes) -> bytes:
    """A whole key in one place, by StarkWare's signer, with low s."""
    r, s = cpp_sign(int.from_bytes(digest, "big"), SECRET)
    return r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big") + b"\0"


def invocation(calls: Any = SEND, **changes: Any) -> Invoke:
    fields = {"deployment": OWN, "nonce": 7, "bounds": FEE, "tip": 0, "calldata": calldata(calls)}
    return Invoke(**{**fields, **changes})


def decoded(transaction: Invoke, chain: str = MAIN) -> Any:
    return CHAINS.decode(requests.invoke(transaction, chain), KEY)


def test_the_key_is_the_one_starkwares_library_computes() -> None:
    assert cpp_get_public_key(SECRET) == X


def test_a_key_has_an_account_in_each_known_class() -> None:
    accounts = CHAINS.addresses(MAIN, POINT)
    assert list(accounts) == [kind.name for kind in CLASSES.values()]
    assert len(set(accounts.values())) == len(CLASSES)
    assert CHAINS.address(MAIN, KEY) == CHAINS.address(SEPOLIA, POINT) == accounts["openzeppelin"]
    for class_hash in CLASSES:
        made = deployment_of(KEY, class_hash)
        assert made.is_owned_by(KEY)
        request = invocation(deployment=made)
        assert decoded(request).fields["class"] == CLASSES[class_hash].name
        assert CLASSES[class_hash].title in decoded(request).preview.text()
    for bad in (b"", KEY[1:], b"\x02" + b"\xff" * 32, 7, None, SECP256K1.generator):
        with pytest.raises(Malformed, match=r"public key|point"):
            CHAINS.address(MAIN, bad)


def test_a_transfer_of_strk_is_shown_exactly_and_signed() -> None:
    ready = decoded(invocation())
    assert ready.preview.title == "Send 1.5 STRK on Starknet"
    for expected in (address(TO), "1.5 STRK", "0.011 STRK", "OpenZeppelin account 0.17.0", "7, version 3"):
        assert expected in ready.preview.text()
    assert ready.risks == frozenset()
    assert ready.fields == {
        "version": 3,
        "nonce": 7,
        "class": "openzeppelin",
        "calls": ("transfer",),
        "contracts": (address(STRK),),
        "recipients": (address(TO),),
        "spenders": (),
        "amount": 15 * 10**17,
        "calldata_length": 7,
        "max_fee": 11 * 10**15,
        "fee_token": "STRK",
        "tip": 0,
    }
    (digest,) = ready.digests
    assert (digest.scheme, digest.group) == ("ecdsa", "stark")


def accepted(ready: Any, signature: bytes, x: int = X) -> bool:
    """What StarkWare's verifier says: it takes 1/s."""
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:64]))
    return bool(cpp_verify(int.from_bytes(ready.digest, "big"), r, pow(s, -1, ORDER), x))


def test_a_signature_is_attached_and_refused_with_a_byte_changed() -> None:
    ready = decoded(invocation())
    signature = sign(ready.digest)
    signed = CHAINS.attach(ready, [signature])
    (document,) = json.loads(signed.raw)
    assert document["signature"] == [signed.details["r"], signed.details["s"]]
    assert document["sender_address"] == hex(int(ready.account, 16))
    assert document["calldata"] == [hex(v) for v in (1, STRK, selector("transfer"), 3, TO, 15 * 10**17, 0)]
    assert document["resource_bounds"]["l2_gas"] == {
        "max_amount": "0xf4240",
        "max_price_per_unit": hex(10**10),
    }
    assert int(signed.id, 16) == int.from_bytes(ready.digest, "big")
    for position in range(0, 64, 5):
        wrong = bytearray(signature)
        wrong[position] ^= 1
        with pytest.raises((ProofRejected, Malformed)):
            CHAINS.attach(ready, [bytes(wrong)])
    s = int.from_bytes(signature[32:64], "big")
    high = signature[:32] + (ORDER - s).to_bytes(32, "big") + b"\0"
    for none in (b"", signature[:64], signature + b"\0", high, signature[:64] + b"\4"):
        with pytest.raises(Malformed):
            CHAINS.attach(ready, [none])
    with pytest.raises(Malformed, match="one signature"):
        CHAINS.attach(ready, [])
    other = decoded(invocation(nonce=8))
    with pytest.raises(ProofRejected):
        CHAINS.attach(other, [signature])


def test_starkwares_verifier_accepts_a_signature_of_ours_and_refuses_it_with_a_byte_changed() -> None:
    shared = DealtKey("stark")
    key = shared.public_key.to_bytes()
    transaction = invocation(deployment=deployment_of(key, DEFAULT_CLASS))
    ready = CHAINS.decode(requests.invoke(transaction, SEPOLIA), shared.public_key)
    signature = shared.sign("ecdsa", ready.digest)
    assert CHAINS.attach(ready, [signature]).details["method"] == "starknet_addInvokeTransaction"
    x = int.from_bytes(key[1:], "big")
    assert accepted(ready, signature, x)
    assert not accepted(ready, signature, X)
    for position in (3, 31, 40, 63):
        wrong = bytearray(signature)
        wrong[position] ^= 1
        assert not accepted(ready, bytes(wrong), x)


def test_deploying_the_account_is_its_own_kind() -> None:
    payload = requests.deploy_account(DeployAccount(OWN, FEE, 2), SEPOLIA)
    ready = CHAINS.decode(payload, POINT)
    assert ready.preview.title == "Deploy this account on Starknet Sepolia"
    assert ready.fields["max_fee"] == 11 * 10**15 + 2 * 10**6
    assert "2 FRI for each unit" in ready.preview.text()
    signed = CHAINS.attach(ready, [sign(ready.digest)])
    (document,) = json.loads(signed.raw)
    assert document["contract_address_salt"] == hex(X)
    assert document["constructor_calldata"] == [hex(X)]
    assert document["nonce"] == "0x0"
    assert signed.details["method"] == "starknet_addDeployAccountTransaction"


def test_version_1_pays_in_ether() -> None:
    payload = requests.invoke_v1(InvokeV1(OWN, 3, 10**15, calldata(SEND)), MAIN)
    ready = CHAINS.decode(payload, KEY)
    assert "0.001 ETH" in ready.preview.text()
    assert ready.fields["fee_token"] == "ETH"
    (document,) = json.loads(CHAINS.attach(ready, [sign(ready.digest)]).raw)
    assert (document["version"], document["max_fee"]) == ("0x1", hex(10**15))


def test_token_calls_are_shown_as_what_the_contract_is_asked() -> None:
    spender = 0x1234
    calls = [
        (TOKEN, "transfer", (TO, 5, 1)),
        (TOKEN, "transferFrom", (spender, TO, 9, 0)),
        (TOKEN, "approve", (spender, UNLIMITED, 0)),
        (TOKEN, "increase_allowance", (spender, 4, 0)),
    ]
    ready = decoded(invocation(calls))
    text = ready.preview.text()
    assert ready.preview.title == "4 calls in one transaction on Starknet"
    for expected in (
        f"{(1 << 128) + 5} smallest units",
        "WITHOUT LIMIT",
        "may spend up to 4",
        f"Tokens of      {address(spender)}",
        "only its code decides",
    ):
        assert expected in text
    assert ready.risks == {Risk.TOKEN_APPROVAL, Risk.UNLIMITED_APPROVAL}
    assert ready.fields["spenders"] == (address(spender),) * 2
    assert ready.fields["amount"] == 0
    gone = decoded(invocation([(TOKEN, "approve", (spender, 0, 0))]))
    assert gone.risks == frozenset()
    assert gone.preview.title.startswith("Withdraw a token approval")


@pytest.mark.parametrize(
    "call",
    [
        (TOKEN, "transfer", (TO, 5)),
        (TOKEN, "transfer", (TO, 5, 0, 0)),
        (TOKEN, "transfer", (TO, 1 << 128, 0)),
        (TOKEN, "transfer", ()),
        (TOKEN, "mint", (TO, 5, 0)),
    ],
)
def test_a_call_that_is_not_exactly_a_known_one_is_unknown(call: Any) -> None:
    ready = decoded(invocation([call]))
    assert ready.risks == {Risk.UNKNOWN_CALL}
    assert ready.fields["calls"] == (hex(selector(call[1])),)
    assert ready.fields["recipients"] == ()


def test_a_call_of_the_account_itself_is_a_danger() -> None:
    ready = decoded(invocation([(OWN.address(), "set_public_key", (5, 0))]))
    assert ready.risks == {Risk.OWNERSHIP, Risk.UNKNOWN_CALL}
    assert ready.preview.level == Level.DANGER
    assert ready.preview.title == "Change this account on Starknet"


@pytest.mark.parametrize("change", ["left over", "missing", "too many", "empty", "long"])
def test_calldata_that_is_no_array_of_calls_is_not_understood(change: str) -> None:
    good = calldata(SEND)
    changed = {
        "left over": (*good, good[0]),
        "missing": good[:-1],
        "too many": (felt(MAX_CALLS + 1, "n"), *good[1:]),
        "empty": (),
        "long": (good[0], *good[1:3], felt(FIELD - 1, "n"), *good[4:]),
    }[change]
    ready = decoded(invocation(calldata=changed))
    assert ready.risks == {Risk.UNKNOWN_CALL}
    assert ready.fields["calls"] == ()


def test_what_is_not_understood_is_shown_up_to_a_limit() -> None:
    data = tuple(felt(value, "d") for value in range(MAX_DATA + 2))
    text = decoded(invocation(calldata=data)).preview.text()
    assert "2 more felts are signed but not shown" in text
    assert read((0,)) == ()


def test_a_class_that_is_not_known_is_said_and_its_calls_are_not_read() -> None:
    strange = Deployment(felt(1, "c"), felt(2, "s"), (felt(9, "k"), felt(X, "k")))
    ready = decoded(invocation(deployment=strange))
    assert ready.risks == {Risk.UNKNOWN_CALL}
    assert ready.fields["class"] == ""
    assert "0x1, not known here" in ready.preview.text()


def test_an_account_of_another_key_is_refused() -> None:
    stranger = STARK.generator.multiply_public(STARK.scalar(5)).to_bytes()
    for other in (
        deployment_of(stranger, DEFAULT_CLASS),
        Deployment(felt(1, "c"), felt(X, "s"), (felt(9, "k"),)),
        msgspec.structs.replace(OWN, constructor=(*OWN.constructor, felt(5, "guardian"))),
    ):
        with pytest.raises(Refused) as refusal:
            decoded(invocation(deployment=other))
        assert refusal.value.code == "other-account"
    body = encode(invocation())
    wrong = Request(1, MAIN, address(TO), "invoke", body).to_payload()
    with pytest.raises(Malformed, match="deployment in the request"):
        CHAINS.decode(wrong, KEY)


def test_a_large_fee_is_a_risk() -> None:
    for price, high in ((QUIET_FEE // 10**6, False), (QUIET_FEE // 10**6 + 1, True)):
        fee = Bounds(bound(0, 0), bound(10**6, price), None)
        ready = decoded(invocation([(TOKEN, "mint", ())], bounds=fee))
        assert (Risk.HIGH_FEE in ready.risks) is high
    above = decoded(invocation([(STRK, "transfer", (TO, 10**15, 0))]))
    assert Risk.HIGH_FEE in above.risks


def test_the_hash_of_a_chain_is_bound() -> None:
    main, sepolia, mine = (decoded(invocation(), chain) for chain in (MAIN, SEPOLIA, "starknet:MINE_1"))
    assert len({main.digest, sepolia.digest, mine.digest}) == 3
    with pytest.raises(Refused) as refusal:
        decoded(invocation(), "starknet:OTHER")
    assert refusal.value.code == "unknown-chain"
    for row in ("starknet:mine", "starknet:" + "A" * 32):
        with pytest.raises(Malformed, match="starknet:<"):
            Chains([Chain(row, "Bad", "B")]).chain(row)


def test_a_hash_without_a_signature_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in (0, 1 << 251):
        monkeypatch.setattr(Invoke, "hash", lambda self, chain, value=value: value)
        with pytest.raises(Refused) as refusal:
            decoded(invocation())
        assert refusal.value.code == "hash-out-of-range"


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": -1},
        {"nonce": MAX_WORD + 1},
        {"tip": MAX_WORD + 1},
        {"calldata": (bytes(31),)},
        {"calldata": (bytes(32),) * (MAX_CALLDATA + 1)},
        {"deployment": Deployment(bytes(32), bytes(32), ())},
        {"deployment": Deployment(bytes(32), bytes(32), (bytes(32),) * (MAX_CONSTRUCTOR + 1))},
        {"deployment": Deployment(b"\xff" * 32, bytes(32), (bytes(32),))},
        {"calldata": (b"\xff" * 32,)},
    ],
)
def test_a_field_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises((Malformed, LimitExceeded)):
        decoded(invocation(**changes))


def test_the_longest_calldata_is_read() -> None:
    assert decoded(invocation(calldata=(bytes(32),) * MAX_CALLDATA)).fields["calldata_length"] == MAX_CALLDATA


RPC = {
    "type": "INVOKE",
    "version": "0x3",
    "sender_address": hex(OWN.address()),
    "calldata": [hex(int.from_bytes(value, "big")) for value in calldata(SEND)],
    "nonce": "0x7",
    "tip": "0x0",
    "resource_bounds": FEE.as_rpc(),
    "paymaster_data": [],
    "account_deployment_data": [],
    "nonce_data_availability_mode": "L1",
    "fee_data_availability_mode": "L1",
}


def test_a_transaction_with_rpc_names_becomes_the_same_payload() -> None:
    assert requests.from_rpc(RPC, OWN, MAIN) == requests.invoke(invocation(), MAIN)
    two = {**RPC, "resource_bounds": {name: FEE.as_rpc()[name] for name in ("l1_gas", "l2_gas")}}
    assert requests.from_rpc(two, OWN, MAIN) == requests.invoke(
        invocation(bounds=Bounds(FEE.l1_gas, FEE.l2_gas, None)), MAIN
    )
    old = {**RPC, "version": "0x1", "max_fee": "0x9"}
    assert requests.from_rpc(old, OWN, MAIN) == requests.invoke_v1(InvokeV1(OWN, 7, 9, calldata(SEND)), MAIN)
    deploy = {
        **RPC,
        "type": "DEPLOY_ACCOUNT",
        "nonce": "0x0",
        "class_hash": hex(DEFAULT_CLASS),
        "contract_address_salt": hex(X),
        "constructor_calldata": [hex(X)],
    }
    assert requests.from_rpc(deploy, OWN, MAIN) == requests.deploy_account(DeployAccount(OWN, FEE, 0), MAIN)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "0x2"}, "type"),
        ({"type": "DECLARE"}, "type"),
        ({"type": "DEPLOY_ACCOUNT"}, "nonce"),
        ({"paymaster_data": ["0x1"]}, "paymaster_data"),
        ({"proof_facts": ["0x1"]}, "proof_facts"),
        ({"fee_data_availability_mode": "L2"}, "fee_data_availability_mode"),
        ({"resource_bounds": None}, "resource_bounds"),
        ({"resource_bounds": {"l1_gas": 1}}, "l1_gas"),
        ({"nonce": None}, "nonce"),
        ({"calldata": ["x"]}, "calldata"),
        ({"sender_address": "0x1"}, "sender_address"),
        ({"class_hash": "0x1"}, "class_hash"),
        ({"contract_address_salt": "0x1"}, "contract_address_salt"),
        ({"constructor_calldata": ["0x1"]}, "constructor_calldata"),
    ],
)
def test_an_rpc_transaction_that_does_not_fit_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Malformed, match=field):
        requests.from_rpc({**RPC, **changes}, OWN, MAIN)
    with pytest.raises(Malformed, match="128 bits"):
        bound(1, 1 << 128)


def test_the_account_a_transaction_names_is_found_among_those_of_the_key() -> None:
    for class_hash in CLASSES:
        made = deployment_of(KEY, class_hash)
        assert requests.deployment_for({"sender_address": hex(made.address())}, POINT) == made
        assert requests.deployment_for({"class_hash": hex(class_hash), "sender_address": "0x1"}, KEY) == made
    assert requests.deployment_for({}, KEY) == OWN
    for document in ({"sender_address": "0x1"}, {"class_hash": "0x1"}):
        with pytest.raises(Malformed, match="known class"):
            requests.deployment_for(document, KEY)


def decode_any(data: bytes) -> None:
    try:
        ready = CHAINS.decode(data, KEY)
    except (Malformed, Refused, LimitExceeded):
        return
    assert ready.payload == data
    assert ready.preview.text()


@settings(max_examples=150)
@given(st.sampled_from(["invoke", "invoke-v1", "deploy-account", "other"]), st.binary(max_size=200))
def test_an_arbitrary_body_is_answered(kind: str, body: bytes) -> None:
    decode_any(Request(1, MAIN, CHAINS.address(MAIN, KEY), kind, body).to_payload())


@settings(max_examples=150)
@given(st.lists(st.integers(0, FIELD - 1) | st.integers(0, 4), max_size=12))
def test_arbitrary_calldata_is_answered(values: list[int]) -> None:
    decode_any(requests.invoke(invocation(calldata=tuple(felt(v, "d") for v in values)), MAIN))


@settings(max_examples=100)
@given(st.data())
def test_a_payload_with_bytes_changed_is_answered(data: st.DataObject) -> None:
    changed = bytearray(requests.invoke(invocation(), MAIN))
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    decode_any(bytes(changed))


def test_warming_loads_the_hashes() -> None:
    CHAINS.warm("starknet")
