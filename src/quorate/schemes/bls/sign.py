"""Threshold BLS as a session: one message from each signer to the combiner, nothing before it.

Steps 1 to 3 of docs/protocols/bls.md. The session adds to `quorate.schemes.bls.partial` what signed envelopes
give: whoever sends a false partial is blamed, and its envelope convinces any stranger who knows the key's
public record (`deviated`). Partials are broadcast in clear, so that the evidence needs no opening; the
combiner keeps its own, and so is the only one to hold the signature.

Whoever computes a partial must have derived the message from the payload itself, and where a duty must not be
done twice, must have stored it before: `contribute` sends a partial that was made earlier.
"""

from __future__ import annotations

from typing import Final

from quorate.errors import LocalError, ProofRejected
from quorate.schemes.bls.partial import Context, FalsePartials, Partial, combine, partial, verify_partial
from quorate.schemes.bls.suites import Suite
from quorate.schemes.faults import Disagreement
from quorate.schemes.quorum import Quorum, Signer
from quorate.session import Declaration, Party, PartyId, Path, Rule
from quorate.session.evidence import Finding, Offence


def rules(path: Path = "") -> tuple[Rule, ...]:
    """The one slot, on `path`."""
    return (Rule(Partial, path, limit=192),)


SIGN: Final = Declaration("bls.sign", 1, *rules())


async def sign(
    party: Party, signer: Signer, suite: Suite, message: bytes, *, combiner: PartyId
) -> bytes | None:
    """Sign `message`, which the caller derived itself from the session's payload.

    The combiner gets the verified signature, the others None. Raises `Blame` of everybody whose partial is
    false, and `Disagreement` with a signer that answers another request than ours.
    """
    _check_session(party, signer.quorum, suite, combiner)
    context = Context.of(suite, signer.quorum, message)
    made = partial(signer, context)
    if party.me != combiner:
        contribute(party, made)
        return None
    return await collect(party, context, made)


async def prove_possession(party: Party, signer: Signer, suite: Suite, *, combiner: PartyId) -> bytes | None:
    """PopProve of the whole key, by a quorum: see `Suite.proving`."""
    return await sign(party, signer, suite.proving(), signer.quorum.public_key.to_bytes(), combiner=combiner)


def contribute(party: Party, made: Partial) -> None:
    """Step 1.3: our partial to the combiner (and whoever else listens)."""
    party.broadcast(made)


async def collect(party: Party, context: Context, mine: Partial) -> bytes:
    """Steps 2 and 3 at the combiner, whose own partial never leaves."""
    given = await party.gather(Partial)
    for peer, theirs in given.items():
        if theirs.context != context.digest:
            # its record of the key, or its reading of the payload, differs from ours: no proof of guilt
            raise Disagreement(
                f"{peer} answered another request than ours", parties=[party.me, peer], step="2"
            )
    try:
        return combine(context, [*given.items(), (party.me, mine)])
    except FalsePartials as error:
        party.blame(
            Partial, [name for name in error.wrong if name != party.me], "a false partial signature", step="3"
        )
        raise


def deviated(finding: Finding, suite: Suite, quorum: Quorum, message: bytes) -> bool:
    """Whether the messages shown are none that an honest signer of this request sends.

    For a stranger who checks a `Blame`: `quorum` from the key's public record, `message` from the session's
    payload. A partial of another context shows nothing.
    """
    if finding.offence is not Offence.STATEMENT:
        return True
    context = Context.of(suite, quorum, message)
    for _, said in finding.messages:
        if isinstance(said, Partial) and said.context == context.digest:
            try:
                verify_partial(context, finding.party, said)
            except ProofRejected:
                return True
    return False


def _check_session(party: Party, quorum: Quorum, suite: Suite, combiner: PartyId) -> None:
    spec = party.spec
    if spec.suite != suite.agreed:
        raise LocalError(f"the session was agreed for {spec.suite}, not for {suite.agreed}")
    if (spec.key, spec.epoch, spec.parties) != (quorum.key_id, quorum.epoch, quorum.signers):
        raise LocalError("the session was agreed for another key, epoch or signer set than this quorum")
    if combiner not in spec.parties:
        raise LocalError(f"{combiner} is not among the signers and cannot combine")
