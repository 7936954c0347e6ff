"""The three kinds of keys an account may have: their account, what they sign, and how it is checked.

An Ed25519 and an sr25519 key *is* the account (32 bytes), so the two share addresses. A secp256k1 key (33
bytes, SEC 1) has the account BLAKE2b-256(key) and signs BLAKE2b-256 of what the others sign as it is
(sp-core, ``ed25519``, ``sr25519``, ``ecdsa``).
"""

from __future__ import annotations

from typing import Any, Final

from quorate.chains.chain import Digest, Signature
from quorate.chains.polkadot.blake2 import blake2b_256
from quorate.errors import Malformed, ProofRejected, Refused
from quorate.groups import ED25519, SECP256K1, Point

CURVES: Final = {"ed25519": "ed25519", "sr25519": "ristretto255", "ecdsa": "secp256k1"}
"""The group of each kind's keys."""

MULTI_SIGNATURE: Final = {"ed25519": b"\0", "sr25519": b"\1", "ecdsa": b"\2"}
"""How a ``MultiSignature`` says its kind."""

_KEY_BYTES: Final = {"ed25519": 32, "sr25519": 32, "ecdsa": 33}
_SIGNATURE_BYTES: Final = {"ed25519": 64, "sr25519": 64, "ecdsa": 65}


def account_of(public_key: Any) -> bytes:
    """The 32-byte account of a key: 32 or 33 bytes, or a point. Raises `Malformed`."""
    data = encoded(public_key)
    if len(data) == 33:
        SECP256K1.point_from_bytes(data)
        return blake2b_256(data)
    if len(data) != 32:
        raise Malformed(f"public key: {len(data)} bytes; an account's key has 32, or 33 on secp256k1")
    return data


def encoded(public_key: Any) -> bytes:
    """The key's bytes. A point's group must be one that has accounts."""
    if isinstance(public_key, bytes):
        return public_key
    if not isinstance(public_key, Point):
        raise Malformed(f"public key: expected bytes or a point, not {type(public_key).__name__}")
    if public_key.group.name not in CURVES.values():
        raise Malformed(f"public key: an account has no key on {public_key.group.name}")
    return public_key.to_bytes()


def key_for(public_key: Any, scheme: str) -> bytes:
    """The wallet's key as `scheme` wants it. Raises `Refused` (``other-curve``) for one of another kind."""
    data = encoded(public_key)
    curve = CURVES[scheme]
    on_curve = not isinstance(public_key, Point) or public_key.group.name == curve
    if not on_curve or len(data) != _KEY_BYTES[scheme]:
        raise Refused(
            f"the request wants {scheme}, whose keys are on {curve}; this is another key", code="other-curve"
        )
    if scheme == "ed25519":
        ED25519.point_from_bytes(data)
    return data


def digest_of(scheme: str, message: bytes) -> Digest:
    """What the scheme signs for `message`."""
    value = blake2b_256(message) if scheme == "ecdsa" else message
    return Digest(value, scheme=scheme, group=CURVES[scheme])


def check(scheme: str, key: bytes, digest: Digest, signature: Signature) -> None:
    """Raise `ProofRejected` unless this is the key's signature, `Malformed` if it is none at all."""
    if len(signature) != _SIGNATURE_BYTES[scheme]:
        raise Malformed(f"signature: {len(signature)} bytes; {scheme} has {_SIGNATURE_BYTES[scheme]}")
    if scheme == "ed25519":
        _check_ed25519(key, digest.value, signature)
    elif scheme == "ecdsa":
        _check_ecdsa(key, digest.value, signature)
    else:
        _check_sr25519(key, digest.value, signature)


def _check_ed25519(key: bytes, message: bytes, signature: Signature) -> None:
    from nacl.exceptions import BadSignatureError
    from nacl.signing import VerifyKey

    try:
        VerifyKey(key).verify(message, signature)
    except BadSignatureError:
        raise _rejected() from None


def _check_ecdsa(key: bytes, digest: bytes, signature: Signature) -> None:
    # the chain recovers the key and compares accounts, so the recovery id must be right as well
    from btclib_secp256k1 import recovery

    if signature[64] > 3 or 2 * int.from_bytes(signature[32:64], "big") > SECP256K1.order:
        raise Malformed("signature: s is in the lower half of its range, and the recovery id is 0 to 3")
    try:
        recovered = bytes(recovery.recover(digest, signature[:64], signature[64]))
    except ValueError:
        raise _rejected() from None
    if recovered != key:
        raise _rejected()


def _check_sr25519(key: bytes, message: bytes, signature: Signature) -> None:
    from quorate.groups.registry import group_named
    from quorate.schemes.registry import scheme_named

    point = group_named("ristretto255").point_from_bytes(key)
    scheme_named("sr25519").verify(point, message, signature)


def _rejected() -> ProofRejected:
    return ProofRejected("the signature is not one of this account's key; nothing was attached")
