"""What a stranger can see for itself in the evidence of a `Blame` from presigning or setup.

`quorate.session.evidence.convict` finds who signed what; equivocation and unreadable messages show there
already. For everything else the offence lies in what the messages say, and is judged here by the functions
that the protocol itself uses. Needs only public things: the quorum (from the record of the key), the sizes.
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.groups import SECP256K1, Group
from quorate.primitives import base_ot, vole
from quorate.primitives.parameters import OTParameters
from quorate.schemes.ecdsa import checks
from quorate.schemes.ecdsa.messages import Commitment, Extension, Multiplication, Opening
from quorate.schemes.ecdsa.setup import Choice, Response, half_fits
from quorate.schemes.quorum import Quorum
from quorate.session import Message, PartyId, Path, PublicIdentity, echo
from quorate.session.evidence import Finding, Offence


def deviated_presigning(
    finding: Finding,
    session_id: bytes,
    roster: Mapping[PartyId, PublicIdentity],
    quorum: Quorum,
    parameters: OTParameters,
) -> bool:
    """Whether the messages shown are none that an honest signer of this quorum sends."""
    if finding.offence is not Offence.STATEMENT:
        return True
    first, second = vole.message_lengths(quorum.group, parameters)
    match _messages(finding):
        case [Commitment() as commitment, Opening() as opening]:
            return not checks.check_nonce(
                commitment.commitment, commitment.ssid, finding.party, opening.nonce_point, opening.salt
            )
        case [Opening() as opening]:
            return not checks.key_point_fits(quorum, finding.party, opening.key_point, opening.zeros)
        case [Opening() as opening, echo.Seen() as report]:
            return not echo.shows(session_id, _path(finding), roster, Commitment, opening.view, report)
        case [Extension() as extension]:
            return len(extension.body) != first
        case [Multiplication() as multiplication]:
            wanted = 32 if {finding.party, _recipient(finding)} <= quorum.keepers else 0
            return (len(multiplication.body), len(multiplication.entropy)) != (second, wanted)
        case _:
            return False


def deviated_setup(
    finding: Finding, session_id: bytes, parameters: OTParameters, group: Group = SECP256K1
) -> bool:
    """Whether the messages shown are none that an honest party of a setup sends."""
    if finding.offence is not Offence.STATEMENT:
        return True
    first, second = base_ot.message_lengths(group, parameters)
    match _messages(finding):
        case [Choice() as choice, Response() as response]:
            return not half_fits(session_id, _path(finding), finding.party, choice.commitment, response)
        case [Choice() as choice]:
            return len(choice.transfers) != first
        case [Response() as response]:
            return len(response.transfers) != second
        case _:
            return False


def _messages(finding: Finding) -> list[Message]:
    """What was said in one place. A commitment of one fork beside an opening of another shows nothing: every
    honest party signs both."""
    if len({slot.path for slot, _ in finding.messages}) != 1:
        return []
    return [message for _, message in finding.messages]


def _path(finding: Finding) -> Path:
    return finding.messages[0][0].path


def _recipient(finding: Finding) -> PartyId:
    return finding.messages[0][0].recipient
