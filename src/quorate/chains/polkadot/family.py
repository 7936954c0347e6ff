"""`Polkadot`: the family of chains with ``polkadot:`` ids. The package's docstring lists its payloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from quorate.chains.chain import (
    MAX_PAYLOAD_BYTES,
    Chain,
    Decoded,
    Family,
    Request,
    Signature,
    Signed,
    unknown_chain,
)
from quorate.chains.messages import PREFIX as TEXT_PREFIX
from quorate.chains.polkadot import calls
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.chains.polkadot.extrinsic import Extrinsic, SchemeName, parse, signed_bytes
from quorate.chains.polkadot.keys import account_of, check, digest_of, key_for
from quorate.chains.polkadot.networks import KNOWN, Network, network_of
from quorate.chains.polkadot.preview import Page, show_content, show_extrinsic
from quorate.chains.polkadot.ss58 import from_address, to_address
from quorate.chains.sheet import Sheet
from quorate.chains.solana.message import begins_like_transaction
from quorate.chains.solana.offchain import PREFIX as SOLANA_PREFIX
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, Refused

EXTRINSIC: Final = "extrinsic"
MESSAGE: Final = "message"

OPEN: Final = b"<Bytes>"
CLOSE: Final = b"</Bytes>"
"""What wallets put around a message, so that it is no extrinsic (polkadot-js, ``u8aWrapBytes``)."""

_MESSAGES: Final = (OPEN, SOLANA_PREFIX, TEXT_PREFIX)
"""How messages begin that Ed25519 and sr25519 keys sign as they are. Behind an unknown call of that name, all
that an extrinsic adds may be part of one: its last 32 bytes are whatever the request says."""


class Message(Canonical):
    """The body of a ``message`` request: the kind of key, and the content without its wrapping."""

    scheme: SchemeName
    content: Annotated[bytes, msgspec.Meta(max_length=MAX_PAYLOAD_BYTES)]

    def body(self) -> bytes:
        """The canonical encoding."""
        return encode(self)

    def wrapped(self) -> bytes:
        """What the key signs."""
        return OPEN + self.content + CLOSE


class Polkadot(Family):
    """Addresses, payloads, previews and signed extrinsics of Polkadot's chains."""

    namespace = "polkadot"
    curves = ("ed25519", "ristretto255", "secp256k1")

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        added = tuple(network_of(row) for row in rows)
        self._networks = {network.chain.caip2: network for network in (*KNOWN, *added)}
        self.chains = MappingProxyType({caip2: network.chain for caip2, network in self._networks.items()})

    def address(self, public_key: Any) -> str:
        """The SS58 address on Polkadot."""
        return to_address(account_of(public_key), KNOWN[0].prefix)

    def address_on(self, caip2: str, public_key: Any) -> str:
        """The SS58 address with the chain's own number."""
        return to_address(account_of(public_key), self._network(caip2).prefix)

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, ``other-curve``,
        ``chain-mismatch``, ``looks-like-transaction``, ``looks-like-message``."""
        request = Request.from_payload(payload)
        network = self._network(request.chain)
        account = _account(request, network, account_of(public_key))
        sheet = Sheet(network.chain, account)
        content: Extrinsic | Message
        if request.kind == EXTRINSIC:
            content = parse(request.body)
            message = _read_extrinsic(Page(sheet, network), content)
        elif request.kind == MESSAGE:
            content = decode(Message, request.body, limit=MAX_PAYLOAD_BYTES)
            message = self._read_message(sheet, content)
        else:
            raise Malformed(f"request: unknown kind; this family knows {EXTRINSIC}, {MESSAGE}")
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=network.chain,
            account=account,
            public_key=key_for(public_key, content.scheme),
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(digest_of(content.scheme, message),),
            content=content,
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The signed extrinsic with its length in front, named by its BLAKE2b-256 hash; of a message, the
        signature alone, named by the hash of what was signed."""
        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        content: Extrinsic | Message = decoded.content
        signature = signatures[0]
        check(content.scheme, decoded.public_key, decoded.digests[0], signature)
        details: Mapping[str, str] = {"scheme": content.scheme, "signature": "0x" + signature.hex()}
        if isinstance(content, Message):
            return Signed(signature, "0x" + blake2b_256(content.wrapped()).hex(), details)
        network = self._network(decoded.chain.caip2)
        raw = content.signed(network, account_of(decoded.public_key), signature)
        return Signed(raw, "0x" + blake2b_256(raw).hex(), details)

    def warm(self) -> None:
        """Import what checks Ed25519 signatures; the rest is here."""
        import nacl.signing  # noqa: F401

    def _network(self, caip2: str) -> Network:
        network = self._networks.get(caip2)
        if network is None:
            raise unknown_chain(caip2)
        return network

    def _read_message(self, sheet: Sheet, message: Message) -> bytes:
        content = message.content
        if content.startswith(OPEN) or content.endswith(CLOSE):
            raise Malformed("message: given without <Bytes> and </Bytes>, which are put around it here")
        # what only one of the known chains could have put there; a wrapped one is no extrinsic, but whoever
        # asks for a signature on one hopes for a verifier that leaves the wrapping out
        if any(network.genesis[:16] in content for network in self._networks.values()):
            raise Refused(
                "the message contains a chain's genesis hash, as a transaction to be signed does; "
                "ask for the extrinsic itself",
                code="looks-like-transaction",
            )
        show_content(sheet, message.scheme, content)
        return message.wrapped()


def _account(request: Request, network: Network, ours: bytes) -> str:
    account, _ = from_address(request.account, "account")
    address = to_address(ours, network.prefix)
    if account != ours:
        raise Refused(f"the request is for {request.account}, this wallet is {address}", code="other-account")
    if request.account != address:
        raise Malformed(f"account: not written as {network.chain.name} writes it, {address}")
    return address


def _read_extrinsic(page: Page, extrinsic: Extrinsic) -> bytes:
    network = page.network
    # a row that was added knows only the half of the genesis hash that its id has
    if not extrinsic.genesis_hash.startswith(network.genesis):
        raise Refused(
            f"the extrinsic's genesis hash is not that of {network.chain.caip2}", code="chain-mismatch"
        )
    table = network.runtime(extrinsic.spec_version, extrinsic.transaction_version)
    call = None if table is None else calls.read(table, extrinsic.call)
    show_extrinsic(page, extrinsic, call)
    payload = extrinsic.payload(network)
    signed = signed_bytes(payload)
    # An Ed25519 key signs a short payload as it is. A call that nobody understands may be the beginning of a
    # message of Solana, with all that follows as data of its last instruction; the key's account there pays.
    if extrinsic.scheme == "ed25519" and signed is payload and begins_like_transaction(signed):
        raise Refused(
            "the bytes to be signed begin like a transaction of Solana, where the same key has an account",
            code="looks-like-transaction",
        )
    if extrinsic.scheme != "ecdsa" and signed.startswith(_MESSAGES):
        raise Refused(
            "the bytes to be signed begin like a message; ask for the message itself",
            code="looks-like-message",
        )
    return signed
