"""Nonces given out and taken back once: what makes a request proof fresh."""

from __future__ import annotations

from collections import OrderedDict

from quorate.clock import Clock
from quorate.entropy import Rng
from quorate.errors import Refused
from quorate.node.limits import CHALLENGE_SECONDS, MAX_CHALLENGES


class Challenges:
    """In memory: after a restart old nonces are unknown, which refuses them."""

    def __init__(self, rng: Rng, clock: Clock) -> None:
        self._rng = rng
        self._clock = clock
        self._given: OrderedDict[bytes, float] = OrderedDict()

    def give(self) -> bytes:
        """A fresh nonce; the oldest unused one goes when there are too many."""
        nonce = self._rng(32)
        self._given[nonce] = self._clock()
        while len(self._given) > MAX_CHALLENGES:
            self._given.popitem(last=False)
        return nonce

    def take(self, nonce: bytes) -> None:
        """Raises `Refused` unless this nonce was given out, recently, and not used yet."""
        born = self._given.pop(nonce, None)
        if born is None or self._clock() - born > CHALLENGE_SECONDS:
            raise Refused("the request's nonce is unknown, used or old; ask for a new one", code="challenge")
