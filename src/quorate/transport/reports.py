"""Errors on the wire: the tree of `quorate.errors` told to another process, and back.

What arrives is a *report*: the reporter's word. A `Blame` is worth what its evidence shows when examined;
programs that act on one (exclude a node for good) examine it first.
"""

from __future__ import annotations

from typing import Final

from quorate.errors import (
    Abort,
    Blame,
    LimitExceeded,
    Malformed,
    Missing,
    QuorateError,
    Refused,
    Remedy,
    Suspicion,
)
from quorate.session import is_party_id
from quorate.transport.frames import Failed

_EVIDENCE_BYTES: Final = 1 << 18


def public_text(error: QuorateError) -> str:
    """What a stranger is told of `error`: its words where they are about the stranger's own request.

    The others name files, tables and versions of this machine, and are for its log.
    """
    if isinstance(error, Abort | Malformed | LimitExceeded):
        return str(error)[:1024]
    if error.remedy is Remedy.QUARANTINE:
        return "a pair of this session is in quarantine since a check failed"
    return "it could not go on, for a reason of its own"


def report(error: QuorateError, reporter: str) -> Failed:
    """The frame that tells `error`. What is local to the reporter stays local: only its kind is told."""
    message = public_text(error)
    if not isinstance(error, Abort):
        kind = "malformed" if isinstance(error, Malformed) else "local"
        return Failed(kind, message, parties=(reporter,), remedy=error.remedy.value)
    evidence = error.evidence if sum(map(len, error.evidence)) <= _EVIDENCE_BYTES else ()
    return Failed(
        kind=type(error).__name__.lower(),
        message=message,
        parties=error.parties,
        step=error.step[:128],
        code=error.code if isinstance(error, Refused) else "",
        remedy=error.remedy.value,
        leak_bearing=isinstance(error, Suspicion) and error.leak_bearing,
        needed=error.needed if isinstance(error, Missing) else 0,
        evidence=evidence[:16],
    )


def restore(frame: Failed, reporter: str) -> QuorateError:
    """The error a `Failed` frame tells of, marked as the word of `reporter`.

    Its text may end on a terminal, so it is reduced to printable characters, and names to what can be names.
    """
    told = _told(frame, reporter)
    told.reported_by = reporter
    return told


def plain(text: str) -> str:
    """Another party's words, without the characters that steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _told(frame: Failed, reporter: str) -> Abort:
    remedy = Remedy(frame.remedy) if frame.remedy in set(Remedy) else None
    parties = tuple(filter(is_party_id, frame.parties)) or (reporter,)
    message, step = plain(frame.message), plain(frame.step)
    match frame.kind:
        case "blame":
            return Blame(message, parties=parties, step=step, evidence=frame.evidence, remedy=remedy)
        case "suspicion":
            leaks = frame.leak_bearing
            return Suspicion(message, parties=parties, step=step, leak_bearing=leaks, remedy=remedy)
        case "missing":
            return Missing(message, parties=parties, step=step, needed=frame.needed)
        case "refused":
            return Refused(message, code=plain(frame.code), parties=parties, step=step, remedy=remedy)
        case "abort" | "malformed":
            return Abort(message, parties=parties, step=step, remedy=remedy)
        case _:
            # Local to its reporter, or an error of a scheme: to us the session has ended, and that is all.
            return Abort(f"{reporter}: {message}", parties=parties, step=step, remedy=remedy)
