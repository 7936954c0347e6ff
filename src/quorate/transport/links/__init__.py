"""Links between nodes: parcels that arrive at least once, over connections that may break at any moment.

`frames` is what is said, `handshake` how two nodes make sure of each other, `link` the sealed connection that
comes of it, `wire` the port below it (in memory, WebSocket). `dispatch` is the end that has parcels to
deliver and dials, `intake` the end that takes them in. ``docs/protocols/links.md`` argues for all of it.

Each node dials each other one and sends its own parcels on the connection it has dialed; what comes back on
it are acknowledgements. So there is no question of which of two crossing connections counts.
"""

from quorate.transport.links.dispatch import Dispatch, Dispatched, Store
from quorate.transport.links.frames import MAX_PARCEL_BYTES, Parcel
from quorate.transport.links.handshake import Introduction, LinkPeer
from quorate.transport.links.intake import Intake, NotNow, take_in
from quorate.transport.links.link import Link, answer, call
from quorate.transport.links.wire import MemoryWire, SocketWire, Wire, WireClosed

__all__ = [
    "MAX_PARCEL_BYTES",
    "Dispatch",
    "Dispatched",
    "Intake",
    "Introduction",
    "Link",
    "LinkPeer",
    "MemoryWire",
    "NotNow",
    "Parcel",
    "SocketWire",
    "Store",
    "Wire",
    "WireClosed",
    "answer",
    "call",
    "take_in",
]
