"""Ethereum and the chains that share its transactions (CAIP-2 namespace ``eip155``).

Payload kinds and what is hashed for each:

================= ===================================================== =============================
kind              body                                                  sources
================= ===================================================== =============================
``transaction``   the unsigned transaction's own signing preimage       EIP-155, 2718, 2930, 1559, 7702
``message``       the message's bytes                                   EIP-191 version 0x45
``typed-data``    RFC 8785 JSON of types, primaryType, domain, message  EIP-712
``authorization`` ``0x05 || rlp([chain id, address, nonce])``           EIP-7702
``blind``         a 32-byte digest                                      none; refused by default policy
================= ===================================================== =============================

Digests and signed objects come from eth-account's encoders; that package costs most of a second to import, so
every module here imports it inside functions (`Ethereum.warm` loads it ahead of time), except `account` and
`evm`, which are nothing without it.
"""

from quorate.chains.ethereum.family import Ethereum
from quorate.chains.ethereum.networks import NETWORKS

__all__ = ["NETWORKS", "Ethereum"]
