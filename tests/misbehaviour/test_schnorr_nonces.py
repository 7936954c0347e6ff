"""Prepared nonces used twice: within a process, through a vault, and after its restart."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from tests.support.schnorr import MESSAGE, OF_PAIR, PAIR, Table, table
from tests.support.signing import KEY_ID

from quorate.encoding import decode, encode
from quorate.entropy import system_rng
from quorate.errors import AlreadyUsed, LocalError, Malformed, Unavailable
from quorate.groups import ED25519, parser_for
from quorate.schemes.faults import Disagreement
from quorate.schemes.schnorr import (
    ONLINE,
    Prepared,
    ReadyNonces,
    Request,
    Share,
    WrongShares,
    answer,
    combine,
)
from quorate.schemes.schnorr.online import check_session, message_hash
from quorate.schemes.schnorr.prepared import _Stored
from quorate.schemes.tweak import Tweak
from quorate.secret import Secret
from quorate.testing import Simulation
from quorate.vault import KeyFileSeal, Vault

NOW = 1_800_000_000.0
KEY = KEY_ID.hex()
SIGNERS = tuple(sorted(PAIR))
ONE = ED25519.scalar(1)


def key() -> Table:
    return table(OF_PAIR, PAIR)


def request(made: Prepared, /, **change: object) -> Request:
    """A complete request to these signers; `change` alters fields of it."""
    fields = {
        "prepared": made.id,
        "session": bytes(32),
        "scheme": "ed25519",
        "key": KEY_ID,
        "epoch": 0,
        "message": message_hash(MESSAGE),
        "tweak": bytes(32),
        "path": "",
        "signers": SIGNERS,
        "combiner": "device",
        **change,
    }
    return Request(**fields)  # type: ignore[arg-type]


def respond(made: Prepared, ready: ReadyNonces, message: bytes = MESSAGE, **change: object) -> Share:
    asked = request(made, **{"message": message_hash(message), **change})
    return answer(ready, key().seats[made.public.me], key().suite, asked, message)


# --- in one process -----------------------------------------------------------------------------------------

CHANGES = [
    {"session": b"\x01" * 32},
    {"message": b"another"},
    {"tweak": ONE.to_bytes()},
    {"tweak": ONE.to_bytes(), "path": "0/7"},
    {"combiner": "n1"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_second_request_is_refused_whatever_differs(change: dict[str, object]) -> None:
    made = key().prepared()["n1"]
    ready = ReadyNonces(made)
    first = respond(made, ready)
    with pytest.raises(AlreadyUsed):
        respond(made, ready, **change)  # type: ignore[arg-type]
    assert respond(made, ready) == first
    # and the other way round
    ready = ReadyNonces(made)
    respond(made, ready, **change)  # type: ignore[arg-type]
    with pytest.raises(AlreadyUsed):
        respond(made, ready)


def test_every_field_of_a_request_changes_its_hash() -> None:
    made = key().prepared()["n1"]
    others = [request(made, **{**change, "message": bytes(32)}) for change in CHANGES]
    others += [
        request(made, prepared=bytes(32)),
        request(made, scheme="sr25519"),
        request(made, key=bytes(32)),
        request(made, epoch=1),
        request(made, signers=("device", "n2")),
        request(made, path="1"),
    ]
    assert len({asked.hash() for asked in (request(made), *others)}) == len(others) + 1


def test_a_combiner_combines_once_and_gives_no_other_signature() -> None:
    made = key().prepared()
    asked, suite, seat = request(made["device"]), key().suite, key().seats["device"]
    good = respond(made["n1"], ReadyNonces(made["n1"]))
    wrong = Share(good.context, good.response + ONE)
    ready = ReadyNonces(made["device"])
    signature = combine(ready, seat, suite, asked, MESSAGE, {"n1": good})
    suite.verify(key().public_key, MESSAGE, signature)
    assert combine(ready, seat, suite, asked, MESSAGE, {"n1": good}) == signature
    with pytest.raises(AlreadyUsed):
        combine(ready, seat, suite, asked, MESSAGE, {"n1": wrong})
    ready = ReadyNonces(made["device"])
    with pytest.raises(WrongShares) as caught:
        combine(ready, seat, suite, asked, MESSAGE, {"n1": wrong})
    assert caught.value.signers == ("n1",)
    with pytest.raises(AlreadyUsed):
        combine(ready, seat, suite, asked, MESSAGE, {"n1": good})


def test_nonces_that_answered_do_not_combine_and_the_other_way_round() -> None:
    made = key().prepared()
    suite, seat, asked = key().suite, key().seats["device"], request(made["device"])
    good = respond(made["n1"], ReadyNonces(made["n1"]))
    ready = ReadyNonces(made["device"])
    respond(made["device"], ready)
    with pytest.raises(AlreadyUsed):
        combine(ready, seat, suite, asked, MESSAGE, {"n1": good})
    ready = ReadyNonces(made["device"])
    combine(ready, seat, suite, asked, MESSAGE, {"n1": good})
    with pytest.raises(AlreadyUsed):
        respond(made["device"], ready)


def test_burned_nonces_answer_nobody() -> None:
    made = key().prepared()["n1"]
    ready = ReadyNonces(made)
    assert repr(ready) == "<ReadyNonces, ready>"
    ready.burn()
    assert repr(ready) == "<ReadyNonces, used>"
    with pytest.raises(AlreadyUsed, match="nonces were used"):
        respond(made, ready)


def test_shares_of_all_others_are_needed_and_of_nobody_else() -> None:
    made = key().prepared()
    good = respond(made["n1"], ReadyNonces(made["n1"]))
    ready = ReadyNonces(made["device"])
    for shares in ({}, {"n1": good, "n2": good}, {"device": good}):
        with pytest.raises(LocalError, match="exactly the other signers"):
            combine(ready, key().seats["device"], key().suite, request(made["device"]), MESSAGE, shares)


def test_shares_for_another_request_are_a_disagreement_and_the_nonces_are_gone() -> None:
    made = key().prepared()
    other = respond(made["n1"], ReadyNonces(made["n1"]), session=b"\x05" * 32)
    ready = ReadyNonces(made["device"])
    for error in (Disagreement, AlreadyUsed):
        with pytest.raises(error):
            combine(
                ready, key().seats["device"], key().suite, request(made["device"]), MESSAGE, {"n1": other}
            )


# --- requests that do not belong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"prepared": bytes(32)}, "other nonces"),
        ({"scheme": "sr25519"}, "another scheme"),
        ({"key": bytes(32)}, "another key or epoch"),
        ({"epoch": 3}, "another key or epoch"),
        ({"signers": ("device", "n2")}, "other signers"),
        ({"combiner": "n9"}, "other signers"),
        ({"path": "0/1"}, "has a tweak"),
        ({"tweak": b"\x01"}, "scalar"),
        ({"tweak": b"\xff" * 32}, "scalar"),
        ({"tweak": bytes(64)}, "x-only"),
    ],
    ids=str,
)
def test_a_request_that_does_not_fit_uses_nothing_up(change: dict[str, object], match: str) -> None:
    made = key().prepared()["n1"]
    ready = ReadyNonces(made)
    asked = request(made, **change)
    with pytest.raises(LocalError, match=match):
        answer(ready, key().seats["n1"], key().suite, asked, MESSAGE)
    respond(made, ready)


def test_another_message_record_or_suite_than_the_request_names_uses_nothing_up() -> None:
    made = key().prepared()["n1"]
    ready, seat, suite = ReadyNonces(made), key().seats["n1"], key().suite
    with pytest.raises(LocalError, match="another message"):
        answer(ready, seat, suite, request(made), b"another")
    stranger = Table(OF_PAIR, PAIR, seed=9)
    with pytest.raises(LocalError, match="another quorum"):
        answer(ready, stranger.seats["n1"], suite, request(made), MESSAGE)
    refreshed = Table(OF_PAIR, PAIR, epoch=1)
    with pytest.raises(LocalError, match="another quorum"):
        answer(ready, refreshed.seats["n1"], suite, request(made), MESSAGE)
    with pytest.raises(LocalError, match="another scheme"):
        answer(ready, seat, table(OF_PAIR, PAIR, "frost-ristretto255").suite, request(made), MESSAGE)
    respond(made, ready)


def test_a_path_that_leads_to_no_key_is_refused_and_uses_nothing_up() -> None:
    total = ED25519.scalar(0)
    for seat in key().seats.values():
        total = total + seat.part.reveal()
    made = key().prepared()["n1"]
    ready = ReadyNonces(made)
    with pytest.raises(LocalError, match="leaves none"):
        respond(made, ready, tweak=Tweak(-total).to_bytes(), path="0")
    respond(made, ready)


def test_a_session_uses_only_nonces_of_its_own_key_signers_and_request() -> None:
    made = key().prepared()["n1"]
    spec = Simulation(
        ONLINE,
        lambda party: None,  # type: ignore[arg-type,return-value]
        SIGNERS,
        group=ED25519,
        suite="ed25519/ed25519",
        key=KEY_ID,
    ).spec
    asked = Request.of(spec, made.id, key().suite, MESSAGE, combiner="device")
    check_session(spec, "n1", made.public, asked)
    with pytest.raises(LocalError, match="another key, epoch or signers"):
        check_session(spec, "device", made.public, asked)
    for other in (
        replace(made.public, key_id=bytes(32)),
        replace(made.public, epoch=4),
        replace(made.public, signers=("device", "n2"), me="n2"),
    ):
        with pytest.raises(LocalError, match="another key, epoch or signers"):
            check_session(spec, other.me, other, asked)
    with pytest.raises(LocalError, match="not the one this session"):
        check_session(spec, "n1", made.public, request(made))


# --- across restarts ----------------------------------------------------------------------------------------

OpenVault = Callable[[], Vault]


@pytest.fixture
def open_again(tmp_path: Path) -> Iterator[OpenVault]:
    """Opens the one vault of this test, as a restarted process would."""
    seal = KeyFileSeal.create(tmp_path / "seal" / "vault.key", rng=system_rng)
    opened: list[Vault] = []

    def open_vault() -> Vault:
        opened.append(
            Vault.open(f"sqlite:///{tmp_path / 'vault.db'}", tmp_path / "keys", seal, rng=system_rng)
        )
        return opened[-1]

    yield open_vault
    for vault in opened:
        vault.close()


def stored(vault: Vault, name: str = "n1") -> Prepared:
    """Nonces of one signer in its vault, whose share of the key is active."""
    made = key().prepared()[name]
    vault.shares.put(KEY, 0, b"a share", owner=name)
    vault.shares.activate(KEY, 0)
    vault.presignatures.put(
        made.id,
        made.to_bytes(),
        key=KEY,
        epoch=0,
        signers=SIGNERS,
        pairs={},
        expires=NOW + 60,
        now=NOW,
    )
    return made


def through(vault: Vault, made: Prepared, asked: Request, message: bytes = MESSAGE) -> Share:
    """What a host does: the share is made inside the transaction that consumes the nonces."""

    def compute(value: Secret[bytes]) -> bytes:
        ready = ReadyNonces(Prepared.from_bytes(value.reveal()))
        return encode(answer(ready, key().seats["n1"], key().suite, asked, message))

    octets = vault.presignatures.answer(made.id, asked.hash(), NOW, compute)
    return decode(Share, octets, parser_for(ED25519))


def test_a_vault_gives_one_share_for_one_request_also_after_a_restart(open_again: OpenVault) -> None:
    vault = open_again()
    made = stored(vault)
    first = through(vault, made, request(made))
    for reader in (vault, open_again()):
        assert through(reader, made, request(made)) == first
        for change in CHANGES:
            message = change.get("message", MESSAGE)
            asked = request(made, **{**change, "message": message_hash(message)})  # type: ignore[arg-type]
            with pytest.raises(AlreadyUsed):
                through(reader, made, asked, message)  # type: ignore[arg-type]
        with pytest.raises(AlreadyUsed):
            reader.presignatures.consume(made.id, request(made).hash(), NOW)


def test_nonces_die_with_the_process_that_took_them_out(open_again: OpenVault) -> None:
    """A combiner consumes before it reads any share; a crash then loses the nonces and doubles nothing."""
    vault = open_again()
    made = stored(vault)
    taken = vault.presignatures.consume(made.id, request(made).hash(), NOW)
    assert Prepared.from_bytes(taken.reveal()).public == made.public
    for asked in (request(made), request(made, session=b"\x02" * 32)):
        with pytest.raises(AlreadyUsed):
            open_again().presignatures.consume(made.id, asked.hash(), NOW)
        with pytest.raises(AlreadyUsed):
            through(open_again(), made, asked)


def test_nonces_of_an_epoch_that_ended_are_gone(open_again: OpenVault) -> None:
    vault = open_again()
    made = stored(vault)
    vault.shares.put(KEY, 1, b"the refreshed share", owner="n1")
    vault.shares.activate(KEY, 1)
    with pytest.raises(Unavailable):
        through(open_again(), made, request(made))


# --- what is stored -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ed25519", "frost-ristretto255", "frost-secp256k1", "frost-p256"])
def test_prepared_nonces_survive_their_encoding_and_show_no_secret(name: str) -> None:
    made = table(OF_PAIR, PAIR, name).prepared()["n1"]
    octets = made.to_bytes()
    read = Prepared.from_bytes(octets)
    assert read == made
    assert read.public.list_hash() == made.public.list_hash()
    hidden = made.nonces.hiding.reveal().to_bytes().hex()
    assert hidden not in repr(made)
    assert len(octets) < 500
    for wrong in (octets[:-1], octets + b"\0", b""):
        with pytest.raises(Malformed):
            Prepared.from_bytes(wrong)


def test_a_list_that_is_not_the_signers_is_no_preparation() -> None:
    public = key().prepared()["n1"].public
    for change in (
        {"id": b"short"},
        {"me": "n9"},
        {"commitments": public.commitments[:1]},
        {"commitments": public.commitments[::-1]},
        {"commitments": ()},
    ):
        with pytest.raises(Malformed):
            replace(public, **change)  # type: ignore[arg-type]


def test_a_stored_list_of_another_length_is_refused() -> None:
    made = key().prepared()["n1"]
    stored_ = decode(_Stored, made.to_bytes())
    for points in (stored_.points[:-1], (*stored_.points, stored_.points[0])):
        with pytest.raises(Malformed):
            Prepared.from_bytes(encode(msgspec.structs.replace(stored_, points=points)))
