"""A whole key in one place, for tests of everything around signing. Nothing of the product has one."""

from dataclasses import dataclass

from btclib_secp256k1 import keys, recovery

from quorate.chains import Chains, Decoded, Signed
from quorate.chains.ethereum.address import address_of


@dataclass(frozen=True)
class LocalKey:
    """Signs by RFC 6979, so published signatures come out byte for byte."""

    secret: bytes

    @property
    def public_key(self) -> bytes:
        return keys.pubkey_from_prvkey(self.secret)

    @property
    def address(self) -> str:
        return address_of(self.public_key)

    def sign(self, digest: bytes) -> bytes:
        compact, recovery_id = recovery.sign(digest, self.secret)
        return compact + bytes([recovery_id])

    def decode(self, payload: bytes, chains: Chains) -> Decoded:
        return chains.decode(payload, self.public_key)

    def attach(self, payload: bytes, chains: Chains) -> Signed:
        decoded = self.decode(payload, chains)
        return chains.attach(decoded, [self.sign(decoded.digest)])
