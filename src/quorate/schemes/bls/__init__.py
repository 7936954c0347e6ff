"""Threshold BLS signatures on BLS12-381 for any signer set, without interaction.

Read beside docs/protocols/bls.md, whose step numbers stand in the code:

- `suites`: basic, augmented and proof-of-possession, with short keys or short signatures.
- `partial`: a signer's part of a signature, its check, the sum.
- `sign`: the same as a session, with blame; `signature`: verification of what came out.
- `scheme`: what the registry of schemes gives out.

Keys come from `quorate.sharing` as for every other curve. Needs the extra ``bls``.
"""

from quorate.schemes.bls.partial import Context, FalsePartials, Partial, combine, partial, verify_partial
from quorate.schemes.bls.sign import SIGN, collect, contribute, deviated, prove_possession, sign
from quorate.schemes.bls.signature import pop_verify, verify
from quorate.schemes.bls.suites import SUITES, Suite, suite_named

__all__ = [
    "SIGN",
    "SUITES",
    "Context",
    "FalsePartials",
    "Partial",
    "Suite",
    "collect",
    "combine",
    "contribute",
    "deviated",
    "partial",
    "pop_verify",
    "prove_possession",
    "sign",
    "suite_named",
    "verify",
    "verify_partial",
]
