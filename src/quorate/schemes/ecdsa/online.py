"""Signing with a presignature: one message from each signer to the combiner.

Steps 3.1 to 3.5 of docs/protocols/ecdsa.md: DKLs23's last round, re-randomised. R = k*G has been known since
the presigning, and an adversary who can choose what is signed under a known R has shortcuts (Groth and Shoup,
ePrint 2021/1330). So R is shifted by a hash of the request and of entropy that only the keepers can compute.

`answer` and `combine` are pure and take ownership of the presignature. A signer with a vault makes its
answer inside the transaction that consumes the presignature, and gives it to `contribute`; a combiner
consumes before it reads any answer. `sign_online` is for presignatures that live in this process only. The
combiner computes its own part last and never sends it.

Whoever computes an answer must have derived the digest from the payload itself: a signer that takes digests
from others signs whatever they like.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from quorate.encoding import MAX_TEXT_BYTES, Canonical, decode, encode
from quorate.errors import LocalError, Malformed, ProofRejected
from quorate.groups import Group, Point, Scalar, parser_for
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest, scalar
from quorate.schemes.ecdsa.conventions import check_inverse, hash_scalar, nonce_scalar
from quorate.schemes.ecdsa.faults import Unattributable
from quorate.schemes.ecdsa.presignature import Derivation, Presignature, PublicPresignature, ReadyPresignature
from quorate.schemes.ecdsa.setup import Octets32
from quorate.schemes.ecdsa.signature import Signature, normalised, verify
from quorate.session import Declaration, Message, Party, PartyId, Path, Rule, SessionSpec


class Request(Canonical, frozen=True):
    """What exactly is asked of one presignature. Two requests that differ anywhere are two requests.

    `payload` is the hash of the session's payload, `digest` what each signer derived from that payload,
    `tweak` an additive tweak of the key as a scalar's bytes with the `path` it came from, `nonces` those of
    the session in the order of `signers`.
    """

    presignature: Octets32
    payload: Octets32
    digest: Octets32
    path: Annotated[str, msgspec.Meta(max_length=MAX_TEXT_BYTES)]
    tweak: bytes
    signers: tuple[PartyId, ...]
    combiner: PartyId
    nonces: tuple[Octets32, ...]

    @classmethod
    def of(
        cls,
        spec: SessionSpec,
        presignature: bytes,
        digest: bytes,
        *,
        combiner: PartyId,
        tweak: Scalar,
        path: str = "",
    ) -> Request:
        """The request that the session `spec` makes of the presignature with that id."""
        hashed = payload_hash(spec.payload)
        nonces = spec.nonces
        return cls(presignature, hashed, digest, path, tweak.to_bytes(), spec.parties, combiner, nonces)

    def hash(self) -> bytes:
        """32 bytes that stand for the whole request: what a presignature is consumed for."""
        return digest(Tag.ECDSA_REQUEST, encode(self))


class Answer(Message, frozen=True, tag="ecdsa.answer"):
    """Step 3.3, sealed to the combiner: (w_i, u_i) for this context, and the entropy if we are a keeper."""

    context: Octets32
    entropy: Annotated[bytes, msgspec.Meta(max_length=32)]
    w: Scalar
    u: Scalar

    def to_bytes(self) -> bytes:
        """What a vault stores as the one answer of its presignature."""
        return encode(self)

    @classmethod
    def from_bytes(cls, data: bytes, group: Group) -> Answer:
        """Read `to_bytes`. Raises `Malformed`."""
        return decode(cls, data, parser_for(group))


class Disclosure(Message, frozen=True, tag="ecdsa.disclosure"):
    """Step 3.2, to all: the entropy, for signers that neither keep it nor combine (a second device)."""

    context: Octets32
    entropy: Octets32


def rules(path: Path = "") -> tuple[Rule, ...]:
    """The slots of the online phase on `path`."""
    return (Rule(Answer, path, unicast=True, limit=256), Rule(Disclosure, path, limit=128))


ONLINE: Final = Declaration("ecdsa.online", 1, *rules())


def payload_hash(payload: bytes) -> bytes:
    """How a request names the session's payload."""
    return digest(Tag.ECDSA_PAYLOAD, payload)


@dataclass(frozen=True, slots=True)
class Context:
    """Step 3.1: a request joined to the presignature it is made of. All of it is public."""

    digest: bytes
    public_key: Point
    hashed: Scalar
    tweak: Scalar

    @classmethod
    def of(cls, presignature: PublicPresignature, request: Request) -> Context:
        """Check the request against the presignature. Raises `LocalError` if they do not belong together."""
        group = presignature.public_key.group
        _check_request(presignature, request)
        tweak = group.scalar_from_bytes(request.tweak)
        child = presignature.public_key
        if not tweak.is_zero:
            if presignature.derivation is not Derivation.PATH:
                raise LocalError("this presignature signs for the key itself only, not for a derived one")
            child = child + group.generator.multiply_public(tweak)
            if child.is_identity:
                raise LocalError("this path leads to no key; take the next index")
        elif request.path:
            raise LocalError("a request with a path has a tweak")
        bound = digest(
            Tag.ECDSA_CONTEXT,
            presignature.ssid,
            presignature.nonce_point.to_bytes(),
            child.to_bytes(),
            request.hash(),
        )
        return cls(bound, child, hash_scalar(group, request.digest), tweak)


def answer(ready: ReadyPresignature, request: Request, entropy: bytes = b"") -> Answer:
    """Steps 3.1 to 3.3: our one answer from one presignature.

    A keeper computes the entropy itself; another signer passes what *all* keepers disclosed. The same
    request gives the same answer. Raises `AlreadyUsed` for a second, different one, `LocalError` for a
    request that is not of this presignature or a digest that the curve's verifiers refuse, `Unattributable`
    when the shift leaves no nonce, and `OutOfRange` when the curve allows none of its coordinate.
    """
    context = Context.of(ready.public, request)
    keeps = ready.public.me in ready.public.keepers
    if len(entropy) != (0 if keeps else 32):
        raise LocalError("the keepers' entropy is needed by signers that keep none, and by no other")

    def compute(presignature: Presignature) -> Answer:
        joint = _entropy(presignature, context, entropy)
        _, w, u = _share(presignature, context, joint)
        return Answer(context.digest, joint if keeps else b"", w, u)

    return ready.use(digest(Tag.ECDSA_USE, b"answer", context.digest, entropy), compute)


def combine(ready: ReadyPresignature, request: Request, answers: Mapping[PartyId, Answer]) -> Signature:
    """Steps 3.3 to 3.5 at the combiner: its own part, the sum, and the verification.

    Raises `Unattributable` if the answers do not make a signature, and `OutOfRange` if they make one that
    the curve's verifiers have no room for; the presignature is gone either way.
    """
    public = ready.public
    context = Context.of(public, request)
    if sorted(answers) != [name for name in public.signers if name != public.me]:
        raise LocalError("answers of exactly the other signers are needed")

    def compute(presignature: Presignature) -> Signature:
        shown = _common_entropy(public, context, answers)
        entropy = _entropy(presignature, context, shown)
        if shown and not hmac.compare_digest(shown, entropy):
            raise _spoilt(public, "another entropy than ours came back", "3.4")
        shifted, w, u = _share(presignature, context, entropy)
        for reply in answers.values():
            w, u = w + reply.w, u + reply.u
        if u.is_zero or w.is_zero:
            raise _spoilt(public, "the answers cancel each other", "3.5")
        signature = normalised(shifted, w * u.inverse())
        check_inverse(public.public_key.group, signature.s)
        try:
            verify(context.public_key, request.digest, signature)
        except ProofRejected:
            raise _spoilt(public, "the answers do not make a signature", "3.5") from None
        return signature

    replies = [encode(answers[name]) for name in sorted(answers)]
    return ready.use(digest(Tag.ECDSA_USE, b"combine", context.digest, *replies), compute)


async def contribute(party: Party, reply: Answer, combiner: PartyId, *, disclose: bool = False) -> None:
    """Step 3.3 as one message, for an answer that was made (and stored) before the session began."""
    if disclose:
        party.broadcast(Disclosure(reply.context, reply.entropy))
    party.send(combiner, reply)


async def collect(party: Party, ready: ReadyPresignature, request: Request) -> Signature:
    """Steps 3.4 and 3.5 as the combiner's side of the session.

    Raises `Suspicion` of the pair if an answer is for another context, or if there is only one answer and it
    is wrong; `Unattributable` if several are there and their sum is wrong.
    """
    check_session(party.spec, party.me, ready.public, request)
    expected = Context.of(ready.public, request).digest
    answers = await party.gather(Answer)
    for peer, reply in answers.items():
        if reply.context != expected:
            ready.burn()
            party.suspect(peer, "it answered another request than ours", step="3.4")
    try:
        return combine(ready, request, answers)
    except Unattributable as error:
        if len(answers) == 1:
            (peer,) = answers
            party.suspect(peer, str(error), step=error.step)
        raise


async def sign_online(party: Party, ready: ReadyPresignature, request: Request) -> Signature | None:
    """One signer's side of the online phase. The combiner gets the signature, everybody else None."""
    if party.me == request.combiner:
        return await collect(party, ready, request)
    check_session(party.spec, party.me, ready.public, request)
    waiting = bystanders(ready.public, request.combiner)
    if party.me not in waiting:
        await contribute(party, answer(ready, request), request.combiner, disclose=bool(waiting))
        return None
    context = Context.of(ready.public, request)
    disclosed = await party.gather(Disclosure, ready.public.keepers)
    await contribute(party, answer(ready, request, _disclosed(context, disclosed)), request.combiner)
    return None


def bystanders(presignature: PublicPresignature, combiner: PartyId) -> tuple[PartyId, ...]:
    """Signers that neither keep entropy nor combine; for them the keepers disclose it."""
    return tuple(
        name for name in presignature.signers if name not in presignature.keepers and name != combiner
    )


def _entropy(presignature: Presignature, context: Context, shown: bytes) -> bytes:
    """Step 3.2: E, by our own kappa if we hold it, else as the keepers gave it."""
    if presignature.entropy_key is None:
        return shown
    return digest(Tag.ECDSA_ENTROPY, presignature.entropy_key.reveal(), context.digest)


def _share(presignature: Presignature, context: Context, entropy: bytes) -> tuple[Point, Scalar, Scalar]:
    """Step 3.3: R' and our (w_i, u_i). Raises `OutOfRange` where the curve has bounds of its own."""
    group = presignature.group
    delta = scalar(Tag.ECDSA_DELTA, group, context.digest, entropy)
    shifted = presignature.nonce_point + group.generator.multiply_public(delta)
    usable = not (delta.is_zero or shifted.is_identity)
    r = nonce_scalar(shifted) if usable else delta
    if not usable or r.is_zero:
        raise Unattributable(
            "this entropy leaves no usable nonce; the presignature is burned",
            parties=presignature.signers,
            step="3.3",
        )
    mask = presignature.mask.reveal()
    u = presignature.nonce_share.reveal() + delta * mask
    v = presignature.key_share.reveal() + context.tweak * mask
    return shifted, context.hashed * mask + r * v, u


def _common_entropy(public: PublicPresignature, context: Context, answers: Mapping[PartyId, Answer]) -> bytes:
    """Step 3.4: the one entropy all keepers have answered with; empty if the combiner is the only keeper."""
    if any(reply.context != context.digest for reply in answers.values()):
        raise _spoilt(public, "an answer is for another request", "3.4")
    found = {answers[name].entropy for name in public.keepers if name in answers}
    stray = [name for name in answers if name not in public.keepers and answers[name].entropy]
    if len(found) > 1 or stray or any(len(value) != 32 for value in found):
        raise _spoilt(public, "the keepers answered with different entropies", "3.4")
    return found.pop() if found else b""


def _disclosed(context: Context, found: Mapping[PartyId, Disclosure]) -> bytes:
    entropies = {message.entropy for message in found.values()}
    if len(entropies) != 1 or any(message.context != context.digest for message in found.values()):
        raise Unattributable("the keepers disclosed different entropies", parties=found, step="3.2")
    return entropies.pop()


def _spoilt(public: PublicPresignature, reason: str, step: str) -> Unattributable:
    return Unattributable(f"{reason}; the presignature is burned", parties=public.signers, step=step)


def _check_request(presignature: PublicPresignature, request: Request) -> None:
    if request.presignature != presignature.id:
        raise LocalError("the request is for another presignature")
    if request.signers != presignature.signers or request.combiner not in request.signers:
        raise LocalError("the request names other signers, or a combiner that is none of them")
    devices = set(request.signers) - set(presignature.keepers)
    if devices and request.combiner not in devices:
        raise LocalError(
            f"{' or '.join(sorted(devices))} combines: a device among the signers, if there is one"
        )
    if len(request.nonces) != len(request.signers):
        raise Malformed("a request carries one nonce of every signer")


def check_session(spec: SessionSpec, me: PartyId, presignature: PublicPresignature, request: Request) -> None:
    """Whether a session may use this presignature for this request. Raises `LocalError`.

    For every host that calls `answer` itself. The key is what makes it matter: who is allowed to ask was
    judged for the key that the *session* names, and presignatures of all keys look alike to the arithmetic.
    """
    if presignature.me != me or (spec.key, spec.epoch) != (presignature.key_id, presignature.epoch):
        raise LocalError("the session was agreed for another key, epoch or party than the presignature")
    if (request.payload, request.signers, request.nonces) != (
        payload_hash(spec.payload),
        spec.parties,
        spec.nonces,
    ):
        raise LocalError("the request is not the one this session was agreed for")
