"""The change of committee, as one node goes through it (docs/protocols/resharing.md, "The change of epoch").

Read in this order: `talk` (what nodes say to each other about it), `store` (what each has written down before
it said something), `resharing` (the sessions), `change` (from the certified succession to the switch),
`driver` (how a succession comes about: by an operator's wish, or by schedule).
"""

from quorate.node.epochs.change import EpochChange, Means, Progress
from quorate.node.epochs.driver import Driver

__all__ = ["Driver", "EpochChange", "Means", "Progress"]
