"""Every group and backend, by name, for tests of what all of them owe. A new backend joins `GROUPS`."""

from collections.abc import Callable

import pytest

from quorate.groups import SECP256K1, Group, Point
from quorate.groups.pure import PURE_SECP256K1
from quorate.groups.secp256k1 import Secp256k1Group, coincurve_backend
from quorate.groups.toy import TOY_GROUP


def _coincurve() -> Group:
    pytest.importorskip("coincurve")
    return Secp256k1Group(coincurve_backend())


GROUPS: dict[str, Callable[[], Group]] = {
    "secp256k1": lambda: SECP256K1,
    "secp256k1 on coincurve": _coincurve,
    "secp256k1 in Python": lambda: PURE_SECP256K1,
    "toy": lambda: TOY_GROUP,
}


def point(group: Group, k: int) -> Point:
    return group.generator.multiply(group.scalar(k))
