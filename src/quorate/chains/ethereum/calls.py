"""Call data that is understood: the token calls by which people lose money, and nothing else.

A selector is the first four bytes of a hash, so it names a function without proving that the contract means
by it what the standard does; previews therefore say what the call *asks* the contract to do. Arguments must
be exactly those of the function, with nothing before, between or after (eth-abi's encoding of what was read
must give the same bytes); otherwise the call is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from quorate.chains.ethereum.address import checksummed

PRACTICALLY_UNLIMITED: Final = (1 << 96) - 1
"""Tokens that count in 96 bits use this as "all"; 10^10 whole tokens of 18 decimals are far above it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call decoded: its signature, and its arguments by name (addresses as text, numbers as integers)."""

    signature: str
    arguments: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The function's name alone."""
        return self.signature.partition("(")[0]


KNOWN: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "a9059cbb": ("transfer(address,uint256)", ("recipient", "amount")),  # ERC-20
    "095ea7b3": ("approve(address,uint256)", ("spender", "amount")),  # ERC-20; ERC-721 with a token id
    "23b872dd": (
        "transferFrom(address,address,uint256)",
        ("owner", "recipient", "amount"),
    ),  # ERC-20, ERC-721
    "39509351": ("increaseAllowance(address,uint256)", ("spender", "amount")),  # OpenZeppelin
    "d505accf": (  # ERC-2612
        "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
        ("owner", "spender", "amount", "deadline", "v", "r", "s"),
    ),
    "a22cb465": ("setApprovalForAll(address,bool)", ("spender", "approved")),  # ERC-721, ERC-1155
    "42842e0e": ("safeTransferFrom(address,address,uint256)", ("owner", "recipient", "token_id")),  # ERC-721
}


def decode_call(data: bytes) -> Call | None:
    """The known call that `data` is, or None."""
    known = KNOWN.get(data[:4].hex())
    if known is None:
        return None
    from eth_abi.abi import decode, encode
    from eth_abi.exceptions import DecodingError

    signature, names = known
    types = signature.partition("(")[2].rstrip(")").split(",")
    try:
        values = decode(types, data[4:])
    except (DecodingError, OverflowError):
        return None
    if encode(types, values) != data[4:]:
        return None
    shown = [
        checksummed(bytes.fromhex(value[2:])) if kind == "address" else value
        for kind, value in zip(types, values, strict=True)
    ]
    return Call(signature, dict(zip(names, shown, strict=True)))
