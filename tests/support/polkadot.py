"""Requests of Polkadot's accounts, and whole keys in one place to answer them with."""

from typing import Any

import msgspec
from btclib_secp256k1 import keys, recovery
from nacl.signing import SigningKey

from quorate.chains import Chain, Chains
from quorate.chains.polkadot import requests
from quorate.chains.polkadot.extrinsic import Extrinsic, mortal
from quorate.chains.polkadot.networks import BY_ID, KNOWN
from quorate.chains.polkadot.scale import compact
from quorate.chains.polkadot.ss58 import to_address

POLKADOT, KUSAMA, WESTEND, HUB, _, WESTEND_HUB = (network.chain.caip2 for network in KNOWN)

CHAINS = Chains([Chain("polkadot:" + "ab" * 16, "Mine", "MINE", 6)])

BLOCK = bytes.fromhex("149799bc9602cb5cf201f3425fb8d253b2d4e61fc119dcab3249f307f594754d")

TO = bytes.fromhex("9f7b0675db59d19b4bd9c8c72eaabba75a9863d02b30115b8b3c3ca5c20f0254")

TO_DOT = to_address(TO, 0)

ED = SigningKey(b"\x11" * 32)

ED_KEY = bytes(ED.verify_key)

EC_SECRET = b"\x22" * 32

EC_KEY = keys.pubkey_from_prvkey(EC_SECRET)

KEYS = {"ed25519": ED_KEY, "ecdsa": EC_KEY}


def sign(scheme: str, digest: bytes) -> bytes:
    """A whole key in one place, which nothing of the product has."""
    if scheme == "ed25519":
        return ED.sign(digest).signature
    compact_signature, recovery_id = recovery.sign(digest, EC_SECRET)
    return compact_signature + bytes([recovery_id])


def transfer(scheme: str = "ed25519", chain: str = POLKADOT, **changes: Any) -> Extrinsic:
    network = BY_ID[chain]
    balances = network.runtimes[0].balances
    fields: dict[str, Any] = {
        "scheme": scheme,
        "call": bytes([balances, 3, 0]) + TO + compact(15 * 10**9),
        "era": mortal(64, 3933),
        "nonce": 200,
        "tip": 0,
        "spec_version": 1_003_000 if "Westend" not in network.chain.name else 1_018_013,
        "transaction_version": min(network.runtimes[0].transaction_versions),
        "genesis_hash": network.genesis,
        "block_hash": BLOCK,
        "metadata_hash": b"",
    }
    return Extrinsic(**{**fields, **changes})


def payload(extrinsic: Extrinsic, chain: str = POLKADOT) -> bytes:
    account = CHAINS.address(chain, KEYS[extrinsic.scheme])
    return requests.extrinsic(extrinsic, account, chain)


def decoded(extrinsic: Extrinsic, chain: str = POLKADOT) -> Any:
    return CHAINS.decode(payload(extrinsic, chain), KEYS[extrinsic.scheme])


def replace_scheme(fields: Extrinsic, scheme: str) -> Extrinsic:
    return msgspec.structs.replace(fields, scheme=scheme)
