"""Dealt keys and FROST sessions of their holders, for tests of Schnorr signatures."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from tests.support.signing import KEY_ID, PAYLOAD, deal

from quorate.groups import Point
from quorate.schemes.quorum import Signer
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import (
    ONLINE,
    PREPARE,
    SIGN,
    Batch,
    Prepared,
    ReadyNonces,
    Request,
    Schnorr,
    Suite,
    prepare,
    sign,
    sign_online,
)
from quorate.schemes.tweak import Tweak
from quorate.session import Party
from quorate.testing import Cheat, Result, Simulation

MESSAGE = b"pay 1 to 0x00"
PAIR = ("n1", "device")
THREE = ("n1", "n2", "device")
OF_PAIR = "2 of (1 of (n1), device)"
OF_THREE = "2 of (2 of (n1 n2 n3), device)"


def suite_named(name: str) -> Suite:
    scheme = scheme_named(name)
    assert isinstance(scheme, Schnorr)
    return scheme.schnorr


class Table:
    """A key and its signers: what the sessions below start from."""

    def __init__(
        self, text: str, signers: Sequence[str], name: str = "ed25519", *, epoch: int = 0, seed: int = 0
    ) -> None:
        self.suite = suite_named(name)
        self.group, self.names, self.epoch = self.suite.group, tuple(sorted(signers)), epoch
        self.shares = deal(text, self.group, epoch=epoch, seed=seed)
        self.seats = {name: Signer.of(self.shares[name], signers) for name in self.names}

    @property
    def public_key(self) -> Point:
        return self.shares[self.names[0]].public_key

    def preparing(
        self, count: int = 1, *, cheats: Iterable[Cheat] = (), seed: int = 0, **more: Any
    ) -> Result[list[Prepared]]:
        async def run(party: Party) -> list[Prepared]:
            return await prepare(party, self.seats[party.me], self.suite, count=count)

        return self._play(PREPARE, run, cheats, seed, Batch(count).to_payload(), **more)

    def prepared(self, seed: int = 0) -> dict[str, Prepared]:
        """One prepared signature, by signer."""
        result = self.preparing(seed=seed)
        result.assert_sound()
        return {name: made[0] for name, made in result.values.items()}

    def online(
        self,
        made: Mapping[str, Prepared],
        combiner: str,
        *,
        cheats: Iterable[Cheat] = (),
        seed: int = 1,
        message: bytes | Mapping[str, bytes] = MESSAGE,
        tweak: Tweak | Mapping[str, Tweak] | None = None,
        path: str = "",
    ) -> Result[bytes | None]:
        async def run(party: Party) -> bytes | None:
            wanted = message if isinstance(message, bytes) else message[party.me]
            moved = tweak[party.me] if isinstance(tweak, Mapping) else tweak
            request = Request.of(
                party.spec,
                made[party.me].id,
                self.suite,
                wanted,
                combiner=combiner,
                tweak=moved,
                path=path,
            )
            ready = ReadyNonces(made[party.me])
            return await sign_online(party, ready, self.seats[party.me], self.suite, request, wanted)

        return self._play(ONLINE, run, cheats, seed, PAYLOAD)

    def signing(
        self,
        combiner: str,
        *,
        cheats: Iterable[Cheat] = (),
        seed: int = 0,
        message: bytes | Mapping[str, bytes] = MESSAGE,
        seats: Mapping[str, Signer] | None = None,
        tweak: Tweak | None = None,
        path: str = "",
        **more: Any,
    ) -> Result[bytes | None]:
        async def run(party: Party) -> bytes | None:
            wanted = message if isinstance(message, bytes) else message[party.me]
            seat = (seats or self.seats)[party.me]
            return await sign(party, seat, self.suite, wanted, combiner=combiner, tweak=tweak, path=path)

        return self._play(SIGN, run, cheats, seed, PAYLOAD, **more)

    def _play(
        self, declaration: Any, run: Any, cheats: Iterable[Cheat], seed: int, payload: bytes, **more: Any
    ) -> Result[Any]:
        agreed = {
            "group": self.group,
            "suite": self.suite.session_suite,
            "key": KEY_ID,
            "epoch": self.epoch,
            "payload": payload,
            "journaled": False,
        }
        return Simulation(declaration, run, self.names, seed=seed, cheats=cheats, **{**agreed, **more}).run()


@cache
def table(text: str, signers: tuple[str, ...], name: str = "ed25519") -> Table:
    """A table that no test changes."""
    return Table(text, signers, name)
