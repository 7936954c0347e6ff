"""Dealt keys on BLS12-381 and signing sessions of them, for tests of threshold BLS."""

import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from tests.support.signing import KEY_ID, deal

from quorate.groups import Point
from quorate.schemes.bls import SIGN, Context, Suite, sign
from quorate.schemes.quorum import Quorum, Signer
from quorate.secret import Secret
from quorate.session import Party
from quorate.sharing.access import AccessStructure
from quorate.sharing.keyshare import KeyShare
from quorate.testing import Cheat, Faults, InOrder, Result, Simulation
from quorate.testing.network import NO_FAULTS, Scheduler

MESSAGE = b"attest to slot 7"
STRUCTURE = "2 of (2 of (n1 n2 n3), device)"
SIGNERS = ("n1", "n2", "device")


class Table:
    """A key, and exact signers of it with their seats."""

    def __init__(self, suite: Suite, text: str, signers: Sequence[str]) -> None:
        self.suite, self.names = suite, tuple(sorted(signers))
        self.shares = deal(text, suite.keys)
        self.seats = {name: Signer.of(self.shares[name], signers) for name in self.names}

    @property
    def quorum(self) -> Quorum:
        return self.seats[self.names[0]].quorum

    @property
    def public_key(self) -> Point:
        return self.quorum.public_key

    def context(self, message: bytes = MESSAGE) -> Context:
        return Context.of(self.suite, self.quorum, message)

    def signing(
        self,
        combiner: str = "device",
        *,
        cheats: Iterable[Cheat] = (),
        seed: int = 0,
        scheduler: Scheduler | None = None,
        faults: Faults = NO_FAULTS,
        message: bytes = MESSAGE,
    ) -> Result[bytes | None]:
        async def run(party: Party) -> bytes | None:
            return await sign(party, self.seats[party.me], self.suite, message, combiner=combiner)

        return Simulation(
            SIGN,
            run,
            self.names,
            seed=seed,
            group=self.suite.keys,
            suite=self.suite.agreed,
            key=KEY_ID,
            payload=message,
            cheats=cheats,
            scheduler=scheduler or InOrder(),
            faults=faults,
            journaled=False,
        ).run()


@cache
def table(suite: Suite, text: str = STRUCTURE, signers: tuple[str, ...] = SIGNERS) -> Table:
    """A table that no test changes."""
    return Table(suite, text, signers)


def split(suite: Suite, secret: int) -> Table:
    """The key `secret` between two parties, who stand for any quorum."""
    group = suite.keys
    structure = AccessStructure.parse("2 of (a b)")
    slope = group.scalar(987654321)
    points = {leaf.name: leaf.point for leaf in structure.root.members}
    shares = {name: group.scalar(secret) + slope * group.scalar(z) for name, z in points.items()}
    public = {name: group.generator.multiply(share) for name, share in shares.items()}
    key = group.generator.multiply(group.scalar(secret))
    made = object.__new__(Table)
    made.suite, made.names = suite, ("a", "b")
    made.shares = {
        name: KeyShare(KEY_ID, 0, structure, key, public, name, Secret(share), bytes(32))
        for name, share in shares.items()
    }
    made.seats = {name: Signer.of(made.shares[name], ("a", "b")) for name in ("a", "b")}
    return made


def py_ecc(module: str) -> Any:
    """A module of py_ecc, without what importing it does to the whole process: see `ethereum/heavy.py`."""
    limit = sys.getrecursionlimit()
    try:
        return import_module(f"py_ecc.{module}")
    finally:
        sys.setrecursionlimit(limit)
