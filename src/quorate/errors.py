"""The error tree: what went wrong, at which step, who did it, what to do next.

Two branches. A `LocalError` is ours: our input, our disk, our configuration. An `Abort` ends a protocol
session and speaks of the other parties:

- `Blame`: a deviation that signed messages prove to any stranger. `evidence` holds them.
- `Suspicion`: a check that only the holder of a secret can make has failed between two parties. Nobody
  outside can tell who lied, so nobody is accused (an accuser could otherwise frame the honest).
- `Missing`: parties that have not answered in time. Missing is not guilty.
- `Refused`: a party that understood the request and says no, with its reason.

The human text of an error lives here or in the constructor call that raises it, once.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Remedy(StrEnum):
    """What the caller should do next."""

    RETRY = "retry"
    """Try again; nothing was lost."""
    EXCLUDE = "exclude"
    """Try again without the named parties."""
    QUARANTINE = "quarantine"
    """The named pair must log in again and make a fresh OT setup before it may sign together."""
    ASK = "ask"
    """A person must decide: change the input, the configuration or the policy."""


class QuorateError(Exception):
    """Root of every error raised on purpose by this package."""

    remedy: Remedy = Remedy.ASK

    def __init__(self, message: str, *, remedy: Remedy | None = None) -> None:
        super().__init__(message)
        if remedy is not None:
            self.remedy = remedy


class LocalError(QuorateError):
    """Something on our own side: input, storage, configuration."""


class Malformed(LocalError):
    """Bytes that are not the one canonical encoding of a valid value. Nothing was changed."""


class ProofRejected(LocalError):
    """A proof, signature, commitment or AEAD tag does not verify."""


class CheckFailed(LocalError):
    """A consistency check between two parties' secrets failed.

    `leak_bearing` says that running the check taught the cheater something about a long-lived secret,
    so the correlation behind it must never be used again (quarantine).
    """

    def __init__(self, message: str, *, leak_bearing: bool) -> None:
        super().__init__(message)
        self.leak_bearing = leak_bearing


class LimitExceeded(LocalError):
    """A named limit on size, count or time was hit."""


class Unavailable(LocalError):
    """Storage, a seal or a file that should be there is not, or cannot be opened."""


class AlreadyUsed(LocalError):
    """A one-time value was asked for a second, different answer. It is refused for ever."""


class Abort(QuorateError):
    """A protocol session has ended without a result.

    `step` names the protocol step as its page under ``docs/protocols`` numbers it; `parties` are those
    the error speaks of, sorted; `evidence` holds encoded exhibits (see `quorate.session.evidence`).
    `reported_by` is empty for what this process has found itself; otherwise all of it is that party's word.
    """

    reported_by: str = ""

    def __init__(
        self,
        message: str,
        *,
        parties: Iterable[str] = (),
        step: str = "",
        evidence: Iterable[bytes] = (),
        remedy: Remedy | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.parties = tuple(sorted(set(parties)))
        self.step = step
        self.evidence = tuple(evidence)


class Blame(Abort):
    """The named parties deviated, and the signed messages in `evidence` show it to anybody."""

    remedy = Remedy.EXCLUDE


class Suspicion(Abort):
    """A check between the two parties of `parties` failed; only they can know who lied.

    `leak_bearing`: see `CheckFailed`; the pair's OT instance is then quarantined.
    """

    remedy = Remedy.EXCLUDE

    def __init__(
        self,
        message: str,
        *,
        parties: Iterable[str] = (),
        step: str = "",
        evidence: Iterable[bytes] = (),
        leak_bearing: bool = False,
        remedy: Remedy | None = None,
    ) -> None:
        if remedy is None and leak_bearing:
            remedy = Remedy.QUARANTINE
        super().__init__(message, parties=parties, step=step, evidence=evidence, remedy=remedy)
        self.leak_bearing = leak_bearing


class Missing(Abort):
    """The named parties have not answered in time. `needed` of the asked ones would be enough."""

    remedy = Remedy.RETRY

    def __init__(self, message: str, *, parties: Iterable[str] = (), step: str = "", needed: int = 0) -> None:
        super().__init__(message, parties=parties, step=step)
        self.needed = needed


class Refused(Abort):
    """The named party understood the request and refuses it. `code` is stable, for programs."""

    remedy = Remedy.ASK

    def __init__(
        self,
        message: str,
        *,
        code: str,
        parties: Iterable[str] = (),
        step: str = "",
        remedy: Remedy | None = None,
    ) -> None:
        super().__init__(message, parties=parties, step=step, remedy=remedy)
        self.code = code
