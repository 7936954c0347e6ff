"""Write-once slots: at most one value, ever. A node signs one value per slot, durably before the reply.

E signatures over one value are its certificate; any two such sets share an honest node, so there is at most
one certified value. There are no views: a slot on which votes are split is dead, and nobody has to prove it.
Meant for pool index to account, pool key to request, hash of a login token to session key; in this version
the pool counts votes by its own rules (`quorate.account.pool`), and only the simulator plays these. When the
committee changes, a new member closes a slot to everybody but the holder that any of its E FINALs names, and
to all if two differ (`inherit`); certificates of old committees stay valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from quorate.account.register.certificates import Committee, SlotCertificate
from quorate.account.register.handlers import Context, refuse
from quorate.account.register.messages import Denied, Once, Refusal, SlotTaken, SlotVoted
from quorate.errors import ProofRejected

CLOSED: Final = b""
"""What a slot holds that nobody may have any more."""


def once(held: bytes | None, question: Once, context: Context) -> tuple[bytes | None, SlotVoted | Refusal]:
    """What the slot holds from now on, and the reply. `held` is None for a slot never written.

    Who may ask for a slot is for the caller to have checked: a vote stays for ever.
    """
    if context.silent:
        return held, refuse(question, Denied(context.silent, "this node does not vote"), context)
    value = question.value if held is None else held
    if value != question.value:
        return value, refuse(question, SlotTaken(value), context)
    epoch = context.committee.epoch
    statement = SlotCertificate.statement(context.network, epoch, question.slot, value)
    return value, SlotVoted(context.member, epoch, context.sign(statement))


def certificate(
    network: str, committee: Committee, question: Once, votes: Iterable[SlotVoted]
) -> SlotCertificate | None:
    """The certificate that these votes make, or None; votes that do not verify are passed over."""
    statement = SlotCertificate.statement(network, committee.epoch, question.slot, question.value)
    good: dict[int, bytes] = {}
    for vote in votes:
        try:
            committee.check_one(vote.member, statement, vote.signature)
        except ProofRejected:
            continue
        good[vote.member] = vote.signature
    if len(good) < committee.echo:
        return None
    signatures = tuple(sorted(good.items()))
    return SlotCertificate(committee.epoch, question.slot, question.value, signatures)


def inherit(shown: Iterable[Mapping[str, bytes]], own: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the slots hold for a new member: `shown` by each of E FINALs, beside what it wrote itself."""
    held = dict(own)
    for slots in shown:
        for slot, value in slots.items():
            held[slot] = value if held.get(slot, value) == value else CLOSED
    return held
