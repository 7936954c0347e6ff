"""Resharing: a committee's keys go to the next one, or to the same afresh (docs/protocols/resharing.md).

Read in this order: `keys` (the public side of many keys), `combining` (the algebra), `terms` (what is agreed
beforehand), `protocol` (the session).
"""

from quorate.sharing.reshare.keys import MAX_KEYS, SharedKeys
from quorate.sharing.reshare.protocol import Reshared, Resharing, Shares, combine, reshare, root
from quorate.sharing.reshare.terms import FORK, RESHARE, Done, Terms, keys_per_session

__all__ = [
    "FORK",
    "MAX_KEYS",
    "RESHARE",
    "Done",
    "Reshared",
    "Resharing",
    "SharedKeys",
    "Shares",
    "Terms",
    "combine",
    "keys_per_session",
    "reshare",
    "root",
]
