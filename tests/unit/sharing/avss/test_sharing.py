"""The handlers, message by message."""

from __future__ import annotations

from itertools import combinations

import pytest
from tests.support.dealing import DEALER, FIVE, Circle, names

from quorate.errors import Malformed, ProofRejected
from quorate.groups import SECP256K1, Group, group_named
from quorate.groups.toy import TOY_GROUP
from quorate.session import Envelope, tag_of
from quorate.sharing.avss import reconstruct
from quorate.sharing.avss.messages import Dealing, Echo, Get, Matrix, Ready, Send
from quorate.sharing.quorums import Quorums

OTHERS = names(5)[1:]


def is_(*kinds: type) -> set[str]:
    return {tag_of(kind) for kind in kinds}


@pytest.mark.parametrize(
    "group", [TOY_GROUP, SECP256K1, group_named("ed25519")], ids=lambda group: group.name
)
def test_everybody_completes_with_shares_of_the_dealers_secrets(group: Group) -> None:
    secrets = [group.scalar(11), group.scalar(22)]
    circle = Circle(honest=names(5), secrets=secrets, group=group)
    circle.settle()
    done = circle.completed()
    assert set(done) == set(names(5))
    assert len({dealt.digest for dealt in done.values()}) == 1
    for index, secret in enumerate(secrets):
        for chosen in combinations(range(1, 6), 3):
            shares = {x: group.scalar(done[f"n{x}"].shares.reveal()[index]) for x in chosen}
            assert reconstruct(done["n1"].commitment(index), shares) == (secret, ())
    assert circle.accused() == set()


def test_every_certificate_holds_for_a_stranger() -> None:
    circle = Circle(honest=names(5))
    circle.settle()
    for dealt in circle.completed().values():
        assert len(dealt.certificate.signatures) == FIVE.ready
        dealt.certificate.verify(circle.setting, circle.table.roster)


def test_a_committee_of_one_shares_with_itself() -> None:
    circle = Circle(Quorums(1, 0, 0, 0), honest=["n1"])
    circle.settle()
    assert set(circle.completed()) == {"n1"}


def test_a_node_echoes_only_once_both_parts_have_come_and_in_any_order() -> None:
    for first, second in ((Dealing, Send), (Send, Dealing)):
        circle = Circle(honest=["n2"])
        batch = circle.batch()
        parts = {Dealing: (batch.dealing, ""), Send: (batch.send("n2"), "n2")}
        circle.say(DEALER, *parts[first])
        circle.settle()
        before = circle.table.envelope(DEALER, *parts[second], path=DEALER)
        sent = circle.seats["n2"].receive(before)
        assert {Envelope.parse(data).tag for data in sent} == is_(Echo)
        assert len(sent) == 4


def test_a_node_without_row_and_matrix_gets_both_from_others() -> None:
    circle = Circle(honest=names(5))
    circle.settle(lambda to, envelope: to != "n5" or envelope.tag not in is_(Dealing, Send))
    done = circle.completed()
    assert set(done) == set(names(5))
    shares = {5: TOY_GROUP.scalar(done["n5"].shares.reveal()[0])}
    done["n1"].commitment(0).check(5, shares[5])


def test_a_node_without_row_only_asks_nobody() -> None:
    circle = Circle(honest=names(5))
    asked = []

    def keep(to: str, envelope: Envelope) -> bool:
        if envelope.tag == tag_of(Get):
            asked.append(envelope.sender)
        return to != "n5" or envelope.tag != tag_of(Send)

    circle.settle(keep)
    assert set(circle.completed()) == set(names(5))
    assert not asked


def test_a_completed_node_serves_its_matrix_still() -> None:
    circle = Circle(honest=names(5))
    circle.settle(lambda to, envelope: to != "n5")
    assert set(circle.completed()) == set(names(4))
    circle.settle(lambda to, envelope: envelope.tag not in is_(Dealing, Send))
    assert set(circle.completed()) == set(names(5))


def test_no_ready_below_the_echo_quorum() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    for sender in ("n1", "n3"):
        circle.echo(sender, batch)
    circle.settle()
    sent = circle.seats["n2"].receive(circle.table.envelope("n4", batch.echo("n4", "n2"), "n2", path=DEALER))
    assert {Envelope.parse(data).tag for data in sent} == is_(Ready)


def test_readies_of_d_and_one_more_amplify_and_r_complete() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    circle.settle()
    seat = circle.seats["n2"]

    def ready(sender: str) -> list[bytes]:
        return seat.receive(circle.table.envelope(sender, batch.ready(sender, "n2"), "n2", path=DEALER))

    assert ready("n1") == []
    assert ready("n3") == []
    assert {Envelope.parse(data).tag for data in ready("n4")} == is_(Ready)
    assert seat.concluded  # three of others and its own are R = 4


def test_a_dealer_that_is_no_receiver_and_receivers_that_deal_nothing() -> None:
    circle = Circle(honest=(*names(5), "old"), dealer="old", parties=(*names(5), "old"), nodes=names(5))
    circle.settle()
    assert set(circle.completed()) == set(names(5))
    assert circle.seats["old"].concluded


def test_a_receiver_gets_from_its_own_dealing_what_others_get() -> None:
    circle = Circle(honest=names(5))
    circle.settle()
    done = circle.completed()
    for x, name in enumerate(names(5), 1):
        for index, share in enumerate(done[name].shares.reveal()):
            done["n3"].commitment(index).check(x, TOY_GROUP.scalar(share))


def test_the_required_constants_are_shared_and_a_gap_passes_where_it_may() -> None:
    group = TOY_GROUP
    secrets = [group.scalar(5), group.scalar(6), group.scalar(7)]
    constants = [group.generator.multiply(secret) for secret in secrets]
    circle = Circle(
        honest=names(5),
        secrets=[secrets[0], None, secrets[2]],
        constants=constants,
        count=3,
        may_lack=lambda index: index == 1,
    )
    circle.settle()
    done = circle.completed()
    assert set(done) == set(names(5))
    assert {dealt.gaps for dealt in done.values()} == {(1,)}
    assert [done["n2"].commitment(index).constant == constants[index] for index in range(3)] == [
        True,
        False,
        True,
    ]


def test_nobody_vouches_for_a_gap_that_must_not_be_and_nobody_is_accused_of_it() -> None:
    group = TOY_GROUP
    constants = [group.generator, group.generator]
    circle = Circle(honest=names(5), secrets=[group.scalar(1), None], constants=constants)
    circle.settle()
    assert circle.completed() == {}
    assert circle.accused() == set()


def test_who_does_not_let_a_gap_pass_completes_with_the_others() -> None:
    circle = Circle(
        honest=["n2"], constants=[TOY_GROUP.generator, TOY_GROUP.generator], count=2, may_lack=lambda i: False
    )
    batch = circle.batch(secrets=[1, 9])
    batch.dealing = Dealing(b"\x02", batch.dealing.matrix)
    circle.deal(batch)
    for sender in ("n3", "n4", "n5"):
        circle.ready(sender, batch)
    circle.settle()
    assert circle.completed()["n2"].gaps == (1,)


def test_zero_cannot_be_shared() -> None:
    circle = Circle(honest=names(5), secrets=[TOY_GROUP.scalar(0), TOY_GROUP.scalar(1)])
    assert isinstance(circle.seats[DEALER].error, Malformed)
    assert circle.under_way == []


def test_a_dealer_with_other_secrets_than_required_sees_it_before_anybody_else() -> None:
    secrets, constants = [TOY_GROUP.scalar(1), TOY_GROUP.scalar(2)], [TOY_GROUP.generator] * 2
    circle = Circle(honest=names(5), secrets=secrets, constants=constants)
    assert isinstance(circle.seats[DEALER].error, ProofRejected)
    assert circle.under_way == []


def test_who_is_asked_answers_each_once() -> None:
    circle = Circle(honest=["n2"])
    batch = circle.batch()
    circle.deal(batch)
    circle.settle()
    seat = circle.seats["n2"]
    get = circle.table.envelope("n3", Get(batch.digest), "n2", path=DEALER)
    (answer,) = seat.receive(get)
    assert Envelope.parse(answer).tag == tag_of(Matrix)
    assert seat.receive(get) == []
    assert seat.receive(circle.table.envelope("n4", Get(bytes(32)), "n2", path=DEALER)) == []


def test_liars_and_absent_and_one_more_are_asked_for_a_matrix() -> None:
    """Not all at once: a matrix is large. Not fewer: those may never answer."""
    circle = Circle(Quorums(6, 1, 1, 1), honest=["n2"])
    batch = circle.batch()
    seat, asked = circle.seats["n2"], []
    for sender in ("n1", "n3", "n4", "n5"):
        sent = seat.receive(circle.table.envelope(sender, batch.ready(sender, "n2"), "n2", path=DEALER))
        asked.append([(Envelope.parse(data).tag, Envelope.parse(data).recipient) for data in sent])
    assert asked == [[], [("avss.get", "n1"), ("avss.get", "n3")], [("avss.get", "n4")], []]
    circle.say("n4", Matrix(batch.digest, circle.table.envelope(DEALER, batch.dealing, path=DEALER)), "n2")
    circle.settle()
    assert set(circle.completed()) == {"n2"}
