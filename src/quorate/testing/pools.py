"""Pool keys from a dealer who knows them all: for tests of what is done with pool keys.

What the product never does, and why it is here: making keys between nodes takes a session of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from quorate.entropy import Rng
from quorate.groups import Group
from quorate.sharing.generation import CommitteeKey, GeneratedKey
from quorate.sharing.polynomial import Polynomial


def deal_keys(
    group: Group, nodes: Sequence[str], degree: int, count: int, rng: Rng
) -> dict[str, list[GeneratedKey]]:
    """`count` fresh keys of `degree`: every node's parts, in the same order."""
    parts: dict[str, list[GeneratedKey]] = {name: [] for name in nodes}
    for _ in range(count):
        polynomial = Polynomial.random(group, degree, rng)
        public = CommitteeKey(rng(32), tuple(nodes), polynomial.commit())
        chain_code = rng(32)
        for point, name in enumerate(nodes, start=1):
            parts[name].append(GeneratedKey(public, name, polynomial.at(point), chain_code))
    return parts
