"""Software that nobody here wrote accepts what is signed here, and refuses it with a byte changed.

Bitcoin Core's consensus code judges scripts and blocks; BDK makes PSBTs from our descriptors, finishes ours,
and agrees about addresses.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence

import bdkpython as bdk
import pytest
from tests.support.bitcoin import ALICE, BOB, CHAINS, FINAL, Coin, SingleKey, changed, coin, make_psbt
from tests.support.bitcoin_kernel import SUBSIDY, Regtest, accepts
from tests.support.signers import DealtKey

from quorate.chains import Digest, Signed
from quorate.chains.bitcoin import MAINNET, REGTEST, requests
from quorate.chains.bitcoin.hashes import tagged
from quorate.chains.bitcoin.message import virtual
from quorate.chains.bitcoin.scripts import Key, Kind
from quorate.chains.bitcoin.wire import (
    Input,
    Output,
    Reader,
    Transaction,
    compact,
    parse_transaction,
    read_stack,
)
from quorate.groups import SECP256K1
from quorate.schemes.tweak import Tweak

# a leaf that BOB can spend, so that the tree is a real one: <key> OP_CHECKSIG
LEAF = b"\x20" + BOB.key.x_only + b"\xac"
ROOT = tagged("TapLeaf", b"\xc0" + compact(len(LEAF)) + LEAF)
PAID = [Output(1_000_000, BOB.key.witness_script)]


def script_of(key: Key, kind: str) -> bytes:
    return {
        "p2tr": key.taproot_script(),
        "p2tr with a tree": key.taproot_script(ROOT),
        "p2wpkh": key.witness_script,
    }[kind]


def coins_of(key: Key, kind: str, **more: object) -> Coin:
    named = {b"\x17": key.x_only, b"\x18": ROOT} if kind == "p2tr with a tree" else {}
    return coin(script_of(key, kind), 1_100_000, fields=named, **more)


KINDS = ["p2tr", "p2tr with a tree", "p2wpkh"]


@pytest.fixture(scope="module")
def chain() -> Regtest:
    return Regtest()


@pytest.fixture(scope="module")
def coins(chain: Regtest) -> Callable[[Sequence[bytes]], Transaction]:
    """Outputs of a mined transaction, to be spent."""
    (coinbase,) = chain.fund(b"\x51")
    purse = [(coinbase.hash, 0, SUBSIDY)]

    def take(scripts: Sequence[bytes]) -> Transaction:
        source, index, value = purse.pop()
        rest = value - 1_100_000 * len(scripts)
        outputs = (*(Output(1_100_000, script) for script in scripts), Output(rest, b"\x51"))
        funding = Transaction(2, (Input(source, index, FINAL),), outputs, 0)
        assert chain.takes(funding.to_bytes())
        purse.append((funding.hash, len(scripts), rest))
        return funding

    return take


@pytest.mark.parametrize("version", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_the_script_of_each_kind_is_satisfied_and_not_with_a_byte_changed(kind: str, version: int) -> None:
    spent = coins_of(ALICE.key, kind)
    signed = ALICE.sign_psbt(make_psbt([spent], PAID, version=version))
    assert accepts(signed.raw, [spent.output])
    # every byte is covered: outpoint, sequence, outputs, witness, lock time (the version too, by the digest)
    for position in range(len(signed.raw)):
        assert not accepts(changed(signed.raw, position), [spent.output]), position


def test_a_signature_holds_the_amount_it_was_made_for() -> None:
    for kind in KINDS:
        spent = coins_of(ALICE.key, kind)
        raw = ALICE.sign_psbt(make_psbt([spent], PAID)).raw
        assert not accepts(raw, [Output(spent.output.value + 1, spent.output.script)])


def test_the_types_all_and_default_are_both_accepted() -> None:
    for value in (0, 1):
        spent = coin(ALICE.key.taproot_script(), 1_100_000, fields={b"\x03": value.to_bytes(4, "little")})
        signed = ALICE.sign_psbt(make_psbt([spent], PAID))
        assert accepts(signed.raw, [spent.output])


@pytest.mark.parametrize("kind", KINDS)
def test_a_block_with_the_transaction_extends_the_chain_and_one_with_a_byte_changed_does_not(
    kind: str, chain: Regtest, coins: Callable[[Sequence[bytes]], Transaction]
) -> None:
    funding = coins([script_of(ALICE.key, kind)])
    spent = coins_of(ALICE.key, kind, source=funding)
    signed = ALICE.sign_psbt(make_psbt([spent], PAID))
    witness = signed.raw.index(parse_transaction(signed.raw, "test").inputs[0].witness[0])
    for position in (witness + 5, witness + 40, witness + 60):
        assert not chain.takes(changed(signed.raw, position))
    assert chain.takes(signed.raw)
    assert not chain.takes(signed.raw), "spent already"


def test_inputs_of_all_kinds_and_of_two_keys_in_one_transaction(
    chain: Regtest, coins: Callable[[Sequence[bytes]], Transaction]
) -> None:
    scripts = [*(script_of(ALICE.key, kind) for kind in KINDS), BOB.key.witness_script]
    funding = coins(scripts)
    spent = [
        *(coins_of(ALICE.key, kind, source=funding, index=index) for index, kind in enumerate(KINDS)),
        coin(BOB.key.witness_script, 1_100_000, source=funding, index=3),
    ]
    psbt = make_psbt([Coin(each.output, each.sequence, each.fields, each.source, each.index, prove=True)
                      for each in spent], PAID)  # fmt: skip
    first = ALICE.sign_psbt(psbt)
    assert first.details["complete"] is False
    second = BOB.sign_psbt(str(first.details["final_psbt"]))
    assert second.details["complete"] is True
    assert accepts(second.raw, [each.output for each in spent])
    assert chain.takes(second.raw)


def test_another_wallet_s_library_finishes_our_psbts() -> None:
    # of version 0: BDK does not read version 2
    spent = [coins_of(ALICE.key, kind, prove=True) for kind in KINDS]
    signed = ALICE.sign_psbt(make_psbt(spent, PAID))
    for name in ("psbt", "final_psbt"):
        theirs = bdk.Psbt(str(signed.details[name]))
        assert theirs.fee() == 2_300_000
        finished = theirs.finalize()
        assert finished.could_finalize, finished.errors
        assert bytes(finished.psbt.extract_tx_unchecked_fee_rate().serialize()) == signed.raw


def test_another_wallet_s_library_does_not_finish_a_psbt_with_a_byte_of_a_signature_changed() -> None:
    signed = ALICE.sign_psbt(make_psbt([coins_of(ALICE.key, "p2wpkh")], PAID))
    raw = b64decode(str(signed.details["psbt"]))
    signature = parse_transaction(signed.raw, "test").inputs[0].witness[0]
    # the DER form itself: a finalizer reads it, and leaves the rest to consensus
    for position in (0, 1, 3):
        broken = changed(raw, raw.index(signature) + position)
        with pytest.raises(bdk.PsbtParseError):
            bdk.Psbt(b64encode(broken).decode()).finalize()


class _Watching:
    """A watch-only wallet of BDK on one of our descriptors."""

    def __init__(self, key: SingleKey, form: str) -> None:
        text = f"{form}({key.public_key.hex()})"
        descriptor = bdk.Descriptor(text, bdk.NetworkKind.TEST)
        self.wallet = bdk.Wallet.create_single(descriptor, bdk.Network.REGTEST, bdk.Persister.new_in_memory())

    @property
    def address(self) -> str:
        return str(self.wallet.peek_address(bdk.KeychainKind.EXTERNAL, 0).address)

    def sees(self, transaction: Transaction) -> None:
        raw = bdk.Transaction(transaction.to_bytes())
        self.wallet.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=raw, last_seen=0)])

    def pays(self, address: str, amount: int) -> str:
        to = bdk.Address(address, bdk.Network.REGTEST).script_pubkey()
        builder = bdk.TxBuilder().add_recipient(to, bdk.Amount.from_sat(amount))
        return str(builder.finish(self.wallet).serialize())


@pytest.mark.parametrize(("form", "kind"), [("tr", Kind.P2TR), ("wpkh", Kind.P2WPKH)])
def test_a_watch_only_wallet_asks_and_we_sign(
    form: str, kind: Kind, chain: Regtest, coins: Callable[[Sequence[bytes]], Transaction]
) -> None:
    watching = _Watching(ALICE, form)
    assert watching.address == ALICE.address(kind.value, REGTEST)
    script = ALICE.key.scripts[kind]
    funding = coins([script, script])
    watching.sees(funding)
    psbt = watching.pays(BOB.address(), 1_500_000)
    decoded = ALICE.decode(psbt)
    assert decoded.fields["destinations"] == (BOB.address(),)
    assert decoded.fields["value"] == 1_500_000
    change = decoded.fields["change"]
    assert isinstance(change, int)
    assert change > 0, "what BDK returns to the wallet is ours"
    signed: Signed = ALICE.sign_psbt(psbt)
    theirs = bdk.Psbt(str(signed.details["psbt"]))
    assert watching.wallet.finalize_psbt(theirs)
    assert bytes(theirs.extract_tx().serialize()) == signed.raw
    assert chain.takes(signed.raw)


class SharedKey:
    """A key that is shared, signing by our own schemes; `plain` makes it a derived account's."""

    def __init__(self, *, plain: int = 0, seed: int = 0) -> None:
        self._dealt = DealtKey("secp256k1", seed=seed)
        self._plain = SECP256K1.scalar(plain)
        self._path = "0/7" if plain else ""
        self.public_key = Tweak(self._plain).child(self._dealt.public_key).to_bytes()
        self.key = Key.of(self.public_key)

    def sign(self, digest: Digest) -> bytes:
        tweak = Tweak(self._plain, digest.x_only_tweak)
        return self._dealt.sign(digest.scheme, digest.value, tweak=tweak, path=self._path)

    def sign_psbt(self, psbt: bytes) -> Signed:
        account = CHAINS.address(REGTEST, self.public_key)
        payload = requests.psbt(psbt, account, REGTEST, path=self._path)
        decoded = CHAINS.decode(payload, self.public_key)
        return CHAINS.attach(decoded, [self.sign(digest) for digest in decoded.digests])


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("plain", [0, 0xC0FFEE], ids=["root", "derived"])
def test_our_shared_keys_spend_in_a_block_and_a_changed_byte_does_not(
    plain: int, seed: int, chain: Regtest, coins: Callable[[Sequence[bytes]], Transaction]
) -> None:
    key = SharedKey(plain=plain, seed=seed)
    funding = coins([script_of(key.key, kind) for kind in KINDS])
    spent = [
        coins_of(key.key, kind, source=funding, index=index, prove=True) for index, kind in enumerate(KINDS)
    ]
    signed = key.sign_psbt(make_psbt(spent, PAID))
    assert accepts(signed.raw, [each.output for each in spent])
    finished = bdk.Psbt(str(signed.details["psbt"])).finalize()
    assert finished.could_finalize, finished.errors
    for entry in parse_transaction(signed.raw, "test").inputs:
        place = signed.raw.index(entry.witness[0]) + 20
        assert not accepts(changed(signed.raw, place), [each.output for each in spent])
        assert not chain.takes(changed(signed.raw, place))
    assert chain.takes(signed.raw)


@pytest.mark.parametrize("kind", [Kind.P2TR, Kind.P2WPKH])
def test_a_message_signed_by_a_shared_key_proves_its_account(kind: Kind) -> None:
    key = SharedKey(seed=2)
    account = CHAINS.addresses(MAINNET, key.public_key)[kind.value]
    decoded = CHAINS.decode(requests.message("hello", account, MAINNET), key.public_key)
    signed = CHAINS.attach(decoded, [key.sign(digest) for digest in decoded.digests])
    to_spend, to_sign = virtual(b"hello", key.key.scripts[kind])
    for data, right in ((signed.raw, True), (changed(signed.raw, 20), False)):
        witness = read_stack(Reader(data, "test"))
        assert accepts(to_sign.finished([(b"", witness)]).to_bytes(), to_spend.outputs) is right
