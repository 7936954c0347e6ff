"""What one node lets in, by name. Each limit has its reason; a test hits each."""

from __future__ import annotations

from typing import Final

MAX_BODY_BYTES: Final = 64 << 10
"""A request body: the largest is a certificate, with one signature a node."""

MAX_SUCCESSIONS: Final = 256
"""Changes of the committee in one answer, of a few kilobytes each: five years of weekly ones. A device that
was away for longer is told of the present committee by its operator, as a new one is."""

MAX_CONNECTIONS: Final = 512
"""Sockets open at once, most of which may still be silent: those cost a file each, of which a process has
1024 by default. One more is hung up on, and its hub goes on with other nodes."""

HANDSHAKE_SECONDS: Final = 5.0
"""From connecting to proposing; whoever connects knows what to ask."""

MAX_SESSIONS: Final = 64
"""Sessions in progress on one node. Each holds about a megabyte while it runs and computes in one thread,
so more would only wait longer than their hubs do."""

MAX_SESSIONS_PER_ACCOUNT: Final = 8
"""A person's devices at once; a ninth waits, so that one account cannot fill the node."""

MAX_SESSIONS_PER_NODE: Final = 16
"""Setups that one other node has open here: more than the accounts that wait for one at a moment, and few
enough that one node which keeps its sessions open takes no other's place."""

MAX_CHALLENGES: Final = 4096
"""Nonces given out and not yet used; the oldest go first."""

CHALLENGE_SECONDS: Final = 60.0
"""Between asking for a nonce and using it."""

MAX_KEYS_PER_ACCOUNT: Final = 64
"""Keys one account may form; a key costs the nodes a generation run and a record."""

MAX_OPEN_KEYS_PER_ACCOUNT: Final = 8
"""Keys of one account that were formed and not made live: each holds two shares on every node."""

MAX_FORMATIONS_PER_DAY: Final = 128
"""Formations of one account: twice the keys it may have. What was locked or burned stays so for ever, a small
file and two rows each time, so that forming and failing all day would fill a node."""

OPEN_KEY_SECONDS: Final = 24 * 3600.0
"""Such a key is kept at least this long, and for as long as no other needs its place."""

REFRESH_FOLLOWS_SECONDS: Final = 900.0
"""A key formed with a spare is refreshed by the same run of the same device, seconds later. Devices give a
creation up after this long (`quorate.device.shelf`)."""

CLOSING_SECONDS: Final = 5.0
"""How long running sessions may finish when the node is asked to stop."""

ENSURE_SECONDS: Final = 15.0
"""How long a session waits for an instance with another node that is being made at that moment."""

PATIENCE_SECONDS: Final = 1.0
"""How long the second of two nodes waits for the first to make their instance before it makes one itself;
several times what a setup takes, well under what a device waits for a round."""

PINNED_SECONDS: Final = 60.0
"""How long a session that was opened in the committee epoch before may go on. Signatures take seconds; until
the last of them ends, shares of the past epoch are in this process's memory, though nowhere else."""

UPKEEP_SECONDS: Final = 600.0
"""How often a node looks for instances to replace and presignatures that have expired."""

POLL_SECONDS: Final = 0.05
"""How often a node looks whether another one has made their instance; a setup takes about this long."""
