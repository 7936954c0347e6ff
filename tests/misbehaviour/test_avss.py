"""One sharing, one offence at a time: it changes nothing for the honest, and its author alone is accused.

Five nodes of degree 2, one of whom lies. Where the liar is the dealer, the others may end without a result,
but never with two.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.dealing import DEALER, FIVE, Batch, Circle, names, setting_of

from quorate.encoding import encode
from quorate.errors import ProofRejected
from quorate.groups import SECP256K1, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.session import Envelope, Exhibit, Message, Slot, examine, tag_of
from quorate.sharing.avss import DECLARATION, KINDS, offence
from quorate.sharing.avss.messages import Dealing, Echo, Get, Matrix, Ready, Send
from quorate.sharing.quorums import Quorums
from quorate.testing import unsafe_identity

ALL = names(5)
OTHERS = ALL[1:]
LIAR = "n5"
HONEST = ALL[:4]


def with_dealer_as_liar(**other: object) -> Circle:
    return Circle(honest=OTHERS, **other)  # type: ignore[arg-type]


def agreed(circle: Circle) -> None:
    """P1, P2: whoever completed has one digest and shares on one commitment."""
    done = circle.completed()
    assert len({dealt.digest for dealt in done.values()}) <= 1
    for name, dealt in done.items():
        x = circle.setting.point(name)
        for index, share in enumerate(dealt.shares.reveal()):
            dealt.commitment(index).check(x, circle.setting.group.scalar(share))


def everybody(circle: Circle) -> None:
    agreed(circle)
    assert set(circle.completed()) == set(circle.seats)


def accused(circle: Circle, offender: str, *, by: int = 1) -> None:
    """The offender and nobody else is accused, by so many at least, and each time a stranger agrees."""
    assert circle.accused() == {offender}
    accusers = [name for name, seat in circle.seats.items() if offender in seat.deviations]
    assert len(accusers) >= by
    for accuser in accusers:
        assert circle.proved(accuser, offender)


# --- the dealer ---------------------------------------------------------------------------------------


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


# --- a node -------------------------------------------------------------------------------------------


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


def test_evidence_of_real_identities_over_a_real_curve_convinces_as_well() -> None:
    circle = Circle(honest=["n2", "n3"], group=SECP256K1, real=True)
    batch = circle.batch()
    circle.deal(batch, "n2")
    circle.tell(DEALER, batch.dealing, "n3")
    circle.say(DEALER, batch.send("n2"), "n3")
    circle.say("n4", Echo(batch.digest, batch.values("n4", "n3")), "n2")
    for sender in ("n1", "n5"):
        circle.echo(sender, batch)
    circle.settle()
    assert circle.accused() == {DEALER, "n4"}
    assert circle.proved("n3", DEALER)
    assert circle.proved("n2", "n4")


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


# --- asking -------------------------------------------------------------------------------------------


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


# --- framing ------------------------------------------------------------------------------------------


def play(circle: Circle) -> list[tuple[Slot, Message]]:
    """Run to the end; everything anybody said, opened by who could open it."""
    table, said = circle.table, []
    while circle.under_way:
        to, data = circle.under_way.pop(0)
        envelope = Envelope.parse(data)
        opening = unsafe_identity(to).public.opening(envelope.body) if envelope.recipient else b""
        said.append(examine(Exhibit(data, opening), table.spec, table.roster, DECLARATION, table.group))
        circle.bring(to, data)
    return said


def convicts(circle: Circle, said: list[tuple[Slot, Message]], name: str, *, dealer: str, path: str) -> bool:
    table, setting = (
        circle.table,
        setting_of(circle.table, dealer, circle.nodes, circle.quorums, circle.count),
    )
    try:
        offence(setting, dealer, name, said, session=table.spec.id, path=path, identities=table.roster)
    except ProofRejected:
        return False
    return True


def test_nothing_that_honest_nodes_say_convicts_one_of_them() -> None:
    """P7, in a run in which one node has to ask for its matrix."""
    circle = Circle(honest=ALL)
    away = {tag_of(Dealing), tag_of(Send)}
    circle.under_way = [
        (to, data) for to, data in circle.under_way if to != "n5" or Envelope.parse(data).tag not in away
    ]
    said = play(circle)
    everybody(circle)
    assert {type(message) for _, message in said} == set(KINDS)
    for name in ALL:
        assert not convicts(circle, said, name, dealer=DEALER, path=DEALER)
        # nor does it on another path, where it would be out of place
        assert not convicts(circle, said, name, dealer="n2", path="n2")


def test_in_a_run_with_a_lying_dealer_all_that_is_said_convicts_the_dealer_only() -> None:
    circle = with_dealer_as_liar()
    first, second = circle.batch(b"first"), circle.batch(b"second")
    circle.deal(first, "n2", "n3", "n4")
    circle.tell(DEALER, first.dealing, "n5")
    circle.say(DEALER, second.send("n5"), "n5")
    circle.echo(DEALER, first)
    said = play(circle)
    everybody(circle)
    assert [name for name in ALL if convicts(circle, said, name, dealer=DEALER, path=DEALER)] == [DEALER]


def test_a_false_point_shown_beside_another_dealing_proves_nothing() -> None:
    circle = Circle(honest=["n2"])
    batch, other = circle.batch(), circle.batch(b"other")
    circle.deal(batch)
    circle.say(LIAR, Echo(batch.digest, bytes(circle.setting.vector_bytes)), "n2")
    circle.echo("n3", batch)
    circle.echo("n4", batch)
    circle.settle()
    blame = circle.seats["n2"].deviations[LIAR]
    assert circle.proved("n2", LIAR)
    false = circle.table.envelope(DEALER, other.dealing, path=DEALER)
    blame.evidence = (blame.evidence[0], encode(Exhibit(false, b"")))
    with pytest.raises(ProofRejected):
        circle.proved("n2", LIAR)
