"""No payload for Polkadot or Starknet, however large or odd, keeps a node busy."""

import json
import time
from contextlib import suppress

import pytest

from quorate.chains import Chains, Request
from quorate.chains.polkadot.extrinsic import Extrinsic
from quorate.chains.polkadot.family import Message
from quorate.chains.polkadot.networks import KNOWN
from quorate.chains.polkadot.scale import compact
from quorate.chains.starknet.account import deployment_of
from quorate.chains.starknet.family import DEFAULT_CLASS, TypedMessage
from quorate.chains.starknet.transaction import MAX_CALLDATA, Bound, Bounds, Invoke
from quorate.encoding import encode
from quorate.errors import LimitExceeded, Malformed, Refused
from quorate.groups import ED25519, group_named

CHAINS = Chains()
SIZE = 125_000
POLKADOT = KNOWN[0]
ED = ED25519.generator.to_bytes()
STARK = group_named("stark").generator.to_bytes()
OWN = deployment_of(STARK, DEFAULT_CLASS)
DOMAIN = {"name": "a", "version": "1", "chainId": "SN_MAIN", "revision": "1"}
SHORT = [{"name": name, "type": "shortstring"} for name in DOMAIN]


def extrinsic(call: bytes) -> bytes:
    genesis = POLKADOT.genesis
    return encode(Extrinsic("ed25519", call, b"\0", 0, 0, 1_003_000, 26, genesis, genesis, b""))


def typed(**changes: object) -> bytes:
    felt = [{"name": "v", "type": "felt*"}]
    document = {
        "types": {"StarknetDomain": SHORT, "E": felt},
        "primaryType": "E",
        "domain": DOMAIN,
        "message": {"v": ["0x1"] * 10_000},
        **changes,
    }
    return encode(TypedMessage(OWN, json.dumps(document, separators=(",", ":")).encode()[:SIZE]))


ZERO = Bound(0, bytes(16))

# thirty types that all need each other, so that each element of the array asks for all of them
NAMES = [f"T{number:02}" for number in range(30)]
CROWD = {
    "StarknetDomain": SHORT,
    "E": [{"name": "v", "type": "T00*"}],
    **{name: [{"name": other, "type": f"{other}*"} for other in NAMES] for name in NAMES},
}
LEAF: dict[str, list[str]] = {name: [] for name in NAMES}


@pytest.mark.parametrize(
    ("chain", "kind", "body"),
    [
        (POLKADOT.chain.caip2, "extrinsic", extrinsic(b"\xff\0" + b"\1" * SIZE)),
        (POLKADOT.chain.caip2, "extrinsic", extrinsic(b"\0\0" + compact(SIZE) + b"\n" * SIZE)),
        (POLKADOT.chain.caip2, "extrinsic", extrinsic(b"\x1a\0" + compact(40_000) + b"\0\0\0" * 40_000)),
        (POLKADOT.chain.caip2, "extrinsic", extrinsic(b"\x1a\0\4" * 40_000)),
        (POLKADOT.chain.caip2, "message", encode(Message("ed25519", b"\n" * SIZE))),
        (POLKADOT.chain.caip2, "message", encode(Message("ed25519", "\u0301".encode() * (SIZE // 2)))),
        (
            "starknet:SN_MAIN",
            "invoke",
            encode(Invoke(OWN, 0, Bounds(ZERO, ZERO, None), 0, (bytes(32),) * MAX_CALLDATA)),
        ),
        ("starknet:SN_MAIN", "typed-data", typed()),
        ("starknet:SN_MAIN", "typed-data", typed(message={"v": "x" * 60_000})),
        ("starknet:SN_MAIN", "typed-data", typed(types=CROWD, message={"v": [LEAF] * 250})),
        ("starknet:SN_MAIN", "typed-data", encode(TypedMessage(OWN, b"[" * SIZE))),
        ("starknet:SN_MAIN", "typed-data", encode(TypedMessage(OWN, b'"' + b'\\"' * (SIZE // 2)))),
        ("starknet:SN_MAIN", "typed-data", encode(TypedMessage(OWN, b'{"a":' * (SIZE // 5)))),
    ],
)
def test_no_payload_takes_long_to_judge(chain: str, kind: str, body: bytes) -> None:
    key = ED if chain.startswith("polkadot") else STARK
    payload = Request(1, chain, CHAINS.address(chain, key), kind, body).to_payload()
    before = time.process_time()
    with suppress(Malformed, Refused, LimitExceeded):
        assert CHAINS.decode(payload, key).preview.text()
    assert time.process_time() - before < 3
