"""The account register under a simulator of its own: devices, nodes and a clock; every choice from a seed.

One account, two devices that race with one to three operations each, readers, an authorised thief and an
outsider (`thief`), t lying members, schedulers, duplicates, lost DECIDED, crashes, power cuts, members down
for good, and changes of the committee. The handlers and the device's procedures are the real ones; signatures
are those of `quorate.testing.identities`. `world` says what must hold. `slots` is the same for write-once
slots, in little.
"""

from quorate.testing.register.runs import SETS, play

__all__ = ["SETS", "play"]
