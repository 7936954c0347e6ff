"""Bitcoin (CAIP-2 namespace ``bip122``): P2WPKH and P2TR of one secp256k1 key.

=========== ================================================ ========================================
kind        body                                             sources
=========== ================================================ ========================================
``psbt``    a PSBT of version 0 or 2, its maps sorted by key BIP 174, 370, 371; digests BIP 143, 341
``message`` the message's bytes                              BIP 322, simple
=========== ================================================ ========================================

A PSBT has a digest for each input of the wallet's key: scheme ``ecdsa`` for P2WPKH, ``bip340`` with
`Digest.x_only_tweak` for P2TR. Digests are computed here and by embit (extra ``bitcoin``), and unless both
agree nobody signs.
"""

from quorate.chains.bitcoin.family import Bitcoin
from quorate.chains.bitcoin.networks import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET3, TESTNET4

__all__ = ["MAINNET", "NETWORKS", "REGTEST", "SIGNET", "TESTNET3", "TESTNET4", "Bitcoin"]
