"""Polkadot, Kusama, Westend and their Asset Hubs (CAIP-2 namespace ``polkadot``).

The namespace's chain id is the first half of the genesis hash in hexadecimal. Payload kinds:

============= ========================================================== ==================================
kind          body                                                       what is signed
============= ========================================================== ==================================
``extrinsic`` `Extrinsic`: the call and every other field that is signed call, extra and additional fields
``message``   `Message`: the content                                     ``<Bytes>`` content ``</Bytes>``
============= ========================================================== ==================================

An account belongs to an Ed25519, an sr25519 or a secp256k1 key, and its address does not say which; the body
does (`scheme`), because the signature's form depends on it. sr25519 needs the extra ``sr25519``; the others
need nothing beyond the package.

Sources: docs.polkadot.com for the SCALE codec and SS58, and the runtimes' sources for pallet indices and
transaction extensions (see `runtimes`).
"""

from quorate.chains.polkadot.family import Polkadot
from quorate.chains.polkadot.networks import NETWORKS

__all__ = ["NETWORKS", "Polkadot"]
