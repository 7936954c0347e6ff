"""What signed messages of a sharing prove, for anybody: the checks of the handlers, without a secret.

`offence` takes what `quorate.session.examine` gives for the exhibits of a blame: who said what to whom. That
a message proves an offence never depends on who shows it: no honest node ever signs one that is judged here.
Weights are derived from what is judged, so two strangers come to one judgement; to escape it a dealer would
have to search through 2^128 dealings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from quorate.encoding import decode
from quorate.entropy import SeededRng
from quorate.errors import LimitExceeded, Malformed, ProofRejected
from quorate.groups import Point
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import EVERYBODY, Envelope, Message, PartyId, Path, PublicIdentity, Slot, tag_of
from quorate.sharing.avss.certificate import statement
from quorate.sharing.avss.commitments import Folded, check_shape, digest_of
from quorate.sharing.avss.messages import Dealing, Echo, Get, Matrix, Ready, Send
from quorate.sharing.avss.setting import DEALING_LIMIT, Setting


def offence(
    setting: Setting,
    dealer: PartyId,
    offender: PartyId,
    shown: Iterable[tuple[Slot, Message]],
    *,
    session: bytes,
    path: Path,
    identities: Mapping[PartyId, PublicIdentity],
    constants: Sequence[Point] | None = None,
) -> str:
    """What these messages prove against `offender`. Raises `ProofRejected` if they prove nothing.

    `session` is the session's id and `path` that of this sharing in it: what was said elsewhere is no part of
    it. A wrong point is shown with the dealing that it is not on.
    """
    said = [(slot, message) for slot, message in shown if slot.path == path]
    dealings = {
        digest_of(setting, message): message
        for slot, message in said
        if isinstance(message, Dealing) and slot.sender == dealer
    }
    for slot, message in said:
        if slot.sender == offender:
            try:
                _check(setting, dealer, slot, message, dealings, session, identities, constants)
            except (ProofRejected, Malformed) as error:
                return str(error)
    raise ProofRejected(f"nothing shown proves that {offender} deviated")


def _check(
    setting: Setting,
    dealer: PartyId,
    slot: Slot,
    message: Message,
    dealings: Mapping[bytes, Dealing],
    session: bytes,
    identities: Mapping[PartyId, PublicIdentity],
    constants: Sequence[Point] | None,
) -> None:
    if isinstance(message, Dealing | Send) and slot.sender != dealer:
        raise ProofRejected(f"deals in the place of {dealer}")
    if isinstance(message, Echo | Ready | Get | Matrix) and not setting.point(slot.sender):
        raise ProofRejected("takes part without being a node")
    if isinstance(message, Dealing):
        check_shape(setting, message, constants)
        _folded(setting, message)
    elif isinstance(message, Send):
        _check_row(setting, slot, message, dealings)
    elif isinstance(message, Echo | Ready):
        if isinstance(message, Ready):
            identities[slot.sender].verify(statement(setting, message.digest), message.signature)
        _check_values(setting, slot, message, dealings)
    elif isinstance(message, Matrix):
        passed_on(setting, dealer, message, session=session, path=slot.path, identity=identities[dealer])


def _check_row(setting: Setting, slot: Slot, send: Send, dealings: Mapping[bytes, Dealing]) -> None:
    width = setting.degree + 1
    values = setting.group.read_scalars(send.row, setting.count * width)
    rows = [values[i : i + setting.count] for i in range(0, len(values), setting.count)]
    for dealing in dealings.values():
        _folded(setting, dealing).check_row(setting.point(slot.recipient), rows)


def _check_values(
    setting: Setting, slot: Slot, vote: Echo | Ready, dealings: Mapping[bytes, Dealing]
) -> None:
    values = setting.group.read_scalars(vote.values, setting.count)
    if vote.digest in dealings:
        folded = _folded(setting, dealings[vote.digest])
        folded.check_values(setting.point(slot.recipient), setting.point(slot.sender), values)


def _folded(setting: Setting, dealing: Dealing) -> Folded:
    seed = digest(Tag.AVSS_JUDGEMENT, setting.session, digest_of(setting, dealing))
    return Folded.read(setting, dealing.matrix, SeededRng(seed))


def passed_on(
    setting: Setting,
    dealer: PartyId,
    message: Matrix,
    *,
    session: bytes,
    path: Path,
    identity: PublicIdentity,
) -> Dealing:
    """The dealing that a `Matrix` passes on. Raises `ProofRejected` unless it is the dealer's, of its digest.

    Who passes on anything else contradicts itself: the digest stands beside it in one message.
    """
    try:
        envelope = Envelope.parse(message.envelope)
        here = (session, Slot(path, tag_of(Dealing), dealer, EVERYBODY))
        if (envelope.session, envelope.slot) != here:
            raise ProofRejected("what it passes on is no dealing of this sharing")
        envelope.verify(identity)
        dealing = decode(Dealing, envelope.body, limit=DEALING_LIMIT)
    except (Malformed, LimitExceeded) as error:
        raise ProofRejected(f"what it passes on does not read: {error}") from None
    if digest_of(setting, dealing) != message.digest:
        raise ProofRejected("what it passes on is not the dealing that it names")
    return dealing
