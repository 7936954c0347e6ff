"""Validators' messages: published roots and signatures, what a decoded payload says, and what is refused.

Roots for which no published value was found are computed here a second time, from the specification's text
and without the package: `independent`.
"""

from hashlib import sha256
from typing import Any

import pytest
from tests.support.bls import split, table

from quorate.chains import Chain, Chains, Level, Request, Risk
from quorate.chains.validators import KNOWN, Beacon, network_id, ssz
from quorate.chains.validators.messages import (
    KINDS,
    Aggregate,
    AggregationSlot,
    AttestationData,
    AttestationMessage,
    BlockHeader,
    Checkpoint,
    Deposit,
    Fork,
    Message,
    RandaoReveal,
    SyncContribution,
    SyncMessage,
    SyncSelection,
    VoluntaryExit,
)
from quorate.encoding import encode
from quorate.errors import Malformed, ProofRejected, QuorateError, Refused
from quorate.groups import ED25519
from quorate.groups.bls12381 import BLS12381_G1, BLS12381_G2
from quorate.schemes.bls import combine, partial, verify
from quorate.schemes.bls.suites import POSSESSION
from quorate.vault.slashing import Attestation, Block, ValidatorDuty

MAINNET = bytes.fromhex("4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95")
FAMILY = Beacon()
TABLE = table(POSSESSION)
KEY = TABLE.public_key.to_bytes()
ACCOUNT = "0x" + KEY.hex()
DENEB = Fork(bytes.fromhex("04000000"), MAINNET)

A, B, C = b"\xaa" * 32, b"\xbb" * 32, b"\xcc" * 32
DATA = AttestationData(9_000_000, 7, A, Checkpoint(281_249, B), Checkpoint(281_250, C))

MESSAGES: dict[str, Message] = {
    "attestation": AttestationMessage(DENEB, DATA),
    "block": BlockHeader(DENEB, 9_000_001, 42, A, B, C),
    "randao": RandaoReveal(DENEB, 281_250),
    "aggregation-slot": AggregationSlot(DENEB, 9_000_000),
    "aggregate": Aggregate(DENEB, 5, b"\x05\x03", DATA, b"\x0c" * 96, b"\x0d" * 96, b""),
    "sync-message": SyncMessage(DENEB, A),
    "sync-selection": SyncSelection(DENEB, 9_000_000, 3),
    "sync-contribution": SyncContribution(
        DENEB, 5, 9_000_000, A, 3, b"\x0f" * 16, b"\x0c" * 96, b"\x0d" * 96
    ),
    "exit": VoluntaryExit(DENEB, 300_000, 100),
    "deposit": Deposit(Fork(bytes(4), bytes(32)), KEY, b"\x01" + bytes(11) + b"\x99" * 20, 32_000_000_000),
}
ELECTRA = Aggregate(
    DENEB, 5, bytes(1000) + b"\x10", DATA, b"\x0c" * 96, b"\x0d" * 96, (1 << 63 | 5).to_bytes(8, "little")
)


def payload(message: Message, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "version": 1,
        "chain": network_id(MAINNET),
        "account": ACCOUNT,
        "kind": message.kind,
        "body": encode(message),
    }
    return Request(**(fields | changes)).to_payload()


# --- published values ----------------------------------------------------------------------------------


def test_the_genesis_block_of_mainnet_has_its_root() -> None:
    # state and block root as every consensus client has them; body root of an empty genesis body
    header = BlockHeader(
        Fork(bytes(4), MAINNET),
        0,
        0,
        bytes(32),
        bytes.fromhex("7e76880eb67bbdc86250aa578958e9d0675e64e714337855204fb5abaaf82c2b"),
        bytes.fromhex("ccb62460692be0ec813b56be97f68a82cf57abc102e27bf49ebf4190ff22eedd"),
    )
    expected = "4d611d5b93fdab69013a7f0a2f961caca0c853f87cfe9595fe50038163079360"
    assert header.object_root().hex() == expected


# test vectors of NethermindEth/pluto (crates eth2api, spec/phase0 and spec/altair)
PLUTO = AttestationData(1, 2, b"\x11" * 32, Checkpoint(3, b"\x22" * 32), Checkpoint(4, b"\x33" * 32))
ROOTS = {
    "0e2611469670519087ad67c1374a94cbe148b165117d396b93f344636a702ba6": AttestationMessage(DENEB, PLUTO),
    "ed20e5f79897447b03e31d2f89548acb66bb694fe177118539bb85f09d4b5073": Aggregate(
        DENEB, 7, b"\x01\x01", PLUTO, b"\x44" * 96, b"\x55" * 96, b""
    ),
    "ff55c97976a840b4ced964ed49e3794594ba3f675238b5fd25d282b60f70a194": SyncSelection(DENEB, 1, 2),
    "b7d72ecce54e0d0d8a12a888880489e2b465a06e877cca4eaac40e54faa2790e": SyncContribution(
        DENEB, 5, 9, b"\x66" * 32, 3, b"\x01" + bytes(15), b"\x77" * 96, b"\x88" * 96
    ),
}


@pytest.mark.parametrize("root", ROOTS)
def test_containers_have_the_published_roots(root: str) -> None:
    assert ROOTS[root].object_root().hex() == root


def test_forks_and_signing_data_have_the_published_roots() -> None:
    version, root = bytes.fromhex("01020304"), bytes.fromhex("1234567890abcdef" * 4)
    data = ssz.container(ssz.octets(version), root)
    assert data.hex() == "35f90ce5dd9afeb16dde0939ca9c9d22ab35f3c4b88749048ff87bdf654ddfbf"
    signing = ssz.container(
        bytes.fromhex("abcdef1234567890" * 4), bytes.fromhex("0300000001020304").ljust(32, b"\0")
    )
    assert signing.hex() == "6ad6de7d10b1bfddd4dccb3835df79f08a3fbe478a9894e817e48f24545ae2ec"


# deposit data of eth-staking-smith's tests for mainnet (with the secret key), and of the deposit CLI 1.0.0
SECRET = "3f3e0a69a6a66aeaec606a2ccb47c703afb2e8ae64f70a1650c03343b06e8f0c"
DEPOSITS = {
    "00000000": (
        "8666389c3fe6ff0bca9adba81504f380b9e2c719419760d561836472fafe295cb50696524e19cba084e1d788d66c80d6",
        "0100000000000000000000000000000000000000000000000000000000000001",
        "a1f3ece1cb871e1af29fdaf94cab58d48d128d0ed2342a1f042f49344943c25ec6eab4f2219301e421a88453c6aa29e9"
        "0b78373a8341c17738bc0ff4d0a724494535b494cd21fd2633a7a12353a5232c9806e1576f1e2447631ec3310db4008b",
        "dc224ac1c94d70906d643644f20398bdea5dabea123116a9d6135b8f5f4906bd",
    ),
    "00000113": (
        "aad67d87ddeb2801860c135a67dc3fecdf77ed9a41da6afe7c8a5232354713bdc6d437cbe0014f3482f2a17e048e30a4",
        "0070f9cba5c36591736e62d2a4c32bdfdecb92ea586e9cdb89d95788ce7f4975",
        "a8e83f7a0c36a4aa45906aa45039e39212b9cbd3916550adaeac488a847e216ab8cf1d9360608dd0a092b4a1ced05f2c"
        "05b5d8406c40410933ee6ccecff4e31eac088383a815b6cd8d17fa0d87586a0f9fe9f01a4d7bb9aa591851baff1dae13",
        "b082661eaebf92daf5f0b08728832305cc309467642354508206cd4f09150a1a",
    ),
}


@pytest.mark.parametrize("version", DEPOSITS)
def test_deposits_have_the_published_roots_and_signatures(version: str) -> None:
    public, credentials, signature, root = (bytes.fromhex(value) for value in DEPOSITS[version])
    deposit = Deposit(Fork(bytes.fromhex(version), bytes(32)), public, credentials, 32_000_000_000)
    assert deposit.object_root() == root
    key = BLS12381_G1.point_from_bytes(public)
    verify(POSSESSION, key, deposit.signing_root(), signature)
    with pytest.raises(ProofRejected):
        verify(POSSESSION, key, replace_fork(deposit, b"\0\0\0\x01").signing_root(), signature)


def test_a_quorum_signs_the_published_deposit_to_the_byte() -> None:
    public, credentials, signature, _ = (bytes.fromhex(value) for value in DEPOSITS["00000000"])
    key = split(POSSESSION, int(SECRET, 16))
    assert key.public_key.to_bytes() == public
    deposit = Deposit(Fork(bytes(4), bytes(32)), public, credentials, 32_000_000_000)
    account = "0x" + public.hex()
    decoded = FAMILY.decode(payload(deposit, account=account), key.public_key)
    context = key.context(decoded.digest)
    made = combine(context, [(name, partial(seat, context)) for name, seat in key.seats.items()])
    assert made == signature
    assert FAMILY.attach(decoded, [made]).details["signature"] == "0x" + signature.hex()


def test_a_published_exit_verifies() -> None:
    # eth-staking-smith, tests/e2e: mainnet, validator 100, epoch 305658, signed for Capella (EIP-7044)
    public = bytes.fromhex(
        "8844cebb34d10e0e57f3c29ada375dafe14762ab85b2e408c3d6d55ce6d03317660bca9f2c2d17d8fbe14a2529ada1ea"
    )
    signature = bytes.fromhex(
        "a74f22d26da9934c2a9c783799fb9e7bef49b3d7c3759a0683b52ee5d71516c0ecdbcc47703f11959c5e701a6c471944"
        "10bed800217bd4dd0dab1e0587b14551771accd04ff1c78302f9605f44c3894976c5b3537b70cb7ac9dcb5398dc22079"
    )
    message = VoluntaryExit(Fork(bytes.fromhex("03000000"), MAINNET), 305_658, 100)
    key = BLS12381_G1.point_from_bytes(public)
    verify(POSSESSION, key, message.signing_root(), signature)
    with pytest.raises(ProofRejected):
        verify(POSSESSION, key, VoluntaryExit(message.fork, 305_658, 101).signing_root(), signature)


# --- a second computation ------------------------------------------------------------------------------


def node(left: bytes, right: bytes) -> bytes:
    return sha256(left + right).digest()


def tree(leaves: list[bytes], depth: int) -> bytes:
    """Top down, where the package goes bottom up."""
    if depth == 0:
        return leaves[0] if leaves else bytes(32)
    half = 1 << (depth - 1)
    return node(tree(leaves[:half], depth - 1), tree(leaves[half:], depth - 1))


def number(value: int) -> bytes:
    return value.to_bytes(32, "little")


def bits_root(bits: list[bool], depth: int) -> bytes:
    packed = sum(1 << place for place, bit in enumerate(bits) if bit)
    data = packed.to_bytes(-(-len(bits) // 256) * 32, "little")
    return tree([data[i : i + 32] for i in range(0, len(data), 32)], depth)


def bits_of(data: bytes) -> list[bool]:
    return [bool(data[i // 8] >> i % 8 & 1) for i in range(8 * len(data))]


def signature_root(signature: bytes) -> bytes:
    return tree([signature[:32], signature[32:64], signature[64:]], 2)


def data_root(data: AttestationData) -> bytes:
    source = node(number(data.source.epoch), data.source.root)
    target = node(number(data.target.epoch), data.target.root)
    return tree([number(data.slot), number(data.index), data.beacon_block_root, source, target], 3)


def independent(message: Any) -> bytes:
    """The signing root by the specification's formulas, written out."""
    match message.kind:
        case "attestation":
            root, domain = data_root(message.data), "01000000"
        case "block":
            leaves = [number(message.slot), number(message.proposer_index)]
            leaves += [message.parent_root, message.state_root, message.body_root]
            root, domain = tree(leaves, 3), "00000000"
        case "randao":
            root, domain = number(message.epoch), "02000000"
        case "aggregation-slot":
            root, domain = number(message.slot), "05000000"
        case "aggregate":
            bits = bits_of(message.aggregation_bits)
            while not bits.pop():
                pass
            depth = 9 if message.committee_bits else 3  # 131072 / 256 = 2^9, 2048 / 256 = 2^3
            fields = [node(bits_root(bits, depth), number(len(bits))), data_root(message.data)]
            fields.append(signature_root(message.signature))
            if message.committee_bits:
                fields.append(message.committee_bits.ljust(32, b"\0"))
            leaves = [
                number(message.aggregator_index),
                tree(fields, 2),
                signature_root(message.selection_proof),
            ]
            root, domain = tree(leaves, 2), "06000000"
        case "sync-message":
            root, domain = message.beacon_block_root, "07000000"
        case "sync-selection":
            root, domain = node(number(message.slot), number(message.subcommittee_index)), "08000000"
        case "sync-contribution":
            fields = [number(message.slot), message.beacon_block_root, number(message.subcommittee_index)]
            fields += [message.aggregation_bits.ljust(32, b"\0"), signature_root(message.signature)]
            leaves = [
                number(message.aggregator_index),
                tree(fields, 3),
                signature_root(message.selection_proof),
            ]
            root, domain = tree(leaves, 2), "09000000"
        case "exit":
            root, domain = node(number(message.epoch), number(message.validator_index)), "04000000"
        case _:
            key = node(message.public_key[:32], message.public_key[32:].ljust(32, b"\0"))
            root, domain = tree([key, message.withdrawal_credentials, number(message.amount)], 2), "03000000"
    fork = node(message.fork.version.ljust(32, b"\0"), message.fork.genesis_validators_root)
    return node(root, bytes.fromhex(domain) + fork[:28])


@pytest.mark.parametrize("message", [*MESSAGES.values(), ELECTRA], ids=lambda message: message.kind)
def test_signing_roots_agree_with_a_second_computation(message: Message) -> None:
    assert message.signing_root() == independent(message)


def test_a_number_of_64_bits_has_its_root() -> None:
    message = RandaoReveal(DENEB, 2**64 - 1)
    assert message.signing_root() == independent(message)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 255, 256, 257, 2047, 2048])
def test_bit_lists_of_every_length_agree_with_a_second_computation(length: int) -> None:
    bits = [place % 3 == 0 for place in range(length)]
    value = sum(1 << place for place, bit in enumerate(bits) if bit) | 1 << length
    data = value.to_bytes(length // 8 + 1, "little")
    assert ssz.bitlist(data, 2048) == node(bits_root(bits, 3), number(length))


def test_what_is_no_bit_list_or_vector_is_refused() -> None:
    for wrong in (b"", b"\0", b"\x01\0", bytes(256) + b"\x02"):
        with pytest.raises(Malformed):
            ssz.bitlist(wrong, 2048)
    for wrong, bits in ((b"", 8), (b"\0\0", 8), (b"\x10", 4)):
        with pytest.raises(Malformed):
            ssz.bitvector(wrong, bits)


# --- the family ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MESSAGES)
def test_every_kind_decodes_shows_what_is_signed_and_takes_our_quorum_s_signature(kind: str) -> None:
    message = MESSAGES[kind]
    decoded = FAMILY.decode(payload(message), TABLE.public_key)
    assert (decoded.kind, decoded.account, decoded.public_key) == (kind, ACCOUNT, KEY)
    (digest,) = decoded.digests
    assert (digest.value, digest.scheme, digest.group) == (message.signing_root(), "bls-pop", "bls12381g1")
    assert decoded.fields["signing_root"] == "0x" + digest.value.hex()
    assert decoded.fields["fork_version"] == "0x" + message.fork.version.hex()
    text = decoded.preview.text()
    assert all(shown in text for shown in (decoded.preview.title, ACCOUNT, digest.value.hex()))
    context = TABLE.context(digest.value)
    made = combine(context, [(name, partial(seat, context)) for name, seat in TABLE.seats.items()])
    signed = FAMILY.attach(decoded, [made])
    assert (signed.raw, signed.id) == (made, "0x" + digest.value.hex())
    for wrong in (made[:-1] + bytes([made[-1] ^ 1]), b"", BLS12381_G2.generator.to_bytes()):
        with pytest.raises(ProofRejected):
            FAMILY.attach(decoded, [wrong])
    with pytest.raises(Malformed):
        FAMILY.attach(decoded, [made, made])


def test_blocks_and_attestations_have_a_duty_and_nothing_else_has() -> None:
    duties = {kind: FAMILY.decode(payload(m), KEY).duty for kind, m in MESSAGES.items()}
    root = MESSAGES["block"].signing_root()
    assert duties.pop("block") == ValidatorDuty(KEY, MAINNET, Block(9_000_001, root))
    root = MESSAGES["attestation"].signing_root()
    assert duties.pop("attestation") == ValidatorDuty(KEY, MAINNET, Attestation(281_249, 281_250, root))
    assert set(duties.values()) == {None}


def test_fields_for_policies() -> None:
    fields = FAMILY.decode(payload(MESSAGES["attestation"]), KEY).fields
    assert (fields["slot"], fields["source_epoch"], fields["target_epoch"]) == (9_000_000, 281_249, 281_250)
    fields = FAMILY.decode(payload(MESSAGES["aggregate"]), KEY).fields
    assert (fields["bits"], fields["electra"], fields["aggregator_index"]) == (9, False, 5)
    assert FAMILY.decode(payload(ELECTRA), KEY).fields["electra"] is True
    fields = FAMILY.decode(payload(MESSAGES["deposit"]), KEY).fields
    assert fields["withdrawal_address"] == "0x" + "99" * 20
    assert fields["amount"] == 32_000_000_000


@pytest.mark.parametrize(
    ("credentials", "level", "said"),
    [
        (b"\x01" + bytes(11) + b"\x99" * 20, Level.CAUTION, "0x" + "99" * 20),
        (b"\x02" + bytes(11) + b"\x99" * 20, Level.CAUTION, "compounding"),
        (b"\x00" + b"\x77" * 31, Level.DANGER, "BLS key"),
        (b"\x01" + b"\x77" * 31, Level.DANGER, "unknown form"),
        (b"\x09" + bytes(31), Level.DANGER, "unknown form"),
    ],
)
def test_a_deposit_says_to_whom_withdrawals_go(credentials: bytes, level: Level, said: str) -> None:
    deposit = Deposit(Fork(bytes(4), bytes(32)), KEY, credentials, 32_000_000_000)
    decoded = FAMILY.decode(payload(deposit), KEY)
    assert decoded.preview.level is level
    assert said in decoded.preview.text()
    assert "32 ETH" in decoded.preview.title
    assert decoded.risks == {Risk.OWNERSHIP}


def test_an_exit_is_shown_as_what_it_is() -> None:
    decoded = FAMILY.decode(payload(MESSAGES["exit"]), KEY)
    assert decoded.preview.level is Level.DANGER
    assert decoded.risks == {Risk.ACCOUNT_DELETION}


def refused(data: bytes, code: str, key: Any = KEY, family: Beacon = FAMILY) -> None:
    with pytest.raises(Refused) as caught:
        family.decode(data, key)
    assert caught.value.code == code


def test_a_message_for_another_network_is_refused() -> None:
    other = Fork(b"\x04\0\0\0", b"\x21" * 32)
    for kind, message in MESSAGES.items():
        if kind != "deposit":
            refused(payload(replace_fork(message, other=other)), "chain-mismatch")
    deposit = replace_fork(MESSAGES["deposit"], b"\x90\0\0\x69")
    refused(payload(deposit), "chain-mismatch")
    sepolia = next(n.chain.caip2 for n in KNOWN if n.chain.name.startswith("Sepolia"))
    FAMILY.decode(payload(deposit, chain=sepolia), KEY)
    refused(payload(MESSAGES["block"], chain=network_id(b"\x55" * 32)), "unknown-chain")


def test_a_network_of_one_s_own_is_a_row_and_its_deposits_carry_a_warning() -> None:
    devnet = b"\x55" * 32
    family = Beacon([Chain(network_id(devnet), "Development", "ETH", decimals=9)])
    fork = Fork(b"\x10\0\0\x38", devnet)
    assert family.decode(payload(RandaoReveal(fork, 1), chain=network_id(devnet)), KEY).risks == frozenset()
    deposit = replace_fork(MESSAGES["deposit"], b"\x10\0\0\x38")
    decoded = family.decode(payload(deposit, chain=network_id(devnet)), KEY)
    assert Risk.ANY_CHAIN in decoded.risks
    assert decoded.preview.level is Level.DANGER
    # a row may rename a known network, and does not lose what is known of it
    renamed = Beacon([Chain(network_id(MAINNET), "Mine", "ETH", decimals=9)])
    refused(payload(deposit), "chain-mismatch", family=renamed)
    for wrong in ("beacon:1", "beacon:" + "A" * 32, "eip155:1"):
        with pytest.raises(Malformed):
            Beacon([Chain(wrong, "x", "ETH")])


def test_another_validator_s_request_is_refused() -> None:
    other = BLS12381_G1.generator
    refused(payload(MESSAGES["randao"]), "other-account", other)
    refused(payload(MESSAGES["randao"], account=ACCOUNT.upper()), "other-account")
    refused(payload(MESSAGES["randao"], path="0/7"), "other-account")
    deposit = Deposit(Fork(bytes(4), bytes(32)), other.to_bytes(), A, 1)
    refused(payload(deposit), "other-account")


def test_keys_are_points_of_g1() -> None:
    assert FAMILY.address(TABLE.public_key) == FAMILY.address(KEY) == ACCOUNT
    for wrong in (KEY[:-1], KEY + b"\0", bytes([0xC0]) + bytes(47), ACCOUNT, None, ED25519.generator):
        with pytest.raises(Malformed):
            FAMILY.address(wrong)
    with pytest.raises(Malformed):
        FAMILY.address(BLS12381_G1.identity)


def test_bodies_are_exact() -> None:
    for message in MESSAGES.values():
        body = encode(message)
        for wrong in (body[:-1], body + b"\0", b"", b"\xc0"):
            with pytest.raises(Malformed):
                FAMILY.decode(payload(message, body=wrong), KEY)
    for kind in ("nothing", "Block"):
        with pytest.raises(Malformed, match="unknown kind"):
            FAMILY.decode(payload(MESSAGES["block"], kind=kind), KEY)
    aggregate = MESSAGES["aggregate"]
    assert isinstance(aggregate, Aggregate)
    for bits in (b"\0", bytes(256) + b"\x02", bytes(300) + b"\x01"):
        with pytest.raises(Malformed):
            FAMILY.decode(payload(changed(aggregate, aggregation_bits=bits)), KEY)
    with pytest.raises(Malformed):
        FAMILY.decode(payload(changed(aggregate, committee_bits=b"\x01")), KEY)


def test_a_slot_that_no_duty_can_have_is_refused() -> None:
    with pytest.raises(Malformed):
        FAMILY.decode(payload(changed(MESSAGES["block"], slot=2**63)), KEY)


def test_a_deposit_s_domain_has_no_root() -> None:
    with pytest.raises(Malformed):
        Deposit(DENEB, KEY, A, 1)


@pytest.mark.parametrize("kind", [*KINDS, ""])
def test_arbitrary_bytes_are_refused_in_the_family_s_own_words(kind: str) -> None:
    source = b""
    for seed in range(60):
        source = sha256(source + bytes([seed])).digest()
        for body in (source[: seed % 33], b"\x92" + source, b"\x9b" + source * 3, source * 20):
            try:
                FAMILY.decode(payload(MESSAGES["block"], kind=kind or "x", body=body), KEY)
            except (Malformed, Refused):
                continue
            except QuorateError as error:  # pragma: no cover
                raise AssertionError(f"{error!r} is no answer of decode") from error


def test_it_is_found_by_its_namespace() -> None:
    chains = Chains()
    assert isinstance(chains.family(network_id(MAINNET)), Beacon)
    assert chains.chain(network_id(MAINNET)).name == "Ethereum validators"
    chains.warm("beacon")
    assert chains.decode(payload(MESSAGES["randao"]), KEY).kind == "randao"


def replace_fork(message: Message, version: bytes = b"", *, other: Fork | None = None) -> Message:
    return changed(message, fork=other or Fork(version, message.fork.genesis_validators_root))


def changed(message: Message, **fields: Any) -> Message:
    values = {name: getattr(message, name) for name in message.__struct_fields__}
    return type(message)(**(values | fields))
