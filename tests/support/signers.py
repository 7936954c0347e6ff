"""Signatures made by our own schemes in process, for whoever judges them: chains, and other people's code.

The key is dealt, its shares sign in a real session of the scheme under the simulator, and no one place has
the key while they do.
"""

from collections.abc import Sequence

from tests.support.signing import KEY_ID, PAYLOAD, deal, setups

from quorate.groups import Point, group_named
from quorate.schemes.quorum import Signer
from quorate.schemes.registry import scheme_named
from quorate.schemes.scheme import Scheme
from quorate.schemes.tweak import Tweak
from quorate.session import Party
from quorate.sharing.keyshare import KeyShare
from quorate.testing import Simulation

STRUCTURE = "2 of (1 of (n1), device)"
SIGNERS = ("device", "n1")


class DealtKey:
    """A shared key on one curve, for tests that need signatures by it."""

    def __init__(
        self, curve: str, structure: str = STRUCTURE, signers: Sequence[str] = SIGNERS, *, seed: int = 0
    ) -> None:
        self.group = group_named(curve)
        self.shares: dict[str, KeyShare] = deal(structure, self.group, seed=seed)
        self.signers = tuple(sorted(signers))
        self.seats = {name: Signer.of(self.shares[name], self.signers) for name in self.signers}
        self._sessions = 0

    @property
    def public_key(self) -> Point:
        return self.seats[self.signers[0]].quorum.public_key

    def sign(
        self, scheme: Scheme | str, message: bytes, *, tweak: Tweak | None = None, path: str = ""
    ) -> bytes:
        """The signature on `message` by the (child) key: what the first signer gets as the combiner."""
        chosen = scheme_named(scheme) if isinstance(scheme, str) else scheme
        pairs = setups(self.signers, self.group) if chosen.needs_pairs else {}
        combiner = self.signers[0]

        async def run(party: Party) -> bytes | None:
            return await chosen.sign(
                party,
                self.seats[party.me],
                message,
                combiner=combiner,
                pairs=pairs.get(party.me),
                tweak=tweak,
                path=path,
            )

        self._sessions += 1
        result = Simulation(
            chosen.declaration,
            run,
            self.signers,
            seed=self._sessions,
            group=self.group,
            suite=chosen.suite(self.group),
            key=KEY_ID,
            payload=PAYLOAD,
            journaled=False,
        ).run()
        result.assert_sound()
        signature = result.values[combiner]
        assert signature is not None
        return signature


def sign_with(scheme: str, message: bytes, *, tweak: Tweak | None = None) -> tuple[Point, bytes]:
    """A fresh key's (child) public key, and its signature on `message`."""
    key = DealtKey(scheme_named(scheme).curve)
    signature = key.sign(scheme, message, tweak=tweak)
    return (key.public_key if tweak is None else tweak.child(key.public_key)), signature
