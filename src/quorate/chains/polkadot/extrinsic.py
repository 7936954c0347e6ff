"""A signed extrinsic, version 4: its fields, the payload that is signed, and the final bytes.

What a chain signs is ``call || extra || additional``. Extra travels with the extrinsic: era, nonce, tip and,
where the runtime has them, the asset the fee is paid in and the metadata mode. Additional is what both sides
know: spec version, transaction version, genesis hash, the hash of the block the era begins with, and the hash
of the metadata. Above 256 bytes the payload is hashed first (sp-runtime, ``SignedPayload::using_encoded``).

The fields are the request and every signer puts the payload together itself. Could the same signed bytes be
read as another extrinsic? Whatever was shifted behind the call would put bytes of the genesis hash, which
every signer knows, where the chain compares its versions; and a call that is understood ends where its
arguments end. A call that is not understood could hide an era, a nonce and a tip, which is one more reason
to call it unknown.

Not here: extrinsics of version 5, which no wallet of these chains has to send yet, and fees paid in an asset.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from quorate.chains.chain import MAX_PAYLOAD_BYTES
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.chains.polkadot.keys import MULTI_SIGNATURE
from quorate.chains.polkadot.networks import Network
from quorate.chains.polkadot.scale import compact, sequence, u32
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed

MAX_TIP: Final = (1 << 63) - 1
"""In the smallest unit: 900 million DOT. The chain has 128 bits for it; nobody needs the others."""

HASHED_ABOVE: Final = 256
"""A payload longer than this is signed as its BLAKE2b-256 hash."""

IMMORTAL: Final = b"\0"
SIGNED_V4: Final = 0x84
_ACCOUNT_ID: Final = b"\0"
_NO_ASSET: Final = b"\0"

Hash: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Word: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]
SchemeName: TypeAlias = Literal["ed25519", "sr25519", "ecdsa"]


class Extrinsic(Canonical):
    """The body of an ``extrinsic`` request.

    `scheme` is the kind of the account's key. `metadata_hash` is None for a runtime without
    ``CheckMetadataHash``, empty for mode 0 (disabled), or the 32 bytes of mode 1.
    """

    scheme: SchemeName
    call: Annotated[bytes, msgspec.Meta(min_length=2, max_length=MAX_PAYLOAD_BYTES)]
    era: Annotated[bytes, msgspec.Meta(min_length=1, max_length=2)]
    nonce: Word
    tip: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIP)]
    spec_version: Word
    transaction_version: Word
    genesis_hash: Hash
    block_hash: Hash
    metadata_hash: Annotated[bytes, msgspec.Meta(max_length=32)] | None

    def body(self) -> bytes:
        """The canonical encoding, with every field checked."""
        data = encode(self)
        parse(data)
        return data

    @property
    def immortal(self) -> bool:
        """Whether it stays valid until its nonce is used."""
        return self.era == IMMORTAL

    def carried(self, network: Network) -> bytes:
        """What travels with the extrinsic between signature and call."""
        asset = _NO_ASSET if network.pays_in_assets else b""
        mode = b"" if self.metadata_hash is None else bytes([bool(self.metadata_hash)])
        return self.era + compact(self.nonce) + compact(self.tip) + asset + mode

    def payload(self, network: Network) -> bytes:
        """``call || extra || additional``, before any hashing."""
        additional = u32(self.spec_version) + u32(self.transaction_version)
        additional += self.genesis_hash + self.block_hash
        if self.metadata_hash is not None:
            additional += b"\1" + self.metadata_hash if self.metadata_hash else b"\0"
        return self.call + self.carried(network) + additional

    def signed(self, network: Network, account: bytes, signature: bytes) -> bytes:
        """The extrinsic as it is submitted, its length in front."""
        head = bytes([SIGNED_V4]) + _ACCOUNT_ID + account
        return sequence(head + MULTI_SIGNATURE[self.scheme] + signature + self.carried(network) + self.call)


def parse(body: bytes) -> Extrinsic:
    """The extrinsic of a body. Raises `Malformed`, also where the fields contradict each other."""
    extrinsic = decode(Extrinsic, body, limit=MAX_PAYLOAD_BYTES)
    mortality(extrinsic.era)
    if extrinsic.immortal and extrinsic.block_hash != extrinsic.genesis_hash:
        raise Malformed("extrinsic block_hash: one that is valid for ever is bound to the genesis hash")
    if extrinsic.metadata_hash is not None and len(extrinsic.metadata_hash) not in (0, 32):
        raise Malformed("extrinsic metadata_hash: it is empty or has 32 bytes")
    return extrinsic


def signed_bytes(payload: bytes) -> bytes:
    """What the account's key signs for this payload."""
    return blake2b_256(payload) if len(payload) > HASHED_ABOVE else payload


def mortality(era: bytes) -> tuple[int, int] | None:
    """(period, phase) in blocks, or None for ever. Raises `Malformed` for what no chain encodes."""
    if era == IMMORTAL:
        return None
    number = int.from_bytes(era, "little")
    period = 2 << (number & 15)
    phase = (number >> 4) * max(period >> 12, 1)
    if len(era) != 2 or not era[0] or period < 4 or phase >= period:
        raise Malformed("extrinsic era: neither 00 nor a period of 4 to 65536 blocks with its phase")
    return period, phase


def mortal(period: int, block: int) -> bytes:
    """The era of `period` blocks (a power of two from 4 to 65536) that holds at `block`."""
    if not 4 <= period <= 1 << 16 or period & (period - 1):
        raise Malformed("era: its period is a power of two from 4 to 65536")
    step = max(period >> 12, 1)
    number = (period.bit_length() - 2) | (block % period // step) << 4
    return number.to_bytes(2, "little")
