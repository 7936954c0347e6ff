"""Who a party is: a signing key for its envelopes and a sealing key for what is meant for it alone.

Signatures are Ed25519 (libsodium through PyNaCl: it verifies twice as fast as OpenSSL). Sealing is
HPKE with a KEM over secp256k1, not X25519: on a group with a proof of equal discrete logs the recipient
can show a stranger what a box held, for this one box only, so a bad share sent under seal can be blamed.

`Identity` and `PublicIdentity` are ports; `quorate.testing` has a cheap pair for the simulator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from quorate.entropy import Rng
from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import Point, Scalar
from quorate.groups.secp256k1 import SECP256K1
from quorate.primitives import hpke
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.secret import Secret

SIGNATURE_BYTES = 64


class PublicIdentity(ABC):
    """What others need of a party: to check its signatures and to seal to it."""

    @abstractmethod
    def verify(self, data: bytes, signature: bytes) -> None:
        """Raises `ProofRejected` unless `signature` is this party's over `data`."""

    @abstractmethod
    def seal(self, plaintext: bytes, info: bytes, rng: Rng) -> bytes:
        """A box that only this party opens, bound to `info`."""

    @abstractmethod
    def open_with(self, opening: bytes, box: bytes, info: bytes) -> bytes:
        """What `box` holds, by an opening the recipient has published.

        Raises `ProofRejected` when the opening is false, and `Malformed` when it is true and the box
        still holds nothing: then its sender made it so.
        """

    @abstractmethod
    def to_bytes(self) -> bytes:
        """The one encoding; identities are equal when it is."""


class Identity(ABC):
    """A party's own secret keys."""

    public: PublicIdentity

    @abstractmethod
    def sign(self, data: bytes) -> bytes:
        """A signature of `SIGNATURE_BYTES`."""

    @abstractmethod
    def open(self, box: bytes, info: bytes) -> bytes:
        """What a box sealed to us holds. Raises `ProofRejected`, or `Malformed` for what is no box."""

    @abstractmethod
    def opening(self, box: bytes, info: bytes, rng: Rng) -> bytes:
        """A proof of what `box` held, for strangers; it reveals this one box and nothing else.

        Raises `Malformed` for what is no box made for `info`: strangers see that without an opening.
        """


class PublicKeys(PublicIdentity):
    """Ed25519 verification key (32 B) and secp256k1 sealing key (33 B)."""

    __slots__ = ("_bytes", "sealing", "verifying")

    def __init__(self, verifying: bytes, sealing: Point) -> None:
        if len(verifying) != 32:
            raise Malformed("identity: the verification key is 32 bytes")
        self.verifying = bytes(verifying)
        self.sealing = sealing
        self._bytes = self.verifying + sealing.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> PublicKeys:
        """Parse 65 bytes; raises `Malformed`."""
        if len(data) != 65:
            raise Malformed("identity: 65 bytes, a verification key and a sealing key")
        return cls(data[:32], SECP256K1.point_from_bytes(data[32:]))

    def to_bytes(self) -> bytes:
        return self._bytes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PublicKeys) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __repr__(self) -> str:
        return f"PublicKeys({self._bytes.hex()[:16]}…)"

    def verify(self, data: bytes, signature: bytes) -> None:
        if len(signature) != SIGNATURE_BYTES:
            raise ProofRejected("signature: 64 bytes are needed")
        try:
            crypto_sign_open(signature + data, self.verifying)
        except BadSignatureError:
            raise ProofRejected("signature: not by this key over these bytes") from None

    def seal(self, plaintext: bytes, info: bytes, rng: Rng) -> bytes:
        return hpke.seal(self.sealing, info, b"", plaintext, rng)

    def open_with(self, opening: bytes, box: bytes, info: bytes) -> bytes:
        # what is no box made for this place is its sender's fault, whatever the opening says
        hpke.encapsulation(box, info, b"")
        try:
            published = hpke.Opening.from_bytes(opening)
        except LocalError as error:
            raise ProofRejected(f"opening: {error}") from None
        plaintext = hpke.open_with(published, self.sealing, info, b"", box)
        if plaintext is None:
            raise Malformed("a sealed body that does not open for its recipient")
        return plaintext


class KeyPair(Identity):
    """Both secret keys, derived from one 32-byte seed, so that one sealed value holds an identity.

    `of` takes them apart: a node's signing key lives on while the sealing key of each epoch, from a seed of
    its own, is erased with it.
    """

    __slots__ = ("_sealing", "_signing", "public")

    def __init__(self, seed: Secret[bytes]) -> None:
        self._take(signing_seed(seed), seed)

    @classmethod
    def of(cls, signing: Secret[bytes], sealing: Secret[bytes]) -> KeyPair:
        """The pair of a signing seed (`signing_seed`) and another seed for the sealing key."""
        made = cls.__new__(cls)
        made._take(signing, sealing)
        return made

    def _take(self, signing: Secret[bytes], sealing: Secret[bytes]) -> None:
        verifying, secret = crypto_sign_seed_keypair(signing.reveal())
        wide = digest(Tag.IDENTITY_SEALING, sealing.reveal(), length=48)
        scalar: Scalar = SECP256K1.scalar_from_wide(wide)
        self._signing = Secret(secret)
        self._sealing = Secret(scalar)
        self.public: PublicKeys = PublicKeys(verifying, SECP256K1.generator.multiply(scalar))

    @classmethod
    def generate(cls, rng: Rng) -> KeyPair:
        """A fresh identity; keep the seed yourself if it must survive the process."""
        return cls(Secret(rng(32)))

    def sign(self, data: bytes) -> bytes:
        return crypto_sign(data, self._signing.reveal())[:SIGNATURE_BYTES]

    def open(self, box: bytes, info: bytes) -> bytes:
        return hpke.open(self._sealing.reveal(), info, b"", box, public=self.public.sealing)

    def opening(self, box: bytes, info: bytes, rng: Rng) -> bytes:
        return hpke.prove_opening(self._sealing.reveal(), info, b"", box, rng).to_bytes()


def signing_seed(seed: Secret[bytes]) -> Secret[bytes]:
    """What the signing key of a pair comes from, and nothing of its sealing key."""
    return Secret(digest(Tag.IDENTITY_SIGNING, seed.reveal()))
