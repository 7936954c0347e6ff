"""Agreement on which dealings count, for protocols that wait for nobody: HybridDKG's second half.

Kate, Huang and Goldberg, "Distributed key generation in the wild" (ePrint 2012/377), section 5; our reading,
with views, locks and decided certificates, is docs/protocols/dkg.md, whose step numbers the code carries.

- `agreement`: one node's side, synchronous handlers on a `Party`.
- `messages`: what is said, what is signed. `checks`: what makes a message true. `claims`: which signatures
  contradict each other. Both are pure functions, for the handlers and for a stranger with the evidence.

Assumes at most t liars and f away among n >= 3t + 2f + 1 voters, and that what is sent arrives some day.
Two honest voters never decide differently, whatever the timing; that they decide at all needs ticks that
some day are longer than a message takes.
"""

from quorate.sharing.agreement.agreement import FIRST_DELAY, MAX_DELAY, Agreement, delay_of
from quorate.sharing.agreement.checks import Terms, check
from quorate.sharing.agreement.claims import offence
from quorate.sharing.agreement.messages import (
    MAX_VIEWS,
    MESSAGES,
    Certificate,
    Change,
    Decided,
    Echo,
    Proposal,
    Ready,
    Vote,
    rules,
)

__all__ = [
    "FIRST_DELAY",
    "MAX_DELAY",
    "MAX_VIEWS",
    "MESSAGES",
    "Agreement",
    "Certificate",
    "Change",
    "Decided",
    "Echo",
    "Proposal",
    "Ready",
    "Terms",
    "Vote",
    "check",
    "delay_of",
    "offence",
    "rules",
]
