"""The BLS suites as the registry of schemes knows them.

There is no derivation below a BLS key here: EIP-2333 is hardened, and nothing that verifies our signatures
derives otherwise. Each account is a key of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, Final

from quorate.errors import LocalError
from quorate.groups import Group, Point
from quorate.schemes.bls.sign import SIGN, sign
from quorate.schemes.bls.signature import verify
from quorate.schemes.bls.suites import (
    AUGMENTED,
    AUGMENTED_SHORT,
    BASIC,
    BASIC_SHORT,
    POSSESSION,
    POSSESSION_SHORT,
    Suite,
    require_keys,
)
from quorate.schemes.quorum import Signer
from quorate.schemes.scheme import Checking, Scheme
from quorate.schemes.tweak import Tweak
from quorate.session import Party, PartyId


class BlsScheme(Scheme):
    """One suite."""

    declaration = SIGN

    def __init__(self, suite: Suite) -> None:
        self.name = suite.name
        self.curves = (suite.keys.name,)
        self.signature_length = suite.signature_length
        self._suite: Final = suite

    def suite(self, group: Group) -> str:
        require_keys(self._suite, group)
        return self._suite.agreed

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
        if path or (tweak is not None and not tweak.is_none):
            raise LocalError(f"{self.name} keys have no derived accounts; sign with the key itself")
        return await sign(party, signer, self._suite, message, combiner=combiner)

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        verify(self._suite, public_key, message, signature)


BASIC_SCHEME: Final = BlsScheme(BASIC)
AUGMENTED_SCHEME: Final = BlsScheme(AUGMENTED)
POSSESSION_SCHEME: Final = BlsScheme(POSSESSION)
BASIC_SHORT_SCHEME: Final = BlsScheme(BASIC_SHORT)
AUGMENTED_SHORT_SCHEME: Final = BlsScheme(AUGMENTED_SHORT)
POSSESSION_SHORT_SCHEME: Final = BlsScheme(POSSESSION_SHORT)
