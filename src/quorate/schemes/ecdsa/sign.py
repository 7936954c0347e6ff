"""Cold signing: presigning and the online phase in one session, three moves.

Steps 2 and 3 of docs/protocols/ecdsa.md. The payload is agreed before R exists, so nobody chooses a message
under a known nonce; the re-randomisation is done all the same, because there is one online phase, not two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from quorate.groups import Scalar
from quorate.primitives.parameters import STANDARD, OTParameters
from quorate.schemes.ecdsa.conventions import hash_scalar
from quorate.schemes.ecdsa.messages import rules as presign_rules
from quorate.schemes.ecdsa.online import Request, sign_online
from quorate.schemes.ecdsa.online import rules as online_rules
from quorate.schemes.ecdsa.presign import presign
from quorate.schemes.ecdsa.presignature import Derivation, ReadyPresignature
from quorate.schemes.ecdsa.setup import PairSetup
from quorate.schemes.ecdsa.signature import Signature
from quorate.schemes.quorum import Signer
from quorate.session import Declaration, Party, PartyId

SIGN: Final = Declaration("ecdsa.sign", 1, *presign_rules(), *online_rules())


async def sign(
    party: Party,
    signer: Signer,
    pairs: Mapping[PartyId, PairSetup],
    digest: bytes,
    *,
    combiner: PartyId,
    tweak: Scalar | None = None,
    path: str = "",
    parameters: OTParameters = STANDARD,
    checking: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Signature | None:
    """Sign `digest`, which the caller derived itself from the session's payload.

    The combiner (the device; in a quorum without one, any signer) gets the verified signature, the others
    None. `tweak` and `path` sign for a child key; `checking` is `presign`'s. Raises what `presign` and
    `sign_online` raise.
    """
    group = signer.quorum.group
    hash_scalar(group, digest)  # a digest that nobody can sign costs no presignature
    derivation = Derivation.ROOT if tweak is None else Derivation.PATH
    made = await presign(
        party, signer, pairs, parameters=parameters, derivation=derivation, checking=checking
    )
    request = Request.of(
        party.spec, made.id, digest, combiner=combiner, tweak=tweak or group.scalar(0), path=path
    )
    return await sign_online(party, ReadyPresignature(made), request)
