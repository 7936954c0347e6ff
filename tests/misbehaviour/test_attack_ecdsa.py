"""Attacks on threshold ECDSA by somebody who knows the protocol well; most of them fail, and say why.

Each test is one idea of an attacker and the answer to it. What the table of docs/protocols/ecdsa.md promises,
check by check, is tested beside it in the other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from tests.support.signing import DIGEST, KEY_ID, Table, table

from quorate.encoding import encode
from quorate.errors import Blame, Unavailable
from quorate.primitives import extension
from quorate.primitives.parameters import TOY
from quorate.schemes.ecdsa import PRESIGN, Derivation, Presignature, checks, presign, suite, verify
from quorate.schemes.ecdsa.evidence import deviated_presigning
from quorate.schemes.ecdsa.messages import Commitment, Opening, rules
from quorate.session import Declaration, Envelope, Party, tag_of
from quorate.session.echo import Seen
from quorate.session.evidence import Exhibit, convict
from quorate.session.party import together
from quorate.testing import Recorder, Result, Simulation, Wild

SIGNERS = ("n1", "n2", "device")
STRUCTURE = "2 of (2 of (n1 n2 n3), device)"
BATCH = Declaration("batch", 1, *rules("*"))


def key() -> Table:
    return table(STRUCTURE, SIGNERS)


def batch(count: int) -> Result[list[Presignature]]:
    """Presignings side by side in one session, as forks."""

    async def run(party: Party) -> list[Presignature]:
        seats = [party.fork(str(number)) for number in range(count)]
        signer, pairs = key().seats[party.me], key().pairs[party.me]
        return await together(*(presign(seat, signer, pairs, parameters=TOY) for seat in seats))

    return Simulation(BATCH, run, SIGNERS, suite=suite(key().group, TOY), key=KEY_ID, journaled=False).run()


def envelopes(result: Result[Any], kind: type, path: str) -> dict[str, bytes]:
    """The broadcasts of a kind on a path, by sender."""
    delivered = [Envelope.parse(event.data) for event in result.trace if event.what == "deliver"]
    return {e.sender: encode(e) for e in delivered if (e.tag, e.path) == (tag_of(kind), path)}


@pytest.mark.parametrize("accused", SIGNERS)
def test_what_an_honest_party_signed_in_two_forks_convicts_it_of_nothing(accused: str) -> None:
    """A commitment of one presigning shown beside the opening of another, all of it truly signed."""
    result = batch(2)
    result.assert_sound()
    mixed = [envelopes(result, Commitment, "0")[accused], envelopes(result, Opening, "1")[accused]]
    blame = Blame(
        "it opened something else", parties=[accused], evidence=[encode(Exhibit(e, b"")) for e in mixed]
    )
    (finding,) = convict(blame, result.spec, result.roster, BATCH, key().group)
    public = result.spec.id, result.roster, key().seats["n1"].quorum, TOY
    assert not deviated_presigning(finding, *public)


def test_a_report_of_one_fork_does_not_contradict_a_view_of_another() -> None:
    result = batch(2)
    public = result.spec.id, result.roster, key().seats["n1"].quorum, TOY
    opening = Envelope.parse(envelopes(result, Opening, "0")["n1"])
    (finding,) = convict(
        Blame("x", parties=["n1"], evidence=[encode(Exhibit(encode(opening), b""))]),
        result.spec,
        result.roster,
        BATCH,
        key().group,
    )
    other = envelopes(result, Commitment, "1")
    report = Seen(tuple(other[name] for name in sorted(other)))
    (slot, _), *_ = finding.messages
    elsewhere = type(slot)("1", tag_of(Seen), "n1")
    shown = type(finding)(finding.party, finding.offence, (*finding.messages, (elsewhere, report)))
    assert not deviated_presigning(shown, *public)


@pytest.mark.parametrize("liars", [("n1", "n2"), ("n1", "device"), ("n2", "n3")], ids=str)
def test_two_liars_of_four_neither_accuse_the_honest_nor_give_a_wrong_signature(
    liars: tuple[str, ...],
) -> None:
    """Each lies once, wherever the seed says; what the two say may fit together."""
    four = table("2 of (3 of (n1 n2 n3), device)", ("n1", "n2", "n3", "device"))
    for seed in range(40):
        cheats = [Wild(liar, (seed * 7 + 3 * place) % 12, seed) for place, liar in enumerate(liars)]
        result = four.signing("device", seed=seed, cheats=cheats)
        result.assert_sound()
        signature = result.values.get("device")
        if signature is not None and "device" not in liars:
            verify(four.public_key, DIGEST, signature)


def test_a_failed_session_leaves_nothing_that_the_next_one_could_be_told_apart_by() -> None:
    """After any lie the same setups sign: nothing in a setup moves with a session, failed or not."""
    before = {name: [s.to_bytes() for s in pairs.values()] for name, pairs in key().pairs.items()}
    for nth in range(8):
        key().signing("device", seed=nth, cheats=[Wild("n1", nth, nth)])
    assert before == {name: [s.to_bytes() for s in pairs.values()] for name, pairs in key().pairs.items()}
    result = key().signing("device", seed=99)
    result.assert_sound()
    assert result.values["device"] is not None


def test_no_message_of_a_signature_holds_a_secret_of_its_sender() -> None:
    """A canary search over everything that leaves, sealed boxes opened: parts, shares, leaves, seeds."""
    recorders = [Recorder(name) for name in SIGNERS]
    result = key().signing("device", seed=11, cheats=recorders)
    assert result.values["device"] is not None
    secrets: dict[str, list[bytes]] = {}
    for name in SIGNERS:
        secrets[name] = [
            key().seats[name].part.reveal().to_bytes(),
            key().shares[name].share.reveal().to_bytes(),
        ]
        for setup in key().pairs[name].values():
            secrets[name] += [setup.zero_seed.reveal()]
            leaves = setup.sender.leaves + setup.receiver.leaves
            secrets[name] += [leaves[i : i + 16] for i in range(0, len(leaves), 16)]
    for recorder in recorders:
        said = b"".join(encode(draft.message) for draft in recorder.drafts)
        assert len(said) > 1000
        assert not [secret.hex() for secret in secrets[recorder.party] if secret in said]


@pytest.mark.parametrize("refuses", [False, True])
def test_leak_bearing_checks_run_in_the_hosts_context_only_and_never_if_it_refuses(
    monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    """A host counts, refuses and freezes there; a check outside of it would be one that nobody counts."""
    inside, checks = [], []
    genuine = extension.send

    def recorded(*arguments: Any) -> Any:
        checks.append(list(inside))
        return genuine(*arguments)

    @contextmanager
    def checking(name: str) -> Iterator[None]:
        if refuses:
            raise Unavailable("this instance is in quarantine")
        inside.append(name)
        yield
        inside.remove(name)

    async def run(party: Party) -> Presignature:
        seat, pairs = key().seats[party.me], key().pairs[party.me]
        return await presign(party, seat, pairs, parameters=TOY, checking=partial(checking, party.me))

    monkeypatch.setattr(extension, "send", recorded)
    result = Simulation(
        PRESIGN, run, SIGNERS, suite=suite(key().group, TOY), key=KEY_ID, journaled=False
    ).run()
    assert len(result.errors) == (3 if refuses else 0)
    assert len(checks) == (0 if refuses else 6)
    assert all(len(where) == 1 for where in checks)
    assert not inside


def test_no_two_different_situations_share_a_hash() -> None:
    """Session, path, quorum, suite, derivation, direction, setup, party, order: each moves what it should.

    Names are chosen so that joining them without lengths would collide.
    """
    quorum = key().seats["n1"].quorum
    other = Table(STRUCTURE, SIGNERS, epoch=1).seats["n1"].quorum
    a, b, group = bytes(32), bytes(31) + b"\x01", key().group
    ids = [
        checks.presigning_id(session, path, who, suite_, derivation)
        for session in (a, b)
        for path in ("", "1", "11")
        for who in (quorum, other)
        for suite_ in ("toy/toy", "toy/toy1")
        for derivation in Derivation
    ]
    pairs = [("n1", "n2"), ("n2", "n1"), ("n", "1n2"), ("n1n", "2")]
    ids += [checks.extension_id(ssid, *pair, setup) for ssid in (a, b) for pair in pairs for setup in (a, b)]
    ids += [checks.presignature_id(ssid) for ssid in (a, b)]
    points = [group.generator, group.generator + group.generator]
    ids += [
        checks.commit_nonce(ssid, name, point, salt)
        for ssid in (a, b)
        for name in ("n1", "n2", "n11")
        for point in points
        for salt in (a, b)
    ]
    tables = [{"n1": a, "n2": b}, {"n1": b, "n2": a}, {"n1": a}, {"n1": a, "n2": a}, {"n1": a, "n3": b}]
    ids += [checks.round_one(ssid, table_) for ssid in (a, b) for table_ in tables]
    ids += [checks.entropy_key(ssid, table_) for ssid in (a, b) for table_ in tables]
    assert len(set(ids)) == len(ids)
    shares = [
        checks.zero_share(seed, ssid, first, group).value
        for seed in (a, b)
        for ssid in (a, b)
        for first in (a, b)
    ]
    assert len(set(shares)) == len(shares)


def test_the_two_ends_of_a_pair_use_a_zero_share_with_opposite_signs() -> None:
    """Also where names sort otherwise than numbers do: n10 comes before n2."""
    share = key().group.scalar(5)
    for first, second in (("n1", "n2"), ("n10", "n2"), ("device", "n1")):
        assert (checks.signed(first, second, share) + checks.signed(second, first, share)).is_zero
