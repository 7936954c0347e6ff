"""Published numbers: addresses (BIP 86, BIP 350), digests (BIP 143, BIP 341), signed messages (BIP 322)."""

from base64 import b64decode

import pytest
from btclib_secp256k1 import keys, xonly
from embit import base58
from tests.support.bitcoin import SingleKey
from tests.support.bitcoin_kernel import accepts

from quorate.chains.bitcoin import MAINNET, TESTNET4
from quorate.chains.bitcoin.digests import Digests
from quorate.chains.bitcoin.message import message_hash, virtual
from quorate.chains.bitcoin.networks import ENCODINGS
from quorate.chains.bitcoin.scripts import Key, Kind, address
from quorate.chains.bitcoin.second import Agreed
from quorate.chains.bitcoin.signature import check_schnorr
from quorate.chains.bitcoin.wire import Output, Reader, parse_transaction, read_stack
from quorate.groups import SECP256K1
from quorate.schemes.schnorr.suites.bip340 import taproot_output, taproot_tweak

# BIP 350, "Test vectors for v0-v16 native segregated witness addresses" (lower case, as we write them).
SEGWIT_ADDRESSES = [
    ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "0014751e76e8199196d454941c45d1b3a323f1433bd6"),
    (
        "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7",
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262",
    ),
    (
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6",
    ),
    ("bc1sw50qgdz25j", "6002751e"),
    ("bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs", "5210751e76e8199196d454941c45d1b3a323"),
    (
        "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy",
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c",
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433",
    ),
    (
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
    ),
]

# BIP 341, wallet-test-vectors.json, "scriptPubKey": internal key, merkle root, tweak, output key.
OUTPUT_KEYS = [
    (
        "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d",
        "",
        "b86e7be8f39bab32a6f2c0443abbc210f0edac0e2c53d501b36b64437d9c6c70",
        "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343",
    ),
    (
        "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
        "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
        "cbd8679ba636c1110ea247542cfbd964131a6be84f873f7f3b62a777528ed001",
        "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
    ),
    (
        "93478e9488f956df2396be2ce6c5cced75f900dfa18e7dabd2428aae78451820",
        "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
        "6af9e28dbf9d6aaf027696e2598a5b3d056f5fd2355a7fd5a37a0e5008132d30",
        "e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e",
    ),
    (
        "ee4fe085983462a184015d1f782d6a5f8b9c2b60130aff050ce221ecf3786592",
        "6c2dc106ab816b73f9d07e3cd1ef2c8c1256f519748e0813e4edd2405d277bef",
        "9e0517edc8259bb3359255400b23ca9507f2a91cd1e4250ba068b4eafceba4a9",
        "712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5",
    ),
    (
        "f9f400803e683727b14f463836e1e78e1c64417638aa066919291a225f0e8dd8",
        "ab179431c28d3b68fb798957faf5497d69c883c6fb1e1cd9f81483d87bac90cc",
        "639f0281b7ac49e742cd25b7f188657626da1ad169209078e2761cefd91fd65e",
        "77e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220",
    ),
    (
        "e0dfe2300b0dd746a3f8674dfd4525623639042569d829c7f0eed9602d263e6f",
        "ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2",
        "b57bfa183d28eeb6ad688ddaabb265b4a41fbf68e5fed2c72c74de70d5a786f4",
        "91b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605",
    ),
    (
        "55adf4e8967fbd2e29f20ac896e60c3b0f1d5b0efa9d34941b5958c7b0a0312d",
        "2f6b2c5397b6d68ca18e09a3f05161668ffe93a988582d55c6f07bd5b3329def",
        "6579138e7976dc13b6a92f7bfd5a2fc7684f5ea42419d43368301470f3b74ed9",
        "75169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831",
    ),
]

# BIP 341, wallet-test-vectors.json, "keyPathSpending": the transaction, what it spends, and its inputs that
# are signed with DEFAULT and ALL.
UNSIGNED_341 = bytes.fromhex(
    "02000000097de20cbff686da83a54981d2b9bab3586f4ca7e48f57f5b55963115f3b334e9c010000000000000000d7b7cab57b"
    "1393ace2d064f4d4a2cb8af6def61273e127517d44759b6dafdd990000000000fffffffff8e1f583384333689228c5d28eac13"
    "366be082dc57441760d957275419a418420000000000fffffffff0689180aa63b30cb162a73c6d2a38b7eeda2a83ece74310fd"
    "a0843ad604853b0100000000feffffffaa5202bdf6d8ccd2ee0f0202afbbb7461d9264a25e5bfd3c5a52ee1239e0ba6c000000"
    "0000feffffff956149bdc66faa968eb2be2d2faa29718acbfe3941215893a2a3446d32acd050000000000000000000e664b977"
    "3b88c09c32cb70a2a3e4da0ced63b7ba3b22f848531bbb1d5d5f4c94010000000000000000e9aa6b8e6c9de67619e6a3924ae2"
    "5696bb7b694bb677a632a74ef7eadfd4eabf0000000000ffffffffa778eb6a263dc090464cd125c466b5a99667720b1c110468"
    "831d058aa1b82af10100000000ffffffff0200ca9a3b000000001976a91406afd46bcdfd22ef94ac122aa11f241244a37ecc88"
    "ac807840cb0000000020ac9a87f5594be208f8532db38cff670c450ed2fea8fcdefcc9a663f78bab962b0065cd1d"
)
SPENT_341 = [
    Output(420000000, bytes.fromhex("512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343")),
    Output(462000000, bytes.fromhex("5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3")),
    Output(294000000, bytes.fromhex("76a914751e76e8199196d454941c45d1b3a323f1433bd688ac")),
    Output(504000000, bytes.fromhex("5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e")),
    Output(630000000, bytes.fromhex("512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605")),
    Output(378000000, bytes.fromhex("00147dd65592d0ab2fe0d0257d571abf032cd9db93dc")),
    Output(672000000, bytes.fromhex("512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831")),
    Output(546000000, bytes.fromhex("5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5")),
    Output(588000000, bytes.fromhex("512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220")),
]
KEY_PATHS = [
    (
        3,
        1,
        "d3c7af07da2d54f7a7735d3d0fc4f0a73164db638b2f2f7c43f711f6d4aa7e64",
        "c525714a7f49c28aedbbba78c005931a81c234b2f6c99a73e4d06082adc8bf2b",
        "97323385e57015b75b0339a549c56a948eb961555973f0951f555ae6039ef00d",
        "0001020000000065cd1de3b33bb4ef3a52ad1fffb555c0d82828eb22737036eaeb02a235d82b909c4c3f58a6964a4f5f8f0b"
        "642ded0a8a553be7622a719da71d1f5befcefcdee8e0fde623ad0f61ad2bca5ba6a7693f50fce988e17c3780bf2b1e720cfb"
        "b38fbdd52e2118959c7221ab5ce9e26c3cd67b22c24f8baa54bac281d8e6b05e400e6c3a957ea2e6dab7c1f0dcd297c8d616"
        "47fd17d821541ea69c3cc37dcbad7f90d4eb4bc50003000000",
        "bf013ea93474aa67815b1b6cc441d23b64fa310911d991e713cd34c7f5d46669",
        "ff45f742a876139946a149ab4d9185574b98dc919d2eb6754f8abaa59d18b025637a3aa043b91817739554f4ed2026cf8022"
        "dbd83e351ce1fabc272841d2510a",
    ),
    (
        4,
        0,
        "f36bb07a11e469ce941d16b63b11b9b9120a84d9d87cff2c84a8d4affb438f4e",
        "ccbd66c6f7e8fdab47b3a486f59d28262be857f30d4773f2d5ea47f7761ce0e2",
        "a8e7aa924f0d58854185a490e6c41f6efb7b675c0f3331b7f14b549400b4d501",
        "0000020000000065cd1de3b33bb4ef3a52ad1fffb555c0d82828eb22737036eaeb02a235d82b909c4c3f58a6964a4f5f8f0b"
        "642ded0a8a553be7622a719da71d1f5befcefcdee8e0fde623ad0f61ad2bca5ba6a7693f50fce988e17c3780bf2b1e720cfb"
        "b38fbdd52e2118959c7221ab5ce9e26c3cd67b22c24f8baa54bac281d8e6b05e400e6c3a957ea2e6dab7c1f0dcd297c8d616"
        "47fd17d821541ea69c3cc37dcbad7f90d4eb4bc50004000000",
        "4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef",
        "b4010dd48a617db09926f729e79c33ae0b4e94b79f04a1ae93ede6315eb3669de185a17d2b0ac9ee09fd4c64b678a0b61a0a"
        "86fa888a273c8511be83bfd6810f",
    ),
]

# BIP 143, "Native P2WPKH".
UNSIGNED_143 = bytes.fromhex(
    "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804"
    "cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280"
    "b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa81"
    "5988ac11000000"
)
KEY_143 = SingleKey(bytes.fromhex("619c335025c7f4012e556c2a58b2506e30b8511b53ade95ea316fd8c3286feb9"))

# BIP 322, basic-test-vectors.json: "tx_hashes" and "simple" (with the prefix of the final version), and of
# generated-test-vectors.json those of single keys.
HELLO = "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l"
HELLO_KEY = "L3VFeEujGtevx9w18HD1fhRbCH67Az2dpCymeRE1SoPK6XQtaN2k"
MESSAGE_HASHES = [
    (
        "",
        "c90c269c4f8fcbe6880f72a721ddfbf1914268a794cbb21cfafee13770ae19f1",
        "c5680aa69bb8d860bf82d4e9cd3504b55dde018de765a91bb566283c545a99a7",
        "1e9654e951a5ba44c8604c4de6c67fd78a27e81dcadcfe1edf638ba3aaebaed6",
    ),
    (
        "Hello World",
        "f0eb03b1a75ac6d9847f55c624a99169b5dccba2a31f5b23bea77ba270de0a7a",
        "b79d196740ad5217771c1098fc4a4b51e0535c32236c71f1ea4d61a2d603352b",
        "88737ae86f2077145f93cc4b153ae9a1cb8d56afa511988c149c5c8c9d93bddf",
    ),
    (
        "UTF-8 support: öäüéàè 测试文本 \U0001f604",
        "43936b237ea38c7794eb5d755e0d220b6db92ebfc5c8f482759d22b1286376d7",
        "c8f4f525fe8afb1bc09b44175bd2096f079c98425e8a1be676b712add1fb62f0",
        "8f488e06b89eafd019ec528109eafaf7f1d1811fd617aa1eeb9658f1c1be6586",
    ),
]
SIMPLE_SIGNATURES = [
    (
        "",
        HELLO_KEY,
        HELLO,
        "smpAkgwRQIhAPkJ1Q4oYS0htvyuSFHLxRQpFAY56b70UvE7Dxazen0ZAiAtZfFz1S6T6I23MWI2lK/pcNTWncuyL8UL+oMdydVgzAEh"
        "AsfxIAMZZEKUPYWI4BruhAQjzFT8FSFSajuFwrDL1Yhy",
    ),
    (
        "Hello World",
        HELLO_KEY,
        HELLO,
        "smpAkgwRQIhAOzyynlqt93lOKJr+wmmxIens//zPzl9tqIOua93wO6MAiBi5n5EyAcPScOjf1lAqIUIQtr3zKNeavYabHyR8eGhowEh"
        "AsfxIAMZZEKUPYWI4BruhAQjzFT8FSFSajuFwrDL1Yhy",
    ),
    (
        "No prefix fallback",
        "KyrSGCFPhqZMjCe5fNTYddiLMp4tMj4gLKuJ26TsB2rvr1VJGPbt",
        "bc1pss0zhytly75awhm6x2hhvd5lnzv3vssgrf9axfheq8ldyzn88ges79fler",
        "smpAUCJYOwOjxYAvatTAGYaVlNXBVyFuc4MwNQkOuK2tl8xhfKDONd0NjfYyNSYcRqeCp8hsAnCEPHAVEkO9h6vbQ/R",
    ),
    (
        "ESHJI7MWUL64AXHBI42L3UR4QA",
        "L1W6mc2yYRcDCkhwhFASvvacvp6Pm4u29dxK9RJHVorXqLciTdq4",
        "bc1qkntwc3c4dzxh9xh6875l03fn3vkk023jgak3u7",
        "smpAkcwRAIgCYHF/vn67iZX5WBimh84kqD6pTME6eNCMGhfFnnwCNECIAF3nMCk/RfLit+uv8a8FgfQIw0f0ASE21GSz7rX17PsASED"
        "TA2vM8bOtUFgvenSDUmvkq7aWNwoTB0CMiM6carHY1s=",
    ),
    (
        "TPIZPITUIHEUHO5ACOL6W6MBVD",
        "L1rPtXzPkeCuXArPk5QKfaU4PCx16S2zCXnYtFSMGHiDkQyWw5fv",
        "bc1p9cyuceaazr8cz46mvgkzl94wy397mwpqsrk84su37t72jvkg6wzqv52nfp",
        "smpAUBay6NwR4LEYedkTG+vE9F7C0RTOCB5NH6ZAqf+3hudjHIkOzSZk1jW/5Kt0wRKX3llJ25os+0qktdou4/Y8516",
    ),
]


@pytest.mark.parametrize(("text", "script"), SEGWIT_ADDRESSES)
def test_witness_programs_of_all_versions_have_the_addresses_of_bip_350(text: str, script: str) -> None:
    encoding = ENCODINGS[MAINNET if text.startswith("bc") else TESTNET4]
    assert address(bytes.fromhex(script), encoding) == text


def test_a_key_has_the_first_address_of_bip_86() -> None:
    # BIP 86, "Test vectors": account 0, first receiving address
    public = bytes.fromhex("02" + "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115")
    script = "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"
    assert Key.of(public).taproot_script().hex() == script
    text = "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"
    assert address(bytes.fromhex(script), ENCODINGS[MAINNET]) == text


@pytest.mark.parametrize(("internal", "root", "tweak", "output"), OUTPUT_KEYS)
@pytest.mark.parametrize("sign", ["02", "03"])
def test_output_keys_and_tweaks_are_those_of_bip_341(
    internal: str, root: str, tweak: str, output: str, sign: str
) -> None:
    key = Key.of(bytes.fromhex(sign + internal))
    assert key.tweak(bytes.fromhex(root)).hex() == tweak
    assert key.taproot_script(bytes.fromhex(root)).hex() == "5120" + output


@pytest.mark.parametrize("case", KEY_PATHS, ids=["ALL", "DEFAULT"])
def test_key_paths_are_signed_as_in_bip_341(case: tuple[int, int, str, str, str, str, str, str]) -> None:
    index, kind, secret, root, tweaked, message, digest, signature = case
    transaction = parse_transaction(UNSIGNED_341, "vector")
    assert transaction.to_bytes() == UNSIGNED_341
    assert Digests(transaction, SPENT_341).taproot_message(index, kind).hex() == message
    computed = Agreed(transaction, SPENT_341).taproot(index, kind)
    assert computed.hex() == digest
    key = SingleKey(bytes.fromhex(secret))
    tweak = key.key.tweak(bytes.fromhex(root))
    assert xonly.prvkey_tweak_add(key.secret, tweak).hex() == tweaked
    # the published signature, under the output key that we derive
    check_schnorr(bytes.fromhex(signature), key.key.output_key(bytes.fromhex(root)), computed)


def test_the_digest_of_p2wpkh_is_that_of_bip_143() -> None:
    transaction = parse_transaction(UNSIGNED_143, "vector")
    key = KEY_143.key
    assert key.public.hex() == "025476c2e83188368da1ff3e292e7acafcdb3566bb0ad253f62fc70f07aeee6357"
    assert key.witness_script.hex() == "00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1"
    spent = [Output(625_000_000, b""), Output(600_000_000, key.witness_script)]
    digest = Agreed(transaction, spent).witness(1, key.hash)
    assert digest.hex() == "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670"


@pytest.mark.parametrize(("message", "tag", "to_spend", "to_sign"), MESSAGE_HASHES)
def test_the_two_transactions_of_a_message_are_those_of_bip_322(
    message: str, tag: str, to_spend: str, to_sign: str
) -> None:
    key = _from_wif(HELLO_KEY).key
    first, second = virtual(message.encode(), key.witness_script)
    assert message_hash(message.encode()).hex() == tag
    assert first.txid == to_spend
    assert second.txid == to_sign


@pytest.mark.parametrize(("message", "wif", "account", "published"), SIMPLE_SIGNATURES)
def test_signed_messages_are_those_of_bip_322(message: str, wif: str, account: str, published: str) -> None:
    key = _from_wif(wif)
    kind = "p2wpkh" if account.startswith("bc1q") else "p2tr"
    assert key.address(kind, MAINNET) == account
    signed = key.sign_message(message, kind, MAINNET)
    assert str(signed.details["signature"]) == "smp" + str(signed.details["without_prefix"])
    to_spend, to_sign = virtual(message.encode(), key.key.scripts[Kind(kind)])
    for text in (published, str(signed.details["signature"])):
        # nonces differ from signer to signer, so the judge is the consensus code
        stack = read_stack(Reader(b64decode(text[3:]), "vector"))
        assert accepts(to_sign.finished([(b"", stack)]).to_bytes(), to_spend.outputs)
        other = virtual(message.encode() + b"!", key.key.scripts[Kind(kind)])
        assert not accepts(other[1].finished([(b"", stack)]).to_bytes(), other[0].outputs)
    if kind == "p2wpkh":
        # RFC 6979 without further choice: the published text comes out
        assert signed.details["signature"] == published


def _from_wif(text: str) -> SingleKey:
    data = base58.decode_check(text)
    assert len(data) == 34
    assert data[33] == 1
    assert keys.prvkey_verify(data[1:33])
    return SingleKey(data[1:33])


@pytest.mark.parametrize("root", [b"", bytes(range(32))])
def test_the_scheme_and_the_chain_derive_the_same_output_key(root: bytes) -> None:
    # written twice, once for shares and once for addresses
    for public in (KEY_143.public_key, b"\x02" + bytes.fromhex(OUTPUT_KEYS[0][0])):
        point = SECP256K1.point_from_bytes(public)
        assert taproot_tweak(point, root) == Key.of(public).tweak(root)
        assert taproot_output(point, root) == Key.of(public).output_key(root)
