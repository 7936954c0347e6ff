"""The account register: per account one chain of versions, agreed on by the nodes and carried by the device.

There is no shared log and no node-to-node message on the path of a write: a device brings each node's
signatures to the others. Views are clock slots, so clocks matter for liveness only. Own protocol; rules,
argument and attacks: docs/protocols/register.md. It assumes at most t lying nodes (`Committee.echo`), durable
rows, and `Rules` that say who may write what. Nothing here does IO: `handlers.step` is a node's part,
`procedures` a device's, `handover` the change of a committee, `slots` the write-once slots beside it.
"""

from quorate.account.register.certificates import Certificate, Committee, Proof
from quorate.account.register.entries import NOTHING, Entry, View
from quorate.account.register.handlers import Context, step
from quorate.account.register.messages import Question, Reply
from quorate.account.register.rows import Row
from quorate.account.register.rules import Login, Rules

__all__ = [
    "NOTHING",
    "Certificate",
    "Committee",
    "Context",
    "Entry",
    "Login",
    "Proof",
    "Question",
    "Reply",
    "Row",
    "Rules",
    "View",
    "step",
]
