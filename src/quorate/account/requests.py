"""What a device asks of nodes about a key, beside the chains' own signing requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from quorate.encoding import Canonical
from quorate.errors import Malformed
from quorate.sharing.statements import KeyFormed, Prepared


class PresignRequest(Canonical, frozen=True):
    """Make one presignature, usable until `expires` (unix seconds)."""

    expires: Annotated[int, msgspec.Meta(ge=0)]


class OnlineRequest(Canonical, frozen=True):
    """Sign a chain's payload with the presignature of this id."""

    presignature: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    payload: bytes


class Signatures(Canonical, frozen=True):
    """Signatures of nodes over one statement, by name."""

    by: tuple[tuple[str, Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]], ...]

    def as_mapping(self) -> Mapping[str, bytes]:
        """By name. Raises `Malformed` when a name stands twice."""
        found = dict(self.by)
        if len(found) != len(self.by):
            raise Malformed("certificate: a node signs once")
        return found


class LiveRequest(Canonical, frozen=True):
    """A statement with the signatures of at least R nodes: KEY-FORMED (2-of-2) or PREPARED."""

    statement: KeyFormed | Prepared
    signatures: Signatures
