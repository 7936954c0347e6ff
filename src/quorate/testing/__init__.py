"""What tests of protocols need, shipped to users: a simulator, cheats, and identities that cost nothing.

- `simulation`, `result`: all parties of a protocol in one process, from a seed; what must hold of the end.
- `network`: schedulers and faults. `cheats`, `mutations`: parties that lie.
- `identities`: unsafe identities, fast. `toss`: the example protocol.
- `scenarios`, `simulate`: ``python -m quorate.testing.simulate``, thousands of seeds of our protocols.
- `committee`: real nodes with their vaults in one process, without sockets.

Nothing in the package imports this layer. How to use it: docs/testing.md.
"""

from quorate.testing.cheats import (
    Cheat,
    Contradict,
    Damage,
    Draft,
    Garble,
    Impersonate,
    Inject,
    Recorder,
    Tamper,
    Wild,
    Withhold,
    lies,
)
from quorate.testing.dice import Dice
from quorate.testing.identities import UnsafeIdentity, unsafe_identity
from quorate.testing.mutations import Mutation, fields_of, mutations_for, put
from quorate.testing.network import (
    Faults,
    InOrder,
    LastFirst,
    Partition,
    Prefer,
    Scheduler,
    Starve,
    Uniform,
)
from quorate.testing.result import Crashed, Result
from quorate.testing.simulation import Simulation

__all__ = [
    "Cheat",
    "Contradict",
    "Crashed",
    "Damage",
    "Dice",
    "Draft",
    "Faults",
    "Garble",
    "Impersonate",
    "InOrder",
    "Inject",
    "LastFirst",
    "Mutation",
    "Partition",
    "Prefer",
    "Recorder",
    "Result",
    "Scheduler",
    "Simulation",
    "Starve",
    "Tamper",
    "Uniform",
    "UnsafeIdentity",
    "Wild",
    "Withhold",
    "fields_of",
    "lies",
    "mutations_for",
    "put",
    "unsafe_identity",
]
