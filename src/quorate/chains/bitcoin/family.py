"""`Bitcoin`: the family of the namespace ``bip122``. The package's docstring lists the payload kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from quorate.chains.bitcoin import message, spending
from quorate.chains.bitcoin.finish import attach_signatures
from quorate.chains.bitcoin.library import load
from quorate.chains.bitcoin.networks import ENCODINGS, MAINNET, NETWORKS, check_row
from quorate.chains.bitcoin.preview import show_spending
from quorate.chains.bitcoin.psbt import parse
from quorate.chains.bitcoin.scripts import Key, Kind, address
from quorate.chains.bitcoin.second import check_reading
from quorate.chains.bitcoin.signature import verified
from quorate.chains.chain import Chain, Decoded, Digest, Family, Request, Signature, Signed, unknown_chain
from quorate.chains.sheet import Sheet, show_message
from quorate.errors import Malformed, Refused

PSBT: Final = "psbt"
MESSAGE: Final = "message"


class Bitcoin(Family):
    """Addresses, digests, previews and final objects of Bitcoin's networks."""

    namespace = "bip122"

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        for row in rows:
            check_row(row)
        self.chains = MappingProxyType({row.caip2: row for row in (*NETWORKS, *rows)})

    def address(self, public_key: Any) -> str:
        """The P2TR address on Bitcoin's main network."""
        return self.address_on(MAINNET, public_key)

    def address_on(self, caip2: str, public_key: Any) -> str:
        """The P2TR address on one network."""
        return self.addresses(public_key, caip2)[Kind.P2TR.value]

    def addresses(self, public_key: Any, caip2: str = "") -> Mapping[str, str]:
        """``p2tr`` (BIP 86's, without a script tree) and ``p2wpkh``, on a network or the main one."""
        encoding = ENCODINGS[self._chain(caip2 or MAINNET).caip2]
        scripts = Key.of(public_key).scripts
        return {kind.value: address(script, encoding) for kind, script in scripts.items()}

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, and those of
        `quorate.chains.bitcoin.spending.read`."""
        request = Request.from_payload(payload)
        chain = self._chain(request.chain)
        if request.kind not in (PSBT, MESSAGE):
            raise Malformed(f"request: unknown kind; this family knows {PSBT}, {MESSAGE}")
        key = Key.of(public_key)
        kind = self._account(request, key)
        sheet = Sheet(chain, request.account)
        content, digests = _read(request, sheet, key, kind)
        return Decoded(
            payload=payload,
            kind=request.kind,
            chain=chain,
            account=request.account,
            public_key=key.public,
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=digests,
            content=content,
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The transaction as bytes, once all inputs are signed; until then the signed PSBT. For a message its
        witness.

        `Signed.details` of a PSBT: ``txid``, ``txid_final``, ``complete``, ``psbt`` and ``final_psbt``
        (base64); of a message: ``signature``, ``without_prefix``, ``to_sign``.
        """
        if len(signatures) != len(decoded.digests):
            raise Malformed(f"{decoded.kind}: takes {len(decoded.digests)} signatures, not {len(signatures)}")
        content = decoded.content
        own = (content.own,) if isinstance(content, message.Message) else content.own
        written = [
            verified(bytes(signature), content.key, entry)
            for signature, entry in zip(signatures, own, strict=True)
        ]
        if isinstance(content, message.Message):
            return content.attach(written[0])
        return attach_signatures(content, written)

    def warm(self) -> None:
        """Import embit."""
        load()

    def _chain(self, caip2: str) -> Chain:
        chain = self.chains.get(caip2)
        if chain is None:
            raise unknown_chain(caip2)
        return chain

    def _account(self, request: Request, key: Key) -> Kind:
        known = self.addresses(key.public, request.chain)
        for kind, written in known.items():
            if request.account == written:
                return Kind(kind)
        raise Refused(
            f"the request is for another account; this wallet's are {', '.join(known.values())}",
            code="other-account",
        )


def _read(request: Request, sheet: Sheet, key: Key, kind: Kind) -> tuple[Any, tuple[Digest, ...]]:
    if request.kind == MESSAGE:
        asked = message.read(request.body, key, kind)
        show_message(sheet, request.body)
        return asked, (asked.own.asked(),)
    psbt = parse(request.body)
    check_reading(psbt)
    found = spending.read(psbt, key)
    show_spending(sheet, found)
    return found, tuple(own.asked() for own in found.own)
