"""Ethereum's validators (namespace ``beacon``, ours: the first half of the genesis validators root follows).

A validator's account is its BLS public key. Each kind's body is the encoding of a struct of `messages`:

===================== ==================================== ======================= =====
kind                  struct                               domain                  duty
===================== ==================================== ======================= =====
``attestation``       `AttestationMessage`                 beacon attester         yes
``block``             `BlockHeader`                        beacon proposer         yes
``randao``            `RandaoReveal`                       randao                  no
``aggregation-slot``  `AggregationSlot`                    selection proof         no
``aggregate``         `Aggregate` (before and in Electra)  aggregate and proof     no
``sync-message``      `SyncMessage`                        sync committee          no
``sync-selection``    `SyncSelection`                      sync selection proof    no
``sync-contribution`` `SyncContribution`                   contribution and proof  no
``exit``              `VoluntaryExit`                      voluntary exit          no
``deposit``           `Deposit`                            deposit                 no
===================== ==================================== ======================= =====

What is signed is the SSZ signing root, with the scheme ``bls-pop``. A kind with a duty must pass the signer's
`quorate.vault.duties` before a partial signature leaves: `Decoded.duty` says so. Needs the extra ``bls``.
"""

from quorate.chains.validators.family import Beacon
from quorate.chains.validators.networks import KNOWN, network_id

__all__ = ["KNOWN", "Beacon", "network_id"]
