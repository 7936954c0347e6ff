"""Asking for a matrix that did not come, and what those who are asked may answer."""

from __future__ import annotations

from tests.support.accusing import LIAR, accused, everybody
from tests.support.dealing import DEALER, Batch, Circle

from quorate.sharing.avss.messages import Get, Matrix


def starved(circle: Circle, batch: Batch, *voters: str) -> None:
    """The only seat hears that a batch is ready, and has no matrix."""
    for sender in voters:
        circle.ready(sender, batch)
    circle.settle()


def test_a_flood_of_gets_is_answered_once_each() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    circle.settle()
    answers = 0
    for number in range(10):
        for digest in (batch.digest, bytes([number]) * 32):
            get = circle.table.envelope(LIAR, Get(digest), "n2", path=DEALER)
            answers += len(circle.seats["n2"].receive(get))
    assert answers == 1


def test_a_false_matrix_is_proved_and_the_true_one_of_another_still_counts() -> None:
    probe = Circle(honest=["n2"])
    for number in range(5):
        circle = Circle(honest=["n2"])
        batch, other = circle.batch(), circle.batch(b"other")
        starved(circle, batch, LIAR, "n3", "n4")
        dealing = circle.table.envelope(DEALER, batch.dealing, path=DEALER)
        lies = [
            b"",
            circle.table.envelope(DEALER, other.dealing, path=DEALER),
            circle.table.envelope(DEALER, batch.dealing, path=DEALER, signer=LIAR),
            circle.table.envelope(DEALER, batch.dealing, path="n3"),
            circle.table.envelope(LIAR, batch.dealing, path=DEALER),
        ]
        circle.say(LIAR, Matrix(batch.digest, lies[number]), "n2")
        circle.settle()
        assert circle.completed() == {}
        accused(circle, LIAR)
        circle.say("n3", Matrix(batch.digest, dealing), "n2")
        circle.settle()
        everybody(circle)
    assert probe.accused() == set()


def test_a_matrix_that_nobody_asked_for_is_not_read() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.say(LIAR, Matrix(batch.digest, b""), "n2")
    circle.say("n3", Matrix(batch.digest, circle.table.envelope(DEALER, batch.dealing, path=DEALER)), "n2")
    circle.settle()
    assert circle.accused() == set()
    starved(circle, batch, "n1", "n4", LIAR)
    assert circle.completed() == {}


def test_a_matrix_of_somebody_else_than_asked_is_not_read() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    starved(circle, batch, "n1", "n3", "n4")  # asks the first two
    circle.say("n4", Matrix(batch.digest, circle.table.envelope(DEALER, batch.dealing, path=DEALER)), "n2")
    circle.settle()
    assert circle.completed() == {}
    circle.say(LIAR, Matrix(batch.digest, b""), "n2")
    circle.settle()
    assert circle.accused() == set()


def test_a_matrix_of_another_dealing_than_asked_for_convicts_nobody() -> None:
    """An honest node that holds two might be asked for either: only a contradiction within is an offence."""
    circle = Circle(honest=["n2"])
    batch, other = circle.batch(), circle.batch(b"other")
    starved(circle, batch, LIAR, "n3", "n4")
    envelope = circle.table.envelope(DEALER, other.dealing, path=DEALER)
    circle.say(LIAR, Matrix(other.digest, envelope), "n2")
    circle.settle()
    assert circle.accused() == set()
