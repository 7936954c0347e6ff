"""What a device puts into the payload of a session about a key, beside the chains' own signing requests."""

from __future__ import annotations

from typing import Annotated

import msgspec

from quorate.encoding import Canonical


class PresignRequest(Canonical, frozen=True):
    """Make one presignature, usable until `expires` (unix seconds)."""

    expires: Annotated[int, msgspec.Meta(ge=0)]


class OnlineRequest(Canonical, frozen=True):
    """Sign a chain's payload with the presignature of this id."""

    presignature: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    payload: bytes
