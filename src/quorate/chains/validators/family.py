"""`Beacon`: the family of Ethereum's consensus networks. The package's docstring lists the payload kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from quorate.chains.chain import (
    MAX_PAYLOAD_BYTES,
    Chain,
    Decoded,
    Digest,
    Family,
    Level,
    Request,
    Risk,
    Signature,
    Signed,
    unknown_chain,
)
from quorate.chains.sheet import Sheet
from quorate.chains.validators.messages import KINDS, Deposit, Message
from quorate.chains.validators.networks import KNOWN, Network, check_id, network_id
from quorate.chains.validators.preview import hexed, show
from quorate.encoding import decode
from quorate.errors import Malformed, Refused
from quorate.groups import Point, group_named
from quorate.vault.slashing import ValidatorDuty

SCHEME = "bls-pop"
CURVE = "bls12381g1"


class Beacon(Family):
    """Signing roots, duties, previews of validators' messages."""

    namespace = "beacon"
    curves = (CURVE,)

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        for row in rows:
            check_id(row.caip2)
        known = {network.chain.caip2: network for network in KNOWN}
        added = (replace(known[row.caip2], chain=row) if row.caip2 in known else Network(row) for row in rows)
        self._networks = {network.chain.caip2: network for network in (*KNOWN, *added)}
        self.chains = MappingProxyType({caip2: network.chain for caip2, network in self._networks.items()})

    def address(self, public_key: Any) -> str:
        """The validator's public key: 0x and 96 digits."""
        return hexed(_point(public_key).to_bytes())

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, ``chain-mismatch``."""
        request = Request.from_payload(payload)
        check_id(request.chain)
        network = self._networks.get(request.chain)
        if network is None:
            raise unknown_chain(request.chain)
        key = _point(public_key).to_bytes()
        kind = KINDS.get(request.kind)
        if kind is None:
            raise Malformed(f"request: unknown kind; this family knows {', '.join(KINDS)}")
        if request.path:
            raise Refused("a validator's key has no derived accounts", code="other-account")
        if request.account != hexed(key):
            raise Refused("the request is for another validator than this key's", code="other-account")
        message = decode(kind, request.body, limit=MAX_PAYLOAD_BYTES)
        sheet = Sheet(network.chain, request.account)
        _check_network(sheet, network, message)
        if isinstance(message, Deposit) and message.public_key != key:
            raise Refused("the deposit is for another validator than this key's", code="other-account")
        show(sheet, message)
        duty, root = message.duty(), message.signing_root()
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=network.chain,
            account=request.account,
            public_key=key,
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(Digest(root, scheme=SCHEME, group=CURVE),),
            content=message,
            duty=None if duty is None else ValidatorDuty(key, message.fork.genesis_validators_root, duty),
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The signature, named by the signing root; consensus clients put it beside the message as they
        write it."""
        from quorate.schemes.bls import suite_named, verify

        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        verify(suite_named(SCHEME), _point(decoded.public_key), decoded.digest, signatures[0])
        details = {"signature": hexed(signatures[0]), "signing_root": hexed(decoded.digest)}
        return Signed(signatures[0], hexed(decoded.digest), details)

    def warm(self) -> None:
        """Load the curve."""
        group_named(CURVE)


def _check_network(sheet: Sheet, network: Network, message: Message) -> None:
    """Whether the signature will be of the network that the request names."""
    if not isinstance(message, Deposit):
        root = message.fork.genesis_validators_root
        # the id has half of it; with the other half made up, every duty would be that of a new validator
        if network_id(root) != network.chain.caip2 or (network.root and root != network.root):
            raise Refused(
                f"the message is for another network than {network.chain.caip2}", code="chain-mismatch"
            )
        return
    if network.genesis_version and message.fork.version != network.genesis_version:
        raise Refused(f"the deposit is for another network than {network.chain.caip2}", code="chain-mismatch")
    if not network.genesis_version:
        sheet.unbound()
        sheet.add(
            "Network",
            f"a deposit is signed for genesis fork {hexed(message.fork.version)}; whether that is this "
            "network's is not known here",
            Level.DANGER,
            Risk.ANY_CHAIN,
        )


def _point(public_key: Any) -> Point:
    """The key as a point of G1. Raises `Malformed` for anything else."""
    group = group_named(CURVE)
    if isinstance(public_key, Point):
        if public_key.group is not group or public_key.is_identity:
            raise Malformed("a validator's key is a point of bls12381g1")
        return public_key
    if not isinstance(public_key, bytes | bytearray):
        raise Malformed("a validator's key is 48 bytes or a point of bls12381g1")
    return group.point_from_bytes(bytes(public_key))
