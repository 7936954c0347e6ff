"""What a person reads of a PSBT or a message, and what a policy gets."""

import pytest
from tests.support.bitcoin import ALICE, BOB, CHAINS, coin, make_psbt

from quorate.chains import Level, Preview
from quorate.chains.bitcoin import MAINNET, REGTEST, requests
from quorate.chains.bitcoin.preview import HIGH_FEE_RATE, MAX_SHOWN_SCRIPT
from quorate.chains.bitcoin.scripts import Key, pushed
from quorate.chains.bitcoin.wire import Output, parse_transaction
from quorate.errors import Malformed

KEY = ALICE.key
TO_BOB = BOB.address("p2wpkh", MAINNET)
MINE = ALICE.address("p2tr", MAINNET)


def lines(preview: Preview, label: str) -> list[str]:
    return [line.value for line in preview.lines if line.label == label]


def shown(outputs: list[Output], value: int = 100_000, **more: object):  # type: ignore[no-untyped-def]
    psbt = make_psbt([coin(KEY.taproot_script(), value)], outputs, **more)  # type: ignore[arg-type]
    return ALICE.decode(psbt, chain=MAINNET)


def test_a_payment_reads_from_top_to_bottom() -> None:
    decoded = shown([Output(60_000, BOB.key.witness_script), Output(39_000, KEY.taproot_script())])
    outpoint = coin(KEY.taproot_script()).previous.txid + ":0"
    assert decoded.preview.text().splitlines() == [
        "Send 0.0006 BTC on Bitcoin",
        "   Network       Bitcoin (bip122:000000000019d6689c085ae165831e93)",
        f"   Account       {MINE}",
        f"   Spends        0.001 BTC of this account at {MINE} ({outpoint})",
        f"   To            0.0006 BTC to {TO_BOB}",
        f"   Change        0.00039 BTC back to this account at {MINE}",
        "   Fee           0.00001 BTC (7.04 sat/vB for 142 vB)",
        "   Account pays  0.00061 BTC in all, the fee included",
        f"   Transaction   {decoded.fields['txid']}",
    ]
    assert decoded.preview.level is Level.PLAIN
    assert not decoded.risks


def test_the_fields_for_policies_are_these() -> None:
    outputs = [
        Output(60_000, BOB.key.witness_script),
        Output(0, b"\x6a\x03abc"),
        Output(1_000, b"\x51"),
        Output(30_000, KEY.witness_script),
    ]
    decoded = shown(outputs, locktime=9)
    txid = decoded.fields["txid"]
    assert dict(decoded.fields) == {
        "txid": txid,
        "psbt_version": 0,
        "version": 2,
        "locktime": 9,
        "replaceable": False,
        "inputs": 1,
        "own_inputs": 1,
        "outputs": 4,
        "destinations": (TO_BOB, "script:6a03616263", "script:51"),
        "amounts": ("60000", "0", "1000"),
        "value": 61_000,
        "change": 30_000,
        "spent": 70_000,
        "fee": 9_000,
        "size": 154,
        "data": ("03616263",),
        "unknown_outputs": 1,
    }


def test_the_size_is_that_of_the_signed_transaction() -> None:
    coins = [
        coin(KEY.taproot_script(), prove=True),
        coin(KEY.witness_script),
        coin(KEY.taproot_script(), 5, fields={b"\x03": (1).to_bytes(4, "little")}),
    ]
    psbt = make_psbt(coins, [Output(50_000, BOB.key.taproot_script())])
    signed = ALICE.sign_psbt(psbt)
    raw = signed.raw
    weight = 3 * len(parse_transaction(raw, "test").to_bytes(witness=False)) + len(raw)
    size = ALICE.decode(psbt).fields["size"]
    assert isinstance(size, int)
    # a DER signature may come out a byte or two shorter than the longest
    assert 0 <= 4 * size - weight <= 6


def test_a_fee_above_what_is_sent_or_above_any_market_is_marked() -> None:
    more_than_sent = shown([Output(1_000, BOB.key.witness_script), Output(97_000, KEY.taproot_script())])
    assert more_than_sent.risks == {"high-fee"}
    assert "more than the amount sent" in more_than_sent.preview.text()
    size = more_than_sent.fields["size"]
    assert isinstance(size, int)
    for excess, risks in ((0, frozenset()), (1, frozenset(["high-fee"]))):
        rest = 10_000_000 - HIGH_FEE_RATE * size - excess
        outputs = [Output(rest // 2, BOB.key.witness_script), Output(rest - rest // 2, KEY.taproot_script())]
        assert shown(outputs, 10_000_000).risks == risks
    moving = shown([Output(10_000_000 - HIGH_FEE_RATE * 200, KEY.taproot_script())], 10_000_000)
    assert moving.preview.title == "Move this account's own coins on Bitcoin"
    assert moving.risks == {"high-fee"}


def test_inputs_of_others_are_shown_and_leave_the_rate_open() -> None:
    psbt = make_psbt(
        [coin(KEY.taproot_script()), coin(BOB.key.taproot_script(), 40_000), coin(b"\x51", 3)],
        [Output(130_000, BOB.key.witness_script)],
    )
    decoded = ALICE.decode(psbt, chain=MAINNET)
    other, bare = lines(decoded.preview, "Also spends")
    assert other.startswith("0.0004 BTC that is not this account's, at bc1p")
    assert "at script 0x51 " in bare
    assert lines(decoded.preview, "Fee") == ["0.00010003 BTC (the size depends on what others sign)"]
    assert lines(decoded.preview, "Account pays") == ["0.001 BTC in all, the fee included"]
    assert decoded.fields["size"] is None
    assert decoded.fields["spent"] == 100_000


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (b"\x6a", "empty (0 bytes, published for ever)"),
        (b"\x6a\x05hello", "“hello” (6 bytes, published for ever)"),
        (b"\x6a\x06a\xe2\x80\xaeb\n", r"“a\u{202e}b\u{a}” (7 bytes, published for ever)"),
        (b"\x6a\x02\xff\xfe", "0x02fffe (3 bytes, published for ever)"),
        (b"\x6a\x01a\x01b", "0x01610162 (4 bytes, published for ever)"),
        (b"\x6a\x4c\x50" + b"x" * 80, "“" + "x" * 80 + "” (82 bytes, published for ever)"),
    ],
)
def test_data_is_shown_as_text_where_it_is_text(script: bytes, expected: str) -> None:
    decoded = shown([Output(0, script), Output(99_000, KEY.taproot_script())])
    assert lines(decoded.preview, "Data") == [expected]


def test_pushes_are_read_in_their_shortest_form_only() -> None:
    assert pushed(b"\x4c\x03abc") is None
    assert pushed(b"\x4c\x4c" + b"x" * 76) == b"x" * 76
    assert pushed(b"\x4b" + b"x" * 75) == b"x" * 75
    assert pushed(b"\x4c") is None
    assert pushed(b"\x51") is None


def test_coins_sent_along_with_data_are_burnt_and_called_so() -> None:
    decoded = shown([Output(5_000, b"\x6a\x01x"), Output(90_000, KEY.taproot_script())])
    assert lines(decoded.preview, "Burns") == [
        "0.00005 BTC sent along with the data can never be spent again"
    ]
    assert decoded.preview.level is Level.DANGER


@pytest.mark.parametrize("script", [b"\x51", b"", b"\x21" + KEY.public + b"\xac", b"\x00\x03abc"])
def test_a_script_without_an_address_is_shown_raw(script: bytes) -> None:
    decoded = shown([Output(90_000, script)])
    raw = f"0x{script.hex()}" if script else "empty"
    assert lines(decoded.preview, "To script") == [f"0.0009 BTC to a script without an address: {raw}"]
    assert "unknown-call" in decoded.risks


def test_a_long_script_is_cut_and_says_so() -> None:
    script = b"\x61" * (MAX_SHOWN_SCRIPT + 1)
    (text,) = lines(shown([Output(90_000, script)]).preview, "To script")
    assert text.endswith(f"0x{'61' * MAX_SHOWN_SCRIPT}… ({MAX_SHOWN_SCRIPT + 1} bytes)")


@pytest.mark.parametrize("script", [b"\x52\x20" + bytes(32), b"\x60\x02ab", b"\x51\x21" + bytes(33)])
def test_a_witness_version_without_rules_is_dangerous(script: bytes) -> None:
    decoded = shown([Output(90_000, script)])
    (text,) = lines(decoded.preview, "To")
    assert text.endswith("which today anybody can spend from")
    assert decoded.preview.level is Level.DANGER
    assert "unknown-call" in decoded.risks


def test_an_output_key_that_is_no_point_is_lost_for_ever_and_called_so() -> None:
    # 0 and the field's prime are no x coordinates of points
    prime = bytes.fromhex("ff" * 27 + "fefffffc2f")
    for x in (bytes(32), prime):
        decoded = shown([Output(90_000, b"\x51\x20" + x)])
        (text,) = lines(decoded.preview, "To")
        assert text.endswith("from which nobody can ever spend")
        assert decoded.preview.level is Level.DANGER


def test_an_anchor_is_an_address_like_any_other() -> None:
    decoded = shown([Output(240, bytes.fromhex("51024e73")), Output(90_000, KEY.taproot_script())])
    assert lines(decoded.preview, "To") == ["0.0000024 BTC to bc1pfeessrawgf"]
    assert decoded.preview.level is not Level.DANGER


def test_older_addresses_are_written_in_base_58() -> None:
    # the generator's P2PKH address, known from everywhere; a P2SH one from BIP 13
    public = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    key_hash = b"\x76\xa9\x14" + Key.of(public).hash + b"\x88\xac"
    script_hash = b"\xa9\x14" + bytes.fromhex("f815b036d9bbbce5e9f2a00abd1bf3dc91e95510") + b"\x87"
    decoded = shown([Output(1, key_hash), Output(2, script_hash), Output(90_000, KEY.taproot_script())])
    assert decoded.fields["destinations"] == (
        "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH",
        "3QJmV3qfvL9SuYo34YihAf3sRCW3qSinyC",
    )


@pytest.mark.parametrize(
    ("sequence", "locktime", "expected"),
    [
        (0xFFFFFFFF, 700, []),
        (0xFFFFFFFE, 700, ["block 700"]),
        (0xFFFFFFFE, 1_700_000_000, ["1700000000 (Unix time)"]),
        (0xFFFFFFFE, 0, []),
    ],
)
def test_a_lock_time_is_shown_where_it_binds(sequence: int, locktime: int, expected: list[str]) -> None:
    psbt = make_psbt(
        [coin(KEY.taproot_script(), sequence=sequence)],
        [Output(90_000, BOB.key.witness_script)],
        locktime=locktime,
    )
    assert lines(ALICE.decode(psbt).preview, "Not before") == expected


def test_a_replaceable_transaction_says_so() -> None:
    psbt = make_psbt(
        [coin(KEY.taproot_script(), sequence=0xFFFFFFFD)], [Output(90_000, BOB.key.witness_script)]
    )
    decoded = ALICE.decode(psbt)
    assert decoded.fields["replaceable"]
    assert lines(decoded.preview, "Replaceable")


def test_an_account_with_a_script_tree_says_so() -> None:
    root = bytes(range(32))
    with_tree = coin(KEY.taproot_script(root), fields={b"\x17": KEY.x_only, b"\x18": root})
    decoded = ALICE.decode(make_psbt([with_tree], [Output(90_000, BOB.key.witness_script)]))
    assert "which has a script tree besides" in lines(decoded.preview, "Spends")[0]


def test_a_message_is_shown_like_any_other_and_names_no_network() -> None:
    payload = requests.message("I own this\nreally", ALICE.address("p2wpkh", MAINNET), MAINNET)
    decoded = CHAINS.decode(payload, ALICE.public_key)
    assert decoded.preview.title == "Sign a message"
    assert lines(decoded.preview, "Message") == ["│ I own this"]
    assert "names no chain" in decoded.preview.text()
    assert decoded.fields == {"length": 17, "text": "I own this\nreally"}
    assert decoded.digests[0].scheme == "ecdsa"


def test_a_message_that_may_be_a_hash_is_opaque() -> None:
    for content in (bytes(32), b"\xff\xfe", "ab" * 32):
        payload = requests.message(content, ALICE.address(), REGTEST)
        assert "opaque-message" in CHAINS.decode(payload, ALICE.public_key).risks


@pytest.mark.parametrize("content", [5, None, "\ud800"])
def test_what_is_no_message_is_malformed(content: object) -> None:
    with pytest.raises(Malformed):
        requests.message(content, ALICE.address(), REGTEST)  # type: ignore[arg-type]
