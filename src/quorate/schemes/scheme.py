"""What a signature scheme is to its callers: a name, its curves, one session that signs, and a verifier.

A chain says which scheme it wants (`quorate.chains.Digest.scheme`); a node or a device asks
`quorate.schemes.registry` for it and knows nothing else. A new scheme is one new file that registers itself.

Assumes that the caller derived the message from the session's payload itself, and the tweak from its own
record of the key and the payload's path. Does not store anything: single use of what is made in advance is
the vault's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from quorate.groups import Group, Point
from quorate.schemes.quorum import Signer
from quorate.schemes.tweak import Tweak
from quorate.session import Declaration, Party, PartyId

Checking = Callable[[], AbstractContextManager[object]]
"""See `quorate.schemes.ecdsa.presign`: where a host counts leak-bearing checks. Other schemes have none."""


class Scheme(ABC):
    """One way to sign. Instances hold no state and are shared by all sessions of a process."""

    name: str
    curves: tuple[str, ...]
    """Names of the groups it signs on; the first is the one that is meant when nobody says."""
    declaration: Declaration
    """Signing from nothing, in one session."""
    signature_length: int
    """Bytes of what `sign` gives."""
    needs_pairs: ClassVar[bool] = False
    """Whether `sign` wants an OT setup with each other signer."""

    @property
    def curve(self) -> str:
        """The curve whose keys this scheme is for; of several, the usual one."""
        return self.curves[0]

    @abstractmethod
    def suite(self, group: Group) -> str:
        """The `suite` of a session (`SessionSpec`) that signs by this scheme with a key of `group`."""

    @abstractmethod
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
        """Sign `message` with the key of `signer`'s quorum, moved by `tweak`; `path` is where it came from.

        The combiner gets the encoded signature, verified under the child key, all others None. Raises
        `LocalError` for inputs that do not fit this session, and an `Abort` for what others did.
        """

    @abstractmethod
    def verify(self, public_key: Point, message: bytes, signature: bytes) -> None:
        """Raise `ProofRejected` unless `signature` is one by exactly this (child) key on `message`.

        By the strictest rules in use, since what only some verifiers accept is no signature.
        """

    def __repr__(self) -> str:
        return f"<scheme {self.name}>"
