"""What a validator must never sign: the rules of EIP-3076, and the file that carries a history elsewhere.

A validator is slashed for two blocks of one slot, for two attestations with one target, and for one that
surrounds another (source before its source and target after its target). `judge` holds a duty against all
that is known to be signed, and against lower bounds that only rise. They stand for what is no longer, or was
never, in the history: its beginning, entries that were pruned, a file that another signer has exported.

Pure. `quorate.vault.duties` keeps histories and makes "judged" and "stored" one transaction. Slots and epochs
come from the payload; whether they lie near the present is nobody's business here, since there is no clock.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from quorate.errors import LimitExceeded, Malformed, Refused

MAX_NUMBER: Final = (1 << 62) - 1
"""Slots and epochs as databases keep them. The chain's own are 64 bits without sign; slot 2^62 lies 1.7
million million years ahead."""

MAX_ENTRIES: Final = 1024
"""Blocks, and attestations, kept of one validator: four and a half days of attestations. What is older is
below the bounds, so nothing is ever decided by it alone."""

MAX_FILE_BYTES: Final = 1 << 24
"""One interchange file: a hundred thousand entries."""

FORMAT_VERSION: Final = "5"

ROOT_BYTES: Final = 32
KEY_BYTES: Final = 48


def _number(value: int) -> None:
    if not 0 <= value <= MAX_NUMBER:
        raise Malformed(f"a slot or epoch lies between 0 and {MAX_NUMBER}")


@dataclass(frozen=True, slots=True)
class Block:
    """A block proposed; `root` is its signing root, empty where only the slot is known."""

    slot: int
    root: bytes

    def __post_init__(self) -> None:
        _number(self.slot)
        _root(self.root)


@dataclass(frozen=True, slots=True)
class Attestation:
    """A vote from checkpoint to checkpoint, by their epochs; `root` as in `Block`."""

    source: int
    target: int
    root: bytes

    def __post_init__(self) -> None:
        _number(self.source)
        _number(self.target)
        _root(self.root)


Duty: TypeAlias = Block | Attestation
"""The two kinds of messages that can get a validator slashed. All others may be signed as often as asked."""


@dataclass(frozen=True, slots=True)
class ValidatorDuty:
    """Whose duty it is: a 48-byte public key on the network of a 32-byte genesis validators root."""

    validator: bytes
    network: bytes
    duty: Duty


@dataclass(frozen=True, slots=True)
class Bounds:
    """No block at or below `slot`, no attestation with a source below `source` or a target at or below
    `target`, except ones that were signed already. The defaults bound nothing."""

    slot: int = -1
    source: int = 0
    target: int = -1

    def __post_init__(self) -> None:
        for number in (self.slot + 1, self.source, self.target + 1):
            _number(number)

    def raised(self, other: Bounds) -> Bounds:
        """The stricter of both, in each number."""
        return Bounds(
            max(self.slot, other.slot), max(self.source, other.source), max(self.target, other.target)
        )


@dataclass(frozen=True, slots=True)
class History:
    """What one validator has signed on one network, as far as it is known."""

    blocks: frozenset[Block] = frozenset()
    attestations: frozenset[Attestation] = frozenset()
    bounds: Bounds = Bounds()

    @classmethod
    def of(cls, blocks: Iterable[Block], attestations: Iterable[Attestation]) -> History:
        """What a file says of a validator: its earliest entries are its bounds, as in EIP-3076."""
        blocks, votes = frozenset(blocks), frozenset(attestations)
        bounds = Bounds(
            min((block.slot for block in blocks), default=-1),
            min((vote.source for vote in votes), default=0),
            min((vote.target for vote in votes), default=-1),
        )
        return cls(blocks, votes, bounds)

    def with_duty(self, duty: Duty) -> History:
        """This and one more; the first of its kind sets the bound."""
        if isinstance(duty, Block):
            if self.blocks or self.bounds.slot >= 0:
                return replace(self, blocks=self.blocks | {duty})
            return self.merged(History.of([duty], []))
        if self.attestations or self.bounds.target >= 0:
            return replace(self, attestations=self.attestations | {duty})
        return self.merged(History.of([], [duty]))

    def merged(self, other: History) -> History:
        """Both together. Bounds never fall, and a later file's bounds are taken over: of what lies between
        the entries of two files, neither may know."""
        return History(
            self.blocks | other.blocks,
            self.attestations | other.attestations,
            self.bounds.raised(other.bounds),
        )

    def pruned(self, most: int = MAX_ENTRIES) -> History:
        """At most so many of each kind, the latest; bounds stand for the others."""
        blocks = sorted(self.blocks, key=lambda block: block.slot)
        attestations = sorted(self.attestations, key=lambda a: (a.target, a.source))
        past_blocks, past_votes = blocks[:-most], attestations[:-most]
        past = Bounds(
            max((block.slot for block in past_blocks), default=-1),
            max((vote.source for vote in past_votes), default=0),
            max((vote.target for vote in past_votes), default=-1),
        )
        return History(
            frozenset(blocks[len(past_blocks) :]),
            frozenset(attestations[len(past_votes) :]),
            self.bounds.raised(past),
        )


def judge(history: History, duty: Duty) -> bool:
    """Whether the duty is new; False for one that was signed already, root and all, which harms nobody.

    Raises `Refused` for every other: code ``slashable`` where a known duty contradicts it, ``below-bound``
    where an unknown one might.
    """
    return _judge_block(history, duty) if isinstance(duty, Block) else _judge_attestation(history, duty)


def _judge_block(history: History, block: Block) -> bool:
    same = [other for other in history.blocks if other.slot == block.slot]
    if same:
        if all(other == block for other in same) and block.root:
            return False
        raise _slashable(f"another block of slot {block.slot} was signed")
    if block.slot <= history.bounds.slot:
        raise _below(f"slot {block.slot} is not after slot {history.bounds.slot}")
    return True


def _judge_attestation(history: History, vote: Attestation) -> bool:
    if vote.source > vote.target:
        raise _slashable(f"source epoch {vote.source} is after target epoch {vote.target}")
    same = [other for other in history.attestations if other.target == vote.target]
    if same:
        if all(other == vote for other in same) and vote.root:
            return False
        raise _slashable(f"another attestation with target epoch {vote.target} was signed")
    for other in history.attestations:
        if vote.source < other.source and other.target < vote.target:
            raise _slashable(f"{vote.source}->{vote.target} surrounds {other.source}->{other.target}")
        if other.source < vote.source and vote.target < other.target:
            raise _slashable(f"{other.source}->{other.target} surrounds {vote.source}->{vote.target}")
    if vote.source < history.bounds.source:
        raise _below(f"source epoch {vote.source} is before epoch {history.bounds.source}")
    if vote.target <= history.bounds.target:
        raise _below(f"target epoch {vote.target} is not after epoch {history.bounds.target}")
    return True


def _slashable(reason: str) -> Refused:
    return Refused(f"this duty would get the validator slashed: {reason}", code="slashable")


def _below(reason: str) -> Refused:
    return Refused(
        f"this duty lies before what is known to be safe: {reason}; nobody can tell whether it was done",
        code="below-bound",
    )


# --- the interchange file ------------------------------------------------------------------------------

_Digits: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^(0|[1-9][0-9]{0,18})$")]
_Hex32: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{64}$")]
_Hex48: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^0x[0-9a-fA-F]{96}$")]


class _Metadata(msgspec.Struct, frozen=True):
    interchange_format_version: str
    genesis_validators_root: _Hex32


class _SignedBlock(msgspec.Struct, frozen=True):
    slot: _Digits
    signing_root: _Hex32 | None = None


class _SignedAttestation(msgspec.Struct, frozen=True):
    source_epoch: _Digits
    target_epoch: _Digits
    signing_root: _Hex32 | None = None


class _Validator(msgspec.Struct, frozen=True):
    pubkey: _Hex48
    signed_blocks: list[_SignedBlock]
    signed_attestations: list[_SignedAttestation]


class _Interchange(msgspec.Struct, frozen=True):
    metadata: _Metadata
    data: list[_Validator]


def read_interchange(data: bytes, network: bytes) -> dict[bytes, History]:
    """The histories of a file by public key (48 bytes); a key may stand in it several times.

    Histories that are slashable in themselves are taken as they are: they only refuse more. Raises
    `Malformed` for anything but version 5 of the format, and `Refused` (code ``other-network``) for a file of
    a chain with another genesis than `network` (the 32-byte genesis validators root).
    """
    if len(data) > MAX_FILE_BYTES:
        raise LimitExceeded(f"an interchange file has at most {MAX_FILE_BYTES} bytes, not {len(data)}")
    try:
        read = msgspec.json.decode(data, type=_Interchange)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"not an EIP-3076 interchange file: {error}") from None
    if read.metadata.interchange_format_version != FORMAT_VERSION:
        raise Malformed(f"only version {FORMAT_VERSION} of the interchange format is read here")
    if _octets(read.metadata.genesis_validators_root) != network:
        raise Refused("this interchange file is of another network", code="other-network")
    histories: dict[bytes, History] = {}
    for validator in read.data:
        key = _octets(validator.pubkey)
        said = History.of(
            (Block(int(b.slot), _octets(b.signing_root)) for b in validator.signed_blocks),
            (
                Attestation(int(a.source_epoch), int(a.target_epoch), _octets(a.signing_root))
                for a in validator.signed_attestations
            ),
        )
        histories[key] = histories.get(key, History()).merged(said)
    return histories


def write_interchange(histories: Mapping[bytes, History], network: bytes) -> bytes:
    """The file for another signer. Bounds that no entry stands for become entries without a root."""
    return json.dumps(
        {
            "metadata": {
                "interchange_format_version": FORMAT_VERSION,
                "genesis_validators_root": f"0x{network.hex()}",
            },
            "data": [_written(key, histories[key]) for key in sorted(histories)],
        },
        indent=1,
    ).encode()


def _written(key: bytes, history: History) -> dict[str, Any]:
    blocks, votes, bounds = set(history.blocks), set(history.attestations), history.bounds
    if bounds.slot >= 0 and all(block.slot != bounds.slot for block in blocks):
        blocks.add(Block(bounds.slot, b""))
    corner = (bounds.source, bounds.target)
    if bounds.target >= 0 and all((vote.source, vote.target) != corner for vote in votes):
        votes.add(Attestation(bounds.source, bounds.target, b""))
    return {
        "pubkey": f"0x{key.hex()}",
        "signed_blocks": [
            {"slot": str(block.slot)} | _signing_root(block.root)
            for block in sorted(blocks, key=lambda block: (block.slot, block.root))
        ],
        "signed_attestations": [
            {"source_epoch": str(vote.source), "target_epoch": str(vote.target)} | _signing_root(vote.root)
            for vote in sorted(votes, key=lambda vote: (vote.target, vote.source, vote.root))
        ],
    }


def _signing_root(root: bytes) -> dict[str, str]:
    return {"signing_root": f"0x{root.hex()}"} if root else {}


def _octets(text: str | None) -> bytes:
    return bytes.fromhex(text[2:]) if text else b""


def _root(root: bytes) -> None:
    if len(root) not in (0, ROOT_BYTES):
        raise Malformed(f"a signing root has {ROOT_BYTES} bytes, not {len(root)}")
