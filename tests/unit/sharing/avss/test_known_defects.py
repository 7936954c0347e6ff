"""Defects that reading other implementations of this family has shown; each is tried on ours.

The first three concern one sharing: two SENDs processed by one node (two nodes could then complete with two
matrices), a point of which only one of two values was checked, a check that loops over what was received and
so passes for nothing at all.
"""

from __future__ import annotations

import pytest
from tests.support.dealing import DEALER, Batch, Circle, names

from quorate.entropy import SeededRng
from quorate.errors import Malformed, ProofRejected
from quorate.groups.toy import TOY_GROUP
from quorate.session import Envelope, Message, Party, tag_of
from quorate.sharing.avss import DECLARATION, Setting, Sharing
from quorate.sharing.avss.commitments import Folded
from quorate.sharing.avss.messages import Dealing, Echo, Send
from quorate.testing import unsafe_identity


def seat_of(circle: Circle, name: str) -> tuple[Sharing, list[Message]]:
    """The handlers of one seat without the session's own guards: whatever is received reaches them."""
    sent: list[Message] = []
    made: list[Sharing] = []

    async def run(party: Party) -> None:
        setting = Setting.of(
            party, circle.dealer, nodes=circle.nodes, quorums=circle.quorums, count=circle.count
        )
        made.append(Sharing(party.fork(circle.dealer), setting, circle.dealer))
        async for _ in party.stream():
            pass

    session = circle.table.seat(name, run)
    session.start()
    (sharing,) = made
    core = sharing._party._core
    emit = core.emit

    def note(path: str, message: Message, recipient: str) -> None:
        sent.append(message)
        emit(path, message, recipient)

    core.emit = note
    return sharing, sent


def give(circle: Circle, sharing: Sharing, sender: str, message: Message, to: str = "") -> None:
    """Past the inbox; but what a dealing is shown by must be there."""
    if isinstance(message, Dealing):
        sharing._party._core.inbox.deliver(circle.table.envelope(sender, message, path=circle.dealer))
    sharing.receive(sender, message)


def test_a_second_send_is_not_looked_at_whatever_became_of_the_first() -> None:
    circle = Circle(honest=[])
    first, second = circle.batch(b"first"), circle.batch(b"second")
    sharing, sent = seat_of(circle, "n2")
    give(circle, sharing, DEALER, first.dealing)
    sharing.receive(DEALER, second.send("n2"))  # the wrong row
    sharing.receive(DEALER, first.send("n2"))  # the right one, too late
    sharing.receive(DEALER, second.dealing)
    assert sent == []
    sharing, sent = seat_of(circle, "n4")
    give(circle, sharing, DEALER, first.dealing)
    sharing.receive(DEALER, second.dealing)
    sharing.receive(DEALER, second.send("n4"))
    assert sent == []
    sharing, sent = seat_of(circle, "n3")
    give(circle, sharing, DEALER, first.dealing)
    sharing.receive(DEALER, first.send("n3"))
    sharing.receive(DEALER, second.dealing)
    sharing.receive(DEALER, second.send("n3"))
    assert {message.digest for message in sent if isinstance(message, Echo)} == {first.digest}
    assert len(sent) == 4


@pytest.mark.parametrize("kind", [Echo, Send])
def test_each_sender_has_one_vote_even_past_the_inbox(kind: type[Message]) -> None:
    circle = Circle(honest=[])
    batch = circle.batch()
    sharing, sent = seat_of(circle, "n2")
    give(circle, sharing, DEALER, batch.dealing)
    sharing.receive(DEALER, batch.send("n2"))
    for _ in range(5):
        sharing.receive("n3", batch.echo("n3", "n2"))
        sharing.receive("n3", batch.ready("n3", "n2"))
    assert {type(message) for message in sent} == {Echo}
    assert sharing.completed is None


def test_every_value_is_checked_before_a_row_is_interpolated_from_it() -> None:
    """A node without a row, d right points and one false one for it: no row, whatever the order."""
    for liar in ("n3", "n4", "n5"):
        circle = Circle(honest=["n2"])
        batch = circle.batch()
        circle.tell(DEALER, batch.dealing, "n2")
        for sender in ("n3", "n4", "n5"):
            values = batch.values(sender, "n2")
            if sender == liar:
                values = values[:-1] + bytes([values[-1] ^ 1])
            circle.say(sender, Echo(batch.digest, values), "n2")
        circle.echo("n1", batch)
        circle.settle()
        # of four echoes three are right, and they are not E' = 4
        assert circle.accused() == {liar}
        assert not [envelope for _, envelope in circle.under_way]
        for sender in {"n1", "n3", "n4", "n5"} - {liar}:
            circle.ready(sender, batch)
        circle.settle()
        share = circle.completed()["n2"].shares.reveal()[1]
        circle.completed()["n2"].commitment(1).check(2, TOY_GROUP.scalar(share))


def fold(circle: Circle, batch: Batch) -> Folded:
    return Folded.read(circle.setting, batch.dealing.matrix, SeededRng(b"weights"))


def test_nothing_passes_no_check() -> None:
    circle = Circle(honest=[])
    batch = circle.batch()
    folded = fold(circle, batch)
    rows = batch.rows(2)
    folded.check_row(2, rows)
    jagged = [[], rows[:-1], [*rows, rows[0]], [rows[0], rows[1], []], [rows[0][:1], *rows[1:]], [[], [], []]]
    for false in jagged:
        with pytest.raises(ProofRejected):
            folded.check_row(2, false)
    right = circle.setting.group.read_scalars(batch.values("n3", "n2"), circle.count)
    folded.check_values(2, 3, right)
    for values in ([], right[:1], [*right, 0], [*right, right[0]]):
        with pytest.raises(ProofRejected):
            folded.check_values(2, 3, values)
    with pytest.raises(ProofRejected):
        folded.check_row(2, [[*column, 0] for column in rows])


@pytest.mark.parametrize("change", [-8, -1, 1, 8, 8 * 12])
def test_a_matrix_of_another_length_is_never_indexed(change: int) -> None:
    circle = Circle(honest=[])
    matrix = circle.batch().dealing.matrix
    false = matrix[:change] if change < 0 else matrix + matrix[:change]
    with pytest.raises(Malformed):
        Folded.read(circle.setting, false, SeededRng(b"weights"))
    with pytest.raises(Malformed):
        Folded.read(circle.setting, b"", SeededRng(b"weights"))


def test_names_that_differ_in_spelling_only_are_no_second_signer() -> None:
    """Signers are the session's own names; whoever is spelled otherwise is nobody."""
    circle = Circle(honest=names(5))
    circle.settle()
    certificate = circle.completed()["n1"].certificate
    (name, signature), *rest = certificate.signatures
    for other in (name.upper(), f"0{name}", f" {name}", name + "\x00"):
        false = type(certificate)(certificate.digest, ((other, signature), *rest))
        with pytest.raises(ProofRejected):
            false.verify(circle.setting, circle.table.roster)
    envelope = circle.table.envelope("n3", Echo(bytes(32), b""), "n2", path=DEALER)
    parsed = Envelope.parse(envelope)
    assert (parsed.tag, DECLARATION.tolerant) == (tag_of(Echo), True)
    assert unsafe_identity("n3").public.to_bytes() != unsafe_identity("N3").public.to_bytes()
