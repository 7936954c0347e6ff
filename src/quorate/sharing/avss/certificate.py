"""Proof, for whoever took no part, that every honest node will complete a sharing: R signed readies.

R - t of the signers are honest and have sent their readies to all; these are d+1 or more, so everybody
amplifies and everybody completes, with the matrix of this digest (docs/protocols/avss.md, totality).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from quorate.encoding import Canonical
from quorate.errors import ProofRejected
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import PartyId, PublicIdentity
from quorate.sharing.avss.messages import Digest, Signature
from quorate.sharing.avss.setting import Setting
from quorate.sharing.expression import MAX_MEMBERS


class ReadyCertificate(Canonical, frozen=True):
    """R signatures by distinct nodes over one digest of one sharing, sorted by name."""

    digest: Digest
    signatures: Annotated[tuple[tuple[PartyId, Signature], ...], msgspec.Meta(max_length=MAX_MEMBERS)]

    def verify(self, setting: Setting, identities: Mapping[PartyId, PublicIdentity]) -> None:
        """Raises `ProofRejected` unless exactly R distinct nodes of the setting have signed.

        Exactly, and sorted: so a sharing completed by the same nodes has one certificate, and nobody pads it.
        """
        signers = [name for name, _ in self.signatures]
        if len(signers) != setting.ready or signers != sorted(set(signers)):
            raise ProofRejected(
                f"certificate: {setting.ready} distinct nodes must have signed, in their order"
            )
        if not set(signers) <= set(setting.nodes):
            raise ProofRejected("certificate: signed by somebody who is no node of this sharing")
        said = statement(setting, self.digest)
        for name, signature in self.signatures:
            identities[name].verify(said, signature)


def statement(setting: Setting, dealing: bytes) -> bytes:
    """What a ready signs: this sharing, this digest."""
    return digest(Tag.AVSS_READY, setting.session, dealing)
