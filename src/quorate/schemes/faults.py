"""What ends a signing session of any scheme without anybody to name, beside the errors every protocol has.

What signed messages show is `Blame`, and what only the two ends of a pair can see is `Suspicion`
(`quorate.errors`). There remain the cases below.
"""

from __future__ import annotations

from quorate.errors import Abort, Remedy


class Disagreement(Abort):
    """Parties came with different records of the key, with different requests, or out of an earlier step
    with different results.

    A bug, a version skew, a restored copy, or somebody who told two parties different things; noticed before
    any check that could cost an honest party something. Nobody is accused. Compare the records, try again.
    """

    remedy = Remedy.RETRY


class Unattributable(Abort):
    """Somebody among the named parties spoilt the result, and the protocol cannot tell who.

    What was made in advance is burned. Sign again with other signers, and cold; a person looks at what
    repeats.
    """

    remedy = Remedy.RETRY
