"""What a stranger can see for itself in the evidence of a `Blame` from signing.

`quorate.session.evidence.convict` finds who signed what; equivocation and unreadable messages show there
already. A wrong share is judged here by the function that the combiner used. The stranger is given the list
of commitments and the request by whoever blames; it need not believe either, since the signer's own context
covers both: with another list or request the share simply shows nothing. So it is with a list of nonces: its
sender's ssid covers how many were agreed.
"""

from __future__ import annotations

from quorate.errors import QuorateError
from quorate.schemes.quorum import Quorum
from quorate.schemes.schnorr.messages import Commitments, Share
from quorate.schemes.schnorr.online import Context, Request, share_fits
from quorate.schemes.schnorr.prepare import preparing_id
from quorate.schemes.schnorr.prepared import Preparation
from quorate.schemes.schnorr.suite import Suite
from quorate.session.evidence import Finding, Offence


def deviated_preparing(finding: Finding, session_id: bytes, quorum: Quorum, suite: Suite, count: int) -> bool:
    """Whether the messages shown are none that an honest signer sends to prepare `count` signatures.

    `session_id` is that of the session whose signed messages were examined.
    """
    if finding.offence is not Offence.STATEMENT:
        return True
    match finding.messages:
        case [(slot, Commitments() as message)]:
            # without this an honest list would be held against another count than its sender agreed to
            agreed = preparing_id(session_id, slot.path, quorum, suite, count)
            return message.ssid == agreed and len(message.points) != 2 * count
        case _:
            return False


def deviated_signing(
    finding: Finding, public: Preparation, quorum: Quorum, suite: Suite, request: Request, message: bytes
) -> bool:
    """Whether the share shown is wrong for exactly the list and the request that its sender signed it for."""
    if finding.offence is not Offence.STATEMENT:
        return True
    match [said for _, said in finding.messages]:
        case [Share() as share] if finding.party in public.signers:
            try:
                context = Context.of(public, quorum, suite, request, message)
            except QuorateError:
                return False
            return share.context == context.digest and not share_fits(
                context, public, quorum, finding.party, share
            )
        case _:
            return False
