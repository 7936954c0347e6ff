"""Solana's runtime, in process, accepts what the chain layer attaches, and nothing that differs in one byte.

Three parties share the wallet's key and any two sign; no seed leads to it, and nothing here ever holds it.
"""

from collections.abc import Callable

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0, to_bytes_versioned
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    TransferParams,
    create_nonce_account,
    transfer,
)
from solders.transaction import Transaction, VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata, TransactionMetadata
from tests.chains.scalar_key import ScalarKey, with_s_plus_order
from tests.chains.shared_key import QUORUMS, SharedKey

from quorate.chains import Chain, Chains
from quorate.chains.solana import Solana, requests
from quorate.chains.solana.wire import join
from quorate.errors import ProofRejected

ROW = Chain("solana:11111111111111111111111111111111", "LiteSVM", "SOL", 9)
CHAINS = Chains([ROW])
KEY = SharedKey("ed25519", "ed25519")
ME = Pubkey.from_bytes(KEY.public_key)
TO = Pubkey.from_bytes(bytes([7]) * 32)
SOL = 10**9


@pytest.fixture
def chain() -> LiteSVM:
    chain = LiteSVM()
    chain.airdrop(ME, 10 * SOL)
    return chain


def send(chain: LiteSVM, raw: bytes) -> object:
    return chain.send_transaction(VersionedTransaction.from_bytes(raw))


def legacy(chain: LiteSVM) -> bytes:
    """A payload that sends one SOL in a legacy transaction."""
    return requests.transfer(str(TO), SOL, str(ME), str(chain.latest_blockhash()), ROW.caip2)


def version_0(chain: LiteSVM) -> bytes:
    """The same in a version 0 transaction."""
    call = transfer(TransferParams(from_pubkey=ME, to_pubkey=TO, lamports=SOL))
    message = MessageV0.try_compile(ME, [call], [], chain.latest_blockhash())
    return requests.transaction(to_bytes_versioned(message), str(ME), ROW.caip2)


@pytest.mark.parametrize("build", [legacy, version_0])
def test_a_transfer_moves_lamports(chain: LiteSVM, build: Callable[[LiteSVM], bytes]) -> None:
    signed = KEY.attach(build(chain), CHAINS)
    outcome = send(chain, signed.raw)
    assert isinstance(outcome, TransactionMetadata)
    assert str(outcome.signature()) == signed.id
    assert chain.get_balance(TO) == SOL
    assert chain.get_balance(ME) == 9 * SOL - 5_000
    assert signed.details["complete"] is True


@pytest.mark.parametrize("build", [legacy, version_0])
def test_a_replay_is_refused(chain: LiteSVM, build: Callable[[LiteSVM], bytes]) -> None:
    signed = KEY.attach(build(chain), CHAINS)
    send(chain, signed.raw)
    outcome = send(chain, signed.raw)
    assert isinstance(outcome, FailedTransactionMetadata)
    assert "AlreadyProcessed" in str(outcome.err())
    assert chain.get_balance(TO) == SOL


@pytest.mark.parametrize("build", [legacy, version_0])
def test_a_changed_byte_is_refused_everywhere(chain: LiteSVM, build: Callable[[LiteSVM], bytes]) -> None:
    decoded = KEY.decode(build(chain), CHAINS)
    signature = KEY.sign(decoded.digest)
    raw = CHAINS.attach(decoded, [signature]).raw
    strict = VerifyKey(KEY.public_key)
    strict.verify(decoded.digest, signature)
    assert Signature.from_bytes(signature).verify(ME, decoded.digest)
    changed = [signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :] for at in (0, 31, 32, 63)]
    for wrong in [*changed, with_s_plus_order(signature), bytes(64)]:
        with pytest.raises(ProofRejected):
            CHAINS.attach(decoded, [wrong])
        with pytest.raises(BadSignatureError):
            strict.verify(decoded.digest, wrong)
        assert not Signature.from_bytes(wrong).verify(ME, decoded.digest)
        outcome = send(chain, raw[:1] + wrong + raw[65:])
        assert isinstance(outcome, FailedTransactionMetadata)
        assert "SignatureFailure" in str(outcome.err())
    assert not chain.get_balance(TO)
    lamports = raw.rindex(SOL.to_bytes(8, "little"))
    outcome = send(chain, raw[:lamports] + bytes([raw[lamports] ^ 1]) + raw[lamports + 1 :])
    assert isinstance(outcome, FailedTransactionMetadata)


def test_a_transaction_with_another_signer_is_passed_on_and_completed(chain: LiteSVM) -> None:
    sponsor = Keypair.from_seed(bytes([5]) * 32)
    chain.airdrop(sponsor.pubkey(), SOL)
    call = transfer(TransferParams(from_pubkey=ME, to_pubkey=TO, lamports=SOL))
    message = MessageV0.try_compile(sponsor.pubkey(), [call], [], chain.latest_blockhash())
    theirs = VersionedTransaction.populate(
        message, [sponsor.sign_message(to_bytes_versioned(message)), Signature.default()]
    )
    payload = requests.transaction(bytes(theirs), str(ME), ROW.caip2)
    signed = KEY.attach(payload, CHAINS)
    assert signed.id == ""
    assert signed.details["complete"] is False
    assert signed.details["missing"] == (str(sponsor.pubkey()),)
    assert isinstance(send(chain, signed.raw), FailedTransactionMetadata)
    assert isinstance(send(chain, join(bytes(theirs), signed.raw)), TransactionMetadata)
    assert chain.get_balance(TO) == SOL


def test_a_durable_nonce_outlives_its_block(chain: LiteSVM) -> None:
    sponsor, nonce = (Keypair.from_seed(bytes([byte]) * 32) for byte in (5, 6))
    chain.airdrop(sponsor.pubkey(), SOL)
    calls = create_nonce_account(sponsor.pubkey(), nonce.pubkey(), ME, 10**7)
    made = Transaction.new_signed_with_payer(
        calls, sponsor.pubkey(), [sponsor, nonce], chain.latest_blockhash()
    )
    assert isinstance(chain.send_transaction(made), TransactionMetadata)
    account = chain.get_account(nonce.pubkey())
    assert account is not None
    value = Hash.from_bytes(bytes(account.data[40:72]))
    payload = requests.transfer(
        str(TO), SOL, str(ME), str(value), ROW.caip2, nonce_account=str(nonce.pubkey())
    )
    for _ in range(3):
        chain.expire_blockhash()
    signed = KEY.attach(payload, CHAINS)
    assert isinstance(send(chain, signed.raw), TransactionMetadata)
    assert chain.get_balance(TO) == SOL
    chain.expire_blockhash()
    assert isinstance(send(chain, signed.raw), FailedTransactionMetadata)


def test_a_message_with_a_lookup_table_is_read_as_solders_compiled_it() -> None:
    table = AddressLookupTableAccount(
        Pubkey.from_bytes(bytes([8]) * 32), [Pubkey.from_bytes(bytes([9]) * 32), TO]
    )
    call = transfer(TransferParams(from_pubkey=ME, to_pubkey=TO, lamports=SOL))
    memo = Instruction(TO, b"", [AccountMeta(ME, True, False)])
    message = MessageV0.try_compile(ME, [call, memo], [table], Hash.default())
    decoded = KEY.decode(requests.transaction(to_bytes_versioned(message), str(ME), ROW.caip2), CHAINS)
    assert decoded.fields["value"] == SOL


@pytest.mark.parametrize(
    "key",
    [
        *(SharedKey("ed25519", "ed25519", quorum) for quorum in QUORUMS),
        SharedKey("ed25519", "ed25519", path="0/7"),
        ScalarKey(0x5EED1E55),
    ],
    ids=["n1-device", "n1-backup", "device-backup", "derived", "in-one-place"],
)
def test_any_quorum_a_derived_account_and_a_key_in_one_place_are_accepted_alike(
    chain: LiteSVM, key: SharedKey | ScalarKey
) -> None:
    account = Pubkey.from_bytes(key.public_key)
    chain.airdrop(account, 2 * SOL)
    before = chain.get_balance(account) or 0
    path = key.path if isinstance(key, SharedKey) else ""
    payload = requests.transfer(
        str(TO), SOL, str(account), str(chain.latest_blockhash()), ROW.caip2, path=path
    )
    assert isinstance(send(chain, key.attach(payload, CHAINS).raw), TransactionMetadata)
    assert chain.get_balance(TO) == SOL
    assert chain.get_balance(account) == before - SOL - 5_000


def test_addresses_are_those_of_solders() -> None:
    assert Solana().address(KEY.public_key) == str(ME)
    assert CHAINS.address(ROW.caip2, KEY.public_key) == str(ME)
