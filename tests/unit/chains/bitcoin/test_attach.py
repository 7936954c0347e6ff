"""Signatures into PSBTs: each is verified, others go on signing, and what is finished is as BIP 174 says."""

from base64 import b64decode

import pytest
from btclib_secp256k1 import ssa
from tests.support.bitcoin import ALICE, BOB, CHAINS, SingleKey, changed, coin, make_psbt

from quorate.chains import Decoded
from quorate.chains.bitcoin import MAINNET, REGTEST, requests
from quorate.chains.bitcoin.psbt import Psbt, parse
from quorate.chains.bitcoin.signature import _integer
from quorate.chains.bitcoin.wire import Output, Reader, parse_transaction, read_stack
from quorate.errors import Malformed, ProofRejected
from quorate.groups.secp256k1 import ORDER

KEY = ALICE.key
ROOT = bytes(range(32))
TAPROOT = coin(KEY.taproot_script(), prove=True)
WITH_TREE = coin(KEY.taproot_script(ROOT), fields={b"\x17": KEY.x_only, b"\x18": ROOT})
WITNESS = coin(KEY.witness_script)
PAID = [Output(90_000, BOB.key.witness_script)]


def signatures(decoded: Decoded, key: SingleKey = ALICE) -> list[bytes]:
    return [key.sign(digest) for digest in decoded.digests]


def of(details: object) -> Psbt:
    return parse(b64decode(str(details)))


@pytest.mark.parametrize("version", [0, 2])
def test_a_psbt_of_our_inputs_alone_becomes_a_transaction(version: int) -> None:
    psbt = make_psbt([TAPROOT, WITNESS, WITH_TREE], PAID, version=version)
    decoded = ALICE.decode(psbt)
    signed = CHAINS.attach(decoded, signatures(decoded))
    transaction = parse_transaction(signed.raw, "test")
    assert signed.id == signed.details["txid"] == transaction.txid == decoded.fields["txid"]
    assert signed.details["complete"] is signed.details["txid_final"] is True
    assert [len(entry.witness) for entry in transaction.inputs] == [1, 2, 1]
    assert [len(entry.witness[0]) for entry in transaction.inputs[::2]] == [64, 64]
    assert transaction.inputs[1].witness[1] == KEY.public
    assert transaction.inputs[1].witness[0][-1] == 1


def test_the_signed_psbt_has_the_signatures_in_their_fields_and_keeps_the_rest() -> None:
    psbt = make_psbt([TAPROOT, WITNESS], PAID, overall={b"\xfc\x01x": b"own"})
    signed = ALICE.sign_psbt(psbt)
    found = of(signed.details["psbt"])
    before = parse(psbt)
    assert found.overall == before.overall
    assert set(found.inputs[0]) - set(before.inputs[0]) == {b"\x13"}
    assert set(found.inputs[1]) - set(before.inputs[1]) == {b"\x02" + KEY.public}
    raw = parse_transaction(signed.raw, "test")
    assert found.inputs[0][b"\x13"] == raw.inputs[0].witness[0]
    assert found.inputs[1][b"\x02" + KEY.public] == raw.inputs[1].witness[0]


def test_a_finished_input_keeps_what_it_spends_and_unknown_fields_alone() -> None:
    own = {b"\x16" + KEY.x_only: b"\x00" + bytes(4), b"\x17": KEY.x_only, b"\xfc\x01x": b"own", b"\x99": b"?"}
    signed = ALICE.sign_psbt(make_psbt([coin(KEY.taproot_script(), fields=own, prove=True)], PAID))
    (finished,) = of(signed.details["final_psbt"]).inputs
    assert set(finished) == {b"\x00", b"\x01", b"\x08", b"\x99", b"\xfc\x01x"}
    witness = read_stack(Reader(finished[b"\x08"], "test"))
    assert witness == parse_transaction(signed.raw, "test").inputs[0].witness


def test_a_signature_of_everything_ends_that_a_psbt_may_be_changed() -> None:
    psbt = make_psbt([TAPROOT], PAID, version=2, overall={b"\x06": b"\x07"})
    signed = ALICE.sign_psbt(psbt)
    for name in ("psbt", "final_psbt"):
        assert of(signed.details[name]).overall[b"\x06"] == b"\x04"


def test_taproot_s_all_carries_its_byte() -> None:
    with_all = coin(KEY.taproot_script(), fields={b"\x03": (1).to_bytes(4, "little")})
    transaction = parse_transaction(ALICE.sign_psbt(make_psbt([with_all], PAID)).raw, "test")
    assert len(transaction.inputs[0].witness[0]) == 65
    assert transaction.inputs[0].witness[0][-1] == 1


def test_two_accounts_sign_one_psbt_in_turn() -> None:
    psbt = make_psbt([TAPROOT, coin(BOB.key.taproot_script())], PAID)
    first = ALICE.sign_psbt(psbt)
    assert first.details["complete"] is False
    assert first.details["txid_final"] is True
    assert first.raw == b64decode(str(first.details["psbt"]))
    for name in ("psbt", "final_psbt"):
        second = BOB.sign_psbt(str(first.details[name]))
        # of a signed input nobody here is the finalizer; of a finished one the transaction is complete
        assert second.details["complete"] is (name == "final_psbt")
    assert parse_transaction(second.raw, "test").txid == first.id


def test_an_id_that_another_s_script_will_change_is_not_called_final() -> None:
    nested = coin(b"\xa9\x14" + bytes(20) + b"\x87")
    signed = ALICE.sign_psbt(make_psbt([TAPROOT, nested], PAID))
    assert signed.details["txid_final"] is False
    finished = coin(b"\xa9\x14" + bytes(20) + b"\x87", fields={b"\x07": b"\x16" + bytes(22)})
    complete = ALICE.sign_psbt(make_psbt([TAPROOT, finished], PAID))
    assert complete.details["complete"] is complete.details["txid_final"] is True
    assert complete.id != ALICE.decode(make_psbt([TAPROOT, finished], PAID)).fields["txid"]


def test_a_final_witness_that_is_none_is_malformed() -> None:
    broken = coin(BOB.key.taproot_script(), fields={b"\x08": b"\x02\x01x"})
    with pytest.raises(Malformed):
        ALICE.decode(make_psbt([TAPROOT, broken], PAID))


def test_each_signature_is_refused_with_a_byte_changed() -> None:
    decoded = ALICE.decode(make_psbt([TAPROOT, WITNESS, WITH_TREE], PAID))
    right = signatures(decoded)
    CHAINS.attach(decoded, right)
    for place, signature in enumerate(right):
        for position in range(0, 64, 7):
            wrong = list(right)
            wrong[place] = changed(signature, position)
            with pytest.raises((ProofRejected, Malformed)):
                CHAINS.attach(decoded, wrong)


def test_a_signature_of_another_key_tweak_or_input_is_refused() -> None:
    decoded = ALICE.decode(make_psbt([TAPROOT, WITNESS, WITH_TREE], PAID))
    right = signatures(decoded)
    untweaked = ssa.sign(decoded.digests[0].value, ALICE.secret)
    for wrong in (
        [untweaked, right[1], right[2]],
        [right[2], right[1], right[0]],
        [BOB.sign(decoded.digests[0]), right[1], right[2]],
        [right[0], BOB.sign(decoded.digests[1]), right[2]],
    ):
        with pytest.raises(ProofRejected):
            CHAINS.attach(decoded, wrong)


def test_signatures_of_another_number_or_form_are_malformed() -> None:
    decoded = ALICE.decode(make_psbt([TAPROOT, WITNESS], PAID))
    schnorr, ecdsa = signatures(decoded)
    high = ecdsa[:32] + (ORDER - int.from_bytes(ecdsa[32:64], "big")).to_bytes(32, "big") + ecdsa[64:]
    for wrong in (
        [],
        [schnorr],
        [schnorr, ecdsa, ecdsa],
        [schnorr + b"\x01", ecdsa],
        [schnorr[:63], ecdsa],
        [schnorr, ecdsa[:64]],
        [schnorr, ecdsa[:64] + b"\x04"],
        [schnorr, bytes(32) + ecdsa[32:]],
        [schnorr, ecdsa[:32] + b"\xff" * 32 + b"\x00"],
        [schnorr, high],
    ):
        with pytest.raises(Malformed):
            CHAINS.attach(decoded, wrong)


@pytest.mark.parametrize("kind", ["p2tr", "p2wpkh"])
def test_a_signed_message_is_refused_with_a_byte_changed(kind: str) -> None:
    payload = requests.message("hello", ALICE.address(kind, MAINNET), MAINNET)
    decoded = CHAINS.decode(payload, ALICE.public_key)
    (right,) = signatures(decoded)
    signed = CHAINS.attach(decoded, [right])
    assert str(signed.details["signature"]).startswith("smp")
    assert signed.raw == b64decode(str(signed.details["without_prefix"]))
    for position in range(0, 64, 9):
        with pytest.raises((ProofRejected, Malformed)):
            CHAINS.attach(decoded, [changed(right, position)])
    with pytest.raises(Malformed):
        CHAINS.attach(decoded, [right, right])


def test_der_has_the_length_its_numbers_need() -> None:
    # signatures of many digests: leading bits and bytes of r and s come in all forms
    for value in (1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 1 << 255, (1 << 255) - 1):
        encoded = _integer(value)
        assert encoded[:2] == bytes([2, len(encoded) - 2])
        assert int.from_bytes(encoded[2:], "big", signed=True) == value
        assert encoded[2] != 0 or len(encoded) == 3 or encoded[3] >= 0x80


def test_regtest_and_mainnet_requests_of_one_psbt_have_the_same_digests() -> None:
    psbt = make_psbt([TAPROOT], PAID)
    assert ALICE.decode(psbt, chain=REGTEST).digests == ALICE.decode(psbt, chain=MAINNET).digests
