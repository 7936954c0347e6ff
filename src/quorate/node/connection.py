"""One connection on which somebody opens a session with a node: who proposes, what is judged and counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quorate.errors import LocalError, QuorateError, Refused, Remedy
from quorate.node.callers import Caller, identify, roster_of
from quorate.session import NONCE_BYTES
from quorate.transport.frames import Begin, Propose
from quorate.transport.host import Hosted

if TYPE_CHECKING:
    from quorate.node.node import Node


class Connection:
    """The session service of one connection: remembers who proposed, from proposal to end."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.me = node.config.name
        self._caller: Caller | None = None

    async def consider(self, propose: Propose) -> bytes:
        node = self._node
        spec = propose.spec
        if not node.committee.is_member:
            raise Refused(
                f"{self.me} is not of the committee now; read the committee anew",
                code="committee",
                parties=[self.me],
            )
        if self.me not in spec.parties:
            raise Refused(f"{self.me} is no party of that session", code="parties", parties=[self.me])
        caller = identify(propose, node.committee.identities, node.login, node.clock())
        if caller.name not in spec.parties:
            # Its OT setups and its seat as combiner are looked up by its name among the parties.
            raise Refused("who proposes a session takes part in it", code="parties", parties=[self.me])
        await node.offer(spec).consider(caller, spec)
        self._caller = caller
        return node.rng(NONCE_BYTES)

    async def open(self, propose: Propose, nonce: bytes, begin: Begin) -> Hosted:
        node, caller, spec = self._node, self._caller, begin.spec
        if caller is None or spec.proposal_id != propose.spec.proposal_id:
            raise Refused("the agreement is not the one proposed", code="proposal", parties=[self.me])
        if not spec.nonces or spec.nonce_of(self.me) != nonce:
            raise Refused("the agreement does not hold our nonce", code="nonce", parties=[self.me])
        epoch, roster = node.committee.epoch, roster_of(caller, begin, node.committee.identities)
        account = node.admit(caller)
        try:
            hosted = await node.offer(spec).open(caller, spec, roster)
        except BaseException as error:
            node.dismiss(account)
            if isinstance(error, LocalError) and node.committee.epoch != epoch:
                raise Refused(
                    "the committee has gone on to another epoch",
                    code="epoch",
                    parties=[self.me],
                    remedy=Remedy.RETRY,
                ) from None
            raise
        node.metrics.count("sessions_opened", protocol=spec.protocol)
        return Counted(hosted, node, account, epoch)


class Counted(Hosted):
    """A hosted session that leaves the node's counters when it ends."""

    def __init__(self, hosted: Hosted, node: Node, account: bytes, epoch: int) -> None:
        self._hosted = hosted
        self._node = node
        self._account: bytes | None = account
        self.session = hosted.session
        self.epoch = epoch
        node.hosted.add(self)

    def finish(self) -> bytes:
        try:
            return self._hosted.finish()
        finally:
            self._leave("finished", None)

    def fail(self, error: QuorateError) -> None:
        try:
            self._hosted.fail(error)
        finally:
            self._leave("failed", error)

    def _leave(self, how: str, error: QuorateError | None) -> None:
        if self._account is None:
            return
        self._node.hosted.discard(self)
        self._node.dismiss(self._account)
        self._account = None
        spec = self.session.spec
        kind = "" if error is None else type(error).__name__
        self._node.metrics.count(f"sessions_{how}", protocol=spec.protocol, error=kind)
        self._node.log("session", protocol=spec.protocol, outcome=how, error=kind, session=self.session.id)
