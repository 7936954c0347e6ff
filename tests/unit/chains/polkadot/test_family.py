"""The family: published extrinsics byte for byte, other people's verifiers, and accounts."""

from typing import Any

import pytest
from btclib_secp256k1 import recovery
from hypothesis import given
from hypothesis import strategies as st
from tests.support.polkadot import (
    BLOCK,
    CHAINS,
    EC_KEY,
    ED_KEY,
    HUB,
    KUSAMA,
    POLKADOT,
    WESTEND,
    WESTEND_HUB,
    decoded,
    replace_scheme,
    sign,
    transfer,
)

from quorate.chains import Chain, Chains, Request
from quorate.chains.chain import Risk
from quorate.chains.polkadot import requests
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.chains.polkadot.extrinsic import HASHED_ABOVE, MAX_TIP, Extrinsic, mortal, mortality
from quorate.chains.polkadot.networks import BY_ID, Network
from quorate.chains.polkadot.scale import compact
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused
from quorate.groups import ED25519, SECP256K1, group_named

# BitGoJS, modules/sdk-coin-dot/test/resources/index.ts, rawTx on Westend: what is signed (without the length
# that library puts before the call) and the extrinsic, signed by account1's Ed25519 key.
ACCOUNT_1 = "61b18c6dc02ddcabdeac56cb4f21a971cc41cc97640f6f85b073480008c53a0d"

TAIL = (
    "d501210300be23000008000000e143f23803ac50e8f6f8e62695d1ce9e4e1d68aa36c1cd2cfd15340213f3423e"
    "149799bc9602cb5cf201f3425fb8d253b2d4e61fc119dcab3249f307f594754d"
)

PUBLISHED = [
    (
        "0403009f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f02540bfadb9bbae251",
        "b6d868a11d202b56df1959f5d5f81f44ce1f95c8e70424b17080ea869d1c39d4"
        "53f16c38fbef600a636c9a62a49ede5ee695a1822faf2f94fcfbb184a4254009",
        "4902",
    ),
    (
        "0606",
        "c172d77449c6816433d251100201a2b12554d035b6427fe82427e6aee3280b13"
        "52e70a9d33758a46eb4f423ee76e1e7566fc49bbd51a18cfd6467826515a410d",
        "a901",
    ),
    (
        "06020b00203d88792d",
        "8cdb9178570210988436b9e274cd40c2e4dd5a7a36c4b4ca3026d331b27ce4d6"
        "f01c4757473559d3af5edbc4aa4d78abfbe4e42b36828fdeb8e6780353b2b009",
        "c501",
    ),
    (
        "060300000000",
        "57659db935e68964d3bdb2868cf949659e76fa50e9eba0f73bdd7cd2a3527ca2"
        "5cf50fc461ca99f8640f855e45e8db22e9ba6303617085fac4700149cfa4cb09",
        "b901",
    ),
]


@pytest.mark.parametrize(("call", "signature", "length"), PUBLISHED)
def test_a_published_signature_is_attached_to_the_published_extrinsic(
    call: str, signature: str, length: str
) -> None:
    fields = transfer(
        chain=WESTEND,
        call=bytes.fromhex(call),
        spec_version=9150,
        transaction_version=8,
        metadata_hash=None,
    )
    assert fields.payload(BY_ID[WESTEND]).hex() == call + TAIL
    key = bytes.fromhex(ACCOUNT_1)
    account = CHAINS.address(WESTEND, key)
    assert account == "5EGoFA95omzemRssELLDjVenNZ68aXyUeqtKQScXSEBvVJkr"
    ready = CHAINS.decode(requests.extrinsic(fields, account, WESTEND), key)
    signed = CHAINS.attach(ready, [bytes.fromhex(signature)])
    assert signed.raw.hex() == f"{length}8400{ACCOUNT_1}00{signature}d501210300{call}"
    assert signed.id == "0x" + blake2b_256(signed.raw).hex()
    for position in (0, 40, 63):
        wrong = bytearray(bytes.fromhex(signature))
        wrong[position] ^= 1
        with pytest.raises(ProofRejected):
            CHAINS.attach(ready, [bytes(wrong)])


def test_the_published_payload_of_an_asset_hub() -> None:
    # BitGoWASM, packages/wasm-dot/src/parser.rs, TRANSFER_UNSIGNED: Westend Asset Hub, spec version 1018013
    published = (
        "0a03009f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f02540bfadb9bbae251d50121030000"
        "009d880f001000000067f9723393ef76214df0118c34bbbd3dbebc8ed46a10973a8c969d48fe7598c9"
        "149799bc9602cb5cf201f3425fb8d253b2d4e61fc119dcab3249f307f594754d00"
    )
    fields = transfer(chain=WESTEND_HUB, call=bytes.fromhex(published[:84]))
    ready = decoded(fields, WESTEND_HUB)
    assert ready.digest.hex() == published
    assert ready.fields["calls"] == ("balances.transfer_keep_alive",)
    assert ready.fields["amount"] == 90034235235322
    assert "90.034235235322 WND" in ready.preview.text()


def test_the_published_payload_and_extrinsic_of_kusamas_first_months() -> None:
    # txwrapper-core, core/construct/createSigningPayloadToU8a.spec.ts and createSignedTx.spec.ts
    genesis = bytes.fromhex("e3777fa922cafbff200cadeaea1a76bd7898ad5b89f7848999058b50e715f636")
    call = bytes.fromhex("04070096074594cccf1cd185fa8a72ceaeefd86648f8d45514f3ce33c31bdd07e4655d30")
    fields = Extrinsic(
        "ed25519",
        call,
        mortal(4096, 4302222),
        2,
        0,
        9430,
        6,
        genesis,
        bytes.fromhex("1fc7493f3c1e9ac758a183839906475f8363aafb1b1d3e910fe16fab4ae1b582"),
        None,
    )
    network = Network(Chain("polkadot:" + genesis.hex()[:32], "Kusama CC2", "KSM", 12), genesis)
    assert fields.payload(network).hex() == (
        call.hex() + "eb580800d624000006000000"
        "e3777fa922cafbff200cadeaea1a76bd7898ad5b89f7848999058b50e715f636"
        "1fc7493f3c1e9ac758a183839906475f8363aafb1b1d3e910fe16fab4ae1b582"
    )
    alice = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
    signature = bytes.fromhex(
        "5b4cf1d210c93eb6e6428a88c1b298e280d761fe50fe02d6c3253075ed23f239"
        "bcbc9a4f9bf0494a869f797355daf55ed6de373572328a1f6f4519f48f8f280f"
    )
    assert fields.signed(network, alice, signature).hex() == (
        f"2d028400{alice.hex()}00{signature.hex()}eb580800{call.hex()}"
    )


@pytest.mark.parametrize("scheme", ["ed25519", "ecdsa"])
@pytest.mark.parametrize("chain", [POLKADOT, HUB])
def test_a_signature_is_attached_and_refused_with_a_byte_changed(scheme: str, chain: str) -> None:
    ready = decoded(transfer(scheme, chain), chain)
    (digest,) = ready.digests
    assert (digest.scheme, digest.group) == (scheme, {"ed25519": "ed25519", "ecdsa": "secp256k1"}[scheme])
    signature = sign(scheme, digest.value)
    signed = CHAINS.attach(ready, [signature])
    assert signature in signed.raw
    assert signed.details["signature"] == "0x" + signature.hex()
    for position in range(0, len(signature), 7):
        wrong = bytearray(signature)
        wrong[position] ^= 1
        with pytest.raises((ProofRejected, Malformed)):
            CHAINS.attach(ready, [bytes(wrong)])
    for none in (b"", signature[:-1], signature + b"\0"):
        with pytest.raises(Malformed):
            CHAINS.attach(ready, [none])
    with pytest.raises(Malformed, match="one signature"):
        CHAINS.attach(ready, [signature, signature])


def test_an_ecdsa_account_signs_the_hash_and_its_high_s_is_refused() -> None:
    fields = transfer("ecdsa")
    ready = decoded(fields)
    message = fields.payload(BY_ID[POLKADOT])
    assert ready.digest == blake2b_256(message)
    assert bytes(
        recovery.recover(ready.digest, sign("ecdsa", ready.digest)[:64], sign("ecdsa", ready.digest)[64])
    )
    signature = sign("ecdsa", ready.digest)
    high = (SECP256K1.order - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    with pytest.raises(Malformed, match="lower half"):
        CHAINS.attach(ready, [signature[:32] + high + bytes([signature[64] ^ 1])])
    with pytest.raises(ProofRejected):
        CHAINS.attach(ready, [signature[:64] + bytes([signature[64] ^ 1])])


def test_a_long_payload_is_hashed_before_it_is_signed() -> None:
    overhead = len(transfer(call=b"\0\0").payload(BY_ID[POLKADOT])) - 2
    for length, hashed in ((HASHED_ABOVE - overhead, False), (HASHED_ABOVE - overhead + 1, True)):
        remark = b"\0\0" + compact(length - 4) + b"x" * (length - 4)
        assert len(remark) == length
        fields = transfer(call=remark)
        message = fields.payload(BY_ID[POLKADOT])
        assert decoded(fields).digest == (blake2b_256(message) if hashed else message)
        ecdsa = replace_scheme(fields, "ecdsa")
        inner = blake2b_256(message) if hashed else message
        assert decoded(ecdsa).digest == blake2b_256(inner)


def test_a_row_that_was_added_signs_raw_under_the_generic_number() -> None:
    chain = "polkadot:" + "ab" * 16
    fields = transfer(genesis_hash=b"\xab" * 32)
    assert CHAINS.address(chain, ED_KEY).startswith("5")
    ready = decoded(fields, chain)
    assert ready.risks == {Risk.UNKNOWN_CALL}
    with pytest.raises(Refused, match="genesis") as refusal:
        decoded(transfer(), chain)
    assert refusal.value.code == "chain-mismatch"
    for row in ("polkadot:" + "AB" * 16, "polkadot:ab", "polkadot:" + "ab" * 17):
        with pytest.raises(Malformed, match="genesis hash"):
            Chains([Chain(row, "Bad", "B", 1)]).chain(row)


def test_the_whole_genesis_hash_of_a_known_chain_is_compared() -> None:
    half = BY_ID[POLKADOT].genesis[:16]
    with pytest.raises(Refused) as refusal:
        decoded(transfer(genesis_hash=half + bytes(16)))
    assert refusal.value.code == "chain-mismatch"


def test_a_row_of_ours_keeps_its_data_under_another_name() -> None:
    chains = Chains([Chain(POLKADOT, "Dots", "DOT", 10)])
    assert chains.chain(POLKADOT).name == "Dots"
    assert chains.address(POLKADOT, ED_KEY) == CHAINS.address(POLKADOT, ED_KEY)


def test_the_same_key_has_an_address_on_each_chain() -> None:
    point = ED25519.point_from_bytes(ED_KEY)
    assert CHAINS.address(POLKADOT, point) == CHAINS.address(HUB, ED_KEY)
    assert CHAINS.addresses(KUSAMA, point) == {"account": CHAINS.address(KUSAMA, ED_KEY)}
    assert len({CHAINS.address(caip2, point) for caip2 in (POLKADOT, KUSAMA, WESTEND)}) == 3
    assert CHAINS.family(POLKADOT).address(point) == CHAINS.address(POLKADOT, point)
    with pytest.raises(Malformed, match="no key on p256"):
        CHAINS.address(POLKADOT, group_named("p256").generator)
    for key in (b"", b"\1" * 31, b"\2" + b"\xff" * 32, 7, None):
        with pytest.raises(Malformed):
            CHAINS.address(POLKADOT, key)
    with pytest.raises(Refused) as refusal:
        CHAINS.address("polkadot:" + "00" * 16, ED_KEY)
    assert refusal.value.code == "unknown-chain"


def test_another_account_or_another_curve_is_refused() -> None:
    other = Request(
        1, POLKADOT, CHAINS.address(POLKADOT, EC_KEY), "extrinsic", transfer().body()
    ).to_payload()
    with pytest.raises(Refused) as refusal:
        CHAINS.decode(other, ED_KEY)
    assert refusal.value.code == "other-account"
    generic = Request(
        1, POLKADOT, CHAINS.address(WESTEND, ED_KEY), "extrinsic", transfer().body()
    ).to_payload()
    with pytest.raises(Malformed, match="not written as Polkadot writes it"):
        CHAINS.decode(generic, ED_KEY)
    for scheme, key in (
        ("ecdsa", ED_KEY),
        ("ed25519", EC_KEY),
        ("sr25519", ED25519.point_from_bytes(ED_KEY)),
    ):
        account = CHAINS.address(POLKADOT, key)
        with pytest.raises(Refused) as refusal:
            CHAINS.decode(requests.extrinsic(transfer(scheme), account, POLKADOT), key)
        assert refusal.value.code == "other-curve"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"era": b"\0"}, "block_hash"),
        ({"era": b"\0\0"}, "era"),
        ({"era": b"\1"}, "era"),
        ({"era": b"\x10\1"}, "era"),
        ({"era": b"\xf1\xff"}, "era"),
        ({"metadata_hash": b"\1"}, "metadata_hash"),
        ({"call": b"\5"}, "Extrinsic"),
        ({"scheme": "bls"}, "Extrinsic"),
        ({"nonce": 1 << 32}, "Extrinsic"),
        ({"nonce": -1}, "Extrinsic"),
        ({"tip": MAX_TIP + 1}, "Extrinsic"),
        ({"genesis_hash": b"\1" * 31}, "Extrinsic"),
    ],
)
def test_a_field_that_cannot_be_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises((Malformed, LimitExceeded), match=field):
        transfer(**changes).body()


def test_the_largest_tip_is_signed() -> None:
    assert decoded(transfer(tip=MAX_TIP)).fields["tip"] == MAX_TIP


@given(st.integers(2, 16), st.integers(0, 1 << 32))
def test_an_era_holds_at_its_block(exponent: int, block: int) -> None:
    period = 1 << exponent
    era = mortality(mortal(period, block))
    assert era is not None
    assert era[0] == period
    step = max(period >> 12, 1)
    assert era[1] == block % period // step * step


def test_an_era_has_a_period_that_is_a_power_of_two() -> None:
    for period in (2, 3, 65, 1 << 17):
        with pytest.raises(Malformed, match="power of two"):
            mortal(period, 1)
    assert mortality(b"\0") is None


def test_the_metadata_hash_is_signed_and_shown() -> None:
    digest = b"\x77" * 32
    fields = transfer(metadata_hash=digest)
    ready = decoded(fields)
    assert digest.hex() in ready.preview.text()
    assert ready.digest.endswith(b"\1" + digest)
    assert ready.digest[41:47] == mortal(64, 3933) + compact(200) + compact(0) + b"\1"
    assert decoded(transfer(metadata_hash=None)).digest.endswith(BLOCK)


def test_warming_loads_what_checks_signatures() -> None:
    CHAINS.warm("polkadot")
