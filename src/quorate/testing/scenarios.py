"""The protocols that a thousand seeds are played of: what is run, and what must come out.

A `Scenario` turns a seed into a run: how many parties, in which order messages arrive, what goes wrong, and
in some runs one party, or two, that lie once. The same seed gives the same run in every process and on every
machine.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from quorate.errors import ProofRejected
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.parameters import TOY
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SETUP,
    PairSetup,
    Presignature,
    ReadyPresignature,
    Request,
    Signature,
    Signer,
    instance_payload,
    presign,
    set_up,
    sign_online,
    suite,
    verify,
)
from quorate.session import Declaration, Party, PartyId
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keyshare import KeyShare
from quorate.testing import bls, register, schnorr
from quorate.testing.cheats import Cheat, Wild
from quorate.testing.dice import Dice, seed_of
from quorate.testing.generations import SIZES, check_play, play
from quorate.testing.network import NO_FAULTS, Faults, any_scheduler
from quorate.testing.resharings import CHANGES
from quorate.testing.resharings import play as reshare
from quorate.testing.result import Result
from quorate.testing.simulation import Simulation
from quorate.testing.toss import TOSS, toss

KEYGEN: Final = Declaration("keygen", 1, *keygen.rules())


@dataclass(slots=True)
class Report:
    """What one seed came to: outcomes of the honest by kind, events by kind, the lie that was told if any.

    `trace` stands for everything that happened, in order.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    lie: str = ""
    trace: str = ""

    def add(self, result: Result[Any]) -> None:
        """Take in one session's end."""
        for party in result.honest:
            error = result.errors.get(party)
            self.outcomes["done" if error is None else type(error).__name__] += 1
            if noted := len(result.deviations.get(party, {})):
                self.outcomes["Blame, and went on"] += noted
        self.happened += result.happened
        self.trace += result.trace_hash


class Scenario(ABC):
    """One protocol under the simulator; `name` is what the command line calls it."""

    name: str

    def play(self, seed: int) -> Report:
        """One run. Raises `AssertionError` when something that must hold does not."""
        report = Report()
        self._play(seed, Conditions(self.name, seed), report)
        return report

    @abstractmethod
    def _play(self, seed: int, conditions: Conditions, report: Report) -> None: ...


class Conditions:
    """What a seed makes of the world: a third of the runs are calm, a third have faults, a third a liar."""

    def __init__(self, name: str, seed: int) -> None:
        self.dice = Dice(name, seed, "conditions")
        self.seed = seed
        self.kind = self.dice.below(3)
        self._lies: list[Wild] = []

    @property
    def lie(self) -> str:
        """What was lied about."""
        return "; ".join(f"{wild.party} {wild.lie}" for wild in self._lies)

    def faults(self) -> Faults:
        """Accidents, where there are any."""
        if self.kind == 0:
            return NO_FAULTS
        return Faults(duplicate=0.05, lose=0.05, damage=0.03, crash=0.01, deadline=0.001)

    def cheats(self, parties: Sequence[PartyId], messages: int) -> list[Cheat]:
        """A liar, now and then two of them; each speaks the truth in all but one of its `messages`."""
        if self.kind != 2:
            return []
        liars = 2 if len(parties) > 2 and self.dice.below(4) == 0 else 1
        left = list(parties)
        for _ in range(liars):
            party = left.pop(self.dice.below(len(left)))
            self._lies.append(Wild(party, self.dice.below(messages), self.seed))
        return list(self._lies[-liars:])

    def simulate(
        self,
        declaration: Declaration,
        run: Any,
        parties: Sequence[PartyId],
        *,
        messages: int,
        check: Callable[[Result[Any]], None],
        report: Report,
        **agreement: Any,
    ) -> Result[Any]:
        """Play one session under these conditions, and hold its end to what must be."""
        result: Result[Any] = Simulation(
            declaration,
            run,
            parties,
            seed=self.seed,
            scheduler=any_scheduler(parties, self.dice),
            faults=self.faults(),
            cheats=self.cheats(parties, messages),
            **agreement,
        ).run()
        result.assert_sound()
        check(result)
        report.add(result)
        report.lie = self.lie
        return result


class Toss(Scenario):
    """Commit and reveal (`quorate.testing.toss`), 2 to 5 parties."""

    name = "toss"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        parties = names(2 + conditions.dice.below(4))
        conditions.simulate(TOSS, toss, parties, messages=2, check=_same_value, report=report)


class KeyGeneration(Scenario):
    """Key generation between 2 to 4 nodes (`quorate.sharing.keygen`), one or two keys of any degree."""

    name = "keygen"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        parties = names(2 + conditions.dice.below(3))
        degree, count = conditions.dice.below(len(parties)), 1 + conditions.dice.below(2)

        async def run(party: Party) -> tuple[GeneratedKey, ...]:
            return await keygen.generate(party, degree=degree, count=count, context=b"simulation")

        conditions.simulate(
            KEYGEN,
            run,
            parties,
            messages=4 + len(parties),
            check=check_generated,
            report=report,
            threshold=degree + 1,
        )


class Signing(Scenario):
    """Presigning and the online phase (`quorate.schemes.ecdsa`) by 2 or 3 of 3 signers.

    The keys and the OT setups are made once in each process, without faults.
    """

    name = "sign"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        wallet = _wallet(3)
        count = 2 if conditions.dice.below(4) else 3
        start = conditions.dice.below(3)
        signers = tuple(sorted(wallet.nodes[(start + offset) % 3] for offset in range(count)))
        shares = {name: wallet.share(name, degree=count - 1) for name in signers}
        seats = {name: Signer.of(shares[name], signers) for name in signers}
        agreement = {
            "suite": suite(TOY_GROUP, TOY),
            "key": shares[signers[0]].key_id,
            "journaled": False,
        }
        made = conditions.simulate(
            PRESIGN,
            {name: _presigning(seats[name], wallet.pairs[name]) for name in signers},
            signers,
            messages=2 * count,
            check=lambda _: None,
            report=report,
            **agreement,
        )
        if set(made.values) < set(signers):
            return
        hashed = seed_of(seed, "payload")
        combiner = conditions.dice.choose(signers)
        signed = conditions.simulate(
            ONLINE,
            {name: _signing(made.values[name], hashed, combiner) for name in signers},
            signers,
            messages=1,
            check=lambda _: None,
            report=report,
            payload=hashed,
            **agreement,
        )
        signature = signed.values.get(combiner)
        if signature is not None and combiner not in signed.cheaters:
            _check_signature(shares[combiner], hashed, signature)


class BlsSigning(Scenario):
    """Threshold BLS (`quorate.testing.bls`) by 2 to 5 of 5 signers, in any suite."""

    name = "bls"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        bls.play(seed, conditions, report)


class SchnorrSigning(Scenario):
    """FROST (`quorate.testing.schnorr`) by 2 to 4 of 4 signers, cold or with nonces made before."""

    name = "schnorr"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        schnorr.play(seed, conditions, report)


class AsynchronousKeyGeneration(Scenario):
    """Key generation without a clock (`quorate.sharing.dkg`) between 4 to 9 nodes, as many lying as may."""

    name = "dkg"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        # small committees more often: a run of nine takes twenty times as long as one of four
        size = min(conditions.dice.below(len(SIZES)) for _ in range(2))
        played = play(seed, SIZES[size], lying=conditions.kind == 2)
        check_play(played)
        report.add(played.result)
        report.lie = played.lies


class EpochChanges(Scenario):
    """Resharing (`quorate.sharing.reshare`) between committees of 4 to 9 nodes, as many lying as may."""

    name = "reshare"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        # small committees more often, as above
        place = min(conditions.dice.below(len(CHANGES)) for _ in range(2))
        played = reshare(
            seed, list(CHANGES)[place], lying=conditions.kind == 2, spare=conditions.dice.below(2) == 0
        )
        report.add(played.result)
        report.lie = played.lies


class AccountRegister(Scenario):
    """The account register (`quorate.testing.register`): devices that race, a thief, lying members."""

    name = "register"

    def _play(self, seed: int, conditions: Conditions, report: Report) -> None:
        world = register.play(seed)
        report.outcomes["done"] += world.happened.pop("written", 0)
        report.happened += world.happened
        report.trace = world.trace
        report.lie = "as many members as may, and a thief"


SCENARIOS: Final[Mapping[str, Scenario]] = {
    s.name: s
    for s in (
        Toss(),
        KeyGeneration(),
        AsynchronousKeyGeneration(),
        EpochChanges(),
        Signing(),
        BlsSigning(),
        SchnorrSigning(),
        AccountRegister(),
    )
}


def names(count: int) -> tuple[PartyId, ...]:
    """p1, p2, ..."""
    return tuple(f"p{number}" for number in range(1, count + 1))


def check_generated(result: Result[tuple[GeneratedKey, ...]]) -> None:
    """Whoever finished holds the same keys, and the shares of an exact set make each."""
    keys = {party: value for party, value in result.values.items() if party not in result.cheaters}
    if not keys:
        return
    publics = {tuple((key.public, key.chain_code) for key in held) for held in keys.values()}
    _require(result, len(publics) == 1, "two honest parties hold different keys")
    for index, first in enumerate(next(iter(keys.values()))):
        structure = KeyShare.of_committee(first).structure
        if len(keys) <= first.public.degree:
            continue
        signers = sorted(keys)[: first.public.degree + 1]
        weights = structure.coefficients(signers, result.group.order)
        secret = result.group.scalar(0)
        for name in signers:
            secret = secret + result.group.scalar(weights[name]) * keys[name][index].share.reveal()
        whole = result.group.generator.multiply(secret)
        _require(result, whole == first.public.public_key, "the shares do not make the key")


def _same_value(result: Result[bytes]) -> None:
    values = {value for party, value in result.values.items() if party not in result.cheaters}
    _require(result, len(values) <= 1, "two honest parties saw different coins")


def _check_signature(key: KeyShare, digest: bytes, signature: Signature) -> None:
    try:
        verify(key.public_key, digest, signature)
    except ProofRejected as error:
        raise AssertionError("a signature came out that does not verify") from error


def _require(result: Result[Any], holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(f"{what}\n{result.story()}")


# --- a wallet on the toy group, made once in each process ----------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wallet:
    nodes: tuple[PartyId, ...]
    keys: Mapping[int, Mapping[PartyId, GeneratedKey]]
    pairs: Mapping[PartyId, Mapping[PartyId, PairSetup]]

    def share(self, name: PartyId, *, degree: int) -> KeyShare:
        return KeyShare.of_committee(self.keys[degree][name])


@lru_cache(maxsize=4)
def _wallet(count: int) -> _Wallet:
    """A key of each degree among `count` nodes, and the OT setup of every pair, without any fault."""
    nodes = names(count)

    def generation(degree: int) -> Mapping[PartyId, GeneratedKey]:
        async def run(party: Party) -> GeneratedKey:
            return (await keygen.generate(party, degree=degree, count=1, context=b"simulation"))[0]

        return Simulation(KEYGEN, run, nodes, seed=degree).run().values

    async def pair(party: Party) -> PairSetup:
        return await set_up(party, 0, 0, parameters=TOY, group=TOY_GROUP)

    pairs: dict[PartyId, dict[PartyId, PairSetup]] = {name: {} for name in nodes}
    for index, left in enumerate(nodes):
        for right in nodes[index + 1 :]:
            payload = instance_payload(0, 0)
            made = Simulation(SETUP, pair, (left, right), payload=payload).run().values
            pairs[left][right], pairs[right][left] = made[left], made[right]
    return _Wallet(nodes, {degree: generation(degree) for degree in range(1, count)}, pairs)


def _presigning(signer: Signer, pairs: Mapping[PartyId, PairSetup]) -> Callable[[Party], Any]:
    async def run(party: Party) -> Presignature:
        return await presign(party, signer, pairs, parameters=TOY)

    return run


def _signing(presignature: Presignature, digest: bytes, combiner: PartyId) -> Callable[[Party], Any]:
    ready = ReadyPresignature(presignature)

    async def run(party: Party) -> Signature | None:
        nothing = party.group.scalar(0)
        request = Request.of(party.spec, presignature.id, digest, combiner=combiner, tweak=nothing)
        return await sign_online(party, ready, request)

    return run
