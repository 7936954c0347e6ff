"""Threshold ECDSA for any signer set: DKLs23 (Doerner, Kondi, Lee, shelat, ePrint 2023/765), on secp256k1,
P-256 and the STARK curve; the key says which.

Read beside docs/protocols/ecdsa.md, whose step numbers stand in the code:

- `setup`: OT setup of a pair, once.
- `quorum`: who signs, with which part of the key.
- `presign` (two rounds, no message yet), with its mathematics in `checks`; `presignature`: what is kept.
- `online` (one message), `sign`: both in one session; `signature`: the result and its verification.
- `conventions`: what each curve's verifiers want of a signature.
- `faults`: what failed checks become; `evidence`: what a stranger sees of it.

A host derives the digest from the payload itself, consumes a presignature durably before its answer leaves,
and stores a leak-bearing `Suspicion` (the pair is quarantined) before it answers anybody.
"""

from quorate.schemes.ecdsa.conventions import OutOfRange
from quorate.schemes.ecdsa.faults import Disagreement, StaleSetup, Unattributable
from quorate.schemes.ecdsa.messages import PRESIGN
from quorate.schemes.ecdsa.online import (
    ONLINE,
    Answer,
    Request,
    answer,
    check_session,
    collect,
    combine,
    contribute,
    sign_online,
)
from quorate.schemes.ecdsa.presign import presign
from quorate.schemes.ecdsa.presignature import Derivation, Presignature, ReadyPresignature
from quorate.schemes.ecdsa.setup import SETUP, PairSetup, instance_payload, propose_setup, set_up, suite
from quorate.schemes.ecdsa.sign import SIGN, sign
from quorate.schemes.ecdsa.signature import Signature, verify
from quorate.schemes.quorum import Quorum, Signer

__all__ = [
    "ONLINE",
    "PRESIGN",
    "SETUP",
    "SIGN",
    "Answer",
    "Derivation",
    "Disagreement",
    "OutOfRange",
    "PairSetup",
    "Presignature",
    "Quorum",
    "ReadyPresignature",
    "Request",
    "Signature",
    "Signer",
    "StaleSetup",
    "Unattributable",
    "answer",
    "check_session",
    "collect",
    "combine",
    "contribute",
    "instance_payload",
    "presign",
    "propose_setup",
    "set_up",
    "sign",
    "sign_online",
    "suite",
    "verify",
]
