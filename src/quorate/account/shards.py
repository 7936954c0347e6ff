"""Which oblivious-transfer instance a pair of nodes uses for an account.

One long-lived correlation for all users would be one secret for all users; the account id spreads them over
a fixed number of independent ones, so that a leak or a quarantine touches one shard.
"""

from __future__ import annotations

from typing import Final

from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

SHARDS: Final = 64
"""Between two nodes. 64 instances of both directions are about 1.1 MB a pair."""

DEVICE_SHARD: Final = 0
"""A device and a node have one instance."""


def shard_of(account: bytes) -> int:
    """The shard of an account, below `SHARDS`."""
    return int.from_bytes(digest(Tag.SHARD, account)[:8], "big") % SHARDS
