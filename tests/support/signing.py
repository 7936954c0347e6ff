"""Dealt keys, OT setups of every pair, and signing sessions of them, for tests of ECDSA.

A dealer stands in for key generation, which has tests of its own. Setups are made by the real protocol and
kept per set of names: they serve any key.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any

from quorate.entropy import SeededRng
from quorate.groups import SECP256K1, Group, Point, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.parameters import STANDARD, TOY, OTParameters
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SETUP,
    SIGN,
    PairSetup,
    Presignature,
    ReadyPresignature,
    Request,
    Signature,
    Signer,
    instance_payload,
    presign,
    set_up,
    sign,
    sign_online,
    suite,
)
from quorate.schemes.ecdsa.presignature import Derivation
from quorate.secret import Secret
from quorate.session import Party
from quorate.sharing.access import AccessStructure, Leaf, Threshold
from quorate.sharing.keyshare import KeyShare
from quorate.testing import Cheat, InOrder, Result, Simulation
from quorate.testing.network import Scheduler

PAYLOAD = b"pay 1 to 0x00"
DIGEST = sha256(PAYLOAD).digest()
KEY_ID = bytes(range(32))


def sizes(group: Group) -> OTParameters:
    """Toy transfers for the toy group, the real ones for a curve."""
    return TOY if group is TOY_GROUP else STANDARD


def rng(*parts: object) -> SeededRng:
    return SeededRng(sha256(repr(parts).encode()).digest())


def deal(text: str, group: Group = TOY_GROUP, *, epoch: int = 0, seed: int = 0) -> dict[str, KeyShare]:
    """Shares of a fresh key for the structure `text`, by a dealer who forgets."""
    structure = AccessStructure.parse(text)
    source = rng("deal", text, group.name, seed)
    secret = group.random_scalar(source)
    shares: dict[str, Scalar] = {}
    _deal(structure.root, secret, source, shares)
    public = {name: group.generator.multiply(share) for name, share in shares.items()}
    key = group.generator.multiply(secret)
    return {
        name: KeyShare(KEY_ID, epoch, structure, key, public, name, Secret(share), bytes(32))
        for name, share in shares.items()
    }


def _deal(member: Threshold | Leaf, value: Scalar, source: SeededRng, shares: dict[str, Scalar]) -> None:
    if isinstance(member, Leaf):
        shares[member.name] = value
        return
    coefficients = [value, *(value.group.random_scalar(source) for _ in range(member.needed - 1))]
    for child in member.members:
        at = value.group.scalar(0)
        for coefficient in reversed(coefficients):
            at = at * value.group.scalar(child.point) + coefficient
        _deal(child, at, source, shares)


@lru_cache(maxsize=256)
def pair(first: str, second: str, group: Group = TOY_GROUP, generation: int = 0) -> dict[str, PairSetup]:
    """Both ends of one instance; it is the same one for all curves."""
    if group not in (TOY_GROUP, SECP256K1):
        return pair(first, second, SECP256K1, generation)
    simulation = Simulation(
        SETUP,
        lambda party: set_up(party, 0, generation, parameters=sizes(group), group=group),
        [first, second],
        group=group,
        payload=instance_payload(0, generation),
        scheduler=InOrder(),
        journaled=False,
    )
    result = simulation.run()
    result.assert_sound()
    return result.values


def setups(names: Iterable[str], group: Group = TOY_GROUP) -> dict[str, dict[str, PairSetup]]:
    """The instance of every pair, by party and peer."""
    ordered = sorted(names)
    found: dict[str, dict[str, PairSetup]] = {name: {} for name in ordered}
    for index, first in enumerate(ordered):
        for second in ordered[index + 1 :]:
            ends = pair(first, second, group)
            found[first][second], found[second][first] = ends[first], ends[second]
    return found


class Table:
    """A key, its signers, their setups: what the sessions below start from."""

    def __init__(
        self, text: str, signers: Sequence[str], group: Group = TOY_GROUP, *, epoch: int = 0, seed: int = 0
    ) -> None:
        self.group, self.parameters, self.names = group, sizes(group), tuple(sorted(signers))
        self.shares = deal(text, group, epoch=epoch, seed=seed)
        self.seats = {name: Signer.of(self.shares[name], signers) for name in self.names}
        self.pairs = setups(self.names, group)
        self.epoch, self.seed = epoch, seed

    @property
    def digest(self) -> bytes:
        """What is signed; on STARK a number below 2^251."""
        return bytes([DIGEST[0] & 7]) + DIGEST[1:] if self.group.name == "stark" else DIGEST

    @property
    def public_key(self) -> Point:
        return self.shares[self.names[0]].public_key

    def presigning(
        self,
        *,
        cheats: Iterable[Cheat] = (),
        seed: int = 0,
        derivation: Derivation = Derivation.ROOT,
        scheduler: Scheduler | None = None,
        **more: Any,
    ) -> Result[Presignature]:
        async def run(party: Party) -> Presignature:
            return await presign(
                party,
                self.seats[party.me],
                self.pairs[party.me],
                parameters=self.parameters,
                derivation=derivation,
            )

        return self._play(PRESIGN, run, cheats, seed, b"", scheduler, **more)

    def online(
        self,
        made: Mapping[str, Presignature],
        combiner: str,
        *,
        cheats: Iterable[Cheat] = (),
        seed: int = 1,
        digest: bytes | Mapping[str, bytes] | None = None,
        tweak: int | Mapping[str, int] = 0,
        path: str = "",
    ) -> Result[Signature | None]:
        async def run(party: Party) -> Signature | None:
            wanted = digest[party.me] if isinstance(digest, Mapping) else digest or self.digest
            shift = tweak if isinstance(tweak, int) else tweak[party.me]
            request = Request.of(
                party.spec,
                made[party.me].id,
                wanted,
                combiner=combiner,
                tweak=self.group.scalar(shift),
                path=path,
            )
            return await sign_online(party, ReadyPresignature(made[party.me]), request)

        return self._play(ONLINE, run, cheats, seed, PAYLOAD)

    def signing(
        self,
        combiner: str,
        *,
        cheats: Iterable[Cheat] = (),
        seed: int = 0,
        scheduler: Scheduler | None = None,
        digest: bytes | None = None,
        **more: Any,
    ) -> Result[Signature | None]:
        async def run(party: Party) -> Signature | None:
            return await sign(
                party,
                self.seats[party.me],
                self.pairs[party.me],
                digest or self.digest,
                combiner=combiner,
                parameters=self.parameters,
            )

        return self._play(SIGN, run, cheats, seed, PAYLOAD, scheduler, **more)

    def _play(
        self,
        declaration: Any,
        run: Any,
        cheats: Iterable[Cheat],
        seed: int,
        payload: bytes,
        scheduler: Scheduler | None = None,
        **more: Any,
    ) -> Result[Any]:
        return Simulation(
            declaration,
            run,
            self.names,
            seed=seed,
            group=self.group,
            suite=suite(self.group, self.parameters),
            key=KEY_ID,
            epoch=self.epoch,
            payload=payload,
            cheats=cheats,
            scheduler=scheduler,
            journaled=False,
            **more,
        ).run()


@cache
def table(text: str, signers: tuple[str, ...], group: Group = TOY_GROUP) -> Table:
    """A table that no test changes."""
    return Table(text, signers, group)
