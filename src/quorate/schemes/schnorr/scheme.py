"""Threshold Schnorr as a `Scheme`: one class for all suites, cold signing in one session of two rounds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final

from quorate.errors import LocalError
from quorate.groups import Group, Point
from quorate.schemes.quorum import Signer
from quorate.schemes.scheme import Checking, Scheme
from quorate.schemes.schnorr.sign import SIGN, sign
from quorate.schemes.schnorr.suite import Suite
from quorate.schemes.tweak import Tweak
from quorate.session import Party, PartyId


class Schnorr(Scheme):
    """FROST with one suite (docs/protocols/frost.md)."""

    declaration = SIGN

    def __init__(self, suite: Suite) -> None:
        self.schnorr: Final = suite
        self.name = suite.name
        self.curves = (suite.curve,)
        self.signature_length = suite.signature_length

    def suite(self, group: Group) -> str:
        if group.name != self.schnorr.curve:
            raise LocalError(f"{self.name} signs on {self.schnorr.curve}, not on {group.name}")
        return self.schnorr.session_suite

    async def sign(
        self,
        party: Party,
        signer: Signer,
        message: bytes,
        *,
        combiner: PartyId,
        pairs: Mapping[PartyId, Any] | None = None,
        tweak: Tweak | None = None,
        path: str = "",
        checking: Checking = nullcontext,
    ) -> bytes | None:
        return await sign(party, signer, self.schnorr, message, combiner=combiner, tweak=tweak, path=path)

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        self.schnorr.verify(public_key, message, signature)
