"""Groups of prime order: the one interface protocols are written against, and its backends.

- `group`: `Group`, `Point`, `Scalar`, what every backend owes.
- `secp256k1`: the product curve, on libsecp256k1. `buckets`: sums of many weighted points on it.
- `ed25519`: the prime-order subgroup of edwards25519, on libsodium.
- `ristretto255`: the group of prime order above the same curve, on libsodium through rbcl.
- `bls12381`: G1 and G2 of BLS12-381 and their pairing, on arkworks.
- `p256`: secret scalars on OpenSSL. `stark`: Starknet's curve, **not constant time**.
- `weierstrass`: the public arithmetic of those two; `integers`: gmpy2 or Python.
- `pure`: any short Weierstrass curve in Python; the tests' oracle, and how to add a curve.
- `toy`: a 61-bit group for the simulator.
- `registry`: groups by name. `fields`: points and scalars in messages.
"""

from quorate.groups.ed25519 import ED25519
from quorate.groups.fields import parser_for
from quorate.groups.group import Group, Point, Scalar
from quorate.groups.registry import allow_toy, group_named
from quorate.groups.secp256k1 import SECP256K1, Secp256k1Point

__all__ = [
    "ED25519",
    "SECP256K1",
    "Group",
    "Point",
    "Scalar",
    "Secp256k1Point",
    "allow_toy",
    "group_named",
    "parser_for",
]
