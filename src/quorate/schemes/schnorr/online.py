"""FROST's second round: one message from each signer to the combiner.

Steps 2.1 to 2.5 of docs/protocols/frost.md, RFC 9591 sections 5.2 to 5.4. Nonces made in advance do not help
whoever chooses the message: the binding factor covers key, message and the whole list of commitments.

`answer` and `combine` are pure and take ownership of the nonces. A signer with a vault makes its answer
inside the transaction that consumes them, and gives it to `contribute`; a combiner consumes before it reads
any share. `sign_online` is for nonces that live in this process only. The combiner computes its own share
last and never sends it.

Whoever answers must have derived message and tweak itself, from the payload and its own record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec

from quorate.encoding import MAX_TEXT_BYTES, Canonical, encode
from quorate.errors import LocalError, ProofRejected, QuorateError
from quorate.groups import Scalar
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.schemes.faults import Disagreement
from quorate.schemes.quorum import Quorum, Signer
from quorate.schemes.schnorr.frost import Nonces, Package
from quorate.schemes.schnorr.messages import Octets32, Share
from quorate.schemes.schnorr.prepared import Preparation, Prepared, ReadyNonces
from quorate.schemes.schnorr.suite import Suite
from quorate.schemes.tweak import Tweak
from quorate.session import Party, PartyId, SessionSpec


class Request(Canonical, frozen=True):
    """What exactly is asked of one nonce pair. Two requests that differ anywhere are two requests.

    `session` is the id of the session that asks: it covers payload, parties and a fresh nonce of each.
    `message` is the hash of what is signed, `tweak` a `Tweak`'s bytes with the `path` it came from.
    """

    prepared: Octets32
    session: Octets32
    scheme: str
    key: Annotated[bytes, msgspec.Meta(max_length=32)]
    epoch: Annotated[int, msgspec.Meta(ge=0)]
    message: Octets32
    tweak: bytes
    path: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_BYTES)]
    signers: tuple[PartyId, ...]
    combiner: PartyId

    @classmethod
    def of(
        cls,
        spec: SessionSpec,
        prepared: bytes,
        suite: Suite,
        message: bytes,
        *,
        combiner: PartyId,
        tweak: Tweak | None = None,
        path: str = "",
    ) -> Request:
        """The request that the session `spec` makes of the nonces with that id."""
        moved = tweak or Tweak.none(suite.group)
        return cls(
            prepared,
            spec.id,
            suite.name,
            spec.key,
            spec.epoch,
            message_hash(message),
            moved.to_bytes(),
            path,
            spec.parties,
            combiner,
        )

    def hash(self) -> bytes:
        """32 bytes that stand for the whole request: what nonces are consumed for."""
        return digest(Tag.SCHNORR_REQUEST, encode(self))


def message_hash(message: bytes) -> bytes:
    """How a request names what is signed."""
    return digest(Tag.SCHNORR_MESSAGE, message)


class WrongShares(LocalError):
    """The shares do not make a signature, and these are the signers whose share is wrong."""

    def __init__(self, signers: tuple[PartyId, ...]) -> None:
        super().__init__(f"wrong signature shares of {', '.join(signers)}")
        self.signers = signers


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that belongs to its nonces and its quorum, as far as it is needed from there on."""

    tweak: Tweak
    hash: bytes


@dataclass(frozen=True, slots=True)
class Context:
    """Steps 2.1 and 2.2: a request joined to the list it is made of. All of it is public."""

    digest: bytes
    package: Package

    @classmethod
    def of(
        cls, public: Preparation, quorum: Quorum, suite: Suite, request: Request, message: bytes
    ) -> Context:
        """Check the request against list and quorum, and compute R and c.

        Raises `LocalError` if they do not belong together.
        """
        checked = check_request(public, quorum, suite, request, message)
        return _context(public, quorum, suite, checked, message)


def answer(ready: ReadyNonces, signer: Signer, suite: Suite, request: Request, message: bytes) -> Share:
    """Steps 2.1 to 2.3: our one share from these nonces.

    The same request gives the same share. Raises `AlreadyUsed` for another, and `LocalError` for a request
    that does not belong to nonces or key (nothing is used up then).
    """
    checked = check_request(ready.public, signer.quorum, suite, request, message)

    def compute(prepared: Prepared) -> Share:
        context, response = _own_share(prepared, signer, suite, checked, message)
        return Share(context.digest, response)

    return ready.use(digest(Tag.SCHNORR_USE, b"answer", checked.hash), compute)


def combine(
    ready: ReadyNonces,
    signer: Signer,
    suite: Suite,
    request: Request,
    message: bytes,
    shares: Mapping[PartyId, Share],
) -> bytes:
    """Steps 2.4 and 2.5 at the combiner: its own share, the sum, the verification.

    Raises `WrongShares` for shares that are wrong for *this* list and request, and `Disagreement` if some
    were made for others; the nonces are gone either way.
    """
    public = ready.public
    checked = check_request(public, signer.quorum, suite, request, message)
    if sorted(shares) != [name for name in public.signers if name != public.me]:
        raise LocalError("shares of exactly the other signers are needed")

    def compute(prepared: Prepared) -> bytes:
        context, response = _own_share(prepared, signer, suite, checked, message)
        if all(share.context == context.digest for share in shares.values()):
            responses = {public.identifier(name): share.response for name, share in shares.items()}
            responses[public.identifier(public.me)] = response
            signature = context.package.aggregate(responses)
            try:
                suite.verify(context.package.key.point, message, signature)
            except ProofRejected:
                pass  # 2.5: whose share is it?
            else:
                return signature
        raise _spoilt(context, public, signer.quorum, shares)

    sent = [encode(shares[name]) for name in sorted(shares)]
    return ready.use(digest(Tag.SCHNORR_USE, b"combine", checked.hash, *sent), compute)


def _spoilt(
    context: Context, public: Preparation, quorum: Quorum, shares: Mapping[PartyId, Share]
) -> QuorateError:
    """Step 2.5: why there is no signature. Wrong shares come first, or one liar could hide behind another."""
    agreeing = {name: share for name, share in shares.items() if share.context == context.digest}
    wrong = [name for name, share in agreeing.items() if not share_fits(context, public, quorum, name, share)]
    if wrong:
        return WrongShares(tuple(wrong))
    differing = sorted(set(shares) - set(agreeing))
    if not differing:
        return LocalError("every share is right and the signature is not; our own part is not our share")
    what = f"signed for another list of commitments, or another request, than {public.me}"
    return Disagreement(f"{', '.join(differing)} {what}", parties=[public.me, *differing], step="2.4")


def share_fits(context: Context, public: Preparation, quorum: Quorum, name: PartyId, share: Share) -> bool:
    """Step 2.5: whether a share made for `context` is the one of the signer `name`."""
    try:
        context.package.check(public.identifier(name), quorum.parts[name], share.response)
    except ProofRejected:
        return False
    return True


async def contribute(party: Party, share: Share) -> None:
    """Step 2.3 as one message, for a share that was made (and stored) before the session began."""
    party.broadcast(share)


async def collect(
    party: Party, ready: ReadyNonces, signer: Signer, suite: Suite, request: Request, message: bytes
) -> bytes:
    """Steps 2.4 and 2.5 as the combiner's side of the session.

    Raises `Blame` of whoever sent a wrong share, and what `combine` raises otherwise.
    """
    check_session(party.spec, party.me, ready.public, request, party.session_id)
    shares = await party.gather(Share)
    try:
        return combine(ready, signer, suite, request, message, shares)
    except WrongShares as error:
        party.blame(Share, error.signers, "its signature share is wrong", step="2.5")
        raise


async def sign_online(
    party: Party, ready: ReadyNonces, signer: Signer, suite: Suite, request: Request, message: bytes
) -> bytes | None:
    """One signer's side of the second round. The combiner gets the signature, everybody else None."""
    if party.me == request.combiner:
        return await collect(party, ready, signer, suite, request, message)
    check_session(party.spec, party.me, ready.public, request, party.session_id)
    await contribute(party, answer(ready, signer, suite, request, message))
    return None


def check_session(
    spec: SessionSpec, me: PartyId, public: Preparation, request: Request, session_id: bytes = b""
) -> None:
    """Whether a session may use these nonces for this request. Raises `LocalError`.

    For every host that calls `answer` itself: who may ask was judged for the key that the *session* names.
    `session_id` is the spec's where somebody has computed it already.
    """
    if public.me != me or (spec.key, spec.epoch, spec.parties) != (
        public.key_id,
        public.epoch,
        public.signers,
    ):
        raise LocalError("the session was agreed for another key, epoch or signers than the nonces")
    if request.session != (session_id or spec.id):
        raise LocalError("the request is not the one this session was agreed for")


def check_request(
    public: Preparation, quorum: Quorum, suite: Suite, request: Request, message: bytes
) -> Checked:
    """Step 2.1: whether request, nonces and quorum belong together. Raises `LocalError`."""
    if request.prepared != public.id or request.scheme != public.scheme or suite.name != public.scheme:
        raise LocalError("the request is for other nonces, or for another scheme than they were made for")
    if public.quorum != quorum.digest():
        raise LocalError("the nonces were made by another quorum, epoch or record of the key")
    if (request.key, request.epoch) != (quorum.key_id, quorum.epoch):
        raise LocalError("the request is for another key or epoch")
    if request.signers != public.signers or request.combiner not in request.signers:
        raise LocalError("the request names other signers, or a combiner that is none of them")
    if request.message != message_hash(message):
        raise LocalError("the request is for another message")
    tweak = Tweak.from_bytes(request.tweak, suite.group)
    if request.path and tweak.plain.is_zero:
        raise LocalError("a request with a path has a tweak")
    suite.key(quorum.public_key, tweak)
    return Checked(tweak, request.hash())


def _context(
    public: Preparation,
    quorum: Quorum,
    suite: Suite,
    checked: Checked,
    message: bytes,
    own: Nonces | None = None,
) -> Context:
    """Step 2.2. `own` are our nonces, which save products."""
    mine = None if own is None else (public.identifier(public.me), own)
    rows = public.commitments
    package = Package.of(suite, quorum.public_key, checked.tweak, message, rows, own=mine)
    return Context(digest(Tag.SCHNORR_CONTEXT, public.quorum, public.list_hash(), checked.hash), package)


def _own_share(
    prepared: Prepared, signer: Signer, suite: Suite, checked: Checked, message: bytes
) -> tuple[Context, Scalar]:
    public = prepared.public
    context = _context(public, signer.quorum, suite, checked, message, prepared.nonces)
    identifier = public.identifier(public.me)
    return context, context.package.share(identifier, prepared.nonces, signer.part.reveal())
