"""Errors on the wire: the tree of `quorate.errors` told to another process, and back.

What arrives is a *report*: the reporter's word. A `Blame` is worth what its evidence shows when examined;
programs that act on one (exclude a node for good) examine it first.
"""

from __future__ import annotations

from typing import Final

from quorate.errors import (
    Abort,
    Blame,
    Malformed,
    Missing,
    QuorateError,
    Refused,
    Remedy,
    Suspicion,
)
from quorate.transport.frames import Failed

_EVIDENCE_BYTES: Final = 1 << 18


def report(error: QuorateError, reporter: str) -> Failed:
    """The frame that tells `error`. What is local to the reporter stays local: only its kind is told."""
    message = str(error)[:1024]
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
    """The error a `Failed` frame tells of."""
    remedy = Remedy(frame.remedy) if frame.remedy in set(Remedy) else None
    parties = frame.parties or (reporter,)
    match frame.kind:
        case "blame":
            return Blame(
                frame.message, parties=parties, step=frame.step, evidence=frame.evidence, remedy=remedy
            )
        case "suspicion":
            return Suspicion(
                frame.message,
                parties=parties,
                step=frame.step,
                leak_bearing=frame.leak_bearing,
                remedy=remedy,
            )
        case "missing":
            return Missing(frame.message, parties=parties, step=frame.step, needed=frame.needed)
        case "refused":
            return Refused(frame.message, code=frame.code, parties=parties, step=frame.step, remedy=remedy)
        case "abort" | "malformed":
            return Abort(frame.message, parties=parties, step=frame.step, remedy=remedy)
        case _:
            # Local to its reporter, or an error of a scheme: to us the session has ended, and that is all.
            message = f"{reporter}: {frame.message}"
            return Abort(message, parties=parties, step=frame.step, remedy=remedy)
