"""Threshold ECDSA as a `Scheme`: cold signing, and verification of all 65 bytes.

The signature is r, s and the recovery id. Two of the three are not enough for a caller: a chain that recovers
the sender from a wrong recovery id finds a stranger, so `verify` refuses one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, ClassVar, Final

from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import Group, Point, Scalar
from quorate.primitives.parameters import STANDARD, OTParameters
from quorate.schemes.ecdsa.conventions import convention, hash_scalar
from quorate.schemes.ecdsa.setup import suite
from quorate.schemes.ecdsa.sign import SIGN, sign
from quorate.schemes.ecdsa.signature import Signature, normalised, verify
from quorate.schemes.quorum import Signer
from quorate.schemes.scheme import Checking, Scheme
from quorate.schemes.tweak import Tweak
from quorate.session import Party, PartyId


class Ecdsa(Scheme):
    """DKLs23 (docs/protocols/ecdsa.md). The message is a 32-byte digest."""

    name = "ecdsa"
    curves = ("secp256k1", "p256", "stark")
    declaration = SIGN
    signature_length = 65
    needs_pairs: ClassVar[bool] = True

    def __init__(self, parameters: OTParameters = STANDARD) -> None:
        self._parameters: Final = parameters

    def suite(self, group: Group) -> str:
        return suite(group, self._parameters)

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
        if tweak is not None and tweak.x_only:
            raise LocalError("an x-only tweak belongs to BIP 340, not to ECDSA")
        signature = await sign(
            party,
            signer,
            pairs or {},
            message,
            combiner=combiner,
            tweak=None if tweak is None or tweak.is_none else tweak.plain,
            path=path,
            parameters=self._parameters,
            checking=checking,
        )
        return None if signature is None else signature.to_bytes()

    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        try:
            read = Signature.from_bytes(signature)
        except Malformed as error:
            raise ProofRejected(str(error)) from None
        verify(public_key, message, read)
        group = public_key.group
        if not convention(group).recovers:
            if read.recovery:
                raise ProofRejected(f"a signature on {group.name} has no recovery id")
            return
        inverse = Scalar(read.s, group).inverse()
        nonce_point = group.generator.multiply_public(
            inverse * hash_scalar(group, message)
        ) + public_key.multiply_public(inverse * Scalar(read.r, group))
        if normalised(nonce_point, Scalar(read.s, group)) != read:
            raise ProofRejected("the recovery id leads to another key")


ECDSA: Final = Ecdsa()
