"""The ciphersuites of draft-irtf-cfrg-bls-signature (sections 3 and 4): how a message becomes a point.

Two sizes: *minimal-pubkey-size* (keys in G1, 48 bytes; signatures in G2, 96 bytes; Ethereum, Chia) and
*minimal-signature-size* (keys in G2, signatures in G1; drand). Three ways to stop a rogue key, which matter
where signatures of independent keys are aggregated:

- ``basic``: the aggregated messages differ; the verifier checks that.
- ``aug``: the message is prefixed with the public key. In a threshold that is the *group's* key: parts made
  over messages prefixed with the signers' own public shares would be of different messages, and not combine.
- ``pop``: every key comes with a proof of possession, a signature of itself under another domain.

The suites are data; a chain with a domain of its own (drand's first scheme on G1) is another `Suite`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from quorate.errors import LocalError, ProofRejected, Unavailable
from quorate.groups import Group, Point
from quorate.groups.bls12381 import BLS12381_G1, BLS12381_G2, Bls12381Group, pairings_cancel


@dataclass(frozen=True, slots=True)
class Suite:
    """`domain` and `possession` are the domain separation tags of signatures and of proofs of possession."""

    name: str
    keys: Bls12381Group
    signatures: Bls12381Group
    domain: bytes
    augmented: bool = False
    possession: bytes = b""

    @property
    def signature_length(self) -> int:
        """Bytes of a signature: 96, or 48."""
        return self.signatures.point_length

    @property
    def agreed(self) -> str:
        """The `suite` of a session's agreement: the group of its messages, then what is signed."""
        return f"{self.keys.name}/{self.name}"

    def hash(self, public_key: Point, message: bytes) -> Point:
        """Step 1.1: the point that is multiplied by the key."""
        if self.augmented:
            message = public_key.to_bytes() + message
        return self.signatures.hash_with(self.domain, message)

    def proving(self) -> Suite:
        """Under which a key signs itself as its proof of possession. Raises `LocalError` if there is none."""
        if not self.possession:
            raise LocalError(f"{self.name} has no proofs of possession; only the pop suites do")
        return replace(self, name=f"{self.name}-proof", domain=self.possession, possession=b"")

    def check(self, public_key: Point, hashed: Point, signature: Point) -> None:
        """Step 4: e(key, H) = e(generator, signature), whichever of them is of which group.

        Raises `ProofRejected`, also for the identity in any place: under the identity key the identity
        signs everything.
        """
        if public_key.group is not self.keys or public_key.is_identity:
            raise ProofRejected(f"not a public key of {self.name}")
        if signature.group is not self.signatures or signature.is_identity:
            raise ProofRejected(f"not a signature of {self.name}")
        if self.keys is BLS12381_G1:
            fits = pairings_cancel([(public_key, hashed), (-BLS12381_G1.generator, signature)])
        else:
            fits = pairings_cancel([(hashed, public_key), (signature, -BLS12381_G2.generator)])
        if not fits:
            raise ProofRejected("the BLS signature does not verify under this key")


def _suite(kind: str, code: str, keys: Bls12381Group, signatures: Bls12381Group, size: str) -> Suite:
    curve = "BLS12381G2" if signatures is BLS12381_G2 else "BLS12381G1"
    tail = f"{curve}_XMD:SHA-256_SSWU_RO_{code}_"
    return Suite(
        name=f"bls-{kind}{size}",
        keys=keys,
        signatures=signatures,
        domain=f"BLS_SIG_{tail}".encode(),
        augmented=kind == "aug",
        possession=f"BLS_POP_{tail}".encode() if kind == "pop" else b"",
    )


_KINDS: Final = {"basic": "NUL", "aug": "AUG", "pop": "POP"}

BASIC, AUGMENTED, POSSESSION = (
    _suite(kind, code, BLS12381_G1, BLS12381_G2, "") for kind, code in _KINDS.items()
)
BASIC_SHORT, AUGMENTED_SHORT, POSSESSION_SHORT = (
    _suite(kind, code, BLS12381_G2, BLS12381_G1, "-short") for kind, code in _KINDS.items()
)

SUITES: Final[Mapping[str, Suite]] = {
    suite.name: suite
    for suite in (BASIC, AUGMENTED, POSSESSION, BASIC_SHORT, AUGMENTED_SHORT, POSSESSION_SHORT)
}
"""By name: ``bls-pop``, ...; ``-short`` says that the signatures are."""


def suite_named(name: str) -> Suite:
    """The suite of that name. Raises `Unavailable`."""
    found = SUITES.get(name)
    if found is None:
        raise Unavailable(f"no BLS suite is named {name!r}; there are {', '.join(SUITES)}")
    return found


def require_keys(suite: Suite, group: Group) -> None:
    """Raises `LocalError` unless keys of `suite` live in `group`."""
    if group is not suite.keys:
        raise LocalError(f"{suite.name} signs with keys of {suite.keys.name}, not of {group.name}")
