"""secp256k1 through the C API of libsecp256k1 (SEC 2 section 2.4.1; the library is Bitcoin Core's).

The Python bindings in use are only the way to the C functions: `btclib_secp256k1` first, `coincurve` as
the second choice; both export the same names. What is constant time and what is not follows the library's
own statements: `ec_pubkey_create` (k*G) and `ecdh` (k*P) are, and take the secret scalars;
`ec_pubkey_tweak_mul` is not, and takes public ones. `ecdh` hands its point to a hash callback; ours copies
x and y, so the full point comes out.

A point keeps its parsed handle, since parsing 33 bytes costs a square root (5 us) and a handle costs
nothing to reuse. The context is randomised once at import and read-only afterwards, so threads may share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from quorate.courtesy import breathe
from quorate.entropy import system_rng
from quorate.errors import Malformed, ProofRejected, Unavailable
from quorate.groups.buckets import digits, sorted_by_digit, window_for
from quorate.groups.group import (
    MAX_HASH_ATTEMPTS,
    Group,
    Point,
    Scalar,
    exact_length,
    hash_candidate,
    mixed,
    no_encoding,
    same_length,
)

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
FIELD: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_FFFFFC2F

_COMPRESSED: Final = 258  # SECP256K1_EC_COMPRESSED
_UNCOMPRESSED: Final = 2  # SECP256K1_EC_UNCOMPRESSED
_CONTEXT_NONE: Final = 1  # SECP256K1_CONTEXT_NONE

# Microseconds, measured; only their ratios matter, and only for speed. See `Secp256k1Group.combination`.
_COMBINE_CALL: Final = 2.6
_COMBINE_POINT: Final = 0.23
_MULTIPLY_CALL: Final = 6.0
_MULTIPLY_BIT: Final = 0.17
_BUCKETS_START: Final = 60.0
_BUCKETS_FROM: Final = 10
"""Points below which buckets never pay: for a few, choosing would cost as much as multiplying."""


class Secp256k1Point(Point):
    """A point of secp256k1. As the type of a message field: always this curve, whatever the session's is."""

    __slots__ = ("_encoded", "_handle")

    def __init__(self, group: Secp256k1Group, handle: Any) -> None:
        """`handle` is a valid ``secp256k1_pubkey *`` of the group's backend, or None for the identity."""
        self.group: Secp256k1Group = group
        self._handle: Any = handle
        self._encoded: bytes | None = None

    @property
    def is_identity(self) -> bool:
        return self._handle is None

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if self._handle is None or scalar.value == 0:
            return group.identity
        new = group.ffi.new
        # SEC 1 uncompressed form: the hash callback writes x and y behind the prefix
        octets = new("unsigned char[65]")
        octets[0] = 4
        lib, context = group.lib, group.context
        secret = scalar.value.to_bytes(32, "big")
        if not lib.secp256k1_ecdh(context, octets + 1, self._handle, secret, group.copy_xy, group.null):
            raise Malformed("libsecp256k1 refused a scalar")
        handle = new("secp256k1_pubkey *")
        if not lib.secp256k1_ec_pubkey_parse(context, handle, octets, 65):
            raise Malformed("libsecp256k1 refused its own product")
        return Secp256k1Point(group, handle)

    def multiply_public(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if self._handle is None or scalar.value == 0:
            return group.identity
        handle = group.ffi.new("secp256k1_pubkey *", self._handle[0])
        if not group.lib.secp256k1_ec_pubkey_tweak_mul(
            group.context, handle, scalar.value.to_bytes(32, "big")
        ):
            raise Malformed("libsecp256k1 refused a scalar")
        return Secp256k1Point(group, handle)

    def to_bytes(self) -> bytes:
        encoded = self._encoded
        if encoded is None:
            group = self.group
            if self._handle is None:
                raise no_encoding(group)
            octets = group.ffi.new("unsigned char[33]")
            length = group.ffi.new("size_t *", 33)
            group.lib.secp256k1_ec_pubkey_serialize(group.context, octets, length, self._handle, _COMPRESSED)
            encoded = self._encoded = bytes(octets)
        return encoded

    def __add__(self, other: Point) -> Point:
        group = self.group
        if not isinstance(other, Secp256k1Point) or other.group is not group:
            raise mixed(group, other.group)
        mine, theirs = self._handle, other._handle
        if mine is None:
            return other
        if theirs is None:
            return self
        return group.combine([mine, theirs])

    def __neg__(self) -> Point:
        if self._handle is None:
            return self
        group = self.group
        handle = group.ffi.new("secp256k1_pubkey *", self._handle[0])
        group.lib.secp256k1_ec_pubkey_negate(group.context, handle)
        return Secp256k1Point(group, handle)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Secp256k1Point):
            return NotImplemented
        if other.group is not self.group:
            return False
        if self._handle is None or other._handle is None:
            return self._handle is other._handle
        return bool(self.group.compare(self.group.context, self._handle, other._handle) == 0)

    def __hash__(self) -> int:
        return hash(self.to_bytes()) if self._handle is not None else 0


class _Generator(Secp256k1Point):
    """G, for whose multiples the library keeps tables: half the time of another point's."""

    __slots__ = ()

    def multiply(self, scalar: Scalar) -> Point:
        group = self.group
        if scalar.group is not group:
            raise mixed(group, scalar.group)
        if scalar.value == 0:
            return group.identity
        handle = group.ffi.new("secp256k1_pubkey *")
        if not group.lib.secp256k1_ec_pubkey_create(group.context, handle, scalar.value.to_bytes(32, "big")):
            raise Malformed("libsecp256k1 refused a scalar")
        return Secp256k1Point(group, handle)

    multiply_public = multiply


@dataclass(frozen=True, slots=True)
class Backend:
    """One binding: its C functions, its foreign function interface, its x||y hash callback for `ecdh`."""

    name: str
    lib: Any
    ffi: Any
    copy_xy: Any


class Secp256k1Group(Group):
    """The curve on one backend. The package uses `SECP256K1`; tests make others to compare backends."""

    name = "secp256k1"
    order = ORDER
    scalar_length = 32
    point_length = 33

    def __init__(self, backend: Backend) -> None:
        self.backend: Final = backend.name
        self.lib: Final = backend.lib
        self.ffi: Final = backend.ffi
        self.copy_xy: Final = backend.copy_xy
        self.null: Final = backend.ffi.NULL
        self.compare: Final = backend.lib.secp256k1_ec_pubkey_cmp
        context = backend.lib.secp256k1_context_create(_CONTEXT_NONE)
        self.context: Final = backend.ffi.gc(context, backend.lib.secp256k1_context_destroy)
        if not backend.lib.secp256k1_context_randomize(self.context, system_rng(32)):
            raise Unavailable("libsecp256k1 could not randomise its context")
        self.identity = Secp256k1Point(self, None)
        handle = self.ffi.new("secp256k1_pubkey *")
        if not self.lib.secp256k1_ec_pubkey_create(self.context, handle, (1).to_bytes(32, "big")):
            raise Unavailable("libsecp256k1 does not work here")
        self.generator = _Generator(self, handle)

    def point_from_bytes(self, data: bytes) -> Point:
        # the library reads 65 bytes and hybrid forms as well; one point must have one encoding
        if len(data) != 33:
            raise Malformed(f"a secp256k1 point has 33 bytes, not {len(data)}")
        if data[0] not in (2, 3):
            raise Malformed("a secp256k1 point begins with 02 or 03")
        data = bytes(data)
        handle = self.ffi.new("secp256k1_pubkey *")
        if not self.lib.secp256k1_ec_pubkey_parse(self.context, handle, data, 33):
            raise Malformed("not the x coordinate of a point of secp256k1")
        point = Secp256k1Point(self, handle)
        point._encoded = data
        return point

    def hash_to_point(self, transcript_bytes: bytes) -> Point:
        handle = self.ffi.new("secp256k1_pubkey *")
        for attempt in range(MAX_HASH_ATTEMPTS):
            candidate = hash_candidate(self, transcript_bytes, attempt, 33)
            encoded = (b"\x03" if candidate[0] & 1 else b"\x02") + candidate[1:]
            if self.lib.secp256k1_ec_pubkey_parse(self.context, handle, encoded, 33):
                return Secp256k1Point(self, handle)
        raise Malformed("no point found; the hash function is broken")

    def x_coordinate(self, point: Point) -> int:
        return int.from_bytes(point.to_bytes()[1:], "big")

    def sum(self, points: Iterable[Point]) -> Point:
        handles = []
        for point in points:
            if not isinstance(point, Secp256k1Point) or point.group is not self:
                raise mixed(self, point.group)
            if point._handle is not None:
                handles.append(point._handle)
        return self.combine(handles)

    def combine(self, handles: list[Any]) -> Point:
        """The sum of points given by their handles, none of them the identity's."""
        if not handles:
            return self.identity
        handle = self.ffi.new("secp256k1_pubkey *")
        pointers = self.ffi.new("secp256k1_pubkey *[]", handles)
        # all handles being valid, the call fails only where the sum is the identity
        if not self.lib.secp256k1_ec_pubkey_combine(self.context, handle, pointers, len(handles)):
            return self.identity
        return Secp256k1Point(self, handle)

    def combination(self, points: Sequence[Point], weights: Sequence[int]) -> Point:
        # the library's own multi-scalar multiplication is not among its exported functions
        breathe()
        same_length(points, weights)
        handles, factors = [], []
        for point, weight in zip(points, weights, strict=True):
            if not isinstance(point, Secp256k1Point) or point.group is not self:
                raise mixed(self, point.group)
            weight %= ORDER
            if weight and point._handle is not None:
                handles.append(point._handle)
                factors.append(weight)
        if not handles:
            return self.identity
        if len(handles) >= _BUCKETS_FROM:
            bits = max(factors).bit_length()
            single = sum(_MULTIPLY_CALL + _MULTIPLY_BIT * min(f.bit_length(), 128) for f in factors)
            window, bucketed = window_for(len(handles), bits, call=_COMBINE_CALL, addition=_COMBINE_POINT)
            if bucketed + _BUCKETS_START < single:
                return self._by_buckets(handles, factors, bits, window)
        return self.combine([self._times(h, f) for h, f in zip(handles, factors, strict=True)])

    def _times(self, handle: Any, factor: int) -> Any:
        """The handle of factor times a point, in variable time; 0 < factor < order."""
        if factor == 1:
            return handle
        product = self.ffi.new("secp256k1_pubkey *", handle[0])
        if not self.lib.secp256k1_ec_pubkey_tweak_mul(self.context, product, factor.to_bytes(32, "big")):
            raise Malformed("libsecp256k1 refused a scalar")
        return product

    def _by_buckets(self, handles: list[Any], factors: list[int], bits: int, window: int) -> Point:
        """The bucket method of `quorate.groups.buckets`; an addition here is a share of a `combine`."""
        import numpy

        ffi, combine, context = self.ffi, self.lib.secp256k1_ec_pubkey_combine, self.context
        addresses = numpy.frombuffer(ffi.buffer(ffi.new("secp256k1_pubkey *[]", handles)), dtype=numpy.uintp)
        order, starts = sorted_by_digit(digits(factors, bits, window), window)
        # one set of buckets for all windows, and for each bit of a digit the buckets whose digit has it
        room = ffi.new("secp256k1_pubkey[]", 1 << window)
        buckets = [room + digit for digit in range(1 << window)]
        with_bit = [[b for digit, b in enumerate(buckets) if digit >> i & 1] for i in range(window)]
        total: list[Any] = []
        for row in range(len(order) - 1, -1, -1):
            # the addresses in the order of this window's digits; `handles` keeps alive what they point to
            sorted_addresses = addresses[order[row]]
            arranged = ffi.from_buffer("secp256k1_pubkey *[]", sorted_addresses)
            begins = starts[row]
            empty = set()
            for digit in range(1, 1 << window):
                begin, end = begins[digit], begins[digit + 1]
                if begin == end or not combine(context, buckets[digit], arranged + begin, end - begin):
                    empty.add(buckets[digit])
            breathe()
            for members in reversed(with_bit):
                full = [b for b in members if b not in empty] if empty else members
                total = self._sum([*total, *total, *full])
        return Secp256k1Point(self, total[0]) if total else self.identity

    def _sum(self, handles: list[Any]) -> list[Any]:
        """`combine` on handles: one new handle, or none for the identity."""
        handle = self.ffi.new("secp256k1_pubkey *")
        pointers = self.ffi.new("secp256k1_pubkey *[]", handles)
        if handles and self.lib.secp256k1_ec_pubkey_combine(self.context, handle, pointers, len(handles)):
            return [handle]
        return []

    def read_points(self, data: bytes, count: int) -> list[Point]:
        # `point_from_bytes` without its call for each point: of 33 bytes the library reads only 02 and 03
        exact_length(data, count, 33, "secp256k1 points")
        data = bytes(data)
        parse, context, new = self.lib.secp256k1_ec_pubkey_parse, self.context, self.ffi.new
        points: list[Point] = []
        for begin in range(0, len(data), 33):
            encoded = data[begin : begin + 33]
            handle = new("secp256k1_pubkey *")
            if not parse(context, handle, encoded, 33):
                raise Malformed("not the x coordinate of a point of secp256k1")
            point = Secp256k1Point(self, handle)
            point._encoded = encoded
            points.append(point)
        return points


def verify_ecdsa(public: Point, digest: bytes, r: int, s: int) -> None:
    """Check an ECDSA signature on a 32-byte digest. Raises `ProofRejected`.

    Only the low-s form passes (s <= order/2), the one chains accept; its mirror image is refused.
    """
    group, handle = _native(public)
    signature = group.ffi.new("secp256k1_ecdsa_signature *")
    if len(digest) != 32 or not (0 < r < ORDER and 0 < s < ORDER):
        raise ProofRejected("not a signature on a 32-byte digest")
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if not (
        group.lib.secp256k1_ecdsa_signature_parse_compact(group.context, signature, compact)
        and group.lib.secp256k1_ecdsa_verify(group.context, signature, bytes(digest), handle)
    ):
        raise ProofRejected("the ECDSA signature does not verify under this key")


def recover(digest: bytes, r: int, s: int, recovery: int) -> Point:
    """The public key under which (r, s) signs the digest; `recovery` is 0..3 (parity, and r overflow).

    Raises `ProofRejected` if there is none. Says nothing about who the key belongs to: compare it.
    """
    group = SECP256K1
    signature = group.ffi.new("secp256k1_ecdsa_recoverable_signature *")
    if len(digest) != 32 or not (0 < r < ORDER and 0 < s < ORDER) or recovery not in range(4):
        raise ProofRejected("not a recoverable signature on a 32-byte digest")
    compact = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    handle = group.ffi.new("secp256k1_pubkey *")
    parse = group.lib.secp256k1_ecdsa_recoverable_signature_parse_compact
    if not (
        parse(group.context, signature, compact, recovery)
        and group.lib.secp256k1_ecdsa_recover(group.context, handle, signature, bytes(digest))
    ):
        raise ProofRejected("no public key fits this signature")
    return Secp256k1Point(group, handle)


def uncompressed(point: Point) -> bytes:
    """65 bytes, 04 || x || y (SEC 1), for formats of others; ours use `Point.to_bytes`.

    Raises `Malformed` for the identity and for a point of another group.
    """
    if not isinstance(point, Secp256k1Point):
        raise Malformed("not a point of secp256k1")
    group = point.group
    if point.is_identity:
        raise no_encoding(group)
    octets = group.ffi.new("unsigned char[65]")
    length = group.ffi.new("size_t *", 65)
    group.lib.secp256k1_ec_pubkey_serialize(group.context, octets, length, point._handle, _UNCOMPRESSED)
    return bytes(octets)


def _native(point: Point) -> tuple[Secp256k1Group, Any]:
    if not isinstance(point, Secp256k1Point) or point.is_identity:
        raise ProofRejected("not a public key of secp256k1")
    return point.group, point._handle


def btclib_backend() -> Backend:
    """The default binding; it brings a C callback that copies x and y out of `ecdh`."""
    module = import_module("btclib_secp256k1")
    return Backend("btclib", module.lib, module.ffi, module.lib.btclib_secp256k1_ecdh_hash_function_xy)


def coincurve_backend() -> Backend:
    """The second binding. Its callback is Python's (6 us dearer, and needs a host that permits closures)."""
    module = import_module("coincurve._libsecp256k1")
    ffi = module.ffi

    def copy_xy(output: Any, x: Any, y: Any, _unused: Any) -> int:
        ffi.memmove(output, x, 32)
        ffi.memmove(output + 32, y, 32)
        return 1

    signature = "int(unsigned char *, const unsigned char *, const unsigned char *, void *)"
    return Backend("coincurve", module.lib, ffi, ffi.callback(signature, copy_xy))


def _first_backend() -> Backend:
    choices: tuple[Callable[[], Backend], ...] = (btclib_backend, coincurve_backend)
    for load in choices:
        try:
            return load()
        except ImportError:
            continue
    # not the pure Python curve: it leaks secret scalars through time, so nobody should get it by accident
    raise Unavailable("secp256k1 needs libsecp256k1: install btclib-secp256k1 or coincurve")


SECP256K1: Final = Secp256k1Group(_first_backend())
