"""What a node agrees to sign: a port, and the rule a node starts with.

A policy sees the *decoded* payload, never only a digest. It says nothing to allow and raises `Refused` to
refuse. Every node asks its own; no coordinator decides for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from quorate.chains.chain import Decoded
from quorate.errors import Refused


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks for a signature: the account and the key, as the node's own records name them."""

    account: bytes
    key: bytes


class Policy(Protocol):
    """Decides on one decoded payload."""

    def decide(self, decoded: Decoded, asked: Asked) -> None:
        """Raises `Refused` with a stable code to refuse."""


@dataclass(frozen=True, slots=True)
class DefaultPolicy:
    """Allows what can be read; refuses digests nobody can read, unless the operator turns them on."""

    allow_blind: bool = False

    def decide(self, decoded: Decoded, asked: Asked) -> None:
        if decoded.blind and not self.allow_blind:
            raise Refused(
                "this network does not sign digests it cannot read; send the transaction or message itself",
                code="blind-digest",
            )
