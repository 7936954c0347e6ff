"""A node that echoes or votes falsely: it changes nothing for the honest, and is accused alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.accusing import ALL, HONEST, LIAR, accused, everybody
from tests.support.dealing import DEALER, FIVE, Batch, Circle

from quorate.session import Envelope, Message, tag_of
from quorate.sharing.avss.messages import Echo, Ready
from quorate.testing import unsafe_identity


def vectors(circle: Circle, right: bytes) -> dict[str, bytes]:
    """False vectors of values, by what is wrong with them."""
    group = circle.setting.group
    size = group.scalar_length
    last = (int.from_bytes(right[-size:], "big") + 1) % group.order
    return {
        "empty": b"",
        "a value short": right[:-size],
        "a value too many": right + right[:size],
        "a byte too many": right + b"\x00",
        "exchanged": right[size : 2 * size] + right[:size] + right[2 * size :],
        "the last one wrong": right[:-size] + last.to_bytes(size, "big"),
        "above the order": right[:-size] + (group.order + 3).to_bytes(size, "big"),
    }


VOTES: list[Callable[[Batch, str, bytes], Message]] = [
    lambda batch, sender, values: Echo(batch.digest, values),
    lambda batch, sender, values: Ready(batch.digest, values, batch.ready(sender, "n2").signature),
]


@pytest.mark.parametrize("make", VOTES, ids=["echo", "ready"])
@pytest.mark.parametrize("with_row", [True, False], ids=["with-row", "without-row"])
def test_a_false_point_is_proved_and_does_not_count(
    make: Callable[[Batch, str, bytes], Message], with_row: bool
) -> None:
    """T2 of the known defects, too: no value enters an interpolation unchecked."""
    probe = Circle(honest=["n2"])
    for what in vectors(probe, probe.batch().values(LIAR, "n2")):
        circle = Circle(honest=["n2"])
        batch = circle.batch()
        circle.tell(DEALER, batch.dealing, "n2")
        if with_row:
            circle.say(DEALER, batch.send("n2"), "n2")
        circle.say(LIAR, make(batch, LIAR, vectors(circle, batch.values(LIAR, "n2"))[what]), "n2")
        for sender in ("n1", "n3", "n4"):
            circle.echo(sender, batch)
            circle.ready(sender, batch)
        circle.settle()
        everybody(circle)
        accused(circle, LIAR)
        signers = [name for name, _ in circle.completed()["n2"].certificate.signatures]
        if make is VOTES[1]:
            assert LIAR not in signers, what


def test_a_false_echo_does_not_make_up_the_quorum() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    circle.echo("n1", batch)
    circle.say("n3", Echo(batch.digest, bytes(circle.setting.vector_bytes)), "n2")
    circle.say("n4", Echo(batch.digest, bytes(circle.setting.vector_bytes)), "n2")
    circle.settle()
    sent = [Envelope.parse(data).tag for _, data in circle.under_way]
    assert tag_of(Ready) not in sent
    assert circle.accused() == {"n3", "n4"}


def test_a_ready_with_a_false_signature_is_proved_and_does_not_count() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    false = batch.ready(LIAR, "n2", unsafe_identity("somebody"))
    circle.say(LIAR, false, "n2")
    circle.ready("n1", batch)
    circle.ready("n3", batch)
    circle.settle()
    assert circle.completed() == {}
    accused(circle, LIAR)
    circle.ready("n4", batch)
    circle.settle()
    everybody(circle)


def test_a_ready_signed_for_another_sharing_does_not_count() -> None:
    circle = Circle(honest=["n2"])
    other = Circle(honest=[], dealer="n3")
    batch, foreign = circle.batch(), other.batch()
    circle.deal(batch)
    elsewhere = foreign.ready(LIAR, "n2").signature
    circle.say(LIAR, Ready(batch.digest, batch.values(LIAR, "n2"), elsewhere), "n2")
    circle.settle()
    accused(circle, LIAR)


def test_two_echoes_by_one_sender_count_once_and_convict() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    circle.echo(LIAR, batch)
    circle.say(LIAR, Echo(bytes(32), batch.values(LIAR, "n2")), "n2")
    circle.settle()
    accused(circle, LIAR)
    assert circle.completed() == {}


def test_a_message_sent_again_is_no_offence_and_counts_once() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    for _ in range(3):
        circle.echo("n3", batch)
        circle.ready("n3", batch)
    circle.settle()
    assert circle.completed() == {}
    assert circle.accused() == set()


def test_what_was_said_in_another_session_is_nothing_here() -> None:
    circle = Circle(honest=HONEST)
    other = Circle(honest=[], count=2, quorums=FIVE)
    other.table.spec = other.table.spec.with_nonces({name: bytes([7]) * 32 for name in ALL})
    batch = other.batch()
    for name in HONEST:
        for message in (batch.echo(LIAR, name), batch.ready(LIAR, name)):
            circle.bring(name, other.table.envelope(LIAR, message, name, path=DEALER))
    circle.settle()
    everybody(circle)
    assert circle.accused() == set()
    assert all(seat.dropped["another session"] == 2 for seat in circle.seats.values())


def test_who_is_no_node_cannot_vote() -> None:
    """Not even with a right point, which an old node that is a friend of a new one may have."""
    circle = Circle(honest=["n2"], nodes=ALL, parties=(*ALL, "old"))
    batch = circle.batch()
    circle.deal(batch)
    for sender in ("n1", "n3"):
        circle.echo(sender, batch)
    circle.say("old", Echo(batch.digest, batch.values("n5", "n2")), "n2")
    circle.settle()
    accused(circle, "old")
    sent = circle.seats["n2"].receive(circle.table.envelope("n4", batch.echo("n4", "n2"), "n2", path=DEALER))
    assert {Envelope.parse(data).tag for data in sent} == {tag_of(Ready)}
