"""NEAR's encodings: published bytes, the Rust primitives' opinion, and each rule with bytes that break it."""

from base64 import b64decode
from dataclasses import replace
from typing import Any

import py_near_primitives as rust
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey, VerifyKey

from quorate.chains.near.accounts import ED25519, SECP256K1, AccessKey, check_account
from quorate.chains.near.actions import (
    MAX_ACTIONS,
    MAX_METHOD_NAME,
    MAX_METHOD_NAMES,
    Action,
    AddKey,
    CallPermission,
    CreateAccount,
    Delegate,
    DelegateAction,
    DeleteAccount,
    DeleteKey,
    DeployContract,
    DeployGlobalContract,
    FunctionCall,
    Stake,
    Transfer,
    UseGlobalContract,
)
from quorate.chains.near.transaction import (
    Message,
    Transaction,
    delegate_digest,
    parse_delegate,
    parse_message,
    parse_transaction,
)
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, Refused

KEY = AccessKey(ED25519, bytes(range(32)))
OTHER = AccessKey(ED25519, bytes([7]) * 32)
LARGE = AccessKey(SECP256K1, bytes([8]) * 64)
BASE = Transaction("alice.near", KEY, 7, "bob.near", bytes(32), (Transfer(10**24),))

# near/near-api-js, test/serialize.test.js: "serialize and sign multi-action tx", "serialize transfer tx"
MULTI = (
    "09000000746573742e6e656172000f56a5f028dfc089ec7c39c1183b321b4d8f89ba5bec9e1762803cc2491f6ef80100000000000000"
    "030000003132330fa473fd26901df296be6adc4cc4df34d040efa2435224b6986910e630c2fef608000000000103000000010203020300"
    "000071717103000000010203e80300000000000040420f00000000000000000000000000037b0000000000000000000000000000000440"
    "420f00000000000000000000000000000f56a5f028dfc089ec7c39c1183b321b4d8f89ba5bec9e1762803cc2491f6ef805000f56a5f028"
    "dfc089ec7c39c1183b321b4d8f89ba5bec9e1762803cc2491f6ef800000000000000000000030000007a7a7a0100000003000000777777"
    "06000f56a5f028dfc089ec7c39c1183b321b4d8f89ba5bec9e1762803cc2491f6ef80703000000313233"
)

# trustwallet/wallet-core, TWAnySignerTests.cpp of NEAR: SignStakeMainnetReplication, SignTokenTransfer
STAKED = (
    "QAAAAGI4ZDVkZjI1MDQ3ODQxMzY1MDA4ZjMwZmI2YjMwZGQ4MjBlOWE4NGQ4NjlmMDU2MjNkMTE0ZTk2ODMxZjJmYmYAzgCT6NK76nb1mB7p"
    "ToefgkGUHfUe5BKvvr3gW/nq+MgEuu1Mq0YAABEAAABhdmFkby5wb29sdjEubmVhcueGgJlhJ7eg8/I0NQLkQvJDZsul95y3L4vG0N67Js4k"
    "AQAAAAIRAAAAZGVwb3NpdF9hbmRfc3Rha2UCAAAAe30A0JjUr3EAAAAAgPZK4ccCLRUAAAAAAAAALNrorr8qTL6u1nlxLpuPa45nFdYmjU96"
    "i7CmJP08mVHVzHUaw/bGN30Z3u3o1F2o2yefCBNqO9Ogn9fM25NGCg=="
)
TOKENS = (
    "QAAAADEwNTM5NjIyOGFjMmUwZWYxNDRiOTNiY2M1MzIyZmNhMTE2N2Q1MjQ0MjJiYjczZDE3NDQwZDM1YzcxNGE1OGYAEFOWIorC4O8US5O8"
    "xTIvyhFn1SRCK7c9F0QNNccUpY8D5MPmo1QAABAAAAB0b2tlbi5wYXJhcy5uZWFyGC7O0jXN2b4SH1XfMtNISEnU8XATKOhZwxx0pLLZqTEB"
    "AAAAAgsAAABmdF90cmFuc2ZlcnAAAAB7ImFtb3VudCI6IjEwMDAwMDAwMDAwMDAwMDAwMCIsInJlY2VpdmVyX2lkIjoiYzZkNWUzZThmMzI4"
    "NDM2ZjU5NTg1NmE1OTgyMzliNjkxZDNkMTM2YjI0YzA1YTQ2MTRmOWU5NzE2ZWRjMTRmZSJ9APCrdaQNAAABAAAAAAAAAAAAAAAAAAAAANUj"
    "O7fmnTebSNW9EcHHwYwPNlQJcReGWJfJUuxWzPDAGEeo4JTcLB8pLCkqxKKsI0NE1Szv2+GAt5mCBum5mQY="
)


def test_a_published_transaction_of_eight_actions() -> None:
    transaction = parse_transaction(bytes.fromhex(MULTI))
    key = transaction.key
    assert transaction == Transaction(
        "test.near",
        key,
        1,
        "123",
        base58.decode("244ZQ9cgj3CQ6bWBdytfrJMuMQ1jdXLFGnr4HhvtCTnM", 32, "hash"),
        (
            CreateAccount(),
            DeployContract(b"\1\2\3"),
            FunctionCall("qqq", b"\1\2\3", 1000, 1_000_000),
            Transfer(123),
            Stake(1_000_000, key),
            AddKey(key, 0, CallPermission(None, "zzz", ("www",))),
            DeleteKey(key),
            DeleteAccount("123"),
        ),
    )
    assert base58.encode(transaction.digest()) == "Fo3MJ9XzKjnKuDuQKhDAC6fra5H2UWawRejFSEpPNk3Y"


def test_a_published_transfer() -> None:
    built = Transaction(
        "test.near",
        AccessKey.from_text("ed25519:Anu7LYDfpLtkP7E16LT9imXF694BdQaa9ufVkQiwTQxC", "key"),
        1,
        "whatever.near",
        base58.decode("244ZQ9cgj3CQ6bWBdytfrJMuMQ1jdXLFGnr4HhvtCTnM", 32, "hash"),
        (Transfer(1),),
    )
    assert built.to_bytes().hex() == (
        "09000000746573742e6e65617200917b3d268d4b58f7fec1b150bd68d69be3ee5d4cc39855e341538465bb77860d0100000000000000"
        "0d00000077686174657665722e6e6561720fa473fd26901df296be6adc4cc4df34d040efa2435224b6986910e630c2fef60100000003"
        "01000000000000000000000000000000"
    )
    assert built.digest().hex() == "eea6e680f3ea51a7f667e9a801d0bfadf66e03d41ed54975b3c6006351461b32"


@pytest.mark.parametrize(
    ("signed", "name", "method"),
    [
        (STAKED, "kd7ajFw1CfXB8LiJXvhz5NDS7QpQXkuQraAbhb5MMMq", "deposit_and_stake"),
        (TOKENS, "ABQY6nfLdNrRVynHYNjYkfUM6Up5pDHHpuhRJe6FCMRu", "ft_transfer"),
    ],
)
def test_published_signed_transactions(signed: str, name: str, method: str) -> None:
    data = b64decode(signed)
    transaction = parse_transaction(data[:-65])
    (call,) = transaction.actions
    assert isinstance(call, FunctionCall)
    assert call.method == method
    assert base58.encode(transaction.digest()) == name
    assert data[-65] == ED25519
    VerifyKey(transaction.key.data).verify(transaction.digest(), data[-64:])


accounts = st.from_regex(r"[a-z0-9]{1,8}([-_.][a-z0-9]{1,8}){1,3}", fullmatch=True)
small, amount = st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 128) - 1)
keys = st.binary(min_size=32, max_size=32).map(lambda data: AccessKey(ED25519, data))
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
permissions = st.builds(
    CallPermission, st.none() | amount, accounts, st.lists(names, max_size=3).map(lambda found: tuple(found))
)
simple = st.one_of(
    st.builds(CreateAccount),
    st.builds(DeployContract, st.binary(max_size=40)),
    st.builds(FunctionCall, names, st.binary(max_size=60), small, amount),
    st.builds(Transfer, amount),
    st.builds(Stake, amount, keys),
    st.builds(AddKey, keys, small, st.none() | permissions),
    st.builds(DeleteKey, keys),
    st.builds(DeleteAccount, accounts),
    st.builds(UseGlobalContract, accounts | st.binary(min_size=32, max_size=32)),
)
published = st.builds(DeployGlobalContract, st.binary(max_size=40), st.booleans())
delegates = st.builds(
    DelegateAction,
    accounts,
    accounts,
    st.lists(simple, min_size=1, max_size=3).map(lambda found: tuple(found)),
    small,
    small,
    keys,
)
signatures = st.binary(min_size=64, max_size=64).map(lambda data: data[:63] + bytes([data[63] & 0x1F]))
signed_delegates = st.builds(Delegate, delegates, st.just(ED25519), signatures)
actions = (
    st.tuples(st.lists(simple | published, min_size=1, max_size=3), st.lists(signed_delegates, max_size=1))
    .flatmap(lambda pair: st.permutations(pair[0] + pair[1]))
    .map(lambda found: tuple(found))
)
transactions = st.builds(
    Transaction, accounts, keys, small, accounts, st.binary(min_size=32, max_size=32), actions
)


def theirs(action: Action) -> Any:
    """The same action as the Rust primitives have it."""
    match action:
        case CreateAccount():
            return rust.CreateAccountAction()
        case DeployContract(code):
            return rust.DeployContractAction(code)
        case FunctionCall(method, arguments, gas, deposit):
            return rust.FunctionCallAction(method, arguments, gas, deposit)
        case Transfer(deposit):
            return rust.TransferAction(deposit)
        case Stake(stake, key):
            return rust.StakeAction(stake, key.data)
        case AddKey(key, nonce, permission):
            allowed: Any = rust.AccessKeyPermissionFieldless.FullAccess
            if permission is not None:
                allowed = rust.FunctionCallPermission(
                    permission.receiver, list(permission.methods), permission.allowance
                )
            return rust.AddKeyAction(key.data, rust.AccessKey(nonce, allowed))
        case DeleteKey(key):
            return rust.DeleteKeyAction(key.data)
        case DeleteAccount(beneficiary):
            return rust.DeleteAccountAction(beneficiary)
        case DeployGlobalContract(code, by_account):
            build = (
                rust.DeployGlobalContractAction.from_account_id
                if by_account
                else rust.DeployGlobalContractAction.from_code_hash
            )
            return build(code)
        case UseGlobalContract(source):
            if isinstance(source, str):
                return rust.UseGlobalContractAction.from_account_id(source)
            return rust.UseGlobalContractAction.from_code_hash(source)
        case Delegate(inner, _, signature):
            return rust.SignedDelegateAction(their_delegate(inner), signature)


def their_delegate(inner: DelegateAction) -> Any:
    return rust.DelegateAction(
        inner.sender,
        inner.receiver,
        [theirs(action) for action in inner.actions],
        inner.nonce,
        inner.max_block_height,
        inner.key.data,
    )


@settings(max_examples=200, deadline=None)
@given(transactions)
def test_the_rust_primitives_encode_and_hash_every_transaction_the_same(transaction: Transaction) -> None:
    data = transaction.to_bytes()
    assert parse_transaction(data) == transaction
    built = rust.Transaction(
        transaction.signer,
        transaction.key.data,
        transaction.nonce,
        transaction.receiver,
        transaction.block_hash,
        [theirs(action) for action in transaction.actions],
    )
    assert bytes(built.serialize()) == data
    assert bytes(built.get_hash()) == transaction.digest()
    decoded = rust.Transaction.deserialize(data)
    assert (decoded.signer_id, decoded.receiver_id, decoded.nonce) == (
        transaction.signer,
        transaction.receiver,
        transaction.nonce,
    )
    # what it reads of a delegate action it gives back with sender and receiver exchanged (0.2.12)
    if not any(isinstance(action, Delegate) for action in transaction.actions):
        assert bytes(decoded.serialize()) == data


@settings(max_examples=100, deadline=None)
@given(delegates)
def test_the_rust_primitives_hash_every_delegate_action_the_same(action: DelegateAction) -> None:
    assert parse_delegate(action.to_bytes()) == action
    their = their_delegate(action)
    assert bytes(their.serialize()) == action.to_bytes()
    assert bytes(their.get_nep461_hash()) == delegate_digest(action)


def test_keys_of_secp256k1_come_back() -> None:
    for action in (Stake(1, LARGE), AddKey(LARGE, 2, None), DeleteKey(LARGE)):
        transaction = replace(BASE, key=LARGE, actions=(action,))
        assert parse_transaction(transaction.to_bytes()) == transaction
        assert b"\1" + LARGE.data in transaction.to_bytes()
    assert AccessKey.from_text(str(LARGE), "key") == LARGE


# The Nep413Payload tests of near_dart, which has them from near-kit 0.15.0; the nonce is 0 to 31
@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (
            Message("Sign in to nearbuilders.org", bytes(range(32)), "nearbuilders.org"),
            "e3d06d4045a76d8281580760de255b9408dffdff686edc10d04ab2b44bbc0472",
        ),
        (
            Message("hola ☕ señor", bytes(range(32)), "app.testnet", "nearcoffee://callback/success"),
            "764cf074303ca1652e52548c3585b7f99b4b1a8835b7486ee6beb3047ea55778",
        ),
    ],
)
def test_published_nep_413_messages(message: Message, digest: str) -> None:
    assert message.digest().hex() == digest
    assert parse_message(message.to_bytes()) == message


@given(st.text(), st.binary(min_size=32, max_size=32), names, st.none() | st.text())
def test_every_message_comes_back(text: str, nonce: bytes, recipient: str, callback: str | None) -> None:
    message = Message(text, nonce, recipient, callback)
    try:
        data = message.to_bytes()
    except Malformed:
        return
    assert parse_message(data) == message


def test_every_beginning_and_every_continuation_is_refused() -> None:
    message = Message("hello", bytes(32), "app", "there")
    inner = DelegateAction("a.near", "b.near", (Transfer(1),), 1, 2, KEY)
    for parse, data in (
        (parse_transaction, bytes.fromhex(MULTI)),
        (parse_message, message.to_bytes()),
        (parse_delegate, inner.to_bytes()),
    ):
        for end in range(len(data)):
            with pytest.raises(Malformed):
                parse(data[:end])
        with pytest.raises(Malformed, match="after its end"):
            parse(data + b"\0")


def test_version_1_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="version 1") as caught:
        parse_transaction(b"\1" + BASE.to_bytes() + bytes(8))
    assert caught.value.code == "unsupported-transaction"


@pytest.mark.parametrize("kind", [11, 12, 255])
def test_actions_of_later_protocols_are_refused_by_number(kind: int) -> None:
    data = BASE.to_bytes()
    start = len(data) - 17
    with pytest.raises(Refused, match=f"kind {kind},") as caught:
        parse_transaction(data[:start] + bytes([kind]) + data[start + 1 :])
    assert caught.value.code == "unsupported-action"


def test_permissions_of_later_protocols_are_refused_by_number() -> None:
    data = replace(BASE, actions=(AddKey(KEY, 0, None),)).to_bytes()
    with pytest.raises(Refused, match="permission of kind 2") as caught:
        parse_transaction(data[:-1] + b"\2")
    assert caught.value.code == "unsupported-action"


def test_a_delegate_action_within_another_is_refused() -> None:
    inner = DelegateAction("a.near", "b.near", (Transfer(1),), 1, 2, KEY)
    nested = replace(inner, actions=(Delegate(inner, ED25519, bytes(64)),))
    with pytest.raises(Malformed, match="within another"):
        parse_delegate(nested.to_bytes())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (replace(BASE, actions=()).to_bytes(), "no actions"),
        (replace(BASE, signer="Alice").to_bytes(), "small letters"),
        (replace(BASE, receiver="").to_bytes(), "small letters"),
        (replace(BASE, key=AccessKey(2, bytes(32))).to_bytes(), "no key of type 2"),
        (
            replace(BASE, actions=(UseGlobalContract(bytes(32)),)).to_bytes()[:-33] + b"\2" + bytes(32),
            "neither",
        ),
        (b"\2\0\0\0\xff\xfe" + bytes(100), "no UTF-8"),
        (
            replace(
                BASE,
                actions=(
                    Delegate(DelegateAction("aa", "bb", (Transfer(1),), 1, 2, KEY), ED25519, bytes(64)),
                ),
            ).to_bytes()[:-65]
            + b"\2"
            + bytes(64),
            "no signature of type 2",
        ),
    ],
)
def test_transactions_that_are_none(data: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        parse_transaction(data)


def test_two_delegate_actions_are_refused_as_the_network_refuses_them() -> None:
    inner = Delegate(DelegateAction("aa", "bb", (Transfer(1),), 1, 2, KEY), ED25519, bytes(64))
    parse_transaction(replace(BASE, actions=(inner, Transfer(1))).to_bytes())
    with pytest.raises(Malformed, match="two delegate actions"):
        parse_transaction(replace(BASE, actions=(inner, Transfer(1), inner)).to_bytes())


def test_a_signature_that_no_key_can_have_made_is_refused_as_the_network_refuses_it() -> None:
    inner = DelegateAction("aa", "bb", (Transfer(1),), 1, 2, KEY)
    data = replace(BASE, actions=(Delegate(inner, ED25519, bytes(63) + b"\x20"),)).to_bytes()
    with pytest.raises(Malformed, match="no key can have made"):
        parse_transaction(data)
    with pytest.raises(BaseException, match="signature error"):
        rust.Transaction.deserialize(data)


def test_messages_and_delegate_actions_that_are_none() -> None:
    with pytest.raises(Malformed, match="no recipient"):
        parse_message(Message("text", bytes(32), "").to_bytes())
    with pytest.raises(Malformed, match="neither there nor absent"):
        parse_message(Message("text", bytes(32), "app").to_bytes()[:-1] + b"\2")
    with pytest.raises(Malformed, match="no actions"):
        parse_delegate(DelegateAction("aa", "bb", (), 1, 2, KEY).to_bytes())


def test_as_many_actions_as_are_executed_and_one_more() -> None:
    parse_transaction(replace(BASE, actions=(Transfer(1),) * MAX_ACTIONS).to_bytes())
    with pytest.raises(LimitExceeded, match="101 actions"):
        parse_transaction(replace(BASE, actions=(Transfer(1),) * (MAX_ACTIONS + 1)).to_bytes())


def test_the_longest_names_of_methods_and_one_byte_more() -> None:
    for length, fits in ((MAX_METHOD_NAME, True), (MAX_METHOD_NAME + 1, False), (0, False)):
        data = replace(BASE, actions=(FunctionCall("x" * length, b"", 1, 0),)).to_bytes()
        if fits:
            parse_transaction(data)
        else:
            with pytest.raises(LimitExceeded, match="method's name"):
                parse_transaction(data)
    for length, fits in ((MAX_METHOD_NAMES - 1, True), (MAX_METHOD_NAMES, False)):
        allowed = CallPermission(None, "app", ("x" * length,))
        data = replace(BASE, actions=(AddKey(KEY, 0, allowed),)).to_bytes()
        if fits:
            parse_transaction(data)
        else:
            with pytest.raises(LimitExceeded, match="method names"):
                parse_transaction(data)


@pytest.mark.parametrize(
    "name", ["aa", "a.b", "a-b_c.d", "0" * 64, "near", "0x" + "ab" * 20, "100", "a1.b2.c3"]
)
def test_names_of_accounts(name: str) -> None:
    assert check_account(name, "account") == name


@pytest.mark.parametrize(
    "name", ["a", "", "A.near", "a..b", ".a", "a.", "-a", "a_-b", "ä.near", "a b", "a\n", "0" * 65, 7, None]
)
def test_what_is_no_account(name: object) -> None:
    with pytest.raises(Malformed, match="account: an account is 2 to 64"):
        check_account(name, "account")


def test_numbers_that_do_not_fit_are_not_written() -> None:
    for value in (-1, 1 << 128):
        with pytest.raises(Malformed, match="128 bits"):
            replace(BASE, actions=(Transfer(value),)).to_bytes()


@pytest.mark.parametrize("text", ["ed25519", "p256:11", "ed25519:1", "ed25519:0", "", None, "secp256k1:1"])
def test_what_is_no_key(text: object) -> None:
    with pytest.raises(Malformed):
        AccessKey.from_text(text, "key")


def test_an_ed25519_key_of_a_seed_is_written_as_near_does() -> None:
    seed = base58.decode(
        "3hoMW1HvnRLSFCLZnvPzWeoGwtdHzke34B2cTHM8rhcbG3TbuLKtShTv3DvyejnXKXKBiV7YPkLeqUHN1ghnqpFv", 64, "key"
    )
    key = AccessKey.of(bytes(SigningKey(seed[:32]).verify_key))
    assert str(key) == "ed25519:Anu7LYDfpLtkP7E16LT9imXF694BdQaa9ufVkQiwTQxC"
