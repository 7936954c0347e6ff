"""Sessions that stand for days: they outlive the process, and need neither a device nor a connection to
begin.

Key generation and resharing run here. A session's agreement is derived by every node alike, or told by the
first that begins it; it is journaled, its envelopes travel as parcels (`quorate.node.links`), and it goes on
helping others after its own conclusion, until all have said that they are done.

**One event, one transaction.** An envelope, a tick or a beginning is computed first, outside of any
transaction, with its journal record held back; then record, parcels and, at the conclusion, the result are
written together, and only then is the sender's parcel acknowledged. If that write fails, the session object
has seen what the disk has not: it is thrown away, and the next one is made from the journal. There is never
more than one object of a session, since all of them live in one thread.

**In the background.** That thread is not the one that signs. It works in small pieces, peer by peer in turn,
and sleeps so as to stay below its share of one core.

`protocol` is what a protocol brings along, `talk` what nodes say to each other, `steps` what happens in the
thread, `turns` whose turn it is, `sessions` the event loop's side. Steps: docs/protocols/links.md, part E.
"""

from quorate.node.standing.live import SessionView
from quorate.node.standing.protocol import Seat, StandingProtocol
from quorate.node.standing.sessions import StandingSessions

__all__ = ["Seat", "SessionView", "StandingProtocol", "StandingSessions"]
