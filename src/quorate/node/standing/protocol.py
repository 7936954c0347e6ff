"""What a protocol brings along so that its sessions can stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from quorate.errors import QuorateError
from quorate.groups import Group
from quorate.session import Declaration, Identity, PartyId, ProtocolRun, PublicIdentity, SessionSpec

Write = Callable[[], None]
"""Stores a result. Runs inside the transaction that ends the session, so it only writes."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Our place in one session: what `Session` is made of, again after each restart, and always the same."""

    identity: Identity
    roster: Mapping[PartyId, PublicIdentity]
    declaration: Declaration
    group: Group
    run: ProtocolRun[Any]


class StandingProtocol(ABC):
    """One kind of standing session. All methods run in the background thread."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The protocol's name in a `SessionSpec`."""

    @property
    def lasts(self) -> bool:
        """Whether its sessions stand until they are put away, however long that is and however many they are.

        For those that are begun once and never again: given up, or gone while a node still needs help with
        them, they would leave a question without an answer for ever.
        """
        return False

    @abstractmethod
    def consider(self, spec: SessionSpec, proposer: PartyId) -> None:
        """Whether to take part; `proposer` is the node that told us, or ourselves.

        Raises `Refused` for never, `NotNow` for a session that may be welcome later (of an epoch to come, for
        instance). A session is begun at most once, also across restarts; that its *subject* is used once (a
        batch number) is for the protocol to see to, most simply by deriving the whole agreement from it.
        """

    @abstractmethod
    def seat(self, spec: SessionSpec) -> Seat:
        """Our place in it. Raises `Refused` when it can never be taken again: the session has failed."""

    @abstractmethod
    def keep(self, spec: SessionSpec, value: Any) -> Write:
        """Prepare a result for the vault; what is returned is called in the transaction that ends the
        session.

        Preparing may take its time, writing holds up everybody who writes.
        """

    def begun(self, spec: SessionSpec) -> None:
        """The session begins, in this transaction."""
        return

    def failed(self, spec: SessionSpec, error: QuorateError) -> None:
        """The session ends without a result, in this transaction."""
        return
