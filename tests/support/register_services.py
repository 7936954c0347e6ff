"""Register services over real vaults, and a device that reaches them by function call."""

from collections.abc import Callable
from pathlib import Path

from tests.support.register_nodes import SUBJECT

from quorate.account.register import Committee, Entry, Login
from quorate.account.register.client import Client, Signer
from quorate.account.register.entries import SLOT_SECONDS
from quorate.entropy import system_rng
from quorate.errors import Missing
from quorate.metadata import Carrier, RegisterService
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import ACCOUNT, NETWORK, RULES, START, key_of, make_committee
from quorate.vault import KeyFileSeal, Vault


class Chain:
    """Committees as every node of a test knows them."""

    def __init__(self, first: Committee) -> None:
        self.committees = {first.epoch: first}

    @property
    def current(self) -> Committee:
        return self.committees[max(self.committees)]

    def of(self, epoch: int) -> Committee | None:
        return self.committees.get(epoch)


class Place:
    """Everything of one test: clock, committee, a service for each node, each on a vault of its own."""

    def __init__(
        self, home: Path, n: int = 4, t: int = 1, *, url: Callable[[str], str] | None = None
    ) -> None:
        self.home = home
        self.now = START
        self.chain = Chain(make_committee(0, tuple(f"n{i}" for i in range(n)), t, 0))
        self.acted: dict[str, list[int]] = {}
        self.unable: set[str] = set()
        self.vaults: dict[str, Vault] = {}
        self.services: dict[str, RegisterService] = {}
        self.away: set[str] = set()
        self.asked = 0
        self._url = url or (lambda name: f"sqlite:///{home / name / 'vault.db'}")
        for name in self.chain.current.names:
            self.start(name)

    def start(self, name: str) -> RegisterService:
        """(Again) the node of this name, on the vault it has."""
        if name in self.vaults:
            self.vaults[name].close()
        key = self.home / f"{name}.key"
        seal = (
            KeyFileSeal.load(key, rng=system_rng) if key.exists() else KeyFileSeal.create(key, rng=system_rng)
        )
        vault = Vault.open(self._url(name), self.home / name / "keys", seal, rng=system_rng)
        acted = self.acted.setdefault(name, [])

        def decide(entry: Entry) -> str:
            if name in self.unable:
                return "nothing-staged"
            acted.append(entry.version)
            return ""

        service = RegisterService(
            NETWORK, name, vault, unsafe_identity(name), self.chain, RULES, lambda: self.now, decide
        )
        self.vaults[name], self.services[name] = vault, service
        return service

    def client(self, name: str | None) -> Client:
        """A device's view; without a name a reader's."""
        signer = None if name is None else Signer(key_of(name), unsafe_identity(name).sign)
        follow = self.chain.of
        first = self.chain.committees[0]
        return Client(
            SUBJECT, first, self.chain.of, lambda record: follow(int(record)), RULES.signers, signer
        )

    def carrier(self, name: str = "alice") -> Carrier:
        """Reaches the services; waiting moves the clock on."""
        login = Login(ACCOUNT, key_of(name))

        async def ask(node: str, request: bytes) -> bytes:
            self.asked += 1
            if node in self.away:
                raise Missing(f"{node} is away", parties=[node])
            return self.services[node].answer(request, login)

        async def sleep(seconds: float) -> None:
            import asyncio

            if seconds < 0.3:  # a retry, while the step's patience runs by the loop's own clock
                await asyncio.sleep(seconds)
            else:
                self.now += max(seconds, SLOT_SECONDS / 100)

        return Carrier(ask, lambda: self.now, sleep)

    def close(self) -> None:
        for vault in self.vaults.values():
            vault.close()
