"""The port between a wallet and a chain: payload in, meaning and digests out; signature in, object out.

A `Family` speaks for all chains that share one transaction format and one form of address (CAIP-2 calls it a
namespace: ``eip155``, ``bip122``, ``solana``); a `Chain` is a row of data below it. What a family promises:

- one value has one payload, and a payload that decodes is complete: nothing is filled in later;
- `decode` raises `Malformed` (not the canonical encoding of a valid request) or `Refused` (understood, and
  not to be signed by this key here), and nothing else;
- the digests come from the payload alone, so every signer computes them itself;
- the preview never guesses: what the family does not understand is shown as unknown, with its raw form;
- `attach` returns an object only if the signature verifies under the wallet's public key.

It assumes that the caller knows the public key (with any derivation already applied) and asks its own policy;
it neither talks to a network nor knows about shares.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec

from quorate.chains.text import decimal
from quorate.encoding import Canonical, decode, encode
from quorate.errors import LocalError, Malformed, Refused
from quorate.schemes.derivation.path import parse_path

if TYPE_CHECKING:  # importing a family must not load storage
    from quorate.vault.slashing import ValidatorDuty

MAX_PAYLOAD_BYTES: Final = 1 << 17
"""One request. 128 KiB is what Ethereum's nodes relay as one transaction; a session carries twice as much."""

MAX_ROW_TEXT: Final = 64
"""Characters of a chain's id, name or symbol. CAIP-2 itself allows 41 for an id."""

Signature: TypeAlias = bytes
"""As the scheme encodes it. ECDSA: r (32 bytes, big-endian), s (32), recovery id (1), with low s;
Schnorr and EdDSA: their 64 bytes."""

Field: TypeAlias = str | int | bool | tuple[str, ...] | None
"""One value a policy may judge; the names each family uses are listed in ``docs/chains.md``."""


class Request(Canonical):
    """The envelope all families share; its encoding is the payload of a signing session.

    `chain` is a CAIP-2 id, `account` the address as the chain writes it (together CAIP-10), `kind` and `body`
    belong to the family. `path` says which key of the wallet signs: empty for the wallet's own, ``0/7`` for a
    derived account (docs/derivation.md). `account` is the address of *that* key.
    """

    version: Literal[1]
    chain: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ROW_TEXT)]
    account: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_PAYLOAD_BYTES)]
    path: str = ""

    def __post_init__(self) -> None:
        parse_path(self.path)

    def to_payload(self) -> bytes:
        """The canonical bytes. Raises `LimitExceeded` where `from_payload` would."""
        payload = encode(self)
        decode(Request, payload, limit=MAX_PAYLOAD_BYTES)
        return payload

    @classmethod
    def from_payload(cls, payload: bytes) -> Request:
        """Strict inverse of `to_payload`. Raises `Malformed` or `LimitExceeded`."""
        return decode(cls, payload, limit=MAX_PAYLOAD_BYTES)


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain, as data: ``Chain("eip155:1337", "Development", "ETH")`` is all it takes to add one.

    `decimals` is how many digits follow the point when an amount is written in `symbol`; `explorer` is the
    address of a page about a transaction, with ``{}`` for its hash, or empty.
    """

    caip2: str
    name: str
    symbol: str
    decimals: int = 18
    explorer: str = ""

    def __post_init__(self) -> None:
        namespace, colon, reference = self.caip2.partition(":")
        if (
            not (namespace and colon and reference)
            or len(self.caip2) > MAX_ROW_TEXT
            or not self.caip2.isascii()
        ):
            raise LocalError(f"chain {self.caip2!r}: the id has the form namespace:reference (CAIP-2)")
        for text in (self.name, self.symbol):
            if not 0 < len(text) <= MAX_ROW_TEXT or not text.isprintable():
                raise LocalError(
                    f"chain {self.caip2}: name and symbol are 1 to {MAX_ROW_TEXT} printable characters"
                )
        if not 0 <= self.decimals <= 77:
            raise LocalError(f"chain {self.caip2}: decimals lie between 0 and 77")

    @property
    def namespace(self) -> str:
        """The family's part of the id: ``eip155``."""
        return self.caip2.partition(":")[0]

    @property
    def reference(self) -> str:
        """The chain's part of the id: ``1``."""
        return self.caip2.partition(":")[2]

    def amount(self, smallest_units: int) -> str:
        """An exact amount in the chain's own coin, for people: ``1.5 ETH``. Never rounded."""
        return f"{decimal(smallest_units, self.decimals)} {self.symbol}"


class ChainRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chain beyond the built-in ones, as files of nodes and devices have it. Both must know it."""

    caip2: str
    name: str
    symbol: str
    decimals: int = 18

    @classmethod
    def of(cls, chain: Chain) -> ChainRow:
        """The row of a chain."""
        return cls(chain.caip2, chain.name, chain.symbol, chain.decimals)

    def chain(self) -> Chain:
        """The chain of a row. Raises `LocalError` for one that cannot be."""
        return Chain(self.caip2, self.name, self.symbol, self.decimals)


class Level(IntEnum):
    """How loudly a line of a preview speaks."""

    PLAIN = 0
    CAUTION = 1
    DANGER = 2


class Risk(StrEnum):
    """What a policy or a person should notice. The names are stable."""

    BLIND = "blind"
    """A bare digest: nobody can say what it means."""
    UNKNOWN_CALL = "unknown-call"
    """Contract call data that the family does not understand."""
    CONTRACT_CREATION = "contract-creation"
    TOKEN_APPROVAL = "token-approval"
    """Another account may spend tokens afterwards."""
    UNLIMITED_APPROVAL = "unlimited-approval"
    """... all of them, for ever."""
    PERMIT = "permit"
    """A signature, not a transaction, with which somebody else can take tokens."""
    DELEGATION = "delegation"
    """The account itself will run somebody's code."""
    ANY_CHAIN = "any-chain"
    """Valid on more chains than the one named."""
    OPAQUE_MESSAGE = "opaque-message"
    """Not text, or a hash in disguise."""
    HIGH_FEE = "high-fee"
    """The fee may exceed the amount sent."""
    OWNERSHIP = "ownership"
    """Another key or program will control an account of this wallet, or may do so too."""
    ACCOUNT_DELETION = "account-deletion"
    """An account of this wallet ceases to exist."""
    UNRESOLVED = "unresolved"
    """Names an account by a place on the chain, so that only the chain can tell which it is."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a preview. Both texts are free of control and direction characters."""

    label: str
    value: str
    level: Level = Level.PLAIN


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person reads before approving, in order."""

    title: str
    lines: tuple[Line, ...]

    @property
    def level(self) -> Level:
        """The loudest line's level."""
        return max((line.level for line in self.lines), default=Level.PLAIN)

    def text(self) -> str:
        """Plain text: the title, then a line each; ``!`` marks a caution and ``!!`` a danger."""
        width = max((len(line.label) for line in self.lines), default=0)
        marks = {Level.PLAIN: "  ", Level.CAUTION: "! ", Level.DANGER: "!!"}
        rows = [
            f"{marks[line.level]} {line.label.ljust(width)}  {line.value}".rstrip() for line in self.lines
        ]
        return "\n".join([self.title, *rows])

    def as_dict(self) -> dict[str, Any]:
        """The same as plain data, for JSON."""
        lines = [
            {"label": line.label, "value": line.value, "level": line.level.name.lower()}
            for line in self.lines
        ]
        return {"title": self.title, "level": self.level.name.lower(), "lines": lines}


@dataclass(frozen=True, slots=True)
class Digest:
    """One value for a signing scheme: a 32-byte hash for ECDSA and BIP 340, the whole message for EdDSA.

    A transaction with several inputs has several of them. `x_only_tweak` is the 32-byte tweak of a taproot
    output (BIP 341), or empty: the key that signs is then the tweaked one.
    """

    value: bytes
    scheme: str
    group: str
    x_only_tweak: bytes = b""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A payload understood. `content` is the family's own parsed object, for `Family.attach`.

    `duty` is what must never be signed in a second, different way, and so passes the signer's store of duties
    (`quorate.vault.duties`) before anything that depends on its share leaves. None for almost everything.
    """

    payload: bytes
    kind: str
    chain: Chain
    account: str
    public_key: bytes
    preview: Preview
    risks: frozenset[Risk]
    fields: Mapping[str, Field]
    digests: tuple[Digest, ...]
    content: Any
    duty: ValidatorDuty | None = None

    @property
    def blind(self) -> bool:
        """Whether this is a bare digest; a signer's policy refuses those unless told otherwise."""
        return Risk.BLIND in self.risks

    @property
    def digest(self) -> bytes:
        """The one digest of a request that has exactly one. Raises `Malformed` for others."""
        if len(self.digests) != 1:
            raise Malformed(f"{self.kind}: {len(self.digests)} digests to sign, not one")
        return self.digests[0].value


@dataclass(frozen=True, slots=True)
class Signed:
    """The final object: `raw` is what is sent or handed over, `id` how the chain names it (a transaction's
    hash; the digest of a message). `details` holds its parts for programs."""

    raw: bytes
    id: str
    details: Mapping[str, Field]

    def __post_init__(self) -> None:
        object.__setattr__(self, "details", MappingProxyType(dict(self.details)))


class Family(ABC):
    """All chains of one CAIP-2 namespace. An instance holds the rows it was configured with, and no state."""

    namespace: str
    chains: Mapping[str, Chain]
    curves: tuple[str, ...] = ("secp256k1",)
    """Names of the groups whose keys have accounts here, the usual one first. A key on another curve is never
    shown to the family: 33 bytes of P-256 may read as a point of secp256k1, and nobody could spend there."""

    @abstractmethod
    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        """Knows its own rows and these; a row given here replaces one of its own with the same id."""

    @abstractmethod
    def address(self, public_key: Any) -> str:
        """The account of a public key (its bytes, or a point of `quorate.groups`), as the chain writes it."""

    def curves_on(self, caip2: str) -> tuple[str, ...]:
        """The same on one chain, for families whose chains have accounts of different keys."""
        return self.curves

    def address_on(self, caip2: str, public_key: Any) -> str:
        """The same on one chain, for families that write one key differently on each. Raises `Refused` for
        a chain without a row."""
        return self.address(public_key)

    def addresses(self, public_key: Any, caip2: str = "") -> Mapping[str, str]:
        """Every account of a key by its kind, the default one first, on a chain or where `address` is.
        `decode` takes any of them as `Request.account`."""
        return {"account": self.address_on(caip2, public_key) if caip2 else self.address(public_key)}

    @abstractmethod
    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """Parse and judge one payload for the wallet of `public_key`. Raises `Malformed` or `Refused`
        (or `LimitExceeded` for what is too large to show)."""

    @abstractmethod
    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The final object, one signature for each digest. Raises `ProofRejected` when a signature is not
        one of this wallet over this digest, `Malformed` when it is none at all."""

    @abstractmethod
    def warm(self) -> None:
        """Load what the first `decode` would load. Safe to call in a thread, and more than once."""


def unknown_chain(caip2: str) -> Refused:
    """The refusal of a chain without a row."""
    shown = caip2[:MAX_ROW_TEXT].encode("ascii", "backslashreplace").decode()
    return Refused(
        f"chain {shown} is not known here; add a row for it to the configuration if you mean to sign for it",
        code="unknown-chain",
    )
