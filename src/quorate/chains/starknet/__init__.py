"""Starknet (CAIP-2 namespace ``starknet``): accounts that are contracts, owned by a key on the STARK curve.

================== ============================================ ============================================
kind               body                                         hash that is signed
================== ============================================ ============================================
``invoke``         `Invoke`: version 3, fee in STRK             Poseidon over fields, bounds and calldata
``invoke-v1``      `InvokeV1`: version 1, fee in ETH            Pedersen over fields and calldata
``deploy-account`` `DeployAccount`: version 3                   Poseidon over fields and constructor data
``typed-data``     `TypedMessage`: a SNIP-12 document           Poseidon over domain, account and message
================== ============================================ ============================================

An address is computed from the class, a salt and the constructor's data, and stays when the account's class
is upgraded later; so every request says how its account was made (`Deployment`), and every signer computes
the address and looks for the wallet's key in the constructor's data. The hashes come from the extra
``starknet``.

Sources: docs.starknet.io ("Transactions", "Contract address", "Hash functions"), SNIP-6 for the form of
calls. Not here: declaring classes, transactions of version 0, paymasters.
"""

from quorate.chains.starknet.family import Starknet
from quorate.chains.starknet.networks import NETWORKS

__all__ = ["NETWORKS", "Starknet"]
