"""Bitcoin's networks as rows. The reference of a CAIP-2 id is the first half of the genesis block's hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from quorate.chains.chain import Chain
from quorate.errors import LocalError


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a network writes addresses: the prefix of BIP 173, and base58's version bytes."""

    prefix: str
    key_hash: bytes
    script_hash: bytes


_MAIN: Final = Encoding("bc", b"\x00", b"\x05")
_TEST: Final = Encoding("tb", b"\x6f", b"\xc4")
_REGTEST: Final = Encoding("bcrt", b"\x6f", b"\xc4")

MAINNET: Final = "bip122:000000000019d6689c085ae165831e93"
TESTNET3: Final = "bip122:000000000933ea01ad0ee984209779ba"
TESTNET4: Final = "bip122:00000000da84f2bafbbc53dee25a72ae"
SIGNET: Final = "bip122:00000008819873e925422c1ff0f99f7c"
REGTEST: Final = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"

NETWORKS: Final = (
    Chain(MAINNET, "Bitcoin", "BTC", 8, "https://mempool.space/tx/{}"),
    Chain(TESTNET3, "Bitcoin Testnet 3", "tBTC", 8, "https://mempool.space/testnet/tx/{}"),
    Chain(TESTNET4, "Bitcoin Testnet 4", "tBTC", 8, "https://mempool.space/testnet4/tx/{}"),
    Chain(SIGNET, "Bitcoin Signet", "sBTC", 8, "https://mempool.space/signet/tx/{}"),
    Chain(REGTEST, "Bitcoin Regtest", "rBTC", 8),
)

ENCODINGS: Final[Mapping[str, Encoding]] = MappingProxyType(
    {MAINNET: _MAIN, TESTNET3: _TEST, TESTNET4: _TEST, SIGNET: _TEST, REGTEST: _REGTEST}
)


def check_row(row: Chain) -> None:
    """Refuse a row of a network whose addresses nobody here can write.

    A private signet has signet's genesis block, so its id is signet's too; other coins of the namespace need
    a family of their own, because a wrong prefix would show a person an address of another coin.
    """
    if row.caip2 not in ENCODINGS:
        raise LocalError(f"chain {row.caip2}: this family writes addresses of Bitcoin's own networks only")
