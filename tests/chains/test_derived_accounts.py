"""Derived accounts of a shared key: the EVM and Bitcoin Core's consensus code take their signatures.

BDK watches our descriptors and makes the PSBTs; the shares sign in process, each for the child key that it
derives itself. Nothing here knows a private key.
"""

from typing import Any

import bdkpython as bdk
import pytest
from tests.support.bitcoin import FINAL, changed
from tests.support.bitcoin_kernel import SUBSIDY, Regtest
from tests.support.signers import DealtKey

from quorate.chains import Chains, Digest, Request, Signed
from quorate.chains.bitcoin import REGTEST
from quorate.chains.bitcoin import requests as bitcoin
from quorate.chains.bitcoin.wire import Input, Output, Transaction, parse_transaction
from quorate.chains.ethereum import requests as ethereum
from quorate.chains.ethereum.evm import EVM_CHAIN, InProcessEvm
from quorate.errors import Malformed, Refused
from quorate.schemes.derivation import (
    CHANGE,
    TESTNET_SEGWIT,
    TESTNET_TAPROOT,
    Origin,
    derive,
    descriptor,
)
from quorate.schemes.tweak import Tweak

CHAINS = Chains([EVM_CHAIN])
ETHER = 10**18
STRANGER = "0x09616C3d61b3331fc4109a9E41a8BDB7d9776609"


class Wallet:
    """A shared key that signs payloads as nodes do: the path is the payload's, all else its own record."""

    def __init__(self, seed: int = 0) -> None:
        self.key = DealtKey("secp256k1", seed=seed)
        self.root = self.key.public_key
        self.chain_code = self.key.shares["device"].chain_code

    def address(self, chain: str, path: str) -> str:
        return CHAINS.address(chain, derive(self.root, self.chain_code, path).point)

    def sign(self, payload: bytes) -> Signed:
        path = Request.from_payload(payload).path
        child = derive(self.root, self.chain_code, path)
        decoded = CHAINS.decode(payload, child.point)
        return CHAINS.attach(decoded, [self._one(digest, child.tweak, path) for digest in decoded.digests])

    def _one(self, digest: Digest, tweak: Tweak, path: str) -> bytes:
        whole = Tweak(tweak.plain, digest.x_only_tweak)
        return self.key.sign(digest.scheme, digest.value, tweak=whole, path=path)


@pytest.fixture(scope="module")
def wallet() -> Wallet:
    return Wallet()


# --- EVM ---------------------------------------------------------------------------------------------------


def transfer(evm: InProcessEvm, sender: str, path: str, **more: Any) -> bytes:
    fee, tip = evm.fees()
    fields = {
        "chainId": int(EVM_CHAIN.reference),
        "nonce": evm.nonce(sender),
        "gas": 21_000,
        "maxFeePerGas": fee,
        "maxPriorityFeePerGas": tip,
        "to": STRANGER,
        "value": ETHER // 10,
        **more,
    }
    return ethereum.transaction(fields, sender, path)


def test_the_evm_moves_a_derived_accounts_money_and_not_with_a_byte_changed(wallet: Wallet) -> None:
    evm, path = InProcessEvm(), "0/3"
    sender = wallet.address(EVM_CHAIN.caip2, path)
    evm.fund(sender, ETHER)
    signed = wallet.sign(transfer(evm, sender, path))
    for place in range(-64, 0, 7):
        broken = bytearray(signed.raw)
        broken[place] ^= 1
        with pytest.raises(Refused):
            evm.send(bytes(broken))
    receipt = evm.receipt(evm.send(signed.raw))
    assert receipt is not None
    assert receipt.succeeded
    assert evm.balance(STRANGER) == ETHER // 10
    assert evm.nonce(sender) == 1


def test_the_account_of_another_path_is_refused(wallet: Wallet) -> None:
    evm = InProcessEvm()
    sender = wallet.address(EVM_CHAIN.caip2, "0/3")
    for path in ("", "0/4", "1/3", "0"):
        with pytest.raises(Refused) as caught:
            wallet.sign(transfer(evm, sender, path))
        assert caught.value.code == "other-account"
    with pytest.raises(Malformed):
        transfer(evm, sender, "0'/3")


# --- Bitcoin -----------------------------------------------------------------------------------------------


class Watching:
    """BDK with two of our descriptors, and no key."""

    def __init__(self, wallet: Wallet, origin: Origin) -> None:
        receive, change = (
            bdk.Descriptor(descriptor(origin, wallet.root, wallet.chain_code, *more), bdk.NetworkKind.TEST)
            for more in ((), (CHANGE,))
        )
        self.wallet = bdk.Wallet(receive, change, bdk.Network.REGTEST, bdk.Persister.new_in_memory())

    def address(self, index: int) -> str:
        found = self.wallet.reveal_addresses_to(bdk.KeychainKind.EXTERNAL, index)
        return str(found[-1].address)

    def script(self, index: int) -> bytes:
        address = self.wallet.peek_address(bdk.KeychainKind.EXTERNAL, index).address
        return bytes(address.script_pubkey().to_bytes())

    def sees(self, transaction: Transaction) -> None:
        raw = bdk.Transaction(transaction.to_bytes())
        self.wallet.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=raw, last_seen=0)])

    def pays(self, address: str, amount: int) -> str:
        to = bdk.Address(address, bdk.Network.REGTEST).script_pubkey()
        builder = bdk.TxBuilder().add_recipient(to, bdk.Amount.from_sat(amount))
        return str(builder.finish(self.wallet).serialize())

    def finishes(self, signed: Signed) -> bytes:
        psbt = bdk.Psbt(str(signed.details["psbt"]))
        assert self.wallet.finalize_psbt(psbt)
        return bytes(psbt.extract_tx().serialize())


@pytest.mark.parametrize("origin", [TESTNET_TAPROOT, TESTNET_SEGWIT], ids=["taproot", "segwit"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_watched_account_is_spent_inside_a_block_and_not_with_a_byte_changed(
    origin: Origin, seed: int
) -> None:
    wallet, chain = Wallet(seed), Regtest()
    watching, path = Watching(wallet, origin), "0/5"
    kind = "p2tr" if origin is TESTNET_TAPROOT else "p2wpkh"
    child = derive(wallet.root, wallet.chain_code, path)
    account = CHAINS.addresses(REGTEST, child.point)[kind]
    assert watching.address(5) == account
    (coinbase,) = chain.fund(b"\x51")
    paid = (Output(2_000_000, watching.script(5)), Output(SUBSIDY - 2_000_000, b"\x51"))
    funding = Transaction(2, (Input(coinbase.hash, 0, FINAL),), paid, 0)
    assert chain.takes(funding.to_bytes())
    watching.sees(funding)
    psbt = watching.pays(wallet.address(REGTEST, ""), 1_500_000)
    signed = wallet.sign(bitcoin.psbt(psbt, account, REGTEST, path))
    assert watching.finishes(signed) == signed.raw
    witness = parse_transaction(signed.raw, "test").inputs[0].witness[0]
    start = signed.raw.index(witness)
    for position in (start + 5, start + 40, start + 60):
        assert not chain.takes(changed(signed.raw, position))
    assert chain.takes(signed.raw)
