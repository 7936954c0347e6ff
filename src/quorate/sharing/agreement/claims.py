"""Which signatures contradict each other: what convicts a voter that told several nodes several things.

Certificates and shown votes carry signatures of others, so what a liar told another node comes back inside
that node's messages. Two signatures of one voter are a lie where no honest voter makes both: two echoes, two
readies or two votes with different content in one view; and a ready in view v beside a vote for a later view
that names no lock of v or later, in whatever order they were made (docs/protocols/dkg.md, steps 3 to 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quorate.errors import ProofRejected
from quorate.session import Message, PartyId, Slot
from quorate.sharing.agreement.checks import Terms, check
from quorate.sharing.agreement.messages import Certificate, Change, Decided, Echo, Proposal, Ready

ECHO, READY, CHANGE = "echo", "ready", "change"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one signature says. `locked` is 0 but in a vote, where it is the lock's view plus one."""

    voter: PartyId
    kind: str
    view: int
    dealers: tuple[PartyId, ...]
    locked: int = 0


def claims_of(view: int, sender: PartyId, message: Message) -> Iterator[Claim]:
    """Every signature in a message that passed its check, the sender's own first."""
    if isinstance(message, Echo | Ready):
        yield Claim(sender, ECHO if isinstance(message, Echo) else READY, view, message.dealers)
    elif isinstance(message, Change):
        lock = message.lock
        yield Claim(sender, CHANGE, view, () if lock is None else lock.dealers, lock.view + 1 if lock else 0)
        yield from _signed(lock)
    elif isinstance(message, Proposal):
        for vote in message.votes:
            yield Claim(vote.voter, CHANGE, view, vote.dealers, vote.locked)
        yield from _signed(message.certificate)
    elif isinstance(message, Decided):
        yield from _signed(message.certificate)


def contradict(first: Claim, second: Claim) -> str:
    """Why one voter cannot have signed both honestly; nothing if it can."""
    if first.voter != second.voter:
        return ""
    if first.kind == second.kind and first.view == second.view and first != second:
        return f"two different signatures, of {first.kind}, in view {first.view}"
    for ready, change in ((first, second), (second, first)):
        if ready.kind == READY and change.kind == CHANGE and change.locked <= ready.view < change.view:
            return f"ready in view {ready.view}, and a vote for view {change.view} that hides the lock"
    return ""


def offence(terms: Terms, offender: PartyId, shown: Iterable[tuple[Slot, Message]]) -> str:
    """What these messages prove against `offender`, for anybody. Raises `ProofRejected` if nothing.

    A message that is false by itself convicts its sender. So do two contradicting signatures, whoever's true
    messages they stand in.
    """
    said: list[Claim] = []
    for slot, message in shown:
        label = slot.path.rpartition("/")[2]
        view = int(label) if label.isascii() and label.isdigit() else 0
        try:
            check(terms, view, slot.sender, message)
        except ProofRejected as error:
            if slot.sender == offender:
                return str(error)
            continue
        said += [claim for claim in claims_of(view, slot.sender, message) if claim.voter == offender]
    for index, first in enumerate(said):
        for second in said[:index]:
            if reason := contradict(first, second):
                return reason
    raise ProofRejected(f"nothing shown proves that {offender} deviated")


def _signed(certificate: Certificate | None) -> Iterator[Claim]:
    if certificate is not None:
        kind = READY if certificate.ready else ECHO
        for name, _ in certificate.signatures:
            yield Claim(name, kind, certificate.view, certificate.dealers)
