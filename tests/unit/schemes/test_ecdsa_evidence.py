"""The stranger who reads evidence convicts nobody for what an honest party signs."""

import pytest
from tests.support.signing import Table, pair, sizes, table

from quorate.encoding import encode
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.parameters import TOY
from quorate.schemes.ecdsa import SETUP, instance_payload, set_up
from quorate.schemes.ecdsa.evidence import deviated_presigning, deviated_setup
from quorate.schemes.ecdsa.messages import Commitment, Extension, Multiplication, Opening
from quorate.schemes.ecdsa.setup import Choice, Response
from quorate.session import Envelope, Message, Slot, tag_of
from quorate.session.echo import Seen
from quorate.session.evidence import Finding, Offence
from quorate.testing import Recorder, Simulation

SIGNERS = ("n1", "n2", "device")


def key() -> Table:
    return table("2 of (2 of (n1 n2 n3), device)", SIGNERS)


def finding(recorder: Recorder, *kinds: type[Message], to: str = "") -> Finding:
    """What n1 said, of these kinds, to everybody or sealed to `to`."""
    found = []
    for kind in kinds:
        draft = next(d for d in recorder.drafts if d.kind is kind and d.recipient in ("", to))
        found.append((Slot("", tag_of(kind), recorder.party, draft.recipient), draft.message))
    return Finding(recorder.party, Offence.STATEMENT, tuple(found))


@pytest.mark.parametrize("party", SIGNERS)
def test_honest_presigning_shows_no_offence(party: str) -> None:
    recorder = Recorder(party)
    result = key().presigning(cheats=[recorder])
    public = result.spec.id, result.roster, key().seats["n1"].quorum, TOY
    peer = "n2" if party == "n1" else "n1"
    for kinds in ((Commitment, Opening), (Opening,), (Extension,), (Multiplication,), (Commitment,)):
        assert not deviated_presigning(finding(recorder, *kinds, to=peer), *public)
    delivered = [Envelope.parse(event.data) for event in result.trace if event.what == "deliver"]
    envelopes = {e.sender: encode(e) for e in delivered if e.tag == tag_of(Commitment)}
    report = Seen(tuple(envelopes[name] for name in sorted(envelopes)))
    opening = finding(recorder, Opening)
    slot = Slot("", tag_of(Seen), party)
    shown = Finding(party, Offence.STATEMENT, (*opening.messages, (slot, report)))
    assert not deviated_presigning(shown, *public)
    partial = Finding(party, Offence.STATEMENT, (*opening.messages, (slot, Seen(report.envelopes[1:]))))
    assert deviated_presigning(partial, *public)


def test_what_shows_by_itself_is_an_offence_without_further_reading() -> None:
    quorum = key().seats["n1"].quorum
    for offence in (Offence.EQUIVOCATION, Offence.UNREADABLE):
        assert deviated_presigning(Finding("n1", offence), b"", {}, quorum, TOY)
        assert deviated_setup(Finding("n1", offence), b"", TOY, TOY_GROUP)


def test_honest_setup_shows_no_offence() -> None:
    assert pair("a", "b")
    recorder = Recorder("a")
    result = Simulation(
        SETUP,
        lambda party: set_up(party, 0, 0, parameters=sizes(TOY_GROUP), group=TOY_GROUP),
        ["a", "b"],
        payload=instance_payload(0, 0),
        cheats=[recorder],
    ).run()
    for kinds in ((Choice, Response), (Choice,), (Response,)):
        shown = finding(recorder, *kinds, to="b")
        assert not deviated_setup(shown, result.spec.id, TOY, TOY_GROUP)
    other_session = finding(recorder, Choice, Response, to="b")
    assert deviated_setup(other_session, bytes(32), TOY, TOY_GROUP)
