"""Whatever arrives, `decode` answers with a `Decoded`, `Malformed`, `Refused` or `LimitExceeded`."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.bitcoin import ALICE, BOB, CHAINS, Coin, coin, make_psbt

from quorate.chains import Request
from quorate.chains.bitcoin import REGTEST, psbt, requests
from quorate.chains.bitcoin.wire import Output
from quorate.errors import LimitExceeded, Malformed, Refused

KEY = ALICE.key
ROOT = bytes(32)
ACCOUNT = ALICE.address()
TREE = {b"\x17": KEY.x_only, b"\x18": ROOT}

scripts = st.sampled_from(
    [KEY.taproot_script(), KEY.witness_script, KEY.taproot_script(ROOT), BOB.key.witness_script, b"\x51", b""]
) | st.binary(max_size=45)
keys = st.one_of(
    st.integers(0, 0x1A).map(lambda kind: bytes([kind])),
    st.sampled_from([b"\x02" + KEY.public, b"\x06" + KEY.public, b"\x16" + KEY.x_only, b"\xfc\x01x"]),
    st.binary(min_size=1, max_size=40),
)
values = st.binary(max_size=70) | st.sampled_from([bytes(4), b"\x01\x00\x00\x00", bytes(32), bytes(64)])
extras = st.dictionaries(keys, values, max_size=3)


@st.composite
def psbts(draw: st.DrawFn) -> bytes:
    coins = [
        Coin(
            Output(draw(st.integers(0, 1 << 50)), draw(scripts)),
            sequence=draw(st.integers(0, 0xFFFFFFFF)),
            fields={**(TREE if draw(st.booleans()) else {}), **draw(extras)},
            index=draw(st.integers(0, 2)),
            prove=draw(st.booleans()),
            claim=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    outputs = [Output(draw(st.integers(0, 1 << 40)), draw(scripts)) for _ in range(draw(st.integers(1, 3)))]
    version = draw(st.sampled_from([0, 2]))
    output_fields = {0: draw(extras)}
    return make_psbt(
        coins, outputs, version=version, overall=draw(extras), output_fields=output_fields, locktime=5
    )


def decode(payload: bytes) -> bool:
    try:
        decoded = CHAINS.decode(payload, ALICE.public_key)
    except (Malformed, Refused, LimitExceeded):
        return False
    assert decoded.payload == payload
    assert decoded.preview.text()
    assert all(len(digest.value) == 32 for digest in decoded.digests)
    return True


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_no_psbt(data: bytes) -> None:
    decode(Request(1, REGTEST, ACCOUNT, "psbt", data).to_payload())
    decode(Request(1, REGTEST, ACCOUNT, "psbt", b"psbt\xff" + data).to_payload())


@settings(max_examples=300)
@given(psbts())
def test_psbts_of_any_fields(data: bytes) -> None:
    decode(Request(1, REGTEST, ACCOUNT, "psbt", data).to_payload())


@settings(max_examples=200)
@given(st.data(), st.sampled_from([0, 2]))
def test_a_psbt_with_bytes_changed(data: st.DataObject, version: int) -> None:
    coins = [coin(KEY.taproot_script(), prove=True), coin(KEY.taproot_script(ROOT), fields=TREE)]
    outputs = [Output(50_000, BOB.key.witness_script), Output(100_000, KEY.taproot_script())]
    body = bytearray(make_psbt(coins, outputs, version=version))
    assert decode(Request(1, REGTEST, ACCOUNT, "psbt", bytes(body)).to_payload())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    decode(Request(1, REGTEST, ACCOUNT, "psbt", bytes(body)).to_payload())


@settings(max_examples=100)
@given(psbts())
def test_what_is_read_is_written_again_byte_for_byte(data: bytes) -> None:
    try:
        found = psbt.parse(data)
    except (Malformed, LimitExceeded):
        return
    assert found.to_bytes() == data == psbt.normal(data)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_arbitrary_messages_are_shown_and_signed_or_malformed(content: str | bytes) -> None:
    try:
        payload = requests.message(content, ACCOUNT, REGTEST)
    except Malformed:
        return
    assert decode(payload)


@given(st.text(max_size=100) | st.binary(max_size=100))
def test_arbitrary_files_are_no_psbt(content: str | bytes) -> None:
    try:
        requests.psbt(content, ACCOUNT, REGTEST)
    except (Malformed, LimitExceeded):
        return
    raise AssertionError("taken for a PSBT")
