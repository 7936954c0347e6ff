"""The register over real vaults: durable before the reply, one transaction, and carried by a device."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.register_nodes import entry_of
from tests.support.register_services import Place
from tests.unit.vault.conftest import open_again  # noqa: F401

from quorate.account.register import Login, Question, Reply, View
from quorate.account.register.handlers import ABSTAINS, FINISHED
from quorate.account.register.handover import SHARDS, shard_of_account
from quorate.account.register.messages import (
    Decided,
    Head,
    Headed,
    Installed,
    Lock,
    Once,
    Refusal,
    Trail,
    Trailed,
    Voted,
)
from quorate.account.register.procedures import read, write
from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, LocalError, Malformed, Missing, Refused
from quorate.metadata import Office, RegisterStore
from quorate.metadata.carrier import RETRY_SECONDS
from quorate.metadata.service import MAX_ENTRIES_A_DAY, MAX_QUESTION_BYTES
from quorate.metadata.store import Standing
from quorate.testing.register.factors import ACCOUNT, make_committee
from quorate.vault import Vault

LOGIN = Login(ACCOUNT, bytes(32))
HEAD = Head(ACCOUNT, 0, bytes(32), bytes(32))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def ask(place: Place, node: str, question: Question, login: Login = LOGIN) -> Reply:
    return decode(Reply, place.services[node].answer(encode(question), login))


async def decide(place: Place, author: str, note: bytes):
    carrier, client = place.carrier(author), place.client(author)
    await carrier.run(client, read(client, system_rng))
    done = await carrier.run(client, write(client, lambda head: entry_of(author, head, note), installed=True))
    await carrier.close()
    return done


async def test_a_device_writes_and_another_reads(place: Place) -> None:
    first = await decide(place, "alice", b"one")
    second = await decide(place, "bob", b"two")
    assert (first.version, second.version) == (1, 2)
    client = place.client(None)
    assert await place.carrier().run(client, read(client, system_rng)) == second
    assert sorted(set(place.acted["n0"])) == [1, 2]
    assert ask(place, "n0", Trail(ACCOUNT, 1)) == Trailed((first, second))
    assert ask(place, "n0", Trail(ACCOUNT, 3)) == Trailed(())


async def test_a_node_that_is_away_is_not_waited_for(place: Place) -> None:
    place.away.add("n3")
    await decide(place, "alice", b"one")
    place.away.clear()
    await decide(place, "alice", b"two")
    assert place.services["n3"].head(ACCOUNT).version == 2
    place.away |= {"n0", "n1"}
    client = place.client("alice")
    with pytest.raises(Missing):
        await place.carrier().run(client, read(client, system_rng))


async def test_a_node_that_comes_back_within_a_step_is_reached(place: Place) -> None:
    place.away |= {"n0", "n1"}

    async def come_back() -> None:
        await asyncio.sleep(RETRY_SECONDS)
        place.away.clear()

    task = asyncio.create_task(come_back())
    client = place.client("alice")
    assert await place.carrier().run(client, read(client, system_rng)) is None
    await task


async def test_garbage_and_errors_of_one_node_are_no_answer(place: Place) -> None:
    carrier, client = place.carrier(), place.client("alice")
    honest = carrier._ask

    async def spoilt(node: str, request: bytes) -> bytes:
        if node == "n0":
            return b"\xc1" * 9
        return await honest(node, request)

    carrier._ask = spoilt
    assert await carrier.run(client, read(client, system_rng)) is None


def test_a_vote_is_on_disk_when_the_reply_is_there(place: Place, tmp_path: Path) -> None:
    entry, rival = entry_of("alice", None, b"one"), entry_of("bob", None, b"two")
    assert isinstance(ask(place, "n0", Lock(View(0), entry)), Voted)
    # Another process sees it, without anything of ours being closed.
    with sqlite3.connect(tmp_path / "n0" / "vault.db") as other:
        assert other.execute("SELECT count(*) FROM records WHERE kind LIKE 'register-rows-%'").fetchone() == (
            1,
        )
    again = place.start("n0")
    reply = again.reply(Lock(View(0), rival), LOGIN)
    assert isinstance(reply, Refusal)


def test_a_vote_that_cannot_be_written_is_not_given(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, rival = entry_of("alice", None, b"one"), entry_of("bob", None, b"two")

    def fail(self: RegisterStore) -> None:
        raise LocalError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(RegisterStore, "advance", fail)
        with pytest.raises(LocalError):
            ask(place, "n0", Lock(View(0), entry))
    assert isinstance(ask(place, "n0", Lock(View(0), rival)), Voted)


async def test_a_head_and_what_the_node_does_about_it_are_one(place: Place) -> None:
    entry = await decide(place, "alice", b"one")
    fresh = place.services["n3"]

    def fail(entry) -> str:
        raise LocalError("cannot act")

    fresh._decide = fail
    client = place.client("alice")
    carrier = place.carrier()
    await carrier.run(client, read(client, system_rng))
    second = await carrier.run(client, write(client, lambda head: entry_of("alice", head, b"two")))
    await carrier.close()
    with pytest.raises(LocalError, match="cannot act"):
        ask(place, "n3", Decided(second, client.proof))
    assert place.services["n3"].head(ACCOUNT) == entry


async def test_a_node_that_cannot_act_keeps_the_head_and_does_not_say_installed(place: Place) -> None:
    place.unable |= {"n3"}
    entry = await decide(place, "alice", b"one")
    client = place.client("alice")
    await place.carrier().run(client, read(client, system_rng))
    assert ask(place, "n3", Decided(entry, client.proof)).reason.rule == "nothing-staged"
    assert place.services["n3"].head(ACCOUNT) == entry
    place.unable.clear()
    assert isinstance(ask(place, "n3", Decided(entry, client.proof)), Installed)
    place.unable |= {"n2", "n3"}
    with pytest.raises(Missing, match="3 nodes must act on it and 2 have"):
        await decide(place, "alice", b"two")


def test_a_database_restored_from_before_a_vote_does_not_vote(place: Place, tmp_path: Path) -> None:
    home = tmp_path / "n0"
    place.vaults["n0"].close()
    shutil.copytree(home, tmp_path / "copy")
    place.start("n0")
    assert isinstance(ask(place, "n0", Lock(View(0), entry_of("alice", None, b"one"))), Voted)
    place.vaults["n0"].close()
    for file in home.glob("vault.db*"):
        file.unlink()
    for file in (tmp_path / "copy").glob("vault.db*"):
        shutil.copy(file, home)
    restored = place.start("n0")
    assert place.vaults["n0"].rolled_back
    rival = Lock(View(0), entry_of("bob", None, b"two"))
    assert restored.reply(rival, LOGIN).reason.rule == ABSTAINS
    assert ask(place, "n0", HEAD).reason.rule == ABSTAINS
    # Nor when the operator has had a look: only the next committee hands over what was forgotten.
    place.vaults["n0"].acknowledge_rollback()
    assert place.start("n0").reply(rival, LOGIN).reason.rule == ABSTAINS
    with pytest.raises(Refused, match="no last word"):
        restored.finish()
        restored.last_word(0)


def test_what_is_no_question_or_of_another_is_refused(place: Place) -> None:
    service = place.services["n0"]
    with pytest.raises(Malformed):
        service.answer(b"\x00", LOGIN)
    with pytest.raises(LimitExceeded):
        service.answer(bytes(MAX_QUESTION_BYTES + 1), LOGIN)
    with pytest.raises(Refused, match="another account"):
        service.answer(encode(HEAD), Login(bytes(32), bytes(32)))
    with pytest.raises(Refused) as raised:
        ask(place, "n0", Once(ACCOUNT, "pool/x", b"v"))
    assert raised.value.code == "slot"


def test_one_account_fills_no_node(place: Place) -> None:
    store = place.services["n0"].store
    for _ in range(MAX_ENTRIES_A_DAY):
        store.count(ACCOUNT, int(place.now // 86400))
    lock = Lock(View(0), entry_of("alice", None, b"one"))
    assert ask(place, "n0", lock).reason.rule == "rate"
    place.now += 86400
    late = Lock(View(0), entry_of("alice", None, b"two", expires=1 << 40))
    assert isinstance(ask(place, "n0", late), Voted)


async def test_a_committee_hands_over_to_the_next(place: Place) -> None:
    await decide(place, "alice", b"one")
    names = ("n0", "n1", "m0", "m1")
    place.chain.committees[1] = make_committee(1, names, 1, 0)
    for name in ("m0", "m1"):
        service = place.start(name)
        assert service.office == Office(1, Standing.JOINS)
        assert ask(place, name, Head(ACCOUNT, 1, bytes(32), bytes(32))).reason.rule == ABSTAINS
    # Whoever still asks the old ones is told where the register is now.
    assert ask(place, "n2", HEAD).reason.epoch == 1
    old = [place.services[name] for name in ("n0", "n1", "n2")]
    for service in old:
        service.finish()
        assert service.office == Office(0, Standing.FINISHED)
    shard = shard_of_account(ACCOUNT)
    words = [member.last_word(shard) for member in old]
    assert shard < SHARDS
    with pytest.raises(Refused, match="finishes its own epoch"):
        place.services["n3"].adopt(shard, words, 1)
    for name in names:
        service = place.services[name]
        with pytest.raises(Missing):
            service.adopt(shard, words[:2], 1)
        service.adopt(shard, words, 1)
    for name in names:
        place.services[name].begin(1)
    assert place.acted["m0"] == [1]
    entry = await decide(place, "bob", b"two")
    assert entry.version == 2
    assert place.start("m0").office == Office(1, Standing.VOTES)
    assert ask(place, "n3", HEAD).reason.epoch == 1
    assert place.services["n3"].office.standing is Standing.VOTES  # it has not heard; nobody asks it


def test_rows_on_each_engine(open_again) -> None:  # noqa: F811
    vault: Vault = open_again()
    store = RegisterStore(vault)
    assert store.office(0) == Office(0, Standing.VOTES)
    generation = vault.generation.value
    row = store.row(ACCOUNT, 0)
    entry = entry_of("alice", None, b"one")
    locked = row.with_lock(View(0), entry)
    with store.transaction():
        store.put(ACCOUNT, row, locked)
        store.advance()
    assert vault.generation.value == generation + 1
    again = RegisterStore(open_again())
    assert again.row(ACCOUNT, 0) == locked
    assert again.rows(shard_of_account(ACCOUNT)) == {ACCOUNT: locked}
    assert again.fill("pool/x", b"mine") == b"mine"
    assert again.fill("pool/x", b"yours") == b"mine"
    assert store.slot("pool/x") == b"mine"
    assert store.slot("pool/y") is None
    assert FINISHED != ABSTAINS


async def test_a_head_shows_what_was_asked_over_the_nonce(place: Place) -> None:
    reply = ask(place, "n0", HEAD)
    assert isinstance(reply, Headed)
    assert reply.nonce == HEAD.nonce
