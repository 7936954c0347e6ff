"""What a payload asks of one key: which scheme, on which digests, and under which child of the key.

Every signer reads the payload itself, against its own record of the key, and signs what it read: a digest, a
path or a tweak that came in any other way would let its sender choose what is signed, or with which key.

The family says how a chain signs; here it is held against the key. A request of several digests (the inputs
of a Bitcoin transaction) is one request, previewed and approved once; each digest is a session of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.account import KeyRecord
from quorate.chains.chain import MAX_PAYLOAD_BYTES, Decoded, Digest, Request
from quorate.chains.registry import Chains
from quorate.encoding import Canonical, decode, encode
from quorate.errors import LocalError, Malformed, Refused, Unavailable
from quorate.groups import Point
from quorate.schemes.derivation import derive
from quorate.schemes.registry import scheme_named
from quorate.schemes.scheme import Scheme
from quorate.schemes.tweak import Tweak

MAX_DIGESTS: Final = 256
"""Of one request. A Bitcoin transaction with as many inputs is near the size that is relayed at all; each
costs its signers a session, which a single approval must not multiply at will."""


class Numbered(Canonical, frozen=True):
    """The payload of a session that signs another digest of a request than the first."""

    payload: Annotated[bytes, msgspec.Meta(max_length=MAX_PAYLOAD_BYTES)]
    index: Annotated[int, msgspec.Meta(ge=1, lt=MAX_DIGESTS)]


def numbered(payload: bytes, index: int) -> bytes:
    """The payload of the session that signs the digest at `index`: the request itself for the first one."""
    return payload if index == 0 else encode(Numbered(payload, index))


def read_numbered(data: bytes) -> tuple[bytes, int]:
    """The request in a session's payload, and which of its digests is meant."""
    try:
        found = decode(Numbered, data)
    except Malformed:
        return data, 0
    return found.payload, found.index


@dataclass(frozen=True, slots=True)
class Reading:
    """A payload, read for one key. `child` is the key that signs; its tweak follows from path and digest."""

    decoded: Decoded
    schemes: tuple[Scheme, ...]
    path: str
    root: Point
    child: Point
    derived: Tweak

    @property
    def digests(self) -> tuple[Digest, ...]:
        """What is signed, in the order in which `Chains.attach` takes the signatures."""
        return self.decoded.digests

    def digest(self, index: int) -> Digest:
        """One of them. Raises `Malformed`."""
        if index >= len(self.digests):
            raise Malformed(f"{self.decoded.kind}: {len(self.digests)} digests to sign, none at {index}")
        return self.digests[index]

    def scheme(self, index: int) -> Scheme:
        """How a digest is signed: inputs of one Bitcoin transaction may want different schemes."""
        return self.schemes[index]

    def tweak(self, index: int) -> Tweak | None:
        """The tweak of the key under which a digest is signed; None where the key itself signs."""
        x_only = self.digest(index).x_only_tweak
        whole = Tweak(self.derived.plain, x_only) if x_only else self.derived
        return None if whole.is_none else whole

    def signer_key(self, index: int) -> Point:
        """The public key that a signature on this digest verifies under."""
        tweak = self.tweak(index)
        return self.root if tweak is None else tweak.child(self.root)


def read_for(chains: Chains, record: KeyRecord, payload: bytes) -> Reading:
    """Read a payload for the key of `record`. Raises `Malformed` or `Refused`, as `Family.decode` does.

    `Refused` has code ``curve`` where chain and key, or scheme and key, don't belong together, and ``scheme``
    where nobody here signs as the chain wants it.
    """
    request = Request.from_payload(payload)
    if record.curve not in chains.family(request.chain).curves_on(request.chain):
        raise Refused(f"accounts on {request.chain[:64]} have no keys on {record.curve}", code="curve")
    root = record.point
    derived = derived_tweak(record, request.path)
    child = derived.child(root)
    decoded = chains.decode(payload, child)
    digests = decoded.digests
    if not 0 < len(digests) <= MAX_DIGESTS:
        raise Refused(f"a request signs 1 to {MAX_DIGESTS} digests, not {len(digests)}", code="digests")
    schemes = tuple(_scheme_of(digest, record.curve) for digest in digests)
    return Reading(decoded, schemes, request.path, root, child, derived)


def _scheme_of(digest: Digest, curve: str) -> Scheme:
    if digest.group != curve:
        raise Refused(f"this signature is made on {digest.group}, the key is on {curve}", code="curve")
    try:
        scheme = scheme_named(digest.scheme)
    except Unavailable as error:
        raise Refused(str(error), code="scheme") from None
    if curve not in scheme.curves:
        raise Refused(f"{scheme.name} does not sign on {curve}", code="curve")
    return scheme


def child_of(record: KeyRecord, path: str) -> Point:
    """The key at a path of a key, as all signers compute it. Raises `Refused` where there is none."""
    return derived_tweak(record, path).child(record.point)


def derived_tweak(record: KeyRecord, path: str) -> Tweak:
    """What is added to a key for its child at `path`. Raises `Refused` where there is none."""
    try:
        return derive(record.point, record.chain_code, path).tweak
    except LocalError as error:
        raise Refused(str(error), code="path") from None
