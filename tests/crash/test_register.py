"""A node dies at every durable step of a vote: what it has said it holds to, and it goes on voting."""

from pathlib import Path

import pytest
from tests.support.killing import Killed
from tests.support.register_nodes import Nodes, entry_of
from tests.support.register_services import Chain

from quorate.account.register import Entry, Login, Reply, View
from quorate.account.register.messages import Commit, Conflict, Decided, Installed, Lock, Refusal, Voted
from quorate.entropy import system_rng
from quorate.metadata import RegisterService
from quorate.metadata.store import Standing
from quorate.testing.identities import unsafe_identity
from quorate.testing.register.factors import ACCOUNT, NETWORK, RULES, START, make_committee
from quorate.vault import KeyFileSeal, Vault

LOGIN = Login(ACCOUNT, bytes(32))
OPEN = View(0)


class Mortal:
    """One node on disk that dies at the `moment`-th durable step, and starts again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.left = 0
        self.acted: list[int] = []
        self.seal = KeyFileSeal.create(home / "seal.key", rng=system_rng)
        self.vault: Vault | None = None

    def step(self, name: str) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                raise Killed(name)

    def start(self) -> RegisterService:
        if self.vault is not None:
            self.vault.close()
        url = f"sqlite:///{self.home / 'vault.db'}"
        self.vault = Vault.open(url, self.home / "keys", self.seal, rng=system_rng, step=self.step)
        chain = Chain(make_committee(0, ("n0", "n1", "n2", "n3"), 1, 0))

        def act(entry: Entry) -> str:
            self.acted.append(entry.version)
            return ""

        return RegisterService(
            NETWORK, "n0", self.vault, unsafe_identity("n0"), chain, RULES, lambda: START, act
        )

    def dying(self, service: RegisterService, question: Lock | Commit | Decided, moment: int) -> Reply | None:
        """The reply, None if it died before there was one."""
        self.left = moment
        try:
            return service.reply(question, LOGIN)
        except Killed:
            return None
        finally:
            self.left = 0


@pytest.mark.parametrize("what", ["lock", "commit", "decided"])
def test_a_node_that_dies_at_any_moment_of_a_vote(tmp_path: Path, what: str) -> None:
    others = Nodes()
    entry, rival = entry_of("alice", None, b"one"), entry_of("bob", None, b"two")
    certificate = others.lock([1, 2, 3], entry)
    proof = others.commit([1, 2, 3], certificate, entry)
    question = {
        "lock": Lock(OPEN, entry),
        "commit": Commit(ACCOUNT, certificate, entry),
        "decided": Decided(entry, proof),
    }[what]
    deaths = 0
    for moment in range(1, 100):
        home = tmp_path / str(moment)
        home.mkdir()
        node = Mortal(home)
        reply = node.dying(node.start(), question, moment)
        service = node.start()
        assert node.vault is not None
        assert not node.vault.rolled_back
        assert service.office.standing is Standing.VOTES
        if reply is None:
            deaths += 1
        row = service.store.row(ACCOUNT, 0)
        again = service.reply(question, LOGIN)
        if what == "lock":
            assert isinstance(again, Voted)
            refused = service.reply(Lock(OPEN, rival), LOGIN)
            assert isinstance(refused, Refusal)
            assert isinstance(refused.reason, Conflict)
            assert reply in (None, again)
            assert (row.lock is not None) or reply is None
        elif what == "commit":
            assert isinstance(again, Voted)
            assert (row.certificate is not None) or reply is None
        else:
            assert isinstance(again, Installed)
            assert (row.version == 1) or reply is None
            assert service.store.trail(ACCOUNT, 1) == (entry,)
            assert set(node.acted) == {1}
        node.vault.close()
        node.vault = None
        if reply is not None:
            break
    else:
        pytest.fail("it never came through")
    assert deaths >= 4
