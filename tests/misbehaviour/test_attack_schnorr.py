"""Attacks on threshold Schnorr by somebody who knows the protocol well, and what became of them.

Each test is one idea of an attacker and the answer to it. What the table of docs/protocols/frost.md promises,
check by check, is tested in test_schnorr.py and test_schnorr_nonces.py.
"""

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from threading import Barrier
from typing import Any

import pytest
from nacl.signing import SigningKey
from tests.support.schnorr import MESSAGE, OF_PAIR, OF_THREE, PAIR, THREE, Table, suite_named, table
from tests.support.signing import KEY_ID

from quorate.errors import AlreadyUsed, Blame, LocalError, Malformed, ProofRejected
from quorate.groups import ED25519, Group, Point, group_named
from quorate.schemes.ecdsa.signature import normalised
from quorate.schemes.faults import Disagreement
from quorate.schemes.registry import scheme_named
from quorate.schemes.schnorr import PREPARE, Commitments, ReadyNonces, Request, Share, answer, prepare
from quorate.schemes.schnorr.evidence import deviated_preparing
from quorate.schemes.schnorr.frost import Nonces
from quorate.schemes.schnorr.online import message_hash
from quorate.schemes.schnorr.prepared import Prepared
from quorate.schemes.tweak import Tweak
from quorate.secret import Secret
from quorate.session import Party, Slot, tag_of
from quorate.session.evidence import Finding, Offence
from quorate.testing import Cheat, Mutation, Recorder, Simulation, Tamper

SCHNORR = ("ed25519", "bip340", "sr25519", "frost-ristretto255", "frost-secp256k1", "frost-p256")
SHARED = [("bip340", "frost-secp256k1"), ("sr25519", "frost-ristretto255")]
"""Suites that one key can sign by."""


def request(made: Prepared, suite: str, /, **change: object) -> Request:
    fields = {
        "prepared": made.id,
        "session": bytes(32),
        "scheme": suite,
        "key": KEY_ID,
        "epoch": 0,
        "message": message_hash(MESSAGE),
        "tweak": Tweak.none(suite_named(suite).group).to_bytes(),
        "path": "",
        "signers": made.public.signers,
        "combiner": "device",
        **change,
    }
    return Request(**fields)  # type: ignore[arg-type]


# --- whoever speaks last ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCHNORR)
def test_whoever_shows_nonces_that_cancel_the_others_is_named(name: str) -> None:
    """n1 waits for the others and shows the negative of their sums. In BIP 340, where all rows have one
    factor, R is then the identity whatever is hashed; n1 knows no nonce that fits, so its share is wrong."""
    key = table(OF_THREE, THREE, name)

    def said(kind: type[Any], *cheats: Cheat) -> dict[str, Any]:
        recorders = {peer: Recorder(peer) for peer in ("n2", "device")}
        key.signing("device", cheats=[*cheats, *recorders.values()], seed=5)
        drafts = {peer: [draft.message for draft in one.drafts] for peer, one in recorders.items()}
        return {peer: found for peer, several in drafts.items() for found in several if type(found) is kind}

    shown = [message.points for message in said(Commitments).values()]
    opposite = tuple(-key.group.sum(points[place] for points in shown) for place in (0, 1))
    cancels = Tamper("n1", Commitments, "points", Mutation("opposite", lambda _: opposite))
    result = key.signing("device", cheats=[cancels], seed=5)
    result.assert_sound()
    error = result.errors["device"]
    assert isinstance(error, Disagreement), error
    assert error.parties == ("device", "n1")
    # and if it says what it was asked, not what it told
    context = said(Share, cancels)["n2"].context
    truthful = Tamper("n1", Share, "context", Mutation("true", lambda _: context))
    result = key.signing("device", cheats=[cancels, truthful], seed=5)
    result.assert_sound()
    error = result.errors["device"]
    assert isinstance(error, Blame), error
    assert (error.parties, error.step) == (("n1",), "2.5")


# --- framing ------------------------------------------------------------------------------------------------


def test_an_honest_list_of_nonces_is_not_held_against_another_count() -> None:
    """A stranger is told how many were agreed by the accuser, who says 1 of a session that prepared 2."""
    key, recorder = table(OF_PAIR, PAIR), Recorder("n1")
    result = key.preparing(2, cheats=[recorder])
    ((_, message),) = [(draft.path, draft.message) for draft in recorder.drafts]
    slot = Slot("", tag_of(Commitments), "n1", "*")
    finding = Finding("n1", Offence.STATEMENT, ((slot, message),))
    quorum, suite = key.seats["device"].quorum, key.suite
    for count in (1, 2, 3):
        assert not deviated_preparing(finding, result.spec.id, quorum, suite, count)
    assert isinstance(message, Commitments)
    short = replace(finding, messages=((slot, Commitments(message.ssid, message.points[:2])),))
    assert deviated_preparing(short, result.spec.id, quorum, suite, 2)
    # what it would show of another session, key or suite shows nothing
    assert not deviated_preparing(short, bytes(32), quorum, suite, 2)
    elsewhere = Table(OF_PAIR, PAIR, seed=3).seats["device"].quorum
    assert not deviated_preparing(short, result.spec.id, elsewhere, suite, 2)
    assert not deviated_preparing(short, result.spec.id, quorum, suite_named("frost-ristretto255"), 2)


# --- one pair of nonces, twice ------------------------------------------------------------------------------


def test_nonces_are_not_copied() -> None:
    ready = ReadyNonces(table(OF_PAIR, PAIR).prepared()["n1"])
    for clone in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="no copy"):
            clone(ready)


def test_two_threads_with_two_requests_get_one_share() -> None:
    key = table(OF_PAIR, PAIR)
    made = key.prepared()["n1"]
    for _ in range(10):
        ready, barrier = ReadyNonces(made), Barrier(4)

        def race(place: int, ready: ReadyNonces = ready, barrier: Barrier = barrier) -> Share | None:
            asked = request(made, "ed25519", session=bytes([place]) * 32)
            barrier.wait()
            try:
                return answer(ready, key.seats["n1"], key.suite, asked, MESSAGE)
            except AlreadyUsed:
                return None

        with ThreadPoolExecutor(4) as pool:
            shares = [share for share in pool.map(race, range(4)) if share is not None]
        assert len(shares) == 1


@pytest.mark.parametrize("fields", [("hiding", "binding"), ("hiding",), ("binding",)])
def test_nonces_wiped_with_zeros_are_no_nonces(fields: tuple[str, ...]) -> None:
    """A share made with zeros is the part times a public number. BIP 445 refuses them for the same reason."""
    made = table(OF_PAIR, PAIR).prepared()["n1"]
    zero = Secret(ED25519.scalar(0))
    wiped = replace(made, nonces=replace(made.nonces, **dict.fromkeys(fields, zero)))
    assert Prepared.from_bytes(made.to_bytes()).id == made.id
    with pytest.raises(Malformed, match="wiped"):
        Prepared.from_bytes(wiped.to_bytes())


def test_a_generator_that_repeats_itself_gives_other_nonces_in_another_session() -> None:
    """Two copies of a machine go on with equal randomness, in two sessions with honest others."""
    key, seen = table(OF_PAIR, PAIR), []
    for seed in (1, 2):

        async def run(party: Party) -> list[Prepared]:
            if party.me == "n1":
                party._core.rng = lambda count: b"\x2a" * count
            return await prepare(party, key.seats[party.me], key.suite, count=2)

        spec = {"group": key.group, "suite": key.suite.session_suite, "key": KEY_ID, "journaled": False}
        made = Simulation(PREPARE, run, PAIR, seed=seed, **spec).run().values["n1"]
        for one in made:
            seen += [one.nonces.hiding.reveal(), one.nonces.binding.reveal()]
    assert len(set(seen)) == 8


# --- one key, several suites --------------------------------------------------------------------------------


@pytest.mark.parametrize(("one", "two"), SHARED)
def test_the_same_randomness_and_share_give_unrelated_values_in_two_suites(one: str, two: str) -> None:
    """A generator that repeats itself, and the same key, signers, message and list: nothing is in common."""
    first, second = suite_named(one), suite_named(two)
    assert first.group is second.group
    part = first.group.scalar(77)
    drawn = [Nonces.draw(suite, part, lambda count: bytes(count)) for suite in (first, second)]
    assert drawn[0].hiding != drawn[1].hiding
    rows = [nonces.commit(place) for place, nonces in enumerate(drawn, start=1)]
    public = first.group.generator.multiply(part)
    factors = [set(suite.binding_factors(public, MESSAGE, rows)) for suite in (first, second)]
    assert not factors[0] & factors[1]
    challenges = [suite.challenge(rows[0].hiding, public, MESSAGE) for suite in (first, second)]
    assert challenges[0] != challenges[1]


@pytest.mark.parametrize(("one", "two"), [*SHARED, *(pair[::-1] for pair in SHARED)])
def test_nonces_made_for_one_suite_answer_no_request_of_another(one: str, two: str) -> None:
    key = table(OF_PAIR, PAIR, one)
    made = key.prepared()["n1"]
    ready, seat, other = ReadyNonces(made), key.seats["n1"], suite_named(two)
    for scheme, suite in ((two, other), (one, other), (two, key.suite)):
        with pytest.raises(LocalError, match="another scheme"):
            answer(ready, seat, suite, request(made, scheme), MESSAGE)
    # and nonces whose label was changed in a store are another's nonces: no context that anybody else has
    relabelled = replace(made, public=replace(made.public, scheme=two))
    theirs = answer(ReadyNonces(relabelled), seat, other, request(relabelled, two), MESSAGE)
    assert theirs.context != answer(ready, seat, key.suite, request(made, one), MESSAGE).context


def test_a_signature_of_one_scheme_is_none_of_another_with_the_same_key() -> None:
    message = b"\x17" * 32
    key = table(OF_PAIR, PAIR, "frost-secp256k1")
    made = key.signing("device", message=message).values["device"]
    point, response = made[:33], made[33:]
    crafted = {
        "bip340": [point[1:] + response],
        "ecdsa": [point[1:] + response + bytes([v]) for v in range(4)],
    }
    key.suite.verify(key.public_key, message, made)
    for name, signatures in crafted.items():
        for signature in signatures:
            with pytest.raises(ProofRejected):
                scheme_named(name).verify(key.public_key, message, signature)


def test_a_schnorr_signature_makes_an_ecdsa_signature_only_of_a_digest_that_nobody_chose() -> None:
    """R = z G - c X has the form of an ECDSA nonce point, so s = -r/c fits the digest -z r/c. Any a G + b X
    does the same, without a signature: the digest comes out at the end, and is no hash of anything."""
    key = table(OF_PAIR, PAIR, "frost-secp256k1")
    group, suite, ecdsa = key.group, key.suite, scheme_named("ecdsa")
    made = key.signing("device").values["device"]
    nonce, z = group.point_from_bytes(made[:33]), group.scalar_from_bytes(made[33:])
    pairs = [(z, -suite.challenge(nonce, key.public_key, MESSAGE)), (group.scalar(3), group.scalar(5))]
    for a, b in pairs:
        point = group.generator.multiply(a) + key.public_key.multiply(b)
        r = group.scalar(group.x_coordinate(point))
        s = r * b.inverse()
        forged = normalised(point, s).to_bytes()
        ecdsa.verify(key.public_key, (a * s).to_bytes(), forged)
        with pytest.raises(ProofRejected):
            ecdsa.verify(key.public_key, sha256(MESSAGE).digest(), forged)


# --- keys that belong elsewhere -----------------------------------------------------------------------------


def foreign(group: Group) -> Iterator[Point]:
    for name in ("secp256k1", "ed25519", "p256", "stark", "ristretto255"):
        if name != group.name:
            yield group_named(name).generator
    yield group.identity


@pytest.mark.parametrize("name", SCHNORR)
def test_a_key_of_another_curve_is_refused_and_breaks_nothing(name: str) -> None:
    suite = suite_named(name)
    signature = table(OF_PAIR, PAIR, name).signing("device").values["device"]
    for key in foreign(suite.group):
        with pytest.raises(ProofRejected):
            suite.verify(key, MESSAGE, signature)


def test_an_ed25519_signature_does_not_verify_under_the_ristretto_element_with_the_same_bytes() -> None:
    """Both encodings have 32 bytes; an attacker looks for a key of its own that reads as an element, too."""
    ristretto = group_named("ristretto255")

    def twins() -> Iterator[tuple[SigningKey, Point]]:
        for seed in range(256):
            key = SigningKey(bytes([seed]) * 32)
            try:
                yield key, ristretto.point_from_bytes(key.verify_key.encode())
            except Malformed:
                continue

    key, element = next(twins())
    signature = key.sign(MESSAGE).signature
    suite: Any = suite_named("ed25519")
    suite.verify(ED25519.point_from_bytes(key.verify_key.encode()), MESSAGE, signature)
    with pytest.raises(ProofRejected):
        suite.verify(element, MESSAGE, signature)


# --- tweaks -------------------------------------------------------------------------------------------------


def test_a_path_needs_a_tweak_of_its_own_besides_that_of_an_output() -> None:
    """Else a request that says "0/7" would sign for the root's taproot output."""
    key = table(OF_PAIR, PAIR, "bip340")
    made = key.prepared()["n1"]
    ready, zero = ReadyNonces(made), key.group.scalar(0)
    asked = request(made, "bip340", tweak=Tweak(zero, b"\x05" * 32).to_bytes(), path="0/7")
    with pytest.raises(LocalError, match="has a tweak"):
        answer(ready, key.seats["n1"], key.suite, asked, MESSAGE)
    plain = Tweak(key.group.scalar(3), b"\x05" * 32).to_bytes()
    answer(ready, key.seats["n1"], key.suite, request(made, "bip340", tweak=plain, path="0/7"), MESSAGE)
