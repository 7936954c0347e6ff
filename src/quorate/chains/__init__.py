"""What is signed, in the terms of the chain that must accept it.

A device hands the signers a *payload*: the canonical bytes of a `Request`. Every signer decodes it itself,
shows or judges the `Preview` and the fields, and computes the digests to sign; nobody is ever handed a
digest and told what it means. `chain.py` is the port; each family of chains is one package or module beside
it, found by its CAIP-2 namespace through the entry point group ``quorate.chains``. See ``docs/chains.md``.

Nothing heavy is imported here: a node starts without any chain's libraries and loads them at first use, or
in the background with `Chains.warm`.
"""

from quorate.chains.chain import (
    Chain,
    ChainRow,
    Decoded,
    Digest,
    Family,
    Level,
    Line,
    Preview,
    Request,
    Risk,
    Signature,
    Signed,
)
from quorate.chains.registry import Chains

__all__ = [
    "Chain",
    "ChainRow",
    "Chains",
    "Decoded",
    "Digest",
    "Family",
    "Level",
    "Line",
    "Preview",
    "Request",
    "Risk",
    "Signature",
    "Signed",
]
