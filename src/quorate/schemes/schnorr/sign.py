"""Cold signing: both rounds of FROST in one session (RFC 9591 section 5), for any suite and any quorum.

Steps 1 and 2 of docs/protocols/frost.md. The payload is agreed before the first round, so nothing is gained
by knowing nonces early; the nonces live in this process only and end with the session.
"""

from __future__ import annotations

from quorate.errors import LocalError
from quorate.schemes.quorum import Signer
from quorate.schemes.schnorr.messages import SIGN
from quorate.schemes.schnorr.online import Request, sign_online
from quorate.schemes.schnorr.prepare import prepare
from quorate.schemes.schnorr.prepared import ReadyNonces
from quorate.schemes.schnorr.suite import Suite
from quorate.schemes.tweak import Tweak
from quorate.session import Party, PartyId

__all__ = ["SIGN", "sign"]


async def sign(
    party: Party,
    signer: Signer,
    suite: Suite,
    message: bytes,
    *,
    combiner: PartyId,
    tweak: Tweak | None = None,
    path: str = "",
) -> bytes | None:
    """Sign `message`, which the caller derived itself from the session's payload.

    The combiner (the device; in a quorum without one, any signer) gets the verified signature, the others
    None. `tweak` and `path` sign for a child key. Raises what `prepare` and `sign_online` raise.
    """
    if combiner not in party.parties:
        raise LocalError(f"{combiner} is none of the signers and combines nothing")
    (made,) = await prepare(party, signer, suite)
    request = Request.of(party.spec, made.id, suite, message, combiner=combiner, tweak=tweak, path=path)
    return await sign_online(party, ReadyNonces(made), signer, suite, request, message)
