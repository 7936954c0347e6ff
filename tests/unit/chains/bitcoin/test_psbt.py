"""Reading PSBTs: both versions, one canonical form, and every way to be none."""

from base64 import b64encode
from collections.abc import Mapping

import pytest
from tests.support.bitcoin import ALICE, BOB, FINAL, Coin, coin, input_map, make_psbt, transaction_of, write

from quorate.chains import Request
from quorate.chains.bitcoin import REGTEST, psbt, requests
from quorate.chains.bitcoin.psbt import MAX_INPUTS, MAX_OUTPUTS, parse
from quorate.chains.bitcoin.wire import (
    MAX_MONEY,
    Input,
    Output,
    Reader,
    Transaction,
    compact,
    parse_transaction,
)
from quorate.chains.chain import MAX_PAYLOAD_BYTES
from quorate.errors import LimitExceeded, Malformed

MINE = ALICE.key.taproot_script()
PAID = [Output(90_000, BOB.key.witness_script)]
COIN = coin(MINE)
VALID = make_psbt([COIN], PAID)
UNSIGNED = transaction_of([COIN], PAID)
SPENT = input_map(COIN)


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def with_input(extra: Mapping[bytes, bytes], version: int = 0) -> bytes:
    return make_psbt([coin(MINE, fields=extra)], PAID, version=version)


@pytest.mark.parametrize("version", [0, 2])
def test_both_versions_hold_the_same_transaction(version: int) -> None:
    coins = [coin(MINE, sequence=7), coin(ALICE.key.witness_script, index=2, prove=True)]
    found = parse(make_psbt(coins, PAID, version=version, locktime=500))
    assert found.version == version
    assert found.transaction == transaction_of(coins, PAID, 500)
    assert found.spent == tuple(each.output for each in coins)
    assert found.proven == (False, True)
    assert found.fee == 110_000


@pytest.mark.parametrize("version", [0, 2])
def test_reading_inverts_writing(version: int) -> None:
    data = make_psbt([COIN, coin(MINE, 5)], PAID, version=version, overall={b"\xfc\x03abc\x00": b"own"})
    assert parse(data).to_bytes() == data


def test_maps_in_another_order_are_sorted_for_a_request_and_refused_in_one() -> None:
    maps = [{b"\x00": UNSIGNED.to_bytes(), b"\xfc\x01x": b"1"}, {**SPENT, b"\x03": u32(0)}, {}]
    shuffled = write(maps, order=False)
    payload = requests.psbt(shuffled, ALICE.address(), REGTEST)
    assert Request.from_payload(payload).body == write(maps)
    with pytest.raises(Malformed, match="not sorted"):
        parse(shuffled)


@pytest.mark.parametrize(
    "content",
    [
        VALID,
        b64encode(VALID),
        b64encode(VALID).decode(),
        b64encode(VALID).decode() + "\n",
        "\n".join([b64encode(VALID).decode()[:64], b64encode(VALID).decode()[64:]]),
        VALID.hex(),
        VALID.hex().upper(),
    ],
    ids=["bytes", "base64 bytes", "base64", "newline", "wrapped", "hex", "HEX"],
)
def test_a_psbt_is_taken_as_its_file_or_its_text(content: bytes | str) -> None:
    payload = requests.psbt(content, ALICE.address(), REGTEST, path="0/3")
    request = Request.from_payload(payload)
    assert (request.body, request.path, request.kind) == (VALID, "0/3", "psbt")


@pytest.mark.parametrize("content", ["", "no base64!", "cHNidA==", b"\xff\x00", 7, None, "70736274ffzz"])
def test_other_content_is_malformed(content: object) -> None:
    with pytest.raises(Malformed):
        requests.psbt(content, ALICE.address(), REGTEST)  # type: ignore[arg-type]


def test_text_longer_than_any_request_is_not_decoded() -> None:
    with pytest.raises(LimitExceeded):
        requests.psbt("A" * (4 * MAX_PAYLOAD_BYTES + 1), ALICE.address(), REGTEST)


def test_a_psbt_beyond_a_request_is_refused_when_it_is_made() -> None:
    large = make_psbt([COIN], PAID, overall={b"\xfc\x01x": bytes(MAX_PAYLOAD_BYTES)})
    with pytest.raises(LimitExceeded):
        requests.psbt(large, ALICE.address(), REGTEST)


def test_as_many_inputs_and_outputs_as_the_limits_say_and_no_more() -> None:
    coins = [coin(MINE, 1000 + index) for index in range(MAX_INPUTS + 1)]
    paid = [Output(1, b"\x51")] * (MAX_OUTPUTS + 1)
    assert len(parse(make_psbt(coins[:-1], paid[:-1])).inputs) == MAX_INPUTS
    for version in (0, 2):
        with pytest.raises(LimitExceeded, match="inputs"):
            parse(make_psbt(coins, paid[:-1], version=version))
        with pytest.raises(LimitExceeded, match="outputs"):
            parse(make_psbt(coins[:-1], paid, version=version))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends too early"),
        (b"psbt\xfe" + VALID[5:], "does not begin"),
        (VALID[:-1], "ends too early"),
        (VALID + b"\x00", "bytes follow"),
        (write([{b"\xfb": u32(1)}]), "version 1"),
        (write([{b"\xfb": u32(3), b"\x00": UNSIGNED.to_bytes()}, SPENT, {}]), "version 3"),
        (write([{}]), "field 0x00 is missing"),
        (write([{b"\x00": UNSIGNED.to_bytes() + b"\x00"}, SPENT, {}]), "bytes follow"),
        (write([{b"\x00": UNSIGNED.to_bytes(), b"\x02": u32(2)}, SPENT, {}]), "version 2"),
        (with_input({b"\x0e": bytes(32)}), "version 2"),
        (make_psbt([COIN], PAID, output_fields={0: {b"\x04": b"\x51"}}), "version 2"),
        (make_psbt([COIN], PAID, overall={b"\x00": UNSIGNED.to_bytes()}, version=2), "whole transaction"),
        (make_psbt([COIN], PAID, overall={b"\x04": b"\x00"}, version=2), "no inputs"),
        (make_psbt([COIN], PAID, overall={b"\x05": b"\x00"}, version=2), "no outputs"),
        (make_psbt([COIN], PAID, overall={b"\x04": b"\xfd\x01\x00"}, version=2), "shortest form"),
        (make_psbt([COIN], PAID, overall={b"\x04": b"\x01\x00\x00"}, version=2), "bytes follow"),
        (make_psbt([COIN, COIN], PAID), "two inputs spend one output"),
        (make_psbt([coin(MINE, claim=False)], PAID), "does not say what it spends"),
        (make_psbt([COIN], [Output(100_001, MINE)]), "hold more than its inputs"),
        (make_psbt([coin(MINE, MAX_MONEY), coin(MINE, 1)], PAID), "more coins than exist"),
        (with_input({b"\x01": COIN.output.to_bytes() + b"\x00"}), "bytes follow"),
        (with_input({b"\x01": (MAX_MONEY + 1).to_bytes(8, "little") + b"\x00"}), "more coins than exist"),
        (with_input({b"\x00": UNSIGNED.to_bytes()}), "not the transaction it spends from"),
    ],
)
def test_what_is_no_psbt_is_malformed(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        parse(data)


def test_a_field_that_is_there_twice_is_malformed() -> None:
    once = compact(1) + b"\x03" + compact(4) + u32(0)
    data = write([{b"\x00": UNSIGNED.to_bytes()}]) + _pairs(SPENT) + once + once + b"\x00\x00"
    for read in (parse, psbt.normal):
        with pytest.raises(Malformed, match="twice"):
            read(data)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"\x02" + bytes(32), b"x"),
        (b"\x02" + ALICE.public_key, b""),
        (b"\x03", b"\x00"),
        (b"\x03x", u32(0)),
        (b"\x06" + ALICE.public_key, b"abc"),
        (b"\x06" + ALICE.public_key, b""),
        (b"\x08", b""),
        (b"\x13", bytes(63)),
        (b"\x13", bytes(66)),
        (b"\x14" + bytes(63), bytes(64)),
        (b"\x15" + bytes(34), b"\x51"),
        (b"\x16" + bytes(31), b"\x00" + bytes(4)),
        (b"\x16" + bytes(32), b"\x00"),
        (b"\x16" + bytes(32), b"\x01" + bytes(31)),
        (b"\x16" + bytes(32), b"\xff" + b"\xff" * 8),
        (b"\x17", bytes(33)),
        (b"\x18", bytes(31)),
        (b"\x18", b""),
    ],
)
def test_a_known_field_of_another_form_is_malformed(key: bytes, value: bytes) -> None:
    with pytest.raises(Malformed):
        parse(with_input({key: value}))


@pytest.mark.parametrize("key", [b"\x0e", b"\x0f"])
def test_version_2_needs_every_outpoint(key: bytes) -> None:
    head = {b"\x02": u32(2), b"\x04": b"\x01", b"\x05": b"\x01", b"\xfb": u32(2)}
    entry = {**SPENT, b"\x0e": bytes(32), b"\x0f": u32(0)}
    paid = {b"\x03": (1).to_bytes(8, "little"), b"\x04": b"\x51"}
    assert parse(write([head, entry, paid])).version == 2
    del entry[key]
    with pytest.raises(Malformed, match="is missing"):
        parse(write([head, entry, paid]))


def test_the_previous_transaction_proves_an_output_and_both_must_agree() -> None:
    proof = coin(MINE, prove=True, claim=False)
    assert parse(make_psbt([proof], PAID)).proven == (True,)
    lie = Output(99_000, MINE).to_bytes()
    with pytest.raises(Malformed, match="disagree"):
        parse(make_psbt([coin(MINE, prove=True, fields={b"\x01": lie})], PAID))
    beyond = Coin(COIN.output, source=COIN.previous, index=1, claim=False, prove=True)
    with pytest.raises(Malformed, match="not the transaction it spends from"):
        parse(make_psbt([beyond], PAID))


def test_a_transaction_that_carries_a_script_or_a_witness_is_no_unsigned_one() -> None:
    for entry in (
        Input(COIN.previous.hash, 0, FINAL, b"\x51"),
        Input(COIN.previous.hash, 0, FINAL, b"", (b"x",)),
    ):
        signed = Transaction(2, (entry,), tuple(PAID), 0)
        with pytest.raises(Malformed, match="carries signatures"):
            parse(write([{b"\x00": signed.to_bytes()}, SPENT, {}]))


@pytest.mark.parametrize(
    ("needs", "fallback", "locktime"),
    [
        ([{}], 0, 0),
        ([{}], 77, 77),
        ([{b"\x12": u32(10)}, {b"\x12": u32(12)}, {}], 77, 12),
        ([{b"\x11": u32(500_000_001)}, {}], 77, 500_000_001),
        ([{b"\x11": u32(500_000_001), b"\x12": u32(9)}, {b"\x11": u32(500_000_002)}], 0, 500_000_002),
        ([{b"\x11": u32(500_000_001), b"\x12": u32(9)}, {}], 0, 9),
    ],
)
def test_version_2_finds_the_lock_time_as_bip_370_says(
    needs: list[Mapping[bytes, bytes]], fallback: int, locktime: int
) -> None:
    coins = [coin(MINE, 100_000 + index, fields=row) for index, row in enumerate(needs)]
    assert parse(make_psbt(coins, PAID, version=2, locktime=fallback)).transaction.locktime == locktime


@pytest.mark.parametrize(
    "needs",
    [
        [{b"\x11": u32(500_000_001)}, {b"\x12": u32(9)}],
        [{b"\x11": u32(499_999_999)}],
        [{b"\x12": u32(500_000_000)}],
        [{b"\x12": u32(0)}],
    ],
)
def test_lock_times_that_no_transaction_can_have_are_malformed(needs: list[Mapping[bytes, bytes]]) -> None:
    coins = [coin(MINE, 100_000 + index, fields=row) for index, row in enumerate(needs)]
    with pytest.raises(Malformed):
        parse(make_psbt(coins, PAID, version=2))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(10),
        bytes.fromhex("02000000" + "0002" + "00" * 60),
        bytes.fromhex("02000000" + "fd0100"),
        bytes.fromhex("02000000" + "ff" * 9),
        # no output
        bytes.fromhex("02000000" + "01" + "11" * 36 + "00" + "ffffffff" + "00" + "00000000"),
        # says that it has witnesses and has none
        bytes.fromhex(
            "02000000" + "0001" + "01" + "11" * 36 + "00" + "ffffffff" + "01" + "00" * 9 + "00" + "00" * 4
        ),
        # twice all the coins there are
        Transaction(2, (Input(bytes(32), 0, 0),), (Output(MAX_MONEY, b""),) * 2, 0).to_bytes(),
    ],
)
def test_what_is_no_transaction_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_transaction(data, "test")


@pytest.mark.parametrize("length", [0, 0xFC, 0xFD, 0xFFFF, 0x10000, 0xFFFFFFFF, 0x100000000])
def test_lengths_have_one_form(length: int) -> None:
    assert Reader(compact(length), "test").compact() == length
    for width, first in ((2, b"\xfd"), (4, b"\xfe"), (8, b"\xff")):
        longer = first + length.to_bytes(8, "little")[:width]
        if len(longer) > len(compact(length)) and length < 1 << (8 * width):
            with pytest.raises(Malformed, match="shortest"):
                Reader(longer, "test").compact()


def _pairs(map_: Mapping[bytes, bytes]) -> bytes:
    return b"".join(compact(len(k)) + k + compact(len(v)) + v for k, v in sorted(map_.items()))
