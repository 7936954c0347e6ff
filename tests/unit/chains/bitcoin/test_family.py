"""What is signed for a key, what is refused, and what comes back as change."""

import subprocess
import sys
from collections.abc import Mapping

import pytest
from tests.support.bitcoin import ALICE, BOB, CHAINS, Coin, coin, make_psbt

from quorate.chains import Chain, Chains, Request
from quorate.chains.bitcoin import MAINNET, NETWORKS, REGTEST, TESTNET3, TESTNET4, Bitcoin, requests, second
from quorate.chains.bitcoin.digests import Digests
from quorate.chains.bitcoin.library import load
from quorate.chains.bitcoin.message import virtual
from quorate.chains.bitcoin.psbt import parse
from quorate.chains.bitcoin.wire import Output
from quorate.errors import LocalError, Malformed, Refused, Unavailable
from quorate.groups import SECP256K1

KEY = ALICE.key
ROOT = bytes.fromhex("5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21")
TREE = {b"\x17": KEY.x_only, b"\x18": ROOT}
TAPROOT = coin(KEY.taproot_script())
WITH_TREE = coin(KEY.taproot_script(ROOT), fields=TREE)
WITNESS = coin(KEY.witness_script)
PROVEN = coin(KEY.taproot_script(), prove=True)
FOREIGN = coin(BOB.key.taproot_script())
PAID = [Output(90_000, BOB.key.witness_script)]


def sighash(value: int) -> Mapping[bytes, bytes]:
    return {b"\x03": value.to_bytes(4, "little")}


def test_one_key_has_an_address_of_each_kind_on_each_network() -> None:
    public = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    # BIP 173 and BIP 86's construction for the generator
    assert CHAINS.addresses(MAINNET, public) == {
        "p2tr": "bc1pmfr3p9j00pfxjh0zmgp99y8zftmd3s5pmedqhyptwy6lm87hf5sspknck9",
        "p2wpkh": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    }
    assert CHAINS.address(MAINNET, public) == CHAINS.addresses(MAINNET, public)["p2tr"]
    assert CHAINS.addresses(TESTNET4, public)["p2wpkh"] == "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
    for row in NETWORKS:
        assert CHAINS.address(row.caip2, SECP256K1.generator) == CHAINS.address(row.caip2, public)
    assert Bitcoin().address(public) == CHAINS.address(MAINNET, public)
    assert CHAINS.address(REGTEST, public).startswith("bcrt1p")


@pytest.mark.parametrize("public", [b"", bytes(33), b"\x02" * 32, 5, None, b"\x05" + bytes(32)])
def test_what_is_no_public_key_has_no_address(public: object) -> None:
    with pytest.raises(Malformed):
        CHAINS.address(MAINNET, public)


def test_the_networks_are_named_by_their_genesis_blocks() -> None:
    assert [row.reference for row in NETWORKS] == [
        "000000000019d6689c085ae165831e93",
        "000000000933ea01ad0ee984209779ba",
        "00000000da84f2bafbbc53dee25a72ae",
        "00000008819873e925422c1ff0f99f7c",
        "0f9188f13cb7b2c71f2a335e3a4fc328",
    ]
    assert CHAINS.chain(MAINNET).amount(150_000_000) == "1.5 BTC"


def test_a_row_of_another_coin_is_an_error_of_configuration() -> None:
    own_name = Chain(REGTEST, "Ours", "XBT", 8)
    assert Chains([own_name]).chain(REGTEST).name == "Ours"
    litecoin = Chain("bip122:12a765e31ffd4059bada1e25190f6e98", "Litecoin", "LTC", 8)
    with pytest.raises(LocalError, match="Bitcoin's own networks only"):
        Chains([litecoin]).chain(MAINNET)


def test_without_the_library_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load.cache_clear()
    monkeypatch.setitem(sys.modules, "embit.psbt", None)
    try:
        with pytest.raises(Unavailable, match=r"install quorate\[bitcoin\]"):
            Bitcoin().warm()
    finally:
        load.cache_clear()


def test_the_library_is_loaded_by_the_first_use_and_not_before() -> None:
    code = (
        "import sys; from quorate.chains import Chains; from quorate.chains.bitcoin import Bitcoin;"
        "Chains().chain('bip122:000000000019d6689c085ae165831e93');"
        "early = 'embit' in sys.modules; Bitcoin().warm(); sys.exit(early or 'embit.psbt' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("account", ["p2tr", "p2wpkh"])
def test_all_inputs_of_the_key_are_signed_whatever_kind_the_account_is_named_by(account: str) -> None:
    decoded = ALICE.decode(make_psbt([PROVEN, WITNESS, WITH_TREE, FOREIGN], PAID), kind=account)
    psbt = parse(Request.from_payload(decoded.payload).body)
    digests = Digests(psbt.transaction, psbt.spent)
    assert [(d.scheme, d.group, d.x_only_tweak) for d in decoded.digests] == [
        ("bip340", "secp256k1", KEY.tweak()),
        ("ecdsa", "secp256k1", b""),
        ("bip340", "secp256k1", KEY.tweak(ROOT)),
    ]
    assert [d.value for d in decoded.digests] == [
        digests.taproot(0, 0),
        digests.witness(1, KEY.hash),
        digests.taproot(2, 0),
    ]
    assert decoded.fields["own_inputs"] == 3
    with pytest.raises(Malformed, match="3 digests"):
        _ = decoded.digest


def test_a_psbt_without_an_input_of_this_key_is_refused() -> None:
    with pytest.raises(Refused, match="no input") as caught:
        ALICE.decode(make_psbt([FOREIGN], PAID))
    assert caught.value.code == "nothing-to-sign"


def test_a_script_tree_is_believed_only_as_far_as_the_script_proves_it() -> None:
    other = {b"\x17": KEY.x_only, b"\x18": bytes(32)}
    with pytest.raises(Malformed, match="does not give the output"):
        ALICE.decode(make_psbt([coin(KEY.taproot_script(ROOT), fields=other), TAPROOT], PAID))
    # without the internal key there is nothing that says it is ours
    unnamed = coin(KEY.taproot_script(ROOT), fields={b"\x18": bytes(32)})
    assert ALICE.decode(make_psbt([unnamed, TAPROOT], PAID)).fields["own_inputs"] == 1
    # a root beside an output with the empty tree changes nothing
    decoded = ALICE.decode(make_psbt([coin(KEY.taproot_script(), fields={b"\x18": ROOT})], PAID))
    assert decoded.digests[0].x_only_tweak == KEY.tweak()


@pytest.mark.parametrize(("kind", "value"), [("p2tr", 0), ("p2tr", 1), ("p2wpkh", 1)])
def test_the_types_that_sign_everything_are_signed(kind: str, value: int) -> None:
    script = KEY.taproot_script() if kind == "p2tr" else KEY.witness_script
    psbt = make_psbt([coin(script, fields=sighash(value))], PAID)
    digest = ALICE.decode(psbt).digests[0].value
    digests = Digests(parse(psbt).transaction, parse(psbt).spent)
    expected = digests.taproot(0, value) if kind == "p2tr" else digests.witness(0, KEY.hash)
    assert digest == expected


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("p2tr", 2, "NONE"),
        ("p2tr", 3, "SINGLE"),
        ("p2tr", 0x81, r"ALL\|ANYONECANPAY"),
        ("p2tr", 0x83, r"SINGLE\|ANYONECANPAY"),
        ("p2tr", 4, "0x4"),
        ("p2tr", 0x101, "0x101"),
        ("p2wpkh", 0, "DEFAULT"),
        ("p2wpkh", 2, "NONE"),
        ("p2wpkh", 0x82, r"NONE\|ANYONECANPAY"),
    ],
)
def test_other_types_are_refused_by_name(kind: str, value: int, name: str) -> None:
    script = KEY.taproot_script() if kind == "p2tr" else KEY.witness_script
    with pytest.raises(Refused, match=f"type {name},") as caught:
        ALICE.decode(make_psbt([coin(script, fields=sighash(value))], PAID))
    assert caught.value.code == "sighash-type"


def test_a_type_that_another_input_asks_for_is_its_owner_s_business() -> None:
    other = coin(BOB.key.taproot_script(), fields=sighash(0x83))
    assert len(ALICE.decode(make_psbt([TAPROOT, other], PAID)).digests) == 1


@pytest.mark.parametrize(
    "signed",
    [
        coin(KEY.taproot_script(), fields={b"\x13": bytes(64)}),
        coin(KEY.taproot_script(), fields={b"\x08": b"\x01\x40" + bytes(64)}),
        coin(KEY.witness_script, fields={b"\x02" + KEY.public: b"\x30\x06\x02\x01\x01\x02\x01\x01\x01"}),
        coin(KEY.witness_script, fields={b"\x07": b""}),
    ],
)
def test_an_input_that_is_signed_already_is_refused(signed: Coin) -> None:
    with pytest.raises(Refused, match="carries this wallet's signature already") as caught:
        ALICE.decode(make_psbt([signed], PAID))
    assert caught.value.code == "already-signed"


def test_older_outputs_of_the_same_key_are_refused_rather_than_shown_as_others() -> None:
    for script in KEY.unsigned_scripts:
        assert len(script) in (23, 25, 35)
        with pytest.raises(Refused, match="older kind") as caught:
            ALICE.decode(make_psbt([TAPROOT, coin(script, prove=True)], PAID))
        assert caught.value.code == "unsupported-input"


def test_amounts_that_nothing_proves_are_refused_where_no_signature_holds_them_all() -> None:
    # two sessions, each lying about the other input, would give both signatures and a fee nobody was shown
    for others in ([WITNESS, coin(KEY.witness_script, 7)], [coin(KEY.witness_script, prove=True), FOREIGN]):
        with pytest.raises(Refused, match="does not prove its amount") as caught:
            ALICE.decode(make_psbt(others, PAID))
        assert caught.value.code == "unproven-amounts"
    proofs = [coin(KEY.witness_script, prove=True), coin(KEY.witness_script, 7, prove=True)]
    assert len(ALICE.decode(make_psbt(proofs, PAID)).digests) == 2
    # one input commits to its own amount; taproot inputs commit to all
    assert len(ALICE.decode(make_psbt([WITNESS], PAID)).digests) == 1
    assert len(ALICE.decode(make_psbt([TAPROOT, WITH_TREE, FOREIGN], PAID)).digests) == 2
    # a taproot input of somebody else commits to nothing that would help us
    with pytest.raises(Refused):
        ALICE.decode(make_psbt([WITNESS, FOREIGN], PAID))


def test_a_taproot_input_stands_for_the_amounts_of_others_only_if_it_is_surely_needed() -> None:
    # proven: without our signature of all amounts there is no such transaction
    assert len(ALICE.decode(make_psbt([WITNESS, PROVEN, FOREIGN], PAID)).digests) == 2
    # claimed: the output may be somebody's who signs for it himself
    # with a tree: somebody may spend it without our signature
    with_tree = coin(KEY.taproot_script(ROOT), fields=TREE, prove=True)
    for other in (TAPROOT, with_tree):
        with pytest.raises(Refused) as caught:
            ALICE.decode(make_psbt([WITNESS, other, FOREIGN], PAID))
        assert caught.value.code == "unproven-amounts"


def test_change_is_what_pays_the_key_alone() -> None:
    outputs = [
        Output(10, KEY.taproot_script()),
        Output(20, KEY.witness_script),
        Output(40, KEY.taproot_script(ROOT)),
        Output(80, BOB.key.taproot_script()),
    ]
    named = {2: {b"\x05": KEY.x_only}, 3: {b"\x05": KEY.x_only}}
    decoded = ALICE.decode(make_psbt([TAPROOT, WITH_TREE], outputs, output_fields=named))
    assert decoded.fields["change"] == 30
    assert decoded.fields["value"] == 120
    assert decoded.fields["spent"] == 199_970
    # the tree may be anybody's, also when we spend from one with the same script
    assert decoded.preview.text().count("counts as paid") == 2


@pytest.mark.parametrize("script", list(KEY.scripts.values()))
def test_a_message_dressed_up_as_a_transaction_is_refused(script: bytes) -> None:
    to_spend, to_sign = virtual(b"I owe you everything", script)
    spends_it = Coin(to_spend.outputs[0], source=to_spend, sequence=0)
    for coins in ([spends_it], [spends_it, PROVEN]):
        for version in (0, 2):
            with pytest.raises(Refused, match="message") as caught:
                ALICE.decode(make_psbt(coins, to_sign.outputs, version=version))
            assert caught.value.code == "looks-like-message"


@pytest.mark.parametrize("kind", ["transaction", "blind", "PSBT"])
def test_another_kind_of_request_is_malformed(kind: str) -> None:
    with pytest.raises(Malformed, match="unknown kind"):
        CHAINS.decode(Request(1, REGTEST, ALICE.address(), kind, b"").to_payload(), ALICE.public_key)


def test_a_request_for_another_account_or_network_is_refused() -> None:
    psbt = make_psbt([TAPROOT], PAID)
    for account in (BOB.address(), ALICE.address(chain=MAINNET), ALICE.address().upper()):
        with pytest.raises(Refused, match="another account") as caught:
            CHAINS.decode(requests.psbt(psbt, account, REGTEST), ALICE.public_key)
        assert caught.value.code == "other-account"
    with pytest.raises(Refused) as unknown:
        CHAINS.decode(requests.psbt(psbt, "x", "bip122:" + "0" * 32), ALICE.public_key)
    assert unknown.value.code == "unknown-chain"


def test_a_child_s_request_is_judged_with_the_child_s_key() -> None:
    # the caller derives; the family sees one key, and the coins of another child are not its own
    payload = requests.psbt(make_psbt([TAPROOT, FOREIGN], PAID), BOB.address(), REGTEST, path="0/1")
    decoded = CHAINS.decode(payload, BOB.public_key)
    assert [digest.x_only_tweak for digest in decoded.digests] == [BOB.key.tweak()]


def test_two_readers_that_disagree_sign_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    psbt = make_psbt([TAPROOT, coin(KEY.witness_script, prove=True)], PAID)
    transaction = load().transaction.Transaction
    for name in ("sighash_taproot", "sighash_segwit"):
        with monkeypatch.context() as patch:
            patch.setattr(transaction, name, lambda *_, **__: bytes(32))
            with pytest.raises(Malformed, match="two encoders disagree"):
                ALICE.decode(psbt)
    with monkeypatch.context() as patch:
        patch.setattr(load().psbt.InputScope, "utxo", property(lambda self: self.txid and PAID_LIKE))
        with pytest.raises(Malformed, match="two readers disagree"):
            ALICE.decode(psbt)
    with pytest.raises(Malformed, match="second reader does not take it"):
        # 33 bytes that are no point: the form is right, and only the library knows the curve
        ALICE.decode(
            make_psbt([coin(KEY.taproot_script(), fields={b"\x06\x02" + b"\xff" * 32: bytes(4)})], PAID)
        )


def test_sequence_zero_is_signed_though_the_library_reads_it_as_final() -> None:
    for version in (0, 2):
        psbt = make_psbt([coin(KEY.taproot_script(), sequence=0)], PAID, version=version)
        digest = ALICE.decode(psbt).digests[0].value
        assert digest == Digests(parse(psbt).transaction, parse(psbt).spent).taproot(0, 0)
        second.check_reading(parse(psbt))


def test_testnets_say_that_the_signature_is_valid_on_the_main_network_too() -> None:
    psbt = make_psbt([TAPROOT], PAID)
    for chain in (REGTEST, TESTNET3, TESTNET4):
        decoded = ALICE.decode(psbt, chain=chain)
        assert "any-chain" in decoded.risks
    main = ALICE.decode(psbt, chain=MAINNET)
    assert "any-chain" not in main.risks
    assert main.digests == ALICE.decode(psbt, chain=REGTEST).digests


class _Like:
    value = 1

    class script_pubkey:
        data = b""


PAID_LIKE = _Like()
