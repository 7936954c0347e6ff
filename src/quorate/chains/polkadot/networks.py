"""The chains known without configuration, as rows, and what their addresses and payloads look like.

The chain id of the namespace is the first 16 bytes of the genesis hash in hexadecimal (CAIP-2's ``polkadot``
namespace). A row that is added has the generic address number 42, the relay chains' signed extensions and no
table of calls: everything it signs is shown raw.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from quorate.chains.chain import Chain
from quorate.chains.polkadot import runtimes
from quorate.chains.polkadot.runtimes import Runtime
from quorate.chains.polkadot.ss58 import GENERIC
from quorate.errors import Malformed

_REFERENCE: Final = re.compile(r"[0-9a-f]{32}\Z")


@dataclass(frozen=True, slots=True)
class Network:
    """A chain's row with its address number, its genesis (whole, or the half its id has) and its runtimes.

    `pays_in_assets` says that its extrinsics carry ``ChargeAssetTxPayment`` instead of
    ``ChargeTransactionPayment``: after the tip comes an optional asset, always absent here.
    """

    chain: Chain
    genesis: bytes
    prefix: int = GENERIC
    pays_in_assets: bool = False
    runtimes: tuple[Runtime, ...] = ()

    def runtime(self, spec_version: int, transaction_version: int) -> Runtime | None:
        """The table for these versions, or None."""
        found = (table for table in self.runtimes if table.covers(spec_version, transaction_version))
        return next(found, None)


def network_of(row: Chain) -> Network:
    """A row of configuration: ours with its data where the id is ours, else one of which nothing is known."""
    known = BY_ID.get(row.caip2)
    if known is not None:
        return Network(row, known.genesis, known.prefix, known.pays_in_assets, known.runtimes)
    if row.namespace != "polkadot" or not _REFERENCE.match(row.reference):
        raise Malformed(
            f"chain {row.caip2!r}: expected polkadot:<32 lower-case hexadecimal digits of the genesis hash>"
        )
    return Network(row, bytes.fromhex(row.reference))


def _network(
    genesis: str,
    name: str,
    symbol: str,
    decimals: int,
    explorer: str,
    prefix: int,
    tables: tuple[Runtime, ...],
    *,
    pays_in_assets: bool = False,
) -> Network:
    page = f"https://{explorer}.subscan.io/extrinsic/{{}}"
    chain = Chain(f"polkadot:{genesis[:32]}", name, symbol, decimals, page)
    return Network(chain, bytes.fromhex(genesis), prefix, pays_in_assets, tables)


KNOWN: Final = (
    _network(
        "91b171bb158e2d3848fa23a9f1c25182fb8e20313b2c1eb49219da7a70ce90c3",
        "Polkadot",
        "DOT",
        10,
        "polkadot",
        0,
        runtimes.POLKADOT,
    ),
    _network(
        "b0a8d493285c2df73290dfb7e61f870f17b41801197a149ca93654499ea3dafe",
        "Kusama",
        "KSM",
        12,
        "kusama",
        2,
        runtimes.KUSAMA,
    ),
    _network(
        "e143f23803ac50e8f6f8e62695d1ce9e4e1d68aa36c1cd2cfd15340213f3423e",
        "Westend",
        "WND",
        12,
        "westend",
        GENERIC,
        runtimes.WESTEND,
    ),
    _network(
        "68d56f15f85d3136970ec16946040bc1752654e906147f7e43e9d539d7c3de2f",
        "Polkadot Asset Hub",
        "DOT",
        10,
        "assethub-polkadot",
        0,
        runtimes.ASSET_HUB,
        pays_in_assets=True,
    ),
    _network(
        "48239ef607d7928874027a43a67689209727dfb3d3dc5e5b03a39bdc2eda771a",
        "Kusama Asset Hub",
        "KSM",
        12,
        "assethub-kusama",
        2,
        runtimes.ASSET_HUB,
        pays_in_assets=True,
    ),
    _network(
        "67f9723393ef76214df0118c34bbbd3dbebc8ed46a10973a8c969d48fe7598c9",
        "Westend Asset Hub",
        "WND",
        12,
        "assethub-westend",
        GENERIC,
        runtimes.WESTEND_ASSET_HUB,
        pays_in_assets=True,
    ),
)
BY_ID: Final = {network.chain.caip2: network for network in KNOWN}
NETWORKS: Final = tuple(network.chain for network in KNOWN)
