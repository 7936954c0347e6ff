"""docs/protocols/wire.md against the package, byte for byte.

`tests/vectors/wire.json` is made by `made()` below, from fixed seeds; write it anew, after a change of the
wire that is meant, with ``python -m tests.unit.session.test_wire``. The second half of this file is the page
written again without the package: its own MessagePack, hash and signature.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import Malformed
from quorate.groups import SECP256K1, Point, Scalar
from quorate.secret import Secret
from quorate.session import (
    Declaration,
    Envelope,
    Exhibit,
    KeyPair,
    Message,
    PublicKeys,
    Rule,
    SessionSpec,
    Slot,
    echo,
    examine,
    roster_digest,
)
from quorate.session.envelope import seal_info, write

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "tests/vectors/wire.json"
PAGE = ROOT / "docs/protocols/wire.md"

SEEDS = {"alice": bytes([1]) * 32, "bob": bytes([2]) * 32}


class Example(Message, frozen=True, tag="example.message"):
    octets: bytes
    number: int
    text: str
    several: tuple[bytes, ...]
    scalar: Scalar
    point: Point


EXAMPLE = Declaration("example", 1, Rule(Example, "0", limit=512), Rule(echo.Echo, limit=64))
WHISPERED = Declaration("example", 1, Rule(Example, "0", unicast=True, limit=512))
MESSAGE = Example(
    b"\x00\x01\x02",
    300,
    "grüezi",
    (b"", bytes(300)),
    SECP256K1.scalar(7),
    SECP256K1.generator.multiply(SECP256K1.scalar(7)),
)


def pairs() -> dict[str, KeyPair]:
    return {name: KeyPair(Secret(seed)) for name, seed in SEEDS.items()}


def agreement(roster: dict[str, PublicKeys]) -> SessionSpec:
    return SessionSpec(
        protocol="example",
        version=1,
        suite="secp256k1/standard",
        key=bytes(range(32)),
        epoch=3,
        parties=("alice", "bob"),
        roster=roster_digest(roster),
        threshold=2,
        purpose="a vector",
        payload=b"payload",
        nonces=(bytes([0xA0]) * 32, bytes([0xB0]) * 32),
    )


def made() -> dict[str, Any]:
    keys = pairs()
    roster = {name: pair.public for name, pair in keys.items()}
    spec = agreement(roster)
    body = encode(MESSAGE)
    shown, sealed = Slot("0", "example.message", "alice"), Slot("0", "example.message", "alice", "bob")
    box = roster["bob"].seal(body, seal_info(spec.id, sealed), SeededRng(bytes(32)))
    broadcast = write(spec.id, shown, body, keys["alice"])
    unicast = write(spec.id, sealed, box, keys["alice"])
    opening = keys["bob"].opening(box, seal_info(spec.id, sealed), SeededRng(bytes(32)))
    return {
        "identities": {
            name: {"seed": SEEDS[name].hex(), "public": roster[name].to_bytes().hex()}
            for name in sorted(roster)
        },
        "spec": {
            "encoded": encode(spec).hex(),
            "roster": spec.roster.hex(),
            "proposal_id": spec.proposal_id.hex(),
            "session_id": spec.id.hex(),
        },
        "message": {
            "octets": MESSAGE.octets.hex(),
            "number": MESSAGE.number,
            "text": MESSAGE.text,
            "several": [item.hex() for item in MESSAGE.several],
            "scalar": MESSAGE.scalar.to_bytes().hex(),
            "point": MESSAGE.point.to_bytes().hex(),
            "encoded": body.hex(),
        },
        "broadcast": {"path": "0", "envelope": broadcast.hex()},
        "unicast": {
            "path": "0",
            "recipient": "bob",
            "seal_info": seal_info(spec.id, sealed).hex(),
            "box": box.hex(),
            "envelope": unicast.hex(),
            "opening": opening.hex(),
            "exhibit": encode(Exhibit(unicast, opening)).hex(),
        },
    }


VECTORS = json.loads(FILE.read_text()) if FILE.exists() else {}


def field(*names: str) -> bytes:
    value = VECTORS
    for name in names:
        value = value[name]
    return bytes.fromhex(value)


def test_the_vectors_are_what_the_package_makes() -> None:
    assert made() == VECTORS


def test_the_page_shows_the_vectors() -> None:
    page = PAGE.read_text()
    for names in (
        ("identities", "alice", "public"),
        ("identities", "bob", "public"),
        ("spec", "roster"),
        ("spec", "proposal_id"),
        ("spec", "session_id"),
        ("unicast", "seal_info"),
    ):
        assert field(*names).hex() in page, names


@pytest.mark.parametrize(("kind", "declaration"), [("broadcast", EXAMPLE), ("unicast", WHISPERED)])
def test_a_stranger_reads_the_envelopes_of_the_vectors(kind: str, declaration: Declaration) -> None:
    roster = {name: pair.public for name, pair in pairs().items()}
    opening = field("unicast", "opening") if kind == "unicast" else b""
    exhibit = Exhibit(field(kind, "envelope"), opening)
    slot, message = examine(exhibit, agreement(roster), roster, declaration, SECP256K1)
    assert (slot.sender, slot.path, slot.recipient) == ("alice", "0", "bob" if kind == "unicast" else "")
    assert message == MESSAGE


def test_the_recipient_opens_the_box_of_the_vector() -> None:
    assert pairs()["bob"].open(field("unicast", "box"), field("unicast", "seal_info")) == encode(MESSAGE)


# --- the page, written again --------------------------------------------------------------------------


def pack(value: Any) -> bytes:
    """Section 1."""
    if isinstance(value, int):
        if value < 128:
            return bytes([value])
        for first, length in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)):
            if value < 1 << (8 * length):
                return bytes([first]) + value.to_bytes(length, "big")
    if isinstance(value, bytes):
        for first, length in ((0xC4, 1), (0xC5, 2), (0xC6, 4)):
            if len(value) < 1 << (8 * length):
                return bytes([first]) + len(value).to_bytes(length, "big") + value
    if isinstance(value, str):
        octets = value.encode()
        if len(octets) < 32:
            return bytes([0xA0 | len(octets)]) + octets
        for first, length in ((0xD9, 1), (0xDA, 2), (0xDB, 4)):
            if len(octets) < 1 << (8 * length):
                return bytes([first]) + len(octets).to_bytes(length, "big") + octets
    if isinstance(value, tuple):
        head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + len(value).to_bytes(2, "big")
        return head + b"".join(pack(item) for item in value)
    raise TypeError(value)


def hashed(tag: str, *fields: bytes, length: int = 32) -> bytes:
    """docs/protocols/transcript.md."""
    parts = [b"quorate/v1", tag.encode(), *fields, length.to_bytes(8, "big")]
    octets = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    return hashlib.sha256(octets).digest() if length == 32 else hashlib.shake_256(octets).digest(length)


def signing_key(name: str) -> Ed25519PrivateKey:
    """Section 2."""
    return Ed25519PrivateKey.from_private_bytes(hashed("session/identity-signing", SEEDS[name]))


def spec_fields(nonces: tuple[bytes, ...]) -> tuple[Any, ...]:
    """Section 3."""
    roster = field("spec", "roster")
    head = ("example", 1, "secp256k1/standard", bytes(range(32)), 3, ("alice", "bob"))
    return (*head, roster, 2, "a vector", b"payload", nonces)


NONCES = (bytes([0xA0]) * 32, bytes([0xB0]) * 32)


def test_section_1_encoding() -> None:
    message = (
        "example.message",
        b"\x00\x01\x02",
        300,
        "grüezi",
        (b"", bytes(300)),
        (7).to_bytes(32, "big"),
        field("message", "point"),
    )
    assert pack(message) == field("message", "encoded")


EDGES: list[Any] = [
    *(0, 127, 128, 255, 256, 65535, 65536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1),
    *(bytes(length) for length in (0, 255, 256, 65535, 65536)),
    *("x" * length for length in (0, 31, 32, 255, 256, 65535, 65536)),
    *((1,) * length for length in (0, 15, 16, 65535)),
    (("a", b"b", (3,)),) * 300,
]


@pytest.mark.parametrize("value", EDGES, ids=lambda value: type(value).__name__)
def test_section_1_is_what_the_package_encodes(value: Any) -> None:
    assert pack(value) == encode(value)


def test_section_2_identities() -> None:
    for name in SEEDS:
        public = signing_key(name).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        wide = hashed("session/identity-sealing", SEEDS[name], length=48)
        sealing = SECP256K1.generator.multiply(SECP256K1.scalar(int.from_bytes(wide, "big")))
        assert public + sealing.to_bytes() == field("identities", name, "public")
    names = [part for name in sorted(SEEDS) for part in (name.encode(), field("identities", name, "public"))]
    assert hashed("session/roster", *names) == field("spec", "roster")


def test_section_3_session_id() -> None:
    assert pack(spec_fields(NONCES)) == field("spec", "encoded")
    assert hashed("session/session", pack(spec_fields(NONCES))) == field("spec", "session_id")
    assert hashed("session/session-proposal", pack(spec_fields(()))) == field("spec", "proposal_id")


@pytest.mark.parametrize("kind", ["broadcast", "unicast"])
def test_section_4_envelopes(kind: str) -> None:
    session, recipient = field("spec", "session_id"), "bob" if kind == "unicast" else ""
    body = field("unicast", "box") if kind == "unicast" else field("message", "encoded")
    slot = (b"0", b"example.message", b"alice", recipient.encode())
    text = hashed("session/envelope", session, *slot, body)
    signature = signing_key("alice").sign(text)
    envelope = pack((session, "0", "example.message", "alice", recipient, body, signature))
    assert envelope == field(kind, "envelope")
    verifying = Ed25519PublicKey.from_public_bytes(field("identities", "alice", "public")[:32])
    verifying.verify(Envelope.parse(envelope).signature, text)


def test_section_5_what_a_box_is_bound_to() -> None:
    slot = (b"0", b"example.message", b"alice", b"bob")
    assert hashed("session/envelope-seal", field("spec", "session_id"), *slot) == field(
        "unicast", "seal_info"
    )


def test_section_7_exhibits() -> None:
    shown = pack((field("unicast", "envelope"), field("unicast", "opening")))
    assert shown == field("unicast", "exhibit")


def test_section_8_views() -> None:
    keys = pairs()
    roster = {name: pair.public for name, pair in keys.items()}
    spec = agreement(roster)
    views = {name: write(spec.id, Slot("", "echo.digest", name), b"x", keys[name]) for name in keys}

    class Seat:
        session_id, path = spec.id, ""

    names = [part for name in sorted(views) for part in (name.encode(), views[name])]
    assert hashed("session/echo", spec.id, b"", *names) == echo.view_digest(Seat(), views)  # type: ignore[arg-type]


WRONG = {
    "an integer spelled wide": b"\xcc\x03",
    "an integer as a signed one": b"\xd0\x03",
    "a float": b"\xcb" + bytes(8),
    "nil": b"\xc0",
    "text": b"\xa13",
}


@pytest.mark.parametrize("what", WRONG)
def test_another_spelling_of_an_agreement_is_not_read(what: str) -> None:
    from quorate.encoding import decode

    whole = field("spec", "encoded")
    assert decode(SessionSpec, whole).epoch == 3
    at = whole.index(bytes(range(32))) + 32
    assert whole[at] == 3
    with pytest.raises(Malformed):
        decode(SessionSpec, whole[:at] + WRONG[what] + whole[at + 1 :])


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=2, ensure_ascii=False) + "\n")
