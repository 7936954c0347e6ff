"""The port's promises for Solana: whose request, which chain, which signature, and what is missing."""

import subprocess
import sys
from dataclasses import replace

import pytest
from tests.chains.scalar_key import ScalarKey
from tests.support.edwards import Edwards, torsion
from tests.unit.chains.solana.test_message import BASE

from quorate.chains import Chain
from quorate.chains.chain import Request
from quorate.chains.solana import NETWORKS, Solana, requests
from quorate.chains.solana.message import Message
from quorate.chains.solana.requests import MAX_LAMPORTS
from quorate.chains.solana.wire import assemble, completed, join, split
from quorate.encoding import base58
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused, Unavailable
from quorate.groups.ed25519 import ED25519

SOLANA = Solana()
KEY, OTHER = ScalarKey(12345), ScalarKey(54321)
ME, THEM = SOLANA.address(KEY.public_key), SOLANA.address(OTHER.public_key)
CHAIN = NETWORKS[0].caip2
BLOCK = base58.encode(bytes([9]) * 32)
TRANSFER = requests.transfer(THEM, 5, ME, BLOCK)


def of(*signers: ScalarKey, **changes: object) -> bytes:
    """A message that these keys have to sign."""
    keys = (*(signer.public_key for signer in signers), *BASE.keys[1:])
    call = replace(BASE.instructions[0], program=len(keys) - 1)
    message = replace(BASE, required=len(signers), keys=keys, instructions=(call,), **changes)  # type: ignore[arg-type]
    return message.to_bytes()


def test_the_networks_are_named_by_their_genesis() -> None:
    assert [chain.caip2 for chain in SOLANA.chains.values()] == [
        "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
        "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
        "solana:4uhcVJyU9pJkvQyUS88uRDiswHXSCkY3",
    ]
    assert SOLANA.chains[CHAIN].amount(1_500_000_000) == "1.5 SOL"


@pytest.mark.parametrize(
    "caip2", ["solana:mainnet", "solana:" + "0" * 32, "solana:" + "1" * 31, "eip155:1", "solana:" + "1" * 33]
)
def test_a_row_that_is_no_cluster(caip2: str) -> None:
    with pytest.raises(Malformed, match="genesis hash"):
        Solana([Chain(caip2, "Odd", "SOL", 9)])


def test_a_key_may_come_as_bytes_or_as_a_point() -> None:
    point = ED25519.point_from_bytes(KEY.public_key)
    assert SOLANA.address(point) == SOLANA.address(KEY.public_key) == base58.encode(KEY.public_key)


def test_keys_that_can_sign_nothing_are_refused() -> None:
    mixed = (Edwards.decode(KEY.public_key) + torsion()[1]).encode()
    for data in [mixed, *(point.encode() for point in torsion()), b"", bytes(31), bytes(33), 7, None]:
        with pytest.raises(Malformed, match="public key"):
            SOLANA.address(data)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(1, "solana:" + "1" * 32, ME, "transaction", of(KEY)), "unknown-chain"),
        (Request(1, CHAIN, THEM, "transaction", of(KEY)), "other-account"),
        (Request(1, CHAIN, ME, "transaction", of(OTHER)), "not-a-signer"),
        (Request(1, CHAIN, ME, "transaction", b"\x81" + of(KEY)), "unsupported-transaction"),
    ],
)
def test_requests_that_are_understood_and_refused(request_: Request, code: str) -> None:
    with pytest.raises(Refused) as caught:
        SOLANA.decode(request_.to_payload(), KEY.public_key)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "request_",
    [
        Request(1, CHAIN, ME, "typed-data", of(KEY)),
        Request(1, CHAIN, "me", "transaction", of(KEY)),
        Request(1, CHAIN, ME, "transaction", b""),
        Request(1, CHAIN, ME, "transaction", of(KEY) + b"\0"),
        Request(1, "solana:mainnet", ME, "transaction", of(KEY)),
    ],
)
def test_requests_that_are_none(request_: Request) -> None:
    with pytest.raises(Malformed):
        SOLANA.decode(request_.to_payload(), KEY.public_key)


def test_an_account_that_is_only_named_is_not_a_signer() -> None:
    message = Message(
        "legacy", 1, 0, 1, (OTHER.public_key, KEY.public_key, bytes([3]) * 32), bytes(32), BASE.instructions
    )
    with pytest.raises(Refused) as caught:
        SOLANA.decode(Request(1, CHAIN, ME, "transaction", message.to_bytes()).to_payload(), KEY.public_key)
    assert caught.value.code == "not-a-signer"


def test_what_is_signed_is_the_message_itself_with_ed25519() -> None:
    decoded = SOLANA.decode(TRANSFER, KEY.public_key)
    (digest,) = decoded.digests
    assert (digest.scheme, digest.group) == ("ed25519", "ed25519")
    assert digest.value == Request.from_payload(TRANSFER).body


def test_attach_takes_one_signature_of_64_bytes() -> None:
    decoded = SOLANA.decode(TRANSFER, KEY.public_key)
    signature = KEY.sign(decoded.digest)
    for wrong in ([], [signature, signature], [signature[:63]], [signature + b"\0"]):
        with pytest.raises(Malformed):
            SOLANA.attach(decoded, wrong)
    with pytest.raises(ProofRejected):
        SOLANA.attach(decoded, [OTHER.sign(decoded.digest)])
    with pytest.raises(ProofRejected):
        SOLANA.attach(decoded, [KEY.sign(b"another message")])


def test_signers_sign_in_any_order_and_say_who_is_missing() -> None:
    data = of(KEY, OTHER)
    signed = {}
    for key, other in ((KEY, OTHER), (OTHER, KEY)):
        account = SOLANA.address(key.public_key)
        decoded = SOLANA.decode(Request(1, CHAIN, account, "transaction", data).to_payload(), key.public_key)
        assert "2: " in decoded.preview.text()
        signed[key] = SOLANA.attach(decoded, [key.sign(data)])
        assert signed[key].details["complete"] is False
        assert signed[key].details["missing"] == (SOLANA.address(other.public_key),)
    assert signed[KEY].id == base58.encode(KEY.sign(data))
    assert signed[OTHER].id == ""
    whole = join(signed[OTHER].raw, signed[KEY].raw)
    assert whole == b"\2" + KEY.sign(data) + OTHER.sign(data) + data
    assert split(whole) == (data, {KEY.public_key: KEY.sign(data), OTHER.public_key: OTHER.sign(data)})


def test_signatures_that_were_there_before_are_kept() -> None:
    data = of(KEY, OTHER)
    theirs = assemble(data, {OTHER.public_key: OTHER.sign(data)})
    ours = assemble(data, {KEY.public_key: KEY.sign(data)})
    assert completed(data, ours) == ours
    assert completed(assemble(data, {}), ours) == ours
    assert completed(theirs, ours) == b"\2" + KEY.sign(data) + OTHER.sign(data) + data
    with pytest.raises(ProofRejected):
        completed(theirs[:65] + bytes([theirs[65] ^ 1]) + theirs[66:], ours)


def test_signatures_that_do_not_belong_to_a_transaction() -> None:
    data = of(KEY)
    with pytest.raises(Malformed, match="not a signer"):
        assemble(data, {OTHER.public_key: OTHER.sign(data)})
    raw, other = (
        assemble(each, {KEY.public_key: KEY.sign(each)}) for each in (data, of(KEY, blockhash=bytes(32)))
    )
    with pytest.raises(Malformed, match="two different messages"):
        join(raw, other)
    with pytest.raises(ProofRejected):
        join(raw, raw[:1] + OTHER.sign(data) + data)
    with pytest.raises(Malformed, match="0 signatures for 1"):
        split(b"\0" + data)
    with pytest.raises(LimitExceeded, match="1233 bytes"):
        split(bytes(1233))


def test_a_whole_transaction_is_taken_for_its_message() -> None:
    data = of(KEY)
    for whole in (data, b"\1" + bytes(64) + data, b"\1" + KEY.sign(data) + data):
        assert Request.from_payload(requests.transaction(whole, ME)).body == data
    with pytest.raises(Malformed):
        requests.transaction(b"\2" + bytes(128) + data, ME)


def test_transfers_that_cannot_be() -> None:
    for lamports in (0, -1, MAX_LAMPORTS + 1):
        with pytest.raises(Malformed, match="lamports"):
            requests.transfer(THEM, lamports, ME, BLOCK)
    requests.transfer(THEM, MAX_LAMPORTS, ME, BLOCK)
    for arguments in (("nobody", 1, ME, BLOCK), (THEM, 1, "me", BLOCK), (THEM, 1, ME, "block")):
        with pytest.raises(Malformed):
            requests.transfer(*arguments)
    with pytest.raises(Malformed, match="half a surrogate"):
        requests.message("\ud800", ME)
    with pytest.raises(Malformed, match="half a surrogate"):
        requests.bare_message("\ud800", ME)
    with pytest.raises(Malformed, match="application domain"):
        requests.message("text", ME, domain=b"short")


def test_a_transfer_to_oneself_names_the_account_once() -> None:
    decoded = SOLANA.decode(requests.transfer(ME, 5, ME, BLOCK), KEY.public_key)
    assert decoded.fields["recipients"] == (ME,)


def test_without_solders_addresses_work_and_transactions_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("solders", "solders.hash", "solders.message"):
        monkeypatch.setitem(sys.modules, module, None)
    assert Solana().address(KEY.public_key) == ME
    with pytest.raises(Unavailable, match=r"install quorate\[solana\]"):
        SOLANA.decode(TRANSFER, KEY.public_key)
    with pytest.raises(Unavailable, match=r"install quorate\[solana\]"):
        SOLANA.warm()


def test_an_address_loads_no_library_of_the_chain() -> None:
    code = (
        "import sys; from quorate.chains.solana import Solana; "
        f"print(Solana().address(bytes.fromhex('{KEY.public_key.hex()}'))); "
        "assert not [name for name in sys.modules if name.startswith('solders')]; "
        "Solana().warm(); assert 'solders' in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ME
