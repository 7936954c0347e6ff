"""Texts signed by a key on any curve, in any scheme, for software that is no blockchain's (``quorate``).

The chain's reference is the scheme: ``quorate:frost-p256``. An account is the public key in hexadecimal (of a
key of 96 bytes, ``sha256:`` and its hash). The body of a ``message`` is the text, UTF-8 without control
characters but line breaks, so that a person can read what is signed. What is signed is `PREFIX`, the scheme's
name, a line break and the text:

- no transaction of a chain here begins with it (byte 0xff is no version of a Solana message, no pallet of
  Polkadot's), so that nobody can pass one off as a text;
- schemes that sign a hash get its SHA-256; for the STARK curve below 2^248, so that it is in range.

This is how keys on P-256 and the RFC's FROST suites are used, which no chain here has accounts for.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from quorate.chains.chain import Chain, Decoded, Digest, Family, Request, Signature, Signed, unknown_chain
from quorate.chains.sheet import Sheet, show_message
from quorate.errors import LimitExceeded, Malformed, ProofRejected, Refused, Unavailable
from quorate.groups import Point
from quorate.schemes.registry import scheme_named
from quorate.schemes.scheme import Scheme

MESSAGE: Final = "message"
PREFIX: Final = b"\xffquorate message, version 1\n"

MAX_TEXT: Final = 4096
"""Bytes of a text: what somebody reads before approving."""

MAX_KEY: Final = 64
"""Bytes of a key that is written out: an account has 128 characters (CAIP-10)."""

HASHED: Final = frozenset({"ecdsa", "bip340"})
"""Schemes whose message is a 32-byte hash."""

SCHEMES: Final = (
    "ecdsa",
    "ed25519",
    "bip340",
    "sr25519",
    "frost-ristretto255",
    "frost-secp256k1",
    "frost-p256",
    "bls-pop",
    "bls-basic",
    "bls-aug",
    "bls-pop-short",
    "bls-basic-short",
    "bls-aug-short",
)
"""Those with a row of their own. A row of the configuration adds the scheme of another package."""


class Messages(Family):
    """Texts under every scheme."""

    namespace = "quorate"
    curves = ("secp256k1", "ed25519", "p256", "stark", "ristretto255", "bls12381g1", "bls12381g2")

    def __init__(self, rows: Sequence[Chain] = ()) -> None:
        own = (Chain(f"quorate:{name}", f"Text, signed by {name}", "-", 0) for name in SCHEMES)
        self.chains = MappingProxyType({row.caip2: row for row in (*own, *rows)})

    def curves_on(self, caip2: str) -> tuple[str, ...]:
        """Those that the scheme signs on."""
        return _scheme(caip2.partition(":")[2]).curves

    def address(self, public_key: Any) -> str:
        """The key in hexadecimal, compressed; its hash where that is too long for a name."""
        data = _point(public_key).to_bytes()
        return data.hex() if len(data) <= MAX_KEY else f"sha256:{sha256(data).hexdigest()}"

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`. `Refused` codes: ``unknown-chain``, ``other-account``, ``other-curve``."""
        request = Request.from_payload(payload)
        chain = self.chains.get(request.chain)
        if chain is None:
            raise unknown_chain(request.chain)
        if request.kind != MESSAGE:
            raise Malformed(f"request: unknown kind; this family knows {MESSAGE}")
        point = _point(public_key)
        account = self.address(point)
        scheme = _scheme(chain.reference)
        if point.group.name not in scheme.curves:
            raise Refused(f"{scheme.name} does not sign on {point.group.name}", code="other-curve")
        if request.account != account:
            raise Refused("the request is for another key than this one", code="other-account")
        check_text(request.body)
        signed = PREFIX + scheme.name.encode() + b"\n" + request.body
        sheet = Sheet(chain, account)
        show_message(sheet, request.body)
        sheet.title = f"Sign a text by {scheme.name}"
        return Decoded(
            payload=payload,
            kind=MESSAGE,
            chain=chain,
            account=account,
            public_key=point.to_bytes(),
            preview=sheet.preview(),
            risks=frozenset(sheet.risks),
            fields=MappingProxyType(sheet.fields),
            digests=(Digest(_to_sign(scheme, point, signed), scheme.name, point.group.name),),
            content=(scheme, point, signed),
        )

    def attach(self, decoded: Decoded, signatures: Sequence[Signature]) -> Signed:
        """The signature, named by the SHA-256 of what was signed; details have that in hexadecimal."""
        if len(signatures) != 1:
            raise Malformed(f"{decoded.kind}: takes one signature, not {len(signatures)}")
        scheme, point, signed = decoded.content
        if len(signatures[0]) != scheme.signature_length:
            raise ProofRejected(f"a signature of {scheme.name} has {scheme.signature_length} bytes")
        scheme.verify(point, decoded.digest, signatures[0])
        details = {
            "scheme": scheme.name,
            "public_key": decoded.public_key.hex(),
            "message": signed.hex(),
            "signature": signatures[0].hex(),
        }
        return Signed(signatures[0], sha256(signed).hexdigest(), details)

    def warm(self) -> None:
        """Nothing: a scheme's library is loaded when a text first names it."""


def message(text: str, account: str, scheme: str, path: str = "") -> bytes:
    """The payload that asks the key `account` to sign a text. Raises `Malformed`, `LimitExceeded`."""
    try:
        body = text.encode()
    except UnicodeEncodeError:
        raise Malformed("message: text with half a surrogate pair") from None
    check_text(body)
    return Request(1, f"quorate:{scheme}", account, MESSAGE, body, path).to_payload()


def check_text(body: bytes) -> None:
    """Raises `Malformed` or `LimitExceeded` for what is no text that a person can read."""
    if not 0 < len(body) <= MAX_TEXT:
        raise LimitExceeded(f"message: 1 to {MAX_TEXT} bytes of text, not {len(body)}")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Malformed("message: not UTF-8") from None
    if not text.replace("\n", "").isprintable():
        raise Malformed("message: characters that nobody can see; only line breaks are signed beside text")


def _to_sign(scheme: Scheme, point: Point, signed: bytes) -> bytes:
    if scheme.name not in HASHED:
        return signed
    hashed = sha256(signed).digest()
    return bytes(1) + hashed[1:] if point.group.name == "stark" else hashed


def _scheme(name: str) -> Scheme:
    try:
        return scheme_named(name)
    except Unavailable as error:
        raise Refused(str(error), code="unknown-chain") from None


def _point(public_key: Any) -> Point:
    if not isinstance(public_key, Point) or public_key.is_identity:
        raise Malformed("a text is signed by a point of some group; bytes do not say which")
    return public_key
