"""The networks known without configuration. The id is the network's name."""

from __future__ import annotations

import re
from typing import Final

from quorate.chains.chain import Chain
from quorate.errors import Malformed

NETWORKS: Final = (
    Chain("near:mainnet", "NEAR", "NEAR", 24, "https://nearblocks.io/txns/{}"),
    Chain("near:testnet", "NEAR Testnet", "NEAR", 24, "https://testnet.nearblocks.io/txns/{}"),
)

_REFERENCE: Final = re.compile(r"near:[-a-zA-Z0-9]{1,32}")


def check_network(caip2: str) -> None:
    """Raises `Malformed` unless this is ``near:`` and a network's name."""
    if not _REFERENCE.fullmatch(caip2):
        raise Malformed(f"chain {caip2!r}: expected near:<network>")
