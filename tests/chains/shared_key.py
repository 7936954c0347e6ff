"""A key of which three parties have shares, and any two sign: no place has ever had it.

Its signatures come from sessions of our own schemes, under the simulator.
"""

from dataclasses import dataclass
from itertools import combinations

from tests.support.signers import DealtKey

from quorate.chains import Chains, Decoded, Signed
from quorate.groups import Point
from quorate.schemes.derivation import derive

STRUCTURE = "2 of (n1, device, backup)"
QUORUMS = tuple(combinations(("n1", "device", "backup"), 2))
CHAIN_CODE = bytes(range(32))


@dataclass(frozen=True)
class SharedKey:
    """The key on `curve`, or its child at `path`, as the parties of `quorum` sign with it."""

    curve: str
    scheme: str
    quorum: tuple[str, ...] = QUORUMS[0]
    path: str = ""

    @property
    def root(self) -> Point:
        return DealtKey(self.curve, STRUCTURE, self.quorum).public_key

    @property
    def public_key(self) -> bytes:
        return derive(self.root, CHAIN_CODE, self.path).tweak.child(self.root).to_bytes()

    def sign(self, message: bytes) -> bytes:
        key = DealtKey(self.curve, STRUCTURE, self.quorum)
        tweak = derive(key.public_key, CHAIN_CODE, self.path).tweak
        return key.sign(self.scheme, message, tweak=None if tweak.is_none else tweak, path=self.path)

    def decode(self, payload: bytes, chains: Chains) -> Decoded:
        return chains.decode(payload, self.public_key)

    def attach(self, payload: bytes, chains: Chains) -> Signed:
        decoded = self.decode(payload, chains)
        return chains.attach(decoded, [self.sign(decoded.digest)])
