"""Payloads from what a caller has: a polkadot-js payload, fields, or a message.

The device's side of the port; the signers' side is `Polkadot.decode`. Every function returns the canonical
bytes of a `Request` and raises `Malformed` naming the field that is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from quorate.chains.chain import Request
from quorate.chains.polkadot.extrinsic import Extrinsic, SchemeName
from quorate.chains.polkadot.family import EXTRINSIC, MESSAGE, Message
from quorate.chains.polkadot.networks import BY_ID
from quorate.chains.polkadot.ss58 import from_address
from quorate.errors import Malformed

_SILENT: Final = frozenset(
    {
        "AuthorizeCall",
        "CheckGenesis",
        "CheckNonZeroSender",
        "CheckSpecVersion",
        "CheckTxVersion",
        "CheckWeight",
        "EthSetOrigin",
        "PrevalidateAttests",
        "StorageWeightReclaim",
        "WeightReclaim",
    }
)
"""Extensions that put nothing between signature and call, or only what every chain has in the same place."""

_SPEAKING: Final = {"CheckEra": "era", "CheckMortality": "era", "CheckNonce": "nonce"}
_CHARGES: Final = {"ChargeTransactionPayment": False, "ChargeAssetTxPayment": True}
_METADATA: Final = "CheckMetadataHash"
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})*\Z")


def extrinsic(fields: Extrinsic, account: str, chain: str, path: str = "") -> bytes:
    """An extrinsic from its fields."""
    return _payload(chain, account, EXTRINSIC, fields.body(), path)


def from_json(document: Mapping[str, Any], scheme: SchemeName, path: str = "") -> bytes:
    """An extrinsic as polkadot-js writes what is to be signed (``SignerPayloadJSON``).

    Its signed extensions must be those this family puts in, in that order: a payload for another order would
    be signed in vain.
    """
    if document.get("version", 4) != 4:
        raise Malformed("payload version: extrinsics of version 4 are signed here")
    if document.get("assetId") not in (None, "", "0x", "0x00"):
        raise Malformed("payload assetId: fees are paid in the chain's own coin here")
    genesis = _octets(document, "genesisHash", 32)
    chain = f"polkadot:{genesis.hex()[:32]}"
    metadata = _extensions(document.get("signedExtensions", ()), chain)
    mode = _number(document, "mode") if "mode" in document else 0
    if mode not in (0, 1) or (mode and not metadata):
        raise Malformed("payload mode: 0, or 1 with a metadata hash")
    fields = Extrinsic(
        scheme=scheme,
        call=_octets(document, "method"),
        era=_octets(document, "era"),
        nonce=_number(document, "nonce"),
        tip=_number(document, "tip"),
        spec_version=_number(document, "specVersion"),
        transaction_version=_number(document, "transactionVersion"),
        genesis_hash=genesis,
        block_hash=_octets(document, "blockHash", 32),
        metadata_hash=(_octets(document, "metadataHash", 32) if mode else b"") if metadata else None,
    )
    return extrinsic(fields, str(document.get("address", "")), chain, path)


def message(content: bytes | str, account: str, chain: str, scheme: SchemeName, path: str = "") -> bytes:
    """A message, without ``<Bytes>`` around it."""
    if not isinstance(content, bytes | str):
        raise Malformed(f"message: expected text or bytes, not {type(content).__name__}")
    try:
        data = content.encode() if isinstance(content, str) else content
    except UnicodeEncodeError:
        raise Malformed("message: text with half a surrogate pair") from None
    return _payload(chain, account, MESSAGE, Message(scheme, data).body(), path)


def _payload(chain: str, account: str, kind: str, body: bytes, path: str) -> bytes:
    from_address(account, "account")
    return Request(1, chain, account, kind, body, path).to_payload()


def _extensions(names: Sequence[Any], chain: str) -> bool:
    """Whether the runtime has ``CheckMetadataHash``; raises `Malformed` where the order is not ours."""
    order: list[str] = []
    for name in names:
        if name in _SILENT:
            continue
        if name not in _SPEAKING and name not in _CHARGES and name != _METADATA:
            raise Malformed(f"payload signedExtensions: {str(name)[:64]!r} is not known here")
        order.append(_SPEAKING.get(name, name))
    network = BY_ID.get(chain)
    charge = "ChargeAssetTxPayment" if network and network.pays_in_assets else "ChargeTransactionPayment"
    metadata = order[-1:] == [_METADATA]
    if order != ["era", "nonce", charge, *([_METADATA] if metadata else [])]:
        raise Malformed(f"payload signedExtensions: expected era, nonce and {charge} for this chain")
    return metadata


def _octets(document: Mapping[str, Any], name: str, length: int | None = None) -> bytes:
    value = document.get(name)
    if not isinstance(value, str) or not _HEX.match(value):
        raise Malformed(f"payload {name}: expected hexadecimal text")
    data = bytes.fromhex(value[2:])
    if length is not None and len(data) != length:
        raise Malformed(f"payload {name}: {len(data)} bytes instead of {length}")
    return data


def _number(document: Mapping[str, Any], name: str) -> int:
    """polkadot-js writes numbers as big-endian hexadecimal text."""
    value = document.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and re.match(r"0x[0-9a-fA-F]{1,64}\Z", value):
        return int(value, 16)
    raise Malformed(f"payload {name}: expected a whole number, or hexadecimal text")
