"""The change of committee, as one node goes through it (docs/protocols/resharing.md, "The change of epoch").

Read in this order: `talk` (what nodes say to each other about it), `store` (what each has written down before
it said something), `ballots` (how they settle on one thing of several), `consenting` (which record follows),
`listing` (which keys are reshared), `resharing` (the sessions), `change` (all of it in its order, up to the
switch), `farewells` (what is said after it), `driver` (how a change comes about: by an operator's wish, or by
schedule).
"""

from quorate.node.epochs.change import EpochChange
from quorate.node.epochs.driver import Driver
from quorate.node.epochs.means import Means
from quorate.node.epochs.progress import Progress

__all__ = ["Driver", "EpochChange", "Means", "Progress"]
