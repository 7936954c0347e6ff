"""The chains known without configuration. The id's reference is the chain's own short string."""

from __future__ import annotations

import re
from typing import Final

from quorate.chains.chain import Chain
from quorate.chains.starknet.felts import short_string
from quorate.errors import Malformed

NETWORKS: Final = (
    Chain("starknet:SN_MAIN", "Starknet", "STRK", 18, "https://starkscan.co/tx/{}"),
    Chain("starknet:SN_SEPOLIA", "Starknet Sepolia", "STRK", 18, "https://sepolia.starkscan.co/tx/{}"),
)

_REFERENCE: Final = re.compile(r"[A-Z0-9_]{1,31}\Z")


def chain_id(caip2: str) -> int:
    """The felt of ``starknet:<short string>``. Raises `Malformed`."""
    namespace, _, reference = caip2.partition(":")
    if namespace != "starknet" or not _REFERENCE.match(reference):
        raise Malformed(f"chain {caip2!r}: expected starknet:<capital letters, digits and _>")
    return short_string(reference)
