"""Asynchronous verifiable secret sharing: HybridVSS in batches (docs/protocols/avss.md).

A dealer shares B secrets among n nodes by polynomials of degree d, of whom t may lie and f be away, over a
network that gives no promise about time. If one honest node completes, all do, with shares of the same
secrets; if the dealer is honest, all do; d shares say nothing.

Read in this order: `setting` (what is agreed beforehand), `messages`, `bivariate` (the scalars),
`commitments` (the points, and batches of checks), `sharing` (the handlers), `dealt` (what they keep and
give), `certificate` (what a completion proves to others), `judging` (what a lie proves to strangers),
`standalone`, `reconstruction`.
"""

from quorate.sharing.avss.certificate import ReadyCertificate
from quorate.sharing.avss.dealt import Dealt
from quorate.sharing.avss.judging import offence
from quorate.sharing.avss.messages import KINDS, SENDER_LIMIT, rules
from quorate.sharing.avss.reconstruction import reconstruct
from quorate.sharing.avss.setting import MAX_BATCH, Setting, sender_limit
from quorate.sharing.avss.sharing import Sharing
from quorate.sharing.avss.standalone import DECLARATION, share

__all__ = [
    "DECLARATION",
    "KINDS",
    "MAX_BATCH",
    "SENDER_LIMIT",
    "Dealt",
    "ReadyCertificate",
    "Setting",
    "Sharing",
    "offence",
    "reconstruct",
    "rules",
    "sender_limit",
    "share",
]
