"""An Ed25519 key that is a bare scalar, as a shared key is: no seed leads to it (RFC 8032 section 5.1.6).

It stands in one place, for tests of everything around signing. Nothing of the product has one.
"""

from dataclasses import dataclass
from hashlib import sha512

from nacl.bindings import crypto_scalarmult_ed25519_base_noclamp

from quorate.chains import Chains, Decoded, Signed

ORDER = 2**252 + 27742317777372353535851937790883648493


@dataclass(frozen=True)
class ScalarKey:
    """Signs with a nonce hashed from scalar and message, so its signatures are the same in each run."""

    scalar: int

    @property
    def public_key(self) -> bytes:
        return self._times_base(self.scalar)

    def sign(self, message: bytes) -> bytes:
        nonce = _number(self.scalar.to_bytes(32, "little") + message)
        commitment = self._times_base(nonce)
        challenge = _number(commitment + self.public_key + message)
        return commitment + ((nonce + challenge * self.scalar) % ORDER).to_bytes(32, "little")

    def decode(self, payload: bytes, chains: Chains) -> Decoded:
        return chains.decode(payload, self.public_key)

    def attach(self, payload: bytes, chains: Chains) -> Signed:
        decoded = self.decode(payload, chains)
        return chains.attach(decoded, [self.sign(decoded.digest)])

    @staticmethod
    def _times_base(scalar: int) -> bytes:
        return crypto_scalarmult_ed25519_base_noclamp((scalar % ORDER).to_bytes(32, "little"))


def with_s_plus_order(signature: bytes) -> bytes:
    """The same signature with S + L: what a strict verifier must refuse."""
    s = int.from_bytes(signature[32:], "little") + ORDER
    return signature[:32] + s.to_bytes(32, "little")


def _number(data: bytes) -> int:
    return int.from_bytes(sha512(data).digest(), "little") % ORDER
