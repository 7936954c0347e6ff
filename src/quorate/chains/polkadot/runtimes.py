"""What is known of each chain's runtime: which number a pallet has, and from which version to which.

A call is two numbers (pallet, function) and its arguments, and only the runtime says what they mean. Reading
them with the wrong table would show a stranger's transaction, so a table is used only for the versions below
which are both *signed*: a chain of another `spec_version` or `transaction_version` refuses the extrinsic.
`transaction_version` is the one that runtimes must raise when a call's numbers or arguments or the signed
extensions change (docs.rs, ``sp_version::RuntimeVersion``). Whatever is outside the ranges is shown raw.

Sources: ``construct_runtime!``, ``SignedExtra``/``TxExtension`` and ``RuntimeVersion`` in
github.com/polkadot-fellows/runtimes (Polkadot 1.2.8, Kusama 1.3.3, Asset Hub Polkadot 2.0.4, Asset Hub
Kusama 1.6.0 and 2.0.2), in github.com/paritytech/polkadot-sdk for Westend, and call indices in
``pallet-balances``, ``pallet-utility``, ``pallet-staking`` and ``frame-system`` there. Staking moved from the
relay chains to their Asset Hubs with 2.0.0; on Westend it moved in between, so it is not read there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

METADATA_HASH: Final = 1_002_005
"""Since 1.2.5 the fellowship's runtimes have ``CheckMetadataHash``; older ones are not read."""

ASYNC_STAKING: Final = 2_000_000
FAR: Final = 2_999_999
"""The last version of the series that the sources above speak of."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Numbers of the pallets that are read, for a range of spec versions. None: not there, or not read."""

    first: int
    last: int
    transaction_versions: frozenset[int]
    balances: int
    utility: int
    staking: int | None = None
    system: int = 0

    def covers(self, spec_version: int, transaction_version: int) -> bool:
        """Whether an extrinsic for these versions is read with this table."""
        return self.first <= spec_version <= self.last and transaction_version in self.transaction_versions


_26: Final = frozenset({26})
_15: Final = frozenset({15})

POLKADOT: Final = (
    Runtime(METADATA_HASH, ASYNC_STAKING - 1, _26, balances=5, utility=26, staking=7),
    Runtime(ASYNC_STAKING, FAR, _26, balances=5, utility=26),
)
KUSAMA: Final = (
    Runtime(METADATA_HASH, ASYNC_STAKING - 1, _26, balances=4, utility=24, staking=6),
    Runtime(ASYNC_STAKING, FAR, _26, balances=4, utility=24),
)
WESTEND: Final = (Runtime(1_014_000, 1_999_999, frozenset({26, 27}), balances=4, utility=16),)
ASSET_HUB: Final = (
    Runtime(METADATA_HASH, ASYNC_STAKING - 1, _15, balances=10, utility=40),
    Runtime(ASYNC_STAKING, FAR, _15, balances=10, utility=40, staking=89),
)
WESTEND_ASSET_HUB: Final = (Runtime(1_014_000, 1_999_999, frozenset({16}), balances=10, utility=40),)
