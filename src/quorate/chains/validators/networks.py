"""The consensus networks known without configuration, and the ids of any.

CAIP-2 has no namespace for Ethereum's consensus layer. Ours is ``beacon``, and the reference the first 32
hexadecimal digits of the network's genesis validators root, which is part of every signature there; the rule
is bip122's for genesis hashes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from quorate.chains.chain import Chain
from quorate.errors import Malformed

_ID: Final = re.compile(r"beacon:[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Network:
    """A row, the whole genesis validators root, and the fork versions for which deposits and exits of that
    network are signed; empty where unknown."""

    chain: Chain
    root: bytes = b""
    genesis_version: bytes = b""
    capella_version: bytes = b""


def network_id(genesis_validators_root: bytes) -> str:
    """The CAIP-2 id of the network with this genesis validators root."""
    return f"beacon:{genesis_validators_root[:16].hex()}"


def check_id(caip2: str) -> None:
    """Raises `Malformed` for an id that is not of this form."""
    if not _ID.fullmatch(caip2):
        raise Malformed(
            f"chain {caip2!r}: expected beacon:<32 lower-case digits of the genesis validators root>"
        )


def _known(root: str, genesis: str, capella: str, name: str) -> Network:
    row = Chain(network_id(bytes.fromhex(root)), name, "ETH", decimals=9)
    return Network(row, bytes.fromhex(root), bytes.fromhex(genesis), bytes.fromhex(capella))


# eth-clients: genesis validators root, GENESIS_ and CAPELLA_FORK_VERSION. Balances are counted in Gwei.
KNOWN: Final = (
    _known(
        "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95",
        "00000000",
        "03000000",
        "Ethereum validators",
    ),
    _known(
        "d8ea171f3c94aea21ebc42a1ed61052acf3f9209c00e4efbaaddac09ed9b8078",
        "90000069",
        "90000072",
        "Sepolia validators",
    ),
    _known(
        "212f13fc4df078b6cb7db228f1c8307566dcecf900867401a92023d7ba99cb5f",
        "10000910",
        "40000910",
        "Hoodi validators",
    ),
)


def capella_version(genesis_validators_root: bytes) -> bytes:
    """For which version exits of a known network are signed; empty for any other."""
    caip2 = network_id(genesis_validators_root)
    return next((found.capella_version for found in KNOWN if found.chain.caip2 == caip2), b"")
