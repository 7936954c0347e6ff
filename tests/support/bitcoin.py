"""PSBTs for tests, written without the package's own writer, and a single key that signs what is asked.

`SingleKey` stands where a wallet's shares stand in the product: it gets digests with their tweaks, and
answers with the encodings of the schemes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from btclib_secp256k1 import keys, recovery, ssa, xonly

from quorate.chains import Chains, Decoded, Digest, Signed
from quorate.chains.bitcoin import REGTEST, requests
from quorate.chains.bitcoin.scripts import Key
from quorate.chains.bitcoin.wire import Input, Output, Transaction, compact

FINAL = 0xFFFFFFFF
CHAINS = Chains()


@dataclass(frozen=True)
class SingleKey:
    """A whole key in one place. Nothing of the product has one."""

    secret: bytes

    @property
    def public_key(self) -> bytes:
        return keys.pubkey_from_prvkey(self.secret)

    @property
    def key(self) -> Key:
        return Key.of(self.public_key)

    def address(self, kind: str = "p2tr", chain: str = REGTEST) -> str:
        return CHAINS.addresses(chain, self.public_key)[kind]

    def sign(self, digest: Digest) -> bytes:
        if digest.scheme == "ecdsa":
            compact_form, recovery_id = recovery.sign(digest.value, self.secret)
            return compact_form + bytes([recovery_id])
        assert digest.scheme == "bip340"
        return ssa.sign(digest.value, xonly.prvkey_tweak_add(self.secret, digest.x_only_tweak))

    def decode(self, psbt: bytes | str, *, chain: str = REGTEST, kind: str = "p2tr") -> Decoded:
        payload = requests.psbt(psbt, self.address(kind, chain), chain)
        return CHAINS.decode(payload, self.public_key)

    def sign_psbt(self, psbt: bytes | str, *, chain: str = REGTEST) -> Signed:
        decoded = self.decode(psbt, chain=chain)
        return CHAINS.attach(decoded, [self.sign(digest) for digest in decoded.digests])

    def sign_message(self, message: bytes | str, kind: str, chain: str) -> Signed:
        payload = requests.message(message, self.address(kind, chain), chain)
        decoded = CHAINS.decode(payload, self.public_key)
        return CHAINS.attach(decoded, [self.sign(decoded.digests[0])])


ALICE = SingleKey(b"\x11" * 32)
BOB = SingleKey(b"\x22" * 32)


@dataclass(frozen=True)
class Coin:
    """An output to spend, with the fields its input map gets besides."""

    output: Output
    sequence: int = FINAL
    fields: Mapping[bytes, bytes] = field(default_factory=dict)
    source: Transaction | None = None
    index: int = 0
    prove: bool = False
    claim: bool = True

    @property
    def previous(self) -> Transaction:
        """The transaction it is an output of; one made up when there is none."""
        if self.source is not None:
            return self.source
        seed = sha256(repr((self.output, self.sequence, sorted(self.fields))).encode()).digest()
        paid = (Output(1, b"\x51"),) * self.index + (self.output,)
        return Transaction(2, (Input(seed, 0, FINAL),), paid, 0)


def coin(script: bytes, value: int = 100_000, **more: object) -> Coin:
    return Coin(Output(value, script), **more)  # type: ignore[arg-type]


def make_psbt(
    coins: Sequence[Coin],
    outputs: Sequence[Output],
    *,
    version: int = 0,
    locktime: int = 0,
    overall: Mapping[bytes, bytes] | None = None,
    output_fields: Mapping[int, Mapping[bytes, bytes]] | None = None,
) -> bytes:
    """A PSBT of either version that spends these coins."""
    maps = [input_map(each) for each in coins]
    paid: list[dict[bytes, bytes]] = [dict((output_fields or {}).get(i, {})) for i in range(len(outputs))]
    if version == 0:
        head = {b"\x00": transaction_of(coins, outputs, locktime).to_bytes()}
    else:
        head = {
            b"\x02": (2).to_bytes(4, "little"),
            b"\x04": compact(len(coins)),
            b"\x05": compact(len(outputs)),
            b"\xfb": (2).to_bytes(4, "little"),
        }
        if locktime:
            head[b"\x03"] = locktime.to_bytes(4, "little")
        for map_, each in zip(maps, coins, strict=True):
            map_[b"\x0e"] = each.previous.hash
            map_[b"\x0f"] = each.index.to_bytes(4, "little")
            if each.sequence != FINAL:
                map_[b"\x10"] = each.sequence.to_bytes(4, "little")
        for row, output in zip(paid, outputs, strict=True):
            row[b"\x03"] = output.value.to_bytes(8, "little")
            row[b"\x04"] = output.script
    return write([{**head, **(overall or {})}, *maps, *paid])


def transaction_of(coins: Sequence[Coin], outputs: Sequence[Output], locktime: int = 0) -> Transaction:
    entries = tuple(Input(each.previous.hash, each.index, each.sequence) for each in coins)
    return Transaction(2, entries, tuple(outputs), locktime)


def input_map(each: Coin) -> dict[bytes, bytes]:
    found = dict(each.fields)
    if each.claim:
        found.setdefault(b"\x01", each.output.to_bytes())
    if each.prove:
        found.setdefault(b"\x00", each.previous.to_bytes())
    return found


def write(maps: Sequence[Mapping[bytes, bytes]], *, order: bool = True) -> bytes:
    """Maps to bytes; unsorted if asked."""
    out = [b"psbt\xff"]
    for map_ in maps:
        rows = sorted(map_.items(), reverse=not order)
        out += [compact(len(key)) + key + compact(len(value)) + value for key, value in rows]
        out.append(b"\x00")
    return b"".join(out)


def changed(data: bytes, position: int) -> bytes:
    """The same with one byte changed."""
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
