"""Starknet's hashes and addresses: published values, most of them from mainnet."""

import sys

import pytest

from quorate.chains.starknet import hashes
from quorate.chains.starknet.account import CLASSES, MAX_CONSTRUCTOR, Deployment
from quorate.chains.starknet.felts import address, felt, number, short_string
from quorate.chains.starknet.hashes import poseidon, selector
from quorate.chains.starknet.requests import bound
from quorate.chains.starknet.transaction import Bounds, deploy_account_hash, invoke_hash, invoke_v1_hash
from quorate.errors import Malformed, Unavailable
from quorate.groups.stark import FIELD

MAIN = short_string("SN_MAIN")
GOERLI = 0x534E5F474F45524C49


def felts(*values: int) -> tuple[bytes, ...]:
    return tuple(felt(value, "value") for value in values)


def deployment(class_hash: int, salt: int, *constructor: int) -> Deployment:
    return Deployment(*felts(class_hash, salt), felts(*constructor))


# starknet.py, starknet_py/hash/transaction_test.py and address_test.py: the same calldata under two bounds
# (before version 0.13.4) and under three.
CALLDATA = (
    0x2,
    0x6359ED638DF79B82F2F9DBF92ABBCB41B57F9DD91EAD86B1C85D2DEE192C,
    0xB17D8A2731BA7CA1816631E6BE14F0FC1B8390422D649FA27F0FBB0C91EEA8,
    0x0,
    0x3FE8E4571772BBE0065E271686BD655EFD1365A5D6858981E582F82F2C10313,
    0x2FD9126EE011F3A837CEA02E32AE4EE73342D827E216998E5616BAB88D8B7EA,
    0x1,
    0x2FD9126EE011F3A837CEA02E32AE4EE73342D827E216998E5616BAB88D8B7EA,
)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (
            Bounds(bound(0x186A0, 0x5AF3107A4000), bound(0, 0), None),
            0x15F2CF38832542602E2D1C8BF0634893E6B43ACB6879E8A8F892F5A9B03C907,
        ),
        (
            Bounds(bound(10**5, 10**13), bound(10**10, 10**20), bound(10**5, 10**13)),
            0x119386B4AAAEF905BF027D3DD2734474C5E944942BF3FBD8FDB442704D32B8B,
        ),
    ],
)
def test_the_published_invocations_of_version_3(bounds: Bounds, expected: int) -> None:
    sender = 0x35ACD6DD6C5045D18CA6D0192AF46B335A5402C02D41F46E4E77EA2C951D9A3
    assert invoke_hash(sender, GOERLI, 5, 0, bounds, CALLDATA) == expected


def test_the_published_invocation_of_version_1() -> None:
    # starknet.py, test_compute_invoke_transaction_hash; its numbers are placeholders, the version among them
    expected = 0x505BBF7CD810531C53526631078DAA314BFD036C80C7C6E3A02C608DB8E31DE
    assert invoke_v1_hash(3, 7, 8, 6, (5,), version=4) == expected


def test_the_published_addresses() -> None:
    # starknet.py, starknet_py/hash/address_test.py
    class_hash = 951442054899045155353616354734460058868858519055082696003992725251069061570
    expected = 1357105550695717639826158786311415599375114169232402161465584707209611368775
    assert deployment(class_hash, 1111, 21, 37).address() == expected


# starkware-libs/sequencer, crates/starknet_api/resources/transaction_hash.json: transactions of mainnet.
def test_an_invocation_of_mainnet_of_version_1() -> None:
    calldata = (
        0x2,
        0x68F5C6A61780768455DE69077E07E89787839BF8166DECFBF92B645209C0FB8,
        0x219209E083275171774DAB1DF80982E9DF2096516F06319C5C6D71AE0A8480C,
        0x3,
        0x1114C7103E12C2B2ECBD3A2472BA9C48DDCBF702B1C242DD570057E26212111,
        0xB67495,
        0x0,
        0x1114C7103E12C2B2ECBD3A2472BA9C48DDCBF702B1C242DD570057E26212111,
        0x15543C3708653CDA9D418B4CCD3BE11368E40636C10C44B18CFE756B6D88B29,
        0x7,
        0x30BAAAF1B243F6E74C656F98DCB24B98687DCBE783D25F35854148C4C602D41,
        0x0,
        0xB67495,
        0x0,
        0x1,
        0x3A1045717884CA9ABBC2E,
        0x0,
    )
    sender = 0x6F7AFD58D20AEDBDB694FF539D3280AE497C1A510CADDCC6A06C97EEBD001DC
    assert (
        invoke_v1_hash(sender, MAIN, 0x62, 0x7F49B0D6D7C, calldata)
        == 0x215B2E7EFDEDC5D9C056DD6A691B8117F292997D2CC8C15A9CEBFA90620E35
    )


def test_the_deployment_of_an_account_on_mainnet() -> None:
    key = 0x1F218CFA725D1679FF028C53D094A765DFD1DE632787CAB37FFE10F3915DCC7
    made = deployment(0x13BFE114FB1CF405BFC3A7F8DBE2D91DB146C17521D40DCF57E16D6B59FA8E6, key, key)
    bounds = Bounds(bound(0x4C, 0x8AB967606CB9), bound(0, 0), None)
    assert (
        deploy_account_hash(made, MAIN, 0, bounds)
        == 0x25CBBC1E197E1E6DD8886B4B359C2DBE26245A282547624D7E54E7C3E2CF15
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # starknet.js, __tests__/utils/hash.test.ts; starknet-crypto's test of __execute__; starknet.js,
        # src/utils/typedData.ts (the example of encodeValue)
        ("__validate__", 0x162DA33A4585851FE8D3AF3C2A9C60B557814E221E0D4F30FF0B2189D9C7775),
        ("__execute__", 0x15D40A3D6CA2AC30F4031E42BE28DA9B056FEF9BB7357AC5E85627EE876E5AD),
        ("transfer", 0x83AFD3F4CAEDC6EEBF44246FE54E38C95E3179A5EC9EA81740ECA5B482D12E),
        ("approve", 0x219209E083275171774DAB1DF80982E9DF2096516F06319C5C6D71AE0A8480C),
    ],
)
def test_the_published_selectors(name: str, expected: int) -> None:
    assert selector(name) == expected


def test_a_felt_has_one_spelling_below_the_prime() -> None:
    assert felt("0x2a", "f") == felt(42, "f") == bytes(31) + b"*"
    assert number(felt(FIELD - 1, "f"), "f") == FIELD - 1
    for value in (FIELD, -1, True, "42", "0x", "0x" + "f" * 65, None, 1.5):
        with pytest.raises(Malformed, match="salt"):
            felt(value, "salt")
    for data in (FIELD.to_bytes(32, "big"), bytes(31), bytes(33)):
        with pytest.raises(Malformed, match="salt"):
            number(data, "salt")
    with pytest.raises(Malformed, match="31 ASCII"):
        short_string("x" * 32)


def test_an_address_is_written_with_all_its_digits() -> None:
    assert address(7) == "0x" + "0" * 63 + "7"
    assert len(CLASSES) == 3
    assert MAX_CONSTRUCTOR == 32


def test_without_the_libraries_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes._libraries.cache_clear()
    monkeypatch.setitem(sys.modules, "poseidon_py.poseidon_hash", None)
    with pytest.raises(Unavailable, match=r"install quorate\[starknet\]"):
        poseidon([1])
    monkeypatch.undo()
    assert poseidon([1]) > 0
