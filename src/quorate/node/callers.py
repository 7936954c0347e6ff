"""Who proposes a session to a node, once that is established: a device of an account, or another node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quorate.account.presets import DEVICE
from quorate.errors import Malformed, ProofRejected, Refused
from quorate.identity import Login
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import PublicKeys, SessionSpec
from quorate.transport.frames import Begin, Propose


@dataclass(frozen=True, slots=True)
class DeviceCaller:
    """A device that has logged in: its account, and the keys its login is bound to."""

    account: bytes
    keys: PublicKeys
    logged_in: int
    name: str = DEVICE

    @property
    def peer(self) -> str:
        """What this node calls the device in its own tables: party names repeat, keys do not."""
        return "device-" + digest(Tag.DEVICE, self.keys.to_bytes())[:16].hex()


@dataclass(frozen=True, slots=True)
class NodeCaller:
    """A member of the committee, by its configured identity."""

    name: str
    keys: PublicKeys

    @property
    def peer(self) -> str:
        """A node is called by its name everywhere."""
        return self.name


Caller = DeviceCaller | NodeCaller


def identify(propose: Propose, nodes: Mapping[str, PublicKeys], login: Login, now: float) -> Caller:
    """Who `propose` says it comes from; proven only by the signature in `Begin`. Raises `Refused`."""
    if not propose.credential:
        keys = nodes.get(propose.proposer)
        if keys is None:
            raise Refused("a device logs in first", code="login")
        return NodeCaller(propose.proposer, keys)
    claims = login.verify(propose.credential, now)
    if propose.proposer != DEVICE:
        raise Refused(f"a device takes part under the name {DEVICE!r}", code="name")
    return DeviceCaller(claims.account, claims.device, claims.issued)


def roster_of(caller: Caller, begin: Begin, nodes: Mapping[str, PublicKeys]) -> dict[str, PublicKeys]:
    """Who is meant by each name of the agreement.

    Nodes are who our configuration says, the caller is who its login says; only the remaining parties (a
    new factor, which proves its keys in the session itself) are taken from `begin`. Raises `Refused` if
    the caller did not sign the agreement.
    """
    spec: SessionSpec = begin.spec
    try:
        caller.keys.verify(spec.id, begin.signature)
    except ProofRejected:
        raise Refused("the agreement is not signed by who proposes it", code="proof") from None
    if len(begin.roster) != len(spec.parties):
        raise Refused("one identity for each party is needed", code="roster")
    roster = {}
    for name, encoded in zip(spec.parties, begin.roster, strict=True):
        if name in nodes:
            roster[name] = nodes[name]
        elif name == caller.name:
            roster[name] = caller.keys
        else:
            try:
                roster[name] = PublicKeys.from_bytes(encoded)
            except Malformed as error:
                raise Refused(f"the identity of {name} does not read: {error}", code="roster") from None
    return roster
