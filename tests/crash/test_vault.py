"""Kill -9 at every write of the vault: after a restart the old state is there, or the new one, never half.

Each run forks a child that opens the vault, does one thing, and kills itself before its n-th durable step,
for n = 1, 2, ... until it gets through. The steps are told by the hook that the vault takes as a parameter
(`quorate.vault.steps`). What the child has *released*, it writes to a pipe; the parent then opens the vault
again and compares. A killed process leaves the page cache of the operating system alone, so this shows the
order of writes, not that `fsync` reaches the platter.
"""

import os
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.errors import AlreadyUsed, Refused, Unavailable
from quorate.vault import KeyFileSeal, Vault
from quorate.vault.instances import Direction, InstanceState
from quorate.vault.rows import epoch_scope
from quorate.vault.shares import ShareState
from quorate.vault.slashing import Attestation, Block, Duty
from quorate.vault.steps import Step, no_step

KEY, NOW, SIGNERS = "wallet-key", 1_800_000_000.0, ("device", "n1")
ID, REQUEST, OTHER = b"\x01" * 32, b"r" * 32, b"s" * 32
SESSION = b"\xaa" * 32
MOST_STEPS = 400

Release = Callable[[bytes], None]
Work = Callable[[Vault, Release], None]


@dataclass(frozen=True)
class House:
    """Where one run keeps its vault."""

    url: str
    room: Path

    def open(self, step: Step = no_step) -> Vault:
        seal_path = self.room / "seal.key"
        if seal_path.exists():
            seal = KeyFileSeal.load(seal_path, rng=system_rng)
        else:
            seal = KeyFileSeal.create(seal_path, rng=system_rng)
        return Vault.open(self.url, self.room / "keys", seal, rng=system_rng, step=step)


NewHouse = Callable[[], House]


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: hundreds of vaults are made, and no platter is under test."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="quorate-crash-", dir=memory) as name:
        yield Path(name)


on_both_engines = pytest.mark.parametrize(
    "new_house",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.requires("postgresql"))],
    indirect=True,
)


@pytest.fixture
def new_house(request: pytest.FixtureRequest, rooms: Path) -> NewHouse:
    engine = getattr(request, "param", "sqlite")
    server = request.getfixturevalue("postgresql") if engine == "postgresql" else None
    count = iter(range(MOST_STEPS))

    def furnish(house: House) -> House:
        vault = house.open()
        vault.shares.put(KEY, 1, b"one", owner="n1")
        vault.shares.activate(KEY, 1)
        vault.presignatures.put(
            ID, b"value", key=KEY, epoch=1, signers=SIGNERS, pairs={"device": 0}, expires=NOW + 60, now=NOW
        )
        vault.close()
        return house

    def make() -> House:
        room = rooms / f"{next(count)}"
        if server is not None:
            room.mkdir(mode=0o700)
            return furnish(House(server.fresh(), room))
        model = rooms / "model"
        if not model.exists():
            model.mkdir(mode=0o700)
            furnish(House(f"sqlite:///{model / 'vault.db'}", model))
        shutil.copytree(model, room)
        return House(f"sqlite:///{room / 'vault.db'}", room)

    return make


def crashes(
    new_house: NewHouse, work: Work, *, prepare: Callable[[Vault], None] | None = None
) -> Iterator[tuple[Vault, list[bytes]]]:
    """For each step of opening and `work`: a vault whose process died there, and what it had released.

    The last one is of the run that got through.
    """
    for at in range(1, MOST_STEPS):
        house = new_house()
        if prepare is not None:
            vault = house.open()
            prepare(vault)
            vault.close()
        died, released = dies_at(house, work, at)
        vault = house.open()
        yield vault, released
        vault.close()
        if not died:
            assert at > 5, "the hook was hardly ever called"
            return
    raise AssertionError(f"more than {MOST_STEPS} steps")


def dies_at(house: House, work: Work, at: int) -> tuple[bool, list[bytes]]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        run_child(house, work, at, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        released = [bytes.fromhex(line.decode()) for line in pipe.read().splitlines()]
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True, released
    assert os.waitstatus_to_exitcode(status) == 0, "the child failed; its traceback is above"
    return False, released


def run_child(house: House, work: Work, at: int, pipe: int) -> None:
    count = 0

    def step(name: str) -> None:
        nonlocal count
        count += 1
        if count == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def release(what: bytes) -> None:
        os.write(pipe, what.hex().encode() + b"\n")

    try:
        work(house.open(step), release)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def ready(vault: Vault) -> bool:
    return vault.presignatures.ready(KEY, 1, SIGNERS, NOW) == [ID]


def answer_from(vault: Vault, request: bytes) -> bytes | None:
    try:
        return vault.presignatures.answer(ID, request, NOW, lambda value: value.reveal() + request)
    except AlreadyUsed:
        return None


@on_both_engines
def test_an_answer_is_stored_or_the_presignature_is_fresh_and_two_answers_are_impossible(
    new_house: NewHouse,
) -> None:
    def work(vault: Vault, release: Release) -> None:
        release(vault.presignatures.answer(ID, REQUEST, NOW, lambda value: value.reveal() + REQUEST))

    outcomes = set()
    for vault, released in crashes(new_house, work):
        outcomes.add((ready(vault), bool(released)))
        if released:
            assert not ready(vault)
        later = [answer_from(vault, OTHER), answer_from(vault, REQUEST), answer_from(vault, OTHER)]
        answers = set(released) | {answer for answer in later if answer is not None}
        assert len(answers) == 1, "one presignature, one answer"
    assert outcomes == {(True, False), (False, False), (False, True)}


def test_a_value_that_was_taken_out_is_never_taken_again(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        release(vault.presignatures.consume(ID, REQUEST, NOW).reveal())

    outcomes = set()
    for vault, released in crashes(new_house, work):
        outcomes.add((ready(vault), bool(released)))
        taken = list(released)
        for request in (OTHER, REQUEST):
            try:
                taken.append(vault.presignatures.consume(ID, request, NOW).reveal())
            except AlreadyUsed:
                continue
        assert len(taken) <= 1, "taken out twice"
    assert outcomes == {(True, False), (False, False), (False, True)}


@on_both_engines
@pytest.mark.parametrize("kind", ["block", "attestation"])
def test_a_validator_s_duty_is_done_in_one_way_wherever_the_process_dies(
    new_house: NewHouse, kind: str
) -> None:
    def duty(root: bytes) -> Duty:
        return Block(7, root * 32) if kind == "block" else Attestation(3, 4, root * 32)

    def permit(vault: Vault, root: bytes) -> list[bytes]:
        try:
            vault.duties.permit(b"v" * 48, b"g" * 32, duty(root))
        except Refused:
            return []
        return [root]

    def work(vault: Vault, release: Release) -> None:
        for root in permit(vault, b"a"):
            release(root)

    outcomes = set()
    for vault, released in crashes(new_house, work):
        signed = {*released, *permit(vault, b"b"), *permit(vault, b"a"), *permit(vault, b"b")}
        assert len(signed) == 1, "one duty, one root"
        outcomes.add((bool(released), *signed))
    # nothing stored and another one done; stored but not released, and done again; released
    assert outcomes == {(False, b"b"), (False, b"a"), (True, b"a")}


@on_both_engines
def test_a_flip_leaves_the_old_epoch_or_the_new_one_and_the_erasure_is_finished(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.shares.activate(KEY, 2)
        release(b"flipped")

    epochs = set()
    for vault, released in crashes(
        new_house, work, prepare=lambda vault: vault.shares.put(KEY, 2, b"two", owner="n1")
    ):
        epoch = vault.shares.active_epoch(KEY)
        epochs.add(epoch)
        if epoch == 1:
            assert not released
            assert vault.shares.get(KEY).reveal() == b"one"
            assert vault.shares.get(KEY, 2).reveal() == b"two"
            assert ready(vault)
            assert vault.data_keys.exists(epoch_scope(KEY, 1))
        else:
            assert vault.shares.get(KEY).reveal() == b"two"
            assert vault.shares.epochs(KEY) == {1: ShareState.SUPERSEDED, 2: ShareState.ACTIVE}
            assert not ready(vault)
            assert not vault.data_keys.exists(epoch_scope(KEY, 1))
            assert not list((vault.data_keys._directory / "drafts").iterdir())
        vault.shares.activate(KEY, 2)
        assert vault.shares.get(KEY).reveal() == b"two"
        assert not vault.rolled_back
    assert epochs == {1, 2}


def test_a_discarded_share_is_there_or_gone_and_its_epoch_can_be_tried_again(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.shares.discard(KEY, 2)
        vault.shares.put(KEY, 2, b"second try", owner="n1")
        release(b"done")

    seen = set()
    for vault, released in crashes(
        new_house, work, prepare=lambda vault: vault.shares.put(KEY, 2, b"first try", owner="n1")
    ):
        share = vault.shares.get(KEY, 2).reveal() if 2 in vault.shares.epochs(KEY) else None
        seen.add(share)
        assert share == b"second try" or not released
        vault.shares.discard(KEY, 2)
        vault.shares.put(KEY, 2, b"third try", owner="n1")
        vault.shares.activate(KEY, 2)
        assert vault.shares.get(KEY).reveal() == b"third try"
    assert seen == {b"first try", None, b"second try"}


@on_both_engines
def test_a_quarantine_is_whole_or_not_there_and_never_forgotten_once_answered(new_house: NewHouse) -> None:
    def prepare(vault: Vault) -> None:
        for direction in Direction:
            vault.instances.store("device", 0, direction, 1, b"state", now=NOW)

    def work(vault: Vault, release: Release) -> None:
        vault.instances.quarantine("device", 0, "check failed", now=NOW)
        release(b"answered")

    frozen = set()
    for vault, released in crashes(new_house, work, prepare=prepare):
        states = {status.state for status in vault.instances.statuses("device")}
        assert len(states) == 1, "one direction frozen, the other not"
        quarantined = states == {InstanceState.QUARANTINED}
        frozen.add(quarantined)
        assert quarantined or not released
        assert ready(vault) is not quarantined
        for direction in Direction:
            assert vault.data_keys.exists(f"ot:device:0:{direction}:1") is not quarantined
        with vault.transaction() as tx:
            assert tx.query("SELECT COUNT(*) FROM instance_failures") == [(int(quarantined),)]
    assert frozen == {True, False}


def test_a_fresh_instance_replaces_the_old_one_or_leaves_it(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.instances.store("device", 0, Direction.SENDER, 2, b"new", now=NOW)
        release(b"stored")

    seen = set()
    for vault, released in crashes(
        new_house,
        work,
        prepare=lambda vault: vault.instances.store("device", 0, Direction.SENDER, 1, b"old", now=NOW),
    ):
        loaded = vault.instances.load("device", 0, Direction.SENDER)
        assert (loaded.generation, loaded.value.reveal()) in [(1, b"old"), (2, b"new")]
        seen.add(loaded.generation)
        assert loaded.generation == 2 or not released
        assert vault.data_keys.exists("ot:device:0:sender:1") is (loaded.generation == 1)
    assert seen == {1, 2}


def test_a_message_counted_before_a_crash_stays_counted(new_house: NewHouse) -> None:
    def work(vault: Vault, release: Release) -> None:
        vault.instances.begin_session("device", 0, Direction.SENDER, 1)
        release(b"the check runs now")

    for vault, released in crashes(
        new_house,
        work,
        prepare=lambda vault: vault.instances.store("device", 0, Direction.SENDER, 1, b"old", now=NOW),
    ):
        loaded = vault.instances.load("device", 0, Direction.SENDER)
        assert loaded.unverified == loaded.sessions
        assert loaded.unverified >= len(released)


@on_both_engines
def test_a_journal_holds_every_record_whose_answers_left_and_at_most_one_more(new_house: NewHouse) -> None:
    records = [(b"", (b"a",)), (b"x", (b"b", b"c")), (b"y", ())]

    def work(vault: Vault, release: Release) -> None:
        vault.journal.begin(SESSION, b"header")
        release(b"begun")
        for inbound, outbound in records:
            vault.journal.append(SESSION, inbound, outbound)
            release(b"appended")

    lengths = set()
    for vault, released in crashes(new_house, work):
        loaded = vault.journal.load(SESSION)
        if loaded is None:
            assert not released
            continue
        header, stored = loaded
        assert header == b"header"
        assert stored == records[: len(stored)]
        assert len(released) - 1 <= len(stored) <= max(len(released), 0)
        lengths.add(len(stored))
    assert lengths == {0, 1, 2, 3}


def test_the_end_of_a_journal_is_whole(new_house: NewHouse) -> None:
    def prepare(vault: Vault) -> None:
        vault.journal.begin(SESSION, b"header")
        vault.journal.append(SESSION, b"in", (b"out",))

    def work(vault: Vault, release: Release) -> None:
        vault.journal.end(SESSION)
        release(b"ended")

    seen = set()
    for vault, released in crashes(new_house, work, prepare=prepare):
        loaded = vault.journal.load(SESSION)
        seen.add(loaded is None)
        assert loaded in (None, (b"header", [(b"in", (b"out",))]))
        assert loaded is None or not released
        assert vault.data_keys.exists(f"journal:{SESSION.hex()}") is (loaded is not None)
    assert seen == {True, False}


def test_a_rollback_is_not_forgotten_by_a_crash_while_it_is_found(new_house: NewHouse) -> None:
    def prepare(vault: Vault) -> None:
        """Put the database back by one use of a presignature, which a copy of it would do."""
        with vault.transaction() as tx:
            rows = tx.query("SELECT state, body FROM presignatures")
            generation = tx.query("SELECT value FROM generation")
        vault.presignatures.consume(ID, REQUEST, NOW)
        with vault.transaction() as tx:
            tx.execute("UPDATE presignatures SET state = ?, body = ?", rows[0])
            tx.execute("UPDATE generation SET value = ?", generation[0])

    for vault, _ in crashes(new_house, lambda vault, release: None, prepare=prepare):
        assert vault.rolled_back
        assert not ready(vault)
        vault.acknowledge_rollback()
        with pytest.raises(Unavailable):
            vault.presignatures.consume(ID, OTHER, NOW)


def test_a_first_opening_that_dies_can_be_repeated(rooms: Path) -> None:
    for at in range(1, MOST_STEPS):
        room = rooms / f"{at}"
        room.mkdir(mode=0o700)
        house = House(f"sqlite:///{room / 'vault.db'}", room)
        died, _ = dies_at(house, lambda vault, release: None, at)
        vault = house.open()
        assert not vault.rolled_back
        vault.shares.put(KEY, 1, b"one", owner="n1")
        assert vault.shares.get(KEY, 1).reveal() == b"one"
        vault.close()
        if not died:
            return
    raise AssertionError("never got through")
