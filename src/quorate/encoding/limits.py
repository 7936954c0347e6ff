"""Named limits on what is read from outside. Each has its reason; a test hits each."""

from __future__ import annotations

from typing import Final

MAX_MESSAGE_BYTES: Final = 1 << 20
"""One encoded message. The largest of ours (OT setup of a pair) is about 24 kB, a signing message 43 kB;
a batch of keys for a large committee stays far below 1 MiB."""

MAX_TEXT_BYTES: Final = 1 << 10
"""A name, label or description inside a record; long enough for a person, too short to fill a disk."""
