"""What ends a signing session, beside the errors every protocol has.

The reactions to each check are the table of docs/protocols/ecdsa.md. Three kinds: what signed messages show
is `Blame`; what only the two ends of a pair can see is `Suspicion`, leak-bearing if the OT extension failed;
and there remain the cases below and in `quorate.schemes.faults`, in which nobody can be named.
"""

from __future__ import annotations

from typing import NoReturn

from quorate.errors import CheckFailed, Malformed
from quorate.schemes.faults import Disagreement, Unattributable
from quorate.session import Party, PartyId

__all__ = ["Disagreement", "StaleSetup", "Unattributable", "suspect"]


class StaleSetup(Disagreement):
    """Two parties came with different OT setups, as after a crash between two confirmations.

    A fresh setup of the pair is the way on.
    """


def suspect(party: Party, peer: PartyId, error: CheckFailed | Malformed, step: str) -> NoReturn:
    """Raise what a failed computation on a message of `peer` means: a suspicion of the pair.

    A stranger could not tell who of the two lied, since only we know the secret that the check takes. It is
    leak-bearing exactly if the check says so; a message of the wrong form teaches its sender nothing.
    """
    leak_bearing = isinstance(error, CheckFailed) and error.leak_bearing
    party.suspect(peer, str(error), step=step, leak_bearing=leak_bearing)
