"""Hash commitments."""

import pytest

from quorate.errors import Malformed, ProofRejected
from quorate.primitives.commitment import SALT_LENGTH, commit, opens
from quorate.primitives.tags import Tag

SALT = bytes(range(SALT_LENGTH))
MADE = commit(Tag.PROOF_NONCE, b"session, n1", b"value", SALT)


def test_the_honest_opening_passes() -> None:
    assert len(MADE) == 32
    opens(MADE, Tag.PROOF_NONCE, b"session, n1", b"value", SALT)


@pytest.mark.parametrize(
    ("tag", "context", "value", "salt"),
    [
        (Tag.SEALED_BOX, b"session, n1", b"value", SALT),
        (Tag.PROOF_NONCE, b"session, n2", b"value", SALT),
        (Tag.PROOF_NONCE, b"session, n1", b"walue", SALT),
        (Tag.PROOF_NONCE, b"session, n1", b"value", bytes(SALT_LENGTH)),
        (Tag.PROOF_NONCE, b"session, n1v", b"alue", SALT),
        (Tag.PROOF_NONCE, b"session, n1", b"value" + SALT[:1], SALT[1:] + b"\0"),
        (Tag.PROOF_NONCE, b"session, n1", b"value", SALT[:-1]),
        (Tag.PROOF_NONCE, b"session, n1", b"value", SALT + b"\0"),
    ],
)
def test_any_other_opening_is_refused(tag: Tag, context: bytes, value: bytes, salt: bytes) -> None:
    with pytest.raises(ProofRejected):
        opens(MADE, tag, context, value, salt)


@pytest.mark.parametrize("commitment", [b"", MADE[:-1], MADE + b"\0", bytes(32)])
def test_an_altered_commitment_is_refused(commitment: bytes) -> None:
    with pytest.raises(ProofRejected):
        opens(commitment, Tag.PROOF_NONCE, b"session, n1", b"value", SALT)


@pytest.mark.parametrize("length", [0, SALT_LENGTH - 1, SALT_LENGTH + 1])
def test_nobody_commits_with_a_salt_of_another_length(length: int) -> None:
    with pytest.raises(Malformed, match="salt"):
        commit(Tag.PROOF_NONCE, b"", b"", bytes(length))
