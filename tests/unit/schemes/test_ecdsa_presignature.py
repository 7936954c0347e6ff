"""A presignature answers one request. Everything else about it is storage."""

from dataclasses import replace
from threading import Barrier, Thread

import pytest
from tests.support.signing import DIGEST, table

from quorate.errors import AlreadyUsed, Malformed
from quorate.groups import allow_toy
from quorate.schemes.ecdsa import Presignature, ReadyPresignature
from quorate.schemes.ecdsa.presignature import Derivation


def made(name: str = "n1") -> Presignature:
    return table("2 of (2 of (n1 n2), device)", ("n1", "n2", "device")).presigning().values[name]


def test_one_purpose_gets_its_result_again_and_another_gets_nothing() -> None:
    ready = ReadyPresignature(made())
    results = iter(("first", "second"))
    assert ready.use(b"one", lambda _: next(results)) == "first"
    assert ready.use(b"one", lambda _: next(results)) == "first"
    with pytest.raises(AlreadyUsed):
        ready.use(b"two", lambda _: next(results))
    assert ready.use(b"one", lambda _: next(results)) == "first"


def test_a_computation_that_fails_burns_it() -> None:
    ready = ReadyPresignature(made())
    with pytest.raises(ZeroDivisionError):
        ready.use(b"one", lambda _: 1 // 0)
    for purpose in (b"one", b"two"):
        with pytest.raises(AlreadyUsed):
            ready.use(purpose, lambda held: held)


def test_a_burned_one_is_of_no_use() -> None:
    ready = ReadyPresignature(made())
    ready.burn()
    with pytest.raises(AlreadyUsed):
        ready.use(b"one", lambda held: held)


def test_of_two_threads_one_wins() -> None:
    for _ in range(20):
        ready, start, outcomes = ReadyPresignature(made()), Barrier(2), []

        def attempt(purpose: bytes, ready=ready, start=start, outcomes=outcomes) -> None:
            start.wait()
            try:
                outcomes.append(ready.use(purpose, lambda _: purpose))
            except AlreadyUsed:
                outcomes.append(None)

        threads = [Thread(target=attempt, args=(purpose,)) for purpose in (b"one", b"two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count(None) == 1


@pytest.mark.parametrize("name", ["n1", "device"])
def test_storage_gives_back_what_was_stored(name: str) -> None:
    presignature = made(name)
    with allow_toy():
        assert Presignature.from_bytes(presignature.to_bytes()) == presignature
        for damaged in (presignature.to_bytes()[:-1], presignature.to_bytes() + b"\x00", b""):
            with pytest.raises(Malformed):
                Presignature.from_bytes(damaged)


def test_nothing_secret_is_printed() -> None:
    presignature = made()
    shown = (
        repr(presignature)
        + repr(ReadyPresignature(presignature))
        + str(ReadyPresignature(presignature).public)
    )
    for secret in (presignature.mask, presignature.nonce_share, presignature.key_share):
        assert str(secret.reveal().value) not in shown
        assert secret.reveal().to_bytes().hex() not in shown
    assert "mask" not in shown


def test_expiry_is_a_time_that_the_host_compares() -> None:
    presignature = made()
    assert not presignature.expired(1e12)
    limited = Presignature(
        **{
            name: getattr(presignature, name)
            for name in Presignature.__dataclass_fields__
            if name != "expires"
        },
        expires=1000,
    )
    assert not limited.expired(999.9)
    assert limited.expired(1000)


def test_it_says_whom_it_belongs_to() -> None:
    presignature = made()
    assert presignature.signers == ("device", "n1", "n2")
    assert presignature.keepers == ("n1", "n2")
    assert presignature.derivation is Derivation.ROOT
    assert presignature.id != presignature.ssid
    assert len(DIGEST) == 32


def test_a_keeper_without_entropy_key_is_no_presignature() -> None:
    presignature = made()
    with pytest.raises(Malformed):
        replace(presignature, entropy_key=None)
    with pytest.raises(Malformed):
        replace(presignature, me="n9")
