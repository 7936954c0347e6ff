"""What a dealer can do: it shares with all the same or with nobody, and is accused where its words prove it.

Five nodes of degree 2, one of whom lies. Where the liar is the dealer, the others may end without a result,
but never with two.
"""

from __future__ import annotations

import pytest
from tests.support.accusing import HONEST, LIAR, OTHERS, accused, everybody, with_dealer_as_liar
from tests.support.dealing import DEALER, Batch, Circle

from quorate.groups import SECP256K1, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.sharing.avss.messages import Dealing, Matrix, Send
from quorate.sharing.quorums import Quorums


def test_a_dealer_of_two_secrets_is_convicted_by_whoever_has_to_ask() -> None:
    circle = with_dealer_as_liar()
    first, second = circle.batch(b"first"), circle.batch(b"second")
    circle.deal(first, "n2", "n3", "n4")
    circle.deal(second, "n5")
    circle.echo(DEALER, first)
    circle.ready(DEALER, first)
    circle.settle()
    everybody(circle)
    assert {dealt.digest for dealt in circle.completed().values()} == {first.digest}
    accused(circle, DEALER)
    assert circle.proved("n5", DEALER) == "equivocation"


def test_a_dealer_that_divides_the_nodes_evenly_gets_nothing_shared() -> None:
    circle = with_dealer_as_liar()
    first, second = circle.batch(b"first"), circle.batch(b"second")
    for batch, nodes in ((first, ("n2", "n3")), (second, ("n4", "n5"))):
        circle.deal(batch, *nodes)
        circle.echo(DEALER, batch, *nodes)
        circle.ready(DEALER, batch, *nodes)
    circle.settle()
    assert circle.completed() == {}
    assert circle.accused() == set()


def test_two_dealings_to_one_node_convict_by_themselves_and_the_first_counts() -> None:
    circle = with_dealer_as_liar()
    first, second = circle.batch(b"first"), circle.batch(b"second")
    circle.deal(first)
    circle.tell(DEALER, second.dealing, "n2")
    circle.settle()
    everybody(circle)
    assert {dealt.digest for dealt in circle.completed().values()} == {first.digest}
    accused(circle, DEALER)


def test_two_rows_to_one_node_convict_by_themselves_and_the_first_counts() -> None:
    circle = with_dealer_as_liar()
    batch = circle.batch()
    circle.deal(batch)
    circle.say(DEALER, Send(bytes(circle.setting.row_bytes)), "n2")
    circle.settle()
    everybody(circle)
    accused(circle, DEALER)


def test_a_partial_dealer_has_shared_with_all_or_with_nobody() -> None:
    for served in (("n2", "n3", "n4"), ("n2", "n3"), ("n2",), ()):
        circle = with_dealer_as_liar()
        batch = circle.batch()
        if served:
            circle.deal(batch, *served)
        circle.echo(DEALER, batch)
        circle.settle()
        if len(served) == 3:
            everybody(circle)
        else:
            assert circle.completed() == {}
        assert circle.accused() == set()


def test_a_dealing_without_rows_for_most_is_completed_by_none() -> None:
    circle = with_dealer_as_liar()
    batch = circle.batch()
    circle.tell(DEALER, batch.dealing, *OTHERS)
    circle.say(DEALER, batch.send("n2"), "n2")
    circle.echo(DEALER, batch)
    circle.ready(DEALER, batch)
    circle.settle()
    assert circle.completed() == {}


def dealings(circle: Circle, batch: Batch) -> dict[str, Dealing]:
    """False dealings, by what is wrong with them."""
    length, matrix = circle.setting.group.point_length, batch.dealing.matrix
    generator = circle.setting.group.generator.to_bytes()
    higher = Quorums(7, 3, 1, 1)
    other = Circle(higher, honest=[], group=circle.setting.group).batch()
    return {
        "empty": Dealing(b"", b""),
        "a point short": Dealing(b"", matrix[:-length]),
        "a byte short": Dealing(b"", matrix[:-1]),
        "a point too many": Dealing(b"", matrix + generator),
        "a byte too many": Dealing(b"", matrix + b"\x00"),
        "of a higher degree": Dealing(b"", other.dealing.matrix),
        "one secret more": Dealing(b"", matrix + matrix[: 6 * length]),
        "a point that is none": Dealing(b"", b"\xff" * length + matrix[length:]),
        "the last point is none": Dealing(b"", matrix[:-length] + b"\xff" * length),
        "gaps in fresh secrets": Dealing(b"\x01", matrix),
        "an empty list of gaps": Dealing(b"\x00", matrix),
    }


@pytest.mark.parametrize(
    "group", [TOY_GROUP, SECP256K1, group_named("ed25519")], ids=lambda group: group.name
)
def test_a_dealing_of_any_wrong_form_is_refused_and_convicts(group: object) -> None:
    probe = with_dealer_as_liar(group=group)
    for what in dealings(probe, probe.batch()):
        circle = with_dealer_as_liar(group=group)
        batch = circle.batch()
        batch.dealing = dealings(circle, batch)[what]
        circle.deal(batch)
        circle.settle()
        assert circle.completed() == {}, what
        assert circle.under_way == []
        accused(circle, DEALER, by=4)


def rows(circle: Circle, batch: Batch, node: str) -> dict[str, bytes]:
    """False rows, by what is wrong with them."""
    row, size = batch.send(node).row, circle.setting.group.scalar_length
    group = circle.setting.group

    def shifted(place: int) -> bytes:
        start = place * size
        value = (int.from_bytes(row[start : start + size], "big") + 1) % group.order
        return row[:start] + value.to_bytes(size, "big") + row[start + size :]

    return {
        "empty": b"",
        "a scalar short": row[:-size],
        "a scalar too many": row + row[:size],
        "a byte short": row[:-1],
        "of another node": batch.send("n4" if node != "n4" else "n3").row,
        "above the order": group.order.to_bytes(size, "big") + row[size:],
        "first value of the first secret": shifted(0),
        "first value of the last secret": shifted(circle.count - 1),
        "last value of the last secret": shifted(len(row) // size - 1),
        "two secrets exchanged": row[size : 2 * size] + row[:size] + row[2 * size :],
        "zeros": bytes(len(row)),
    }


def test_a_wrong_row_convicts_and_its_victim_completes_all_the_same() -> None:
    probe = with_dealer_as_liar()
    for what in rows(probe, probe.batch(), "n5"):
        circle = with_dealer_as_liar()
        batch = circle.batch()
        circle.deal(batch, "n2", "n3", "n4")
        circle.tell(DEALER, batch.dealing, "n5")
        circle.say(DEALER, Send(rows(circle, batch, "n5")[what]), "n5")
        circle.echo(DEALER, batch)
        circle.settle()
        everybody(circle)
        accused(circle, DEALER)
        assert DEALER in circle.seats["n5"].deviations, what


def test_other_constants_than_the_required_ones_convict_and_nothing_is_shared() -> None:
    group = TOY_GROUP
    constants = [group.generator.multiply(group.scalar(value)) for value in (5, 6)]
    circle = with_dealer_as_liar(constants=constants)
    circle.deal(circle.batch(secrets=[5, 7]))
    circle.settle()
    assert circle.completed() == {}
    accused(circle, DEALER, by=4)
    right = with_dealer_as_liar(constants=constants)
    right.deal(right.batch(secrets=[5, 6]))
    right.settle()
    everybody(right)


def test_false_constants_passed_on_do_not_count_either() -> None:
    """The victim has no dealing of its own and is told of a quorum that cannot be: it keeps out of it."""
    constants = [TOY_GROUP.generator, TOY_GROUP.generator]
    circle = Circle(honest=["n2"], constants=constants)
    batch = circle.batch(secrets=[1, 2])
    for sender in ("n1", "n3", "n4", "n5"):
        circle.ready(sender, batch)
    circle.settle()
    envelope = circle.table.envelope(DEALER, batch.dealing, path=DEALER)
    circle.say("n1", Matrix(batch.digest, envelope), "n2")
    circle.settle()
    assert circle.completed() == {}
    accused(circle, DEALER)


def test_who_deals_in_the_place_of_another_is_accused() -> None:
    circle = Circle(honest=HONEST)
    batch = circle.batch(b"mine")
    circle.say(LIAR, batch.dealing)
    for name in HONEST:
        circle.say(LIAR, batch.send(name), name)
    circle.settle()
    everybody(circle)
    accused(circle, LIAR, by=4)
