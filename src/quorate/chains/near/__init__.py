"""NEAR (CAIP-2 namespace ``near``).

Payload kinds, and what is hashed with SHA-256 and signed, by an Ed25519 or a secp256k1 access key:

=============== ============================================ ==========================================
kind            body                                         hashed
=============== ============================================ ==========================================
``transaction`` the unsigned transaction (version 0), Borsh  the body
``delegate``    an action for a relayer to submit, Borsh     ``2^30 + 366`` and the body (NEP-366, 461)
``message``     message, nonce, recipient, callback, Borsh   ``2^31 + 413`` and the body (NEP-413)
=============== ============================================ ==========================================

Needs no library: Borsh has one encoding for each value, and reader and writer are a page.
"""

from quorate.chains.near.family import Near
from quorate.chains.near.networks import NETWORKS

__all__ = ["NETWORKS", "Near"]
