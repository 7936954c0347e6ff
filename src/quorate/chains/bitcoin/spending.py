"""Which inputs of a PSBT are this wallet's, what each of them signs, and which outputs come back to it.

An input is ours if the output it spends has a script of our key: P2WPKH, P2TR with the empty tree, or P2TR
with the tree whose merkle root the PSBT names (the script proves that root, so nothing is believed). An
output is change only if its script is one of the key's two own. An output with our key and a script tree
is not: whoever satisfies a leaf can take it, and a PSBT may well name a tree of somebody else's.

**Amounts.** BIP 143 hashes the amount of one input. Somebody who lies about another input's amount in one
session, and about this one's in the next, collects both signatures for a fee that was never shown. So where a
P2WPKH input of ours stands beside others, every input must come with its previous transaction; or one does
that is ours, taproot and without a script tree: the transaction is then worth nothing without a signature
that holds all amounts. (An unproven one would not do. It may be somebody's who signs it himself.) Where all
of ours are taproot, a lie about any amount or script makes each of our signatures worthless.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from quorate.chains.bitcoin import fields
from quorate.chains.bitcoin.digests import ALL, DEFAULT
from quorate.chains.bitcoin.psbt import Psbt
from quorate.chains.bitcoin.scripts import Key, Kind
from quorate.chains.bitcoin.second import Agreed
from quorate.chains.bitcoin.wire import Input, Output, Reader, Transaction, read_stack, stack
from quorate.chains.chain import Digest
from quorate.errors import Malformed, Refused

_SIGHASH_NAMES: Final[Mapping[int, str]] = {0: "DEFAULT", 1: "ALL", 2: "NONE", 3: "SINGLE"}

MESSAGE_OUTPUT: Final = Output(0, b"\x6a")
"""All that the second of BIP 322's transactions pays, and no other one with a purpose."""

WITNESS_WEIGHT: Final[Mapping[Kind, int]] = {Kind.P2WPKH: 108, Kind.P2TR: 66}
"""Bytes (= weight units) of our witnesses: 72 bytes of DER and type with a key; 64 bytes alone. The type's
byte of taproot's ALL comes on top, and a DER signature may be a byte or two shorter."""


@dataclass(frozen=True, slots=True)
class Own:
    """One input of ours: its place, kind, type of signature, and what is signed under which key."""

    index: int
    kind: Kind
    sighash: int
    digest: bytes
    merkle_root: bytes = b""
    tweak: bytes = b""

    def asked(self) -> Digest:
        """What the signing scheme is asked for."""
        scheme = "ecdsa" if self.kind is Kind.P2WPKH else "bip340"
        return Digest(self.digest, scheme=scheme, group="secp256k1", x_only_tweak=self.tweak)


@dataclass(frozen=True, slots=True)
class Spending:
    """A PSBT as this wallet's key sees it."""

    psbt: Psbt
    key: Key
    own: tuple[Own, ...]
    change: frozenset[int]

    @property
    def transaction(self) -> Transaction:
        """The transaction, unsigned."""
        return self.psbt.transaction

    @property
    def foreign(self) -> tuple[int, ...]:
        """The inputs of others."""
        ours = {entry.index for entry in self.own}
        return tuple(index for index in range(len(self.psbt.inputs)) if index not in ours)

    @property
    def spent(self) -> int:
        """Satoshi in our inputs."""
        return sum(self.psbt.spent[entry.index].value for entry in self.own)

    @property
    def returned(self) -> int:
        """Satoshi in our change."""
        return sum(self.transaction.outputs[index].value for index in self.change)

    @property
    def paid(self) -> tuple[tuple[int, Output], ...]:
        """The outputs that are not change, with their places."""
        return tuple(
            (index, output)
            for index, output in enumerate(self.transaction.outputs)
            if index not in self.change
        )

    @property
    def size(self) -> int | None:
        """Virtual bytes of the signed transaction, at most; None while others have still to sign."""
        scripts = [final_scripts(map_) for map_ in self.psbt.inputs]
        if any(scripts[index] is None for index in self.foreign):
            return None
        known = self.transaction.finished(found or (b"", ()) for found in scripts)
        # every witness is counted, the empty ones of other inputs too
        weight = 4 * len(known.to_bytes(witness=False)) + 2
        weight += sum(len(stack(entry.witness)) for entry in known.inputs)
        for entry in self.own:
            weight += WITNESS_WEIGHT[entry.kind] - 1
            weight += 1 if entry.kind is Kind.P2TR and entry.sighash == ALL else 0
        return (weight + 3) // 4


def read(psbt: Psbt, key: Key) -> Spending:
    """Find and judge our inputs. Raises `Malformed`, or `Refused` with code ``looks-like-message``,
    ``nothing-to-sign``, ``sighash-type``, ``already-signed``, ``unsupported-input`` or
    ``unproven-amounts``."""
    if psbt.transaction.outputs == (MESSAGE_OUTPUT,):
        raise Refused(
            "this is no transaction but a message to be signed (BIP 322), which nobody could read here; make "
            "a request for the message itself",
            code="looks-like-message",
        )
    own = tuple(_own(psbt, key))
    if not own:
        raise Refused(
            "no input of this PSBT spends an output of this wallet's key; is it made for another account?",
            code="nothing-to-sign",
        )
    if not _amounts_hold(psbt, own):
        first = psbt.proven.index(False)
        raise Refused(
            f"input {first} does not prove its amount: where a P2WPKH input of this wallet stands beside "
            "others, each needs non_witness_utxo (the previous transaction)",
            code="unproven-amounts",
        )
    scripts = frozenset(key.scripts.values())
    outputs = enumerate(psbt.transaction.outputs)
    change = frozenset(index for index, output in outputs if output.script in scripts)
    return Spending(psbt, key, own, change)


def _amounts_hold(psbt: Psbt, own: Sequence[Own]) -> bool:
    """Whether our signatures are of use only with the amounts that are shown; see the module's docstring."""
    if len(psbt.inputs) == 1 or all(psbt.proven) or all(entry.kind is Kind.P2TR for entry in own):
        return True
    return any(
        entry.kind is Kind.P2TR and not entry.merkle_root and psbt.proven[entry.index] for entry in own
    )


def final_scripts(map_: Mapping[bytes, bytes]) -> tuple[bytes, tuple[bytes, ...]] | None:
    """Script and witness of an input that is finished, or None."""
    if fields.FINAL_SCRIPT not in map_ and fields.FINAL_WITNESS not in map_:
        return None
    witness: tuple[bytes, ...] = ()
    if fields.FINAL_WITNESS in map_:
        reader = Reader(map_[fields.FINAL_WITNESS], "PSBT: a final witness")
        witness = read_stack(reader)
        reader.end()
    return map_.get(fields.FINAL_SCRIPT, b""), witness


def _own(psbt: Psbt, key: Key) -> Iterator[Own]:
    digests = Agreed(psbt.transaction, psbt.spent)
    unsigned = key.unsigned_scripts
    for index, (spent, map_) in enumerate(zip(psbt.spent, psbt.inputs, strict=True)):
        if spent.script in unsigned:
            raise Refused(
                f"input {index} spends an older kind of output of this key; only P2WPKH and P2TR are signed "
                "here",
                code="unsupported-input",
            )
        if spent.script == key.witness_script:
            yield _witness(psbt, key, digests, index)
        else:
            root = _root(key, spent, map_, index)
            if root is not None:
                yield _taproot(psbt, key, digests, index, root)


def _root(key: Key, spent: Output, map_: Mapping[bytes, bytes], index: int) -> bytes | None:
    """The merkle root with which this output is our key's, empty for the empty tree; None for another's."""
    root = map_.get(fields.MERKLE_ROOT, b"")
    for candidate in dict.fromkeys((b"", root)):
        if spent.script == key.taproot_script(candidate):
            return candidate
    if map_.get(fields.INTERNAL_KEY) == key.x_only:
        raise Malformed(
            f"PSBT input {index}: names this wallet's key as internal key, but with its merkle root that "
            "does not give the output it spends"
        )
    return None


def _witness(psbt: Psbt, key: Key, digests: Agreed, index: int) -> Own:
    map_ = psbt.inputs[index]
    _unsigned(map_, index, bytes([fields.PARTIAL]) + key.public)
    sighash = _sighash(map_, index, ALL)
    if sighash != ALL:
        raise _other_type(index, sighash, "ALL")
    return Own(index, Kind.P2WPKH, ALL, digests.witness(index, key.hash))


def _taproot(psbt: Psbt, key: Key, digests: Agreed, index: int, root: bytes) -> Own:
    map_ = psbt.inputs[index]
    _unsigned(map_, index, fields.TAPROOT_SIGNATURE)
    sighash = _sighash(map_, index, DEFAULT)
    if sighash not in (DEFAULT, ALL):
        raise _other_type(index, sighash, "DEFAULT and ALL")
    return Own(index, Kind.P2TR, sighash, digests.taproot(index, sighash), root, key.tweak(root))


def _unsigned(map_: Mapping[bytes, bytes], index: int, signature: bytes) -> None:
    if signature in map_ or final_scripts(map_) is not None:
        raise Refused(f"input {index} carries this wallet's signature already", code="already-signed")


def _sighash(map_: Mapping[bytes, bytes], index: int, default: int) -> int:
    value = map_.get(fields.SIGHASH)
    return default if value is None else int.from_bytes(value, "little")


def _other_type(index: int, sighash: int, allowed: str) -> Refused:
    name = _SIGHASH_NAMES.get(sighash & 0x7F, f"0x{sighash:x}") if sighash < 0x100 else f"0x{sighash:x}"
    shown = f"{name}|ANYONECANPAY" if 0x80 <= sighash < 0x100 else name
    return Refused(
        f"input {index} asks for a signature of type {shown}, with which others could change what you "
        f"approve; only {allowed} is signed here",
        code="sighash-type",
    )


def inputs_of(spending: Spending) -> Iterator[tuple[Input, Output, Own | None]]:
    """Every input with the output it spends, and with ours what we sign."""
    ours = {entry.index: entry for entry in spending.own}
    for index, (entry, output) in enumerate(
        zip(spending.transaction.inputs, spending.psbt.spent, strict=True)
    ):
        yield entry, output, ours.get(index)
