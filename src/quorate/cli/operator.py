"""An operator's end of a change of committee: requests to nodes, signed with the operator key.

Who the nodes are now is learned from them, along the chain of records from what the network's file says; so a
request is bound to the node it is meant for.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec

from quorate.account.committee import Activation, CommitteeRecord, Succession, verify_chain
from quorate.cli.http import ask
from quorate.device.network import Network
from quorate.encoding import decode, encode
from quorate.errors import LocalError, Malformed, Missing
from quorate.identity import prove_request
from quorate.node.epochs.talk import Plan, Planned
from quorate.session import KeyPair, PublicKeys


class ChangeSeen(msgspec.Struct, frozen=True):
    """How far a change has come at one node (`GET /v1/committee/change`)."""

    node: str
    live: int
    epoch: int
    stage: str
    text: str
    chunks: int
    done: int
    stored: int
    members: int
    erased: int


class _Chain(msgspec.Struct, frozen=True):
    successions: list[str]
    activation: str = ""


class _Challenge(msgspec.Struct, frozen=True):
    nonce: str


class Operator:
    """Speaks to the nodes of `network` with this key."""

    def __init__(self, network: Network, key: KeyPair) -> None:
        self._key = key
        self.network = network

    def look(self) -> Network:
        """The network as its nodes prove it to be now; kept for the requests that follow."""
        known = self.network
        for row in known.nodes.values():
            try:
                told = msgspec.json.decode(ask(f"{row.url}/v1/committee?since={known.epoch}"), type=_Chain)
                chain = [decode(Succession, base64.b64decode(one)) for one in told.successions]
                if not chain:
                    continue
                record = verify_chain(known.record, chain)
                decode(Activation, base64.b64decode(told.activation)).verify(record)
            except (Missing, ValueError, binascii.Error, LocalError):
                continue
            if record.epoch > self.network.epoch:
                self.network = known.in_epoch_of(record)
        return self.network

    def approve(self, plan: Plan, names: Iterable[str]) -> None:
        """Approve a committee at these nodes. Raises `Refused`, `Missing`."""
        for name in names:
            self._post(name, "/v1/committee/approve", plan)

    def change(self, name: str, plan: Plan | None) -> None:
        """Let a node lead a change to `plan`, or a renewal. Raises `Refused`, `Missing`."""
        self._post(name, "/v1/committee/change", plan)

    def progress(self, url: str) -> ChangeSeen:
        """How far a node has come. Raises `Missing`."""
        try:
            return msgspec.json.decode(ask(f"{url}/v1/committee/change"), type=ChangeSeen)
        except ValueError:
            raise Missing(f"{url} answers with something else", parties=[url], needed=1) from None

    def _post(self, name: str, path: str, plan: Plan | None) -> None:
        row, identity = self.network.nodes[name], self.network.identities[name]
        text = "" if plan is None else base64.b64encode(encode(plan)).decode()
        body = msgspec.json.encode({"plan": text})
        nonce = bytes.fromhex(msgspec.json.decode(ask(f"{row.url}/v1/challenge"), type=_Challenge).nonce)
        proof = prove_request(self._key, b"operator", identity, "POST", path, body, nonce)
        headers = {
            "Content-Type": "application/json",
            "Quorate-Operator": base64.b64encode(proof).decode(),
        }
        ask(row.url + path, name=name, method="POST", body=body, headers=headers)


def plan_of(record: CommitteeRecord) -> Plan:
    """The plan of a committee as it is."""
    return Plan.of(record)


def planned(name: str, url: str, identity: str) -> Planned:
    """A node of a plan; `identity` is hex, as `quorate node init` prints it. Raises `Malformed`."""
    try:
        return Planned(name, url, PublicKeys.from_bytes(bytes.fromhex(identity)).verifying)
    except ValueError:
        raise Malformed(f"identity of {name}: not hexadecimal") from None
