"""Seals open what they wrapped, and say what to do when they do not."""

import os
import stat
from pathlib import Path

import pytest

from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import LimitExceeded, LocalError, Malformed, Remedy, Unavailable
from quorate.vault import KeyFileSeal, PassphraseSeal, PresenceDenied, Seal, open_seal
from quorate.vault.seals import (
    MAX_LANES,
    MAX_MEMORY_KIB,
    MAX_PASSES,
    MAX_WRAPPED_BYTES,
    MIN_MEMORY_KIB,
    MIN_PASSES,
    MIN_PASSPHRASE,
    Argon2Cost,
    _PassphraseBox,
)

CHEAP = Argon2Cost(MIN_MEMORY_KIB, MIN_PASSES, 1)
SECRET, CONTEXT = b"thirty-two bytes of a root key..", b"context"


def passphrase(words: str = "correct horse") -> PassphraseSeal:
    return PassphraseSeal(words, rng=system_rng, cost=CHEAP)


@pytest.fixture(params=["passphrase", "keyfile"])
def seal(request: pytest.FixtureRequest, tmp_path: Path) -> Seal:
    if request.param == "passphrase":
        return passphrase()
    return KeyFileSeal.create(tmp_path / "key", rng=system_rng)


def test_a_seal_opens_what_it_wrapped_and_only_in_its_context(seal: Seal) -> None:
    box = seal.wrap(SECRET, CONTEXT)
    assert seal.unwrap(box, CONTEXT) == SECRET
    assert SECRET not in box
    assert seal.wrap(SECRET, CONTEXT) != box
    with pytest.raises(Unavailable):
        seal.unwrap(box, b"another context")
    assert seal.exportable
    assert not seal.requires_presence


def test_a_changed_or_shortened_box_does_not_open(seal: Seal) -> None:
    box = seal.wrap(SECRET, CONTEXT)
    for bad in (box[:-1], box[:5], b"", box[:-1] + bytes([box[-1] ^ 1])):
        with pytest.raises((Unavailable, Malformed)):
            seal.unwrap(bad, CONTEXT)


def test_a_seal_wraps_keys_and_not_documents(seal: Seal) -> None:
    seal.wrap(bytes(MAX_WRAPPED_BYTES), CONTEXT)
    with pytest.raises(LimitExceeded):
        seal.wrap(bytes(MAX_WRAPPED_BYTES + 1), CONTEXT)


def test_another_passphrase_says_to_type_it_again() -> None:
    box = passphrase().wrap(SECRET, CONTEXT)
    with pytest.raises(Unavailable, match="type it again"):
        passphrase("wrong horse").unwrap(box, CONTEXT)


def test_a_short_passphrase_is_refused() -> None:
    passphrase("x" * MIN_PASSPHRASE)
    with pytest.raises(Unavailable, match="longer"):
        passphrase("x" * (MIN_PASSPHRASE - 1))


@pytest.mark.parametrize(
    "cost",
    [
        Argon2Cost(MIN_MEMORY_KIB - 1, MIN_PASSES, 1),
        Argon2Cost(MAX_MEMORY_KIB + 1, MIN_PASSES, 1),
        Argon2Cost(MIN_MEMORY_KIB, MIN_PASSES - 1, 1),
        Argon2Cost(MIN_MEMORY_KIB, MAX_PASSES + 1, 1),
        Argon2Cost(MIN_MEMORY_KIB, MIN_PASSES, 0),
        Argon2Cost(MIN_MEMORY_KIB, MIN_PASSES, MAX_LANES + 1),
    ],
)
def test_a_planted_cost_is_refused_before_any_memory_is_spent(cost: Argon2Cost) -> None:
    box = decode(_PassphraseBox, passphrase().wrap(SECRET, CONTEXT))
    planted = encode(_PassphraseBox(1, cost, box.salt, box.nonce, box.sealed))
    with pytest.raises(LimitExceeded):
        passphrase().unwrap(planted, CONTEXT)


def test_the_cost_in_a_box_is_bound_to_it() -> None:
    box = decode(_PassphraseBox, passphrase().wrap(SECRET, CONTEXT))
    other = encode(
        _PassphraseBox(1, Argon2Cost(MIN_MEMORY_KIB, MIN_PASSES + 1, 1), box.salt, box.nonce, box.sealed)
    )
    with pytest.raises(Unavailable):
        passphrase().unwrap(other, CONTEXT)


def test_a_box_made_with_another_cost_opens() -> None:
    stronger = PassphraseSeal("correct horse", rng=system_rng, cost=Argon2Cost(MIN_MEMORY_KIB, 3, 2))
    assert passphrase().unwrap(stronger.wrap(SECRET, CONTEXT), CONTEXT) == SECRET


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "room" / "key"
    box = KeyFileSeal.create(path, rng=system_rng).wrap(SECRET, CONTEXT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFileSeal.load(path, rng=system_rng).unwrap(box, CONTEXT) == SECRET
    with pytest.raises(Unavailable, match="never overwritten"):
        KeyFileSeal.create(path, rng=system_rng)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_key_file_open_to_others_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    KeyFileSeal.create(path, rng=system_rng)
    path.chmod(mode)
    with pytest.raises(Unavailable, match="chmod 600"):
        KeyFileSeal.load(path, rng=system_rng)


def test_another_key_file_says_so(tmp_path: Path) -> None:
    box = KeyFileSeal.create(tmp_path / "one", rng=system_rng).wrap(SECRET, CONTEXT)
    with pytest.raises(Unavailable, match="give the one it was made with"):
        KeyFileSeal.create(tmp_path / "two", rng=system_rng).unwrap(box, CONTEXT)


def test_a_missing_or_wrong_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not exist"):
        KeyFileSeal.load(tmp_path / "none", rng=system_rng)
    short = tmp_path / "short"
    short.touch(mode=0o600)
    short.write_bytes(b"too short")
    with pytest.raises(Unavailable, match="is it the right file"):
        KeyFileSeal.load(short, rng=system_rng)
    with pytest.raises(Unavailable, match="directory"):
        KeyFileSeal.load(tmp_path, rng=system_rng)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_key_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "key"
    KeyFileSeal.create(path, rng=system_rng)
    path.chmod(0o200)
    with pytest.raises(Unavailable, match="owns it"):
        KeyFileSeal.load(path, rng=system_rng)


def test_seals_are_found_by_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(what: str) -> str:
        return "correct horse"

    assert isinstance(open_seal("passphrase:", rng=system_rng, ask=ask), PassphraseSeal)
    KeyFileSeal.create(tmp_path / "key", rng=system_rng)
    found = open_seal(f"keyfile:{tmp_path / 'key'}", rng=system_rng, ask=ask)
    assert str(tmp_path / "key") in found.describe()
    with pytest.raises(Unavailable, match="no seal is called 'enclave'"):
        open_seal("enclave:slot", rng=system_rng, ask=ask)


class Enclave(Seal):
    """The shape of hardware: its key never leaves, and it asks for a touch."""

    kind = "enclave"
    requires_presence = True
    exportable = False

    def __init__(self, present: bool) -> None:
        self.present = present
        self._inside = passphrase("never leaves this chip")

    def wrap(self, secret: bytes, context: bytes) -> bytes:
        return self._inside.wrap(secret, context)

    def unwrap(self, box: bytes, context: bytes) -> bytes:
        if not self.present:
            raise PresenceDenied(self.describe())
        return self._inside.unwrap(box, context)

    def describe(self) -> str:
        return "the enclave of this phone"


def test_a_registered_seal_is_found_by_its_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self):
            return lambda rest, rng, ask: Enclave(present=rest == "here")

    def entry_points(*, group: str, name: str):
        return [Entry()] if (group, name) == ("quorate.seals", "enclave") else []

    monkeypatch.setattr("quorate.vault.seals.entry_points", entry_points)
    seal = open_seal("enclave:here", rng=system_rng, ask=str)
    box = seal.wrap(SECRET, CONTEXT)
    assert seal.unwrap(box, CONTEXT) == SECRET
    absent = open_seal("enclave:gone", rng=system_rng, ask=str)
    with pytest.raises(PresenceDenied, match="confirm") as caught:
        absent.unwrap(box, CONTEXT)
    assert caught.value.remedy is Remedy.RETRY
    assert isinstance(caught.value, LocalError)
