"""The port: requests, rows of chains, and finding a family."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from tests.chains.keys import LocalKey

from quorate.chains import Chain, Chains, Request
from quorate.chains.bitcoin import Bitcoin
from quorate.chains.chain import MAX_PAYLOAD_BYTES
from quorate.chains.ethereum import requests
from quorate.encoding import encode
from quorate.errors import LimitExceeded, LocalError, Malformed, Refused, Unavailable

KEY = LocalKey(b"\x11" * 32)


def test_a_request_survives_its_encoding() -> None:
    request = Request(1, "eip155:1", KEY.address, "message", b"hello")
    assert Request.from_payload(request.to_payload()) == request
    child = Request(1, "eip155:1", KEY.address, "message", b"hello", "0/7")
    assert Request.from_payload(child.to_payload()) == child
    assert child.to_payload() != request.to_payload()


@pytest.mark.parametrize(
    "request_",
    [
        (2, "eip155:1", "a", "message", b"", ""),
        (1, "", "a", "message", b"", ""),
        (1, "e" * 65, "a", "message", b"", ""),
        (1, "eip155:1", "", "message", b"", ""),
        (1, "eip155:1", "a", "", b"", ""),
        (1, "eip155:1", "a", "message"),
        (1, "eip155:1", "a", "message", b""),
        (1, "eip155:1", "a", "message", b"", b""),
        (1, "eip155:1", "a", "message", b"", "", ""),
        (1, "eip155:1", "a", "message", "text", ""),
        (1, "eip155:1", "a", "message", b"", "0/"),
        (1, "eip155:1", "a", "message", b"", "0'"),
        (1, "eip155:1", "a", "message", b"", "2147483648"),
    ],
)
def test_a_request_of_another_shape_is_malformed(request_: tuple[object, ...]) -> None:
    with pytest.raises(Malformed):
        Request.from_payload(encode(request_))


def test_a_path_deeper_than_eight_levels_is_not_read() -> None:
    Request.from_payload(encode((1, "eip155:1", "a", "message", b"", "/".join("12345678"))))
    with pytest.raises(LimitExceeded):
        Request.from_payload(encode((1, "eip155:1", "a", "message", b"", "/".join("123456789"))))


def test_a_request_above_the_limit_is_not_read_and_not_made() -> None:
    body = b"x" * MAX_PAYLOAD_BYTES
    request = Request(1, "eip155:1", KEY.address, "message", body)
    with pytest.raises(LimitExceeded):
        request.to_payload()
    with pytest.raises(LimitExceeded):
        Request.from_payload(encode(request))


def test_a_row_added_by_configuration_is_a_chain_like_any_other() -> None:
    chains = Chains([Chain("eip155:1337", "Development", "DEV", decimals=6)])
    payload = requests.message("hello", KEY.address, "eip155:1337")
    decoded = KEY.decode(payload, chains)
    assert decoded.chain.name == "Development"
    assert decoded.chain.amount(1_500_000) == "1.5 DEV"
    assert chains.chain("eip155:1").symbol == "ETH"


@pytest.mark.parametrize("caip2", ["eip155:1", "eip155:10", "eip155:137", "eip155:8453", "eip155:42161"])
def test_the_well_known_chains_are_there_without_configuration(caip2: str) -> None:
    row = Chains().chain(caip2)
    assert row.name
    assert row.explorer.count("{}") == 1
    assert row.decimals == 18


def test_a_family_with_one_kind_of_account_lists_that_one() -> None:
    chains = Chains()
    assert chains.addresses("eip155:1", KEY.public_key) == {"account": KEY.address}
    assert chains.family("eip155:1").addresses(KEY.public_key) == {"account": KEY.address}


@pytest.mark.parametrize("caip2", ["eip155:5", "cosmos:hub", "eip155", ""])
def test_a_chain_without_a_row_is_refused_by_name(caip2: str) -> None:
    with pytest.raises(Refused, match="add a row") as caught:
        Chains().chain(caip2)
    assert caught.value.code == "unknown-chain"


@pytest.mark.parametrize(
    "row",
    [
        ("eip155", "Name", "ETH"),
        (":1", "Name", "ETH"),
        ("eip155:", "Name", "ETH"),
        ("eip155:1", "", "ETH"),
        ("eip155:1", "Na\u202eme", "ETH"),
        ("eip155:1", "Name", "E" * 65),
        ("eip155:1", "Name", "ETH", -1),
        ("eip155:1", "Name", "ETH", 78),
        ("eip155:" + "1" * 60, "Name", "ETH"),
    ],
)
def test_a_row_that_says_nothing_sensible_is_an_error_of_configuration(row: tuple[object, ...]) -> None:
    with pytest.raises(LocalError, match="chain"):
        Chain(*row)  # type: ignore[arg-type]


@pytest.mark.parametrize("reference", ["0", "01", "x", "-1", "1.5", str(1 << 63), "1" * 30, "١"])
def test_a_chain_id_is_a_plain_positive_number(reference: str) -> None:
    with pytest.raises((Malformed, LocalError)):
        Chains([Chain(f"eip155:{reference}", "Name", "ETH")]).chain("eip155:1")


def test_a_plugin_that_is_no_family_of_its_namespace_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = EntryPoint("stars", "quorate.chains.ethereum:Ethereum", "quorate.chains")
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (wrong,))
    with pytest.raises(LocalError, match="not a Family of that namespace"):
        Chains().family("stars:1")


def test_two_plugins_of_one_namespace_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    both = tuple(
        EntryPoint("eip155", f"quorate.chains.{name}:Family", "quorate.chains") for name in ("a", "b")
    )
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: both)
    with pytest.raises(LocalError, match="installed twice"):
        Chains().family("eip155:1")


def test_a_node_that_only_shows_addresses_loads_none_of_the_heavy_packages() -> None:
    code = (
        "import sys; from quorate.chains import Chains;"
        f"print(Chains().address('eip155:1', bytes.fromhex('{KEY.public_key.hex()}')));"
        "names = {'eth_account', 'eth_utils', 'eth_abi', 'rlp', 'py_ecc', 'pydantic', 'web3'};"
        "heavy = names & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == KEY.address


def test_loading_them_leaves_the_recursion_limit_alone() -> None:
    code = (
        "import sys; before = sys.getrecursionlimit();"
        "from threading import Thread; from quorate.chains import Chains;"
        "threads = [Thread(target=Chains().warm, args=['eip155']) for _ in range(8)];"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads];"
        "sys.exit(sys.getrecursionlimit() - before)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_warming_loads_them_ahead_of_time() -> None:
    code = (
        "import sys; from quorate.chains import Chains; Chains().warm('eip155');"
        "sys.exit(0 if 'eth_account' in sys.modules else 1)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_warming_all_passes_over_a_family_whose_library_is_not_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(self: Bitcoin) -> None:
        raise Unavailable("install it")

    monkeypatch.setattr(Bitcoin, "warm", missing)
    Chains().warm()
    with pytest.raises(Unavailable):
        Chains().warm("bip122")
