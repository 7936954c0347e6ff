"""Solana's clusters (CAIP-2 namespace ``solana``).

Payload kinds; what is signed is the body itself, with Ed25519, and the whole of it:

=============== ================================================================================
kind            body
=============== ================================================================================
``transaction`` a transaction's message, legacy or version 0, without signatures
``message``     a message in the off-chain format (header version 0), or bare text
=============== ================================================================================

Parsing and encoding are done twice, here and by solders (extra ``solana``), which is imported inside
functions; addresses need neither.
"""

from quorate.chains.solana.family import Solana
from quorate.chains.solana.networks import NETWORKS

__all__ = ["NETWORKS", "Solana"]
