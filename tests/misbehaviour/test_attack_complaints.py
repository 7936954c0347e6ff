"""Complaints as weapons: honest messages shown as if they were lies, and openings that are not of their box.

A complaint is worth what a stranger finds in it: `convict` says who signed what, and the check that the
protocol itself used says whether that is a deviation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.sharing.table import Table, errors

from quorate.encoding import decode, encode
from quorate.entropy import SeededRng
from quorate.errors import Blame, ProofRejected
from quorate.groups import SECP256K1
from quorate.primitives import hpke
from quorate.session import Declaration, Envelope, KeyPair, Message, Offence, Party, Slot, convict, tag_of
from quorate.session.envelope import seal_info
from quorate.session.evidence import Exhibit
from quorate.sharing import keygen
from quorate.sharing.generation import GeneratedKey
from quorate.sharing.keygen import Commit, Open, Reveal, Setting, Shares

DECLARATION = Declaration("keygen-test", 1, *keygen.rules())
NAMES = ("n1", "n2", "n3")
RNG = SeededRng(b"complaints")


async def run(party: Party) -> tuple[GeneratedKey, ...]:
    return await keygen.generate(party, degree=1, count=1, context=b"pool")


@pytest.fixture(scope="module")
def table() -> Table:
    """A key generation in which everybody was honest. Now n2 complains about n1."""
    made = Table(DECLARATION, dict.fromkeys(NAMES, run), SECP256K1)
    assert not errors(made.play())
    return made


def exhibit(table: Table, kind: type[Message], *, of: str = "n1", to: str = "n2") -> Exhibit:
    """What n2 has of a message of n1, opened if it was sealed."""
    recipient = to if kind is Shares else ""
    found = table.sessions[to]._inbox.exhibit(Slot("", tag_of(kind), of, recipient))
    assert found is not None
    return found


def complaint(*exhibits: Exhibit) -> Blame:
    return Blame("n1 has lied", parties=["n1"], step="3", evidence=[encode(shown) for shown in exhibits])


def judged(table: Table, blame: Blame) -> dict[str, Any]:
    """The messages that a stranger finds in a complaint, by the name of their type."""
    (finding,) = convict(blame, table.spec, table.roster, DECLARATION, SECP256K1)
    assert finding.offence is Offence.STATEMENT
    return {type(message).__name__: message for _, message in finding.messages}


def setting(table: Table) -> Setting:
    return Setting(SECP256K1, encode((table.spec.id, "", b"pool")), 1, 1, NAMES)


def test_honest_messages_shown_as_lies_pass_the_checks_that_a_stranger_makes(table: Table) -> None:
    shown = judged(table, complaint(*(exhibit(table, kind) for kind in (Commit, Open, Reveal, Shares))))
    agreed = setting(table)
    keygen.check_commitment(agreed, "n1", shown["Commit"], shown["Open"])
    keygen.check_opening(agreed, "n1", shown["Open"])
    keygen.check_reveal(agreed, "n1", shown["Open"], shown["Reveal"])
    keygen.check_shares(agreed, "n2", shown["Open"], shown["Shares"])
    # the same messages judged as somebody else's, or as sent to somebody else, would be lies: slots matter
    with pytest.raises(ProofRejected):
        keygen.check_opening(agreed, "n3", shown["Open"])
    with pytest.raises(ProofRejected):
        keygen.check_shares(agreed, "n3", shown["Open"], shown["Shares"])


def no_opening(table: Table, honest: Exhibit) -> bytes:
    return b""


def of_another_box(table: Table, honest: Exhibit) -> bytes:
    return exhibit(table, Shares, of="n3").opening


def of_another_recipient(table: Table, honest: Exhibit) -> bytes:
    """By n3, of its own box from n1."""
    return exhibit(table, Shares, to="n3").opening


def by_another_key(table: Table, honest: Exhibit) -> bytes:
    """A true opening of this very box, under a key that is not the recipient's."""
    envelope = Envelope.parse(honest.envelope)
    other = KeyPair.generate(RNG)
    return other.opening(envelope.body, seal_info(table.spec.id, envelope.slot), RNG)


def negated(table: Table, honest: Exhibit) -> bytes:
    opening = hpke.Opening.from_bytes(honest.opening)
    return encode(hpke.Opening(-opening.shared, opening.proof))


def shifted(table: Table, honest: Exhibit) -> bytes:
    opening = hpke.Opening.from_bytes(honest.opening)
    return encode(hpke.Opening(opening.shared + SECP256K1.generator, opening.proof))


@pytest.mark.parametrize(
    "lie", [no_opening, of_another_box, of_another_recipient, by_another_key, negated, shifted]
)
def test_a_false_opening_of_an_honest_box_shows_nothing(
    table: Table, lie: Callable[[Table, Exhibit], bytes]
) -> None:
    honest = exhibit(table, Shares)
    assert honest.opening
    false = Exhibit(honest.envelope, lie(table, honest))
    with pytest.raises(ProofRejected):
        convict(complaint(false), table.spec, table.roster, DECLARATION, SECP256K1)


def test_an_honest_box_whose_bytes_were_changed_shows_nothing(table: Table) -> None:
    """Its sender has not signed that."""
    honest = exhibit(table, Shares)
    for place in range(0, len(honest.envelope), 7):
        changed = honest.envelope[:place] + bytes([honest.envelope[place] ^ 1]) + honest.envelope[place + 1 :]
        with pytest.raises(ProofRejected):
            blame = complaint(Exhibit(changed, honest.opening))
            convict(blame, table.spec, table.roster, DECLARATION, SECP256K1)


def test_two_copies_of_one_message_are_no_equivocation(table: Table) -> None:
    honest = exhibit(table, Open)
    assert judged(table, complaint(honest, honest))
    # nor are messages of two slots, or of two senders
    assert judged(table, complaint(honest, exhibit(table, Commit), exhibit(table, Open, of="n3")))


def test_a_complaint_that_shows_messages_of_others_only_shows_nothing(table: Table) -> None:
    with pytest.raises(ProofRejected, match="no signed message of n1"):
        convict(complaint(exhibit(table, Open, of="n3")), table.spec, table.roster, DECLARATION, SECP256K1)
    with pytest.raises(ProofRejected, match="no signed message of n1"):
        convict(complaint(), table.spec, table.roster, DECLARATION, SECP256K1)


def test_an_opening_of_a_good_share_shows_that_share_and_no_other_box(table: Table) -> None:
    honest = exhibit(table, Shares)
    shared = hpke.Opening.from_bytes(honest.opening).shared
    mine = Envelope.parse(honest.envelope)
    for sender, to, envelope in table.sent:
        if envelope.tag != tag_of(Shares) or (sender, to) == ("n1", "n2"):
            continue
        pair = table.identities[to]
        assert isinstance(pair, KeyPair)
        front = SECP256K1.point_from_bytes(envelope.body[:33])
        info = seal_info(table.spec.id, envelope.slot)
        assert hpke._open_from(shared, front, pair.public.sealing, info, b"", envelope.body) is None
    assert decode(Exhibit, encode(honest)).envelope == encode(mine)
