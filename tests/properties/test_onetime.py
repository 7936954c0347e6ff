"""Any sequence of uses, burns, flips and restarts: no presignature ever gives two different answers."""

import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quorate.entropy import system_rng
from quorate.errors import AlreadyUsed, Unavailable
from quorate.vault import KeyFileSeal, Vault

KEY, SIGNERS = "key", ("device", "n1")
IDS = st.integers(0, 3).map(lambda number: bytes([number]) * 32)
REQUESTS = st.integers(0, 2).map(lambda number: bytes([0xF0 + number]) * 32)


class Uses(RuleBasedStateMachine):
    """The model: which ids were ever stored, which could still be used, and what each has answered."""

    @initialize()
    def begin(self) -> None:
        memory = (
            "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        )  # thousands of commits, no disk under test
        self.place = tempfile.TemporaryDirectory(prefix="quorate-property-", dir=memory)
        self.room = Path(self.place.name)
        self.seal = KeyFileSeal.create(self.room / "seal.key", rng=system_rng)
        self.vault = self.open()
        self.epoch, self.now = 0, 0.0
        self.stored: dict[bytes, float] = {}
        self.usable: set[bytes] = set()
        self.answers: dict[bytes, tuple[bytes, bytes]] = {}
        self.taken: set[bytes] = set()
        self.flip()

    def open(self) -> Vault:
        return Vault.open(f"sqlite:///{self.room}/vault.db", self.room / "keys", self.seal, rng=system_rng)

    def teardown(self) -> None:
        if hasattr(self, "vault"):
            self.vault.close()
            self.place.cleanup()

    @rule(name=IDS, life=st.integers(1, 50))
    def put(self, name: bytes, life: int) -> None:
        try:
            self.vault.presignatures.put(
                name,
                b"value of " + name,
                key=KEY,
                epoch=self.epoch,
                signers=SIGNERS,
                pairs={"device": name[0] % 2},
                expires=self.now + life,
                now=self.now,
            )
        except AlreadyUsed:
            assert name in self.stored
        else:
            assert name not in self.stored
            self.stored[name] = self.now + life
            self.usable.add(name)

    @rule(name=IDS, request=REQUESTS)
    def answer(self, name: bytes, request: bytes) -> None:
        fresh = system_rng(8)
        try:
            got = self.vault.presignatures.answer(
                name, request, self.now, lambda value: value.reveal() + fresh
            )
        except AlreadyUsed:
            assert name in self.taken or self.answers.get(name, (request, b""))[0] != request
        except Unavailable:
            assert name not in self.usable
            assert name not in self.answers
        else:
            if name in self.usable:
                assert got == b"value of " + name + fresh
                self.usable.discard(name)
                self.answers[name] = (request, got)
            assert self.answers[name] == (request, got)

    @rule(name=IDS, request=REQUESTS)
    def consume(self, name: bytes, request: bytes) -> None:
        try:
            got = self.vault.presignatures.consume(name, request, self.now).reveal()
        except AlreadyUsed:
            assert name in self.taken or name in self.answers
        except Unavailable:
            assert name not in self.usable
        else:
            assert name in self.usable
            assert got == b"value of " + name
            self.usable.discard(name)
            self.taken.add(name)

    @rule(name=IDS)
    def burn(self, name: bytes) -> None:
        self.vault.presignatures.burn(name)
        self.usable.discard(name)

    @rule(shard=st.integers(0, 1))
    def quarantine(self, shard: int) -> None:
        self.vault.instances.quarantine("device", shard, "check", now=self.now, leak_bearing=False)
        self.usable = {name for name in self.usable if name[0] % 2 != shard}

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.usable = {name for name in self.usable if self.stored[name] > self.now}

    @rule()
    def purge(self) -> None:
        self.vault.presignatures.purge(self.now)

    @rule()
    def flip(self) -> None:
        self.epoch += 1
        self.vault.shares.put(KEY, self.epoch, b"share", owner="n1")
        self.vault.shares.activate(KEY, self.epoch)
        self.usable.clear()
        self.taken |= set(self.answers)  # the stored answers are erased with their epoch
        self.answers.clear()

    @rule()
    def restart(self) -> None:
        self.vault.close()
        self.vault = self.open()
        assert not self.vault.rolled_back

    @invariant()
    def what_is_listed_is_what_could_be_used(self) -> None:
        if hasattr(self, "vault"):
            listed = self.vault.presignatures.ready(KEY, self.epoch, SIGNERS, self.now)
            assert set(listed) == self.usable


Uses.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestUses = Uses.TestCase
