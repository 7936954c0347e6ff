"""Threshold Schnorr signatures for any signer set: FROST (RFC 9591), with a suite for each kind of signature.

Read beside docs/protocols/frost.md, whose step numbers stand in the code:

- `suite`: what a kind of Schnorr signature has to say; `suites`: ours, `hashing` the hashes they share.
- `frost`: the mathematics, pure.
- `prepare` (first round, no message needed), `prepared`: what is kept of it.
- `online` (one message), `sign`: both in one session; `scheme`: that as a `Scheme`.
- `evidence`: what a stranger sees of a wrong share.

A host derives message and tweak itself, and consumes prepared nonces durably before its share leaves.
"""

from quorate.schemes.schnorr.messages import MAX_BATCH, ONLINE, PREPARE, SIGN, Commitments, Share
from quorate.schemes.schnorr.online import (
    Request,
    WrongShares,
    answer,
    check_session,
    collect,
    combine,
    contribute,
    sign_online,
)
from quorate.schemes.schnorr.prepare import Batch, prepare
from quorate.schemes.schnorr.prepared import Preparation, Prepared, ReadyNonces
from quorate.schemes.schnorr.scheme import Schnorr
from quorate.schemes.schnorr.sign import sign
from quorate.schemes.schnorr.suite import Commitment, Suite

__all__ = [
    "MAX_BATCH",
    "ONLINE",
    "PREPARE",
    "SIGN",
    "Batch",
    "Commitment",
    "Commitments",
    "Preparation",
    "Prepared",
    "ReadyNonces",
    "Request",
    "Schnorr",
    "Share",
    "Suite",
    "WrongShares",
    "answer",
    "check_session",
    "collect",
    "combine",
    "contribute",
    "prepare",
    "sign",
    "sign_online",
]
