"""Evidence of a sharing convinces strangers, and none can be made against the honest."""

from __future__ import annotations

import pytest
from tests.support.accusing import ALL, LIAR, everybody, with_dealer_as_liar
from tests.support.dealing import DEALER, Circle, setting_of

from quorate.encoding import encode
from quorate.errors import ProofRejected
from quorate.groups import SECP256K1
from quorate.session import Envelope, Exhibit, Message, Slot, examine, tag_of
from quorate.sharing.avss import DECLARATION, KINDS, offence
from quorate.sharing.avss.messages import Dealing, Echo, Send
from quorate.testing import unsafe_identity


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
