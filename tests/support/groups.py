"""Every group and backend, by name, for tests of what all of them owe. A new backend joins `GROUPS`."""

from collections.abc import Callable

import fastecdsa.curve
import pytest
from tests.support.edwards import PURE_ED25519

from quorate.groups import ED25519, SECP256K1, Group, Point
from quorate.groups.bls12381 import BLS12381_G1, BLS12381_G2
from quorate.groups.integers import lucas_v
from quorate.groups.p256 import P256, P256Group
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.ristretto255 import RISTRETTO255
from quorate.groups.secp256k1 import Secp256k1Group, coincurve_backend
from quorate.groups.stark import FIELD, GENERATOR, ORDER, STARK, B, StarkGroup
from quorate.groups.toy import TOY_GROUP

FAST_STARK = fastecdsa.curve.Curve("stark", FIELD, 1, B, ORDER, *GENERATOR)
"""The STARK curve in another library."""


def _coincurve() -> Group:
    pytest.importorskip("coincurve")
    return Secp256k1Group(coincurve_backend())


GROUPS: dict[str, Callable[[], Group]] = {
    "secp256k1": lambda: SECP256K1,
    "secp256k1 on coincurve": _coincurve,
    "secp256k1 in Python": lambda: PURE_SECP256K1,
    "ed25519": lambda: ED25519,
    "ed25519 in Python": lambda: PURE_ED25519,
    "bls12381g1": lambda: BLS12381_G1,
    "bls12381g2": lambda: BLS12381_G2,
    "ristretto255": lambda: RISTRETTO255,
    "p256": lambda: P256,
    "p256 without gmpy2": lambda: P256Group(int, lucas_v),
    "stark": lambda: STARK,
    "stark without gmpy2": lambda: StarkGroup(int, lucas_v),
    "toy": lambda: TOY_GROUP,
}


def point(group: Group, k: int) -> Point:
    return group.generator.multiply(group.scalar(k))
