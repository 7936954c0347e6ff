"""The messages of a sharing, as docs/protocols/avss.md numbers the steps that send them.

Vectors travel packed: B encodings one after the other, of exactly the length that follows from the setting,
parsed in bulk by whoever needs them. The paper's SEND is two messages here: the matrix goes to all in clear,
so that two different ones convict the dealer by their two signatures and a copy can be passed on; the row
goes to its node under seal.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from quorate.encoding import MAX_MESSAGE_BYTES
from quorate.session import Message, Path, Rule
from quorate.sharing.avss.setting import DEALING_LIMIT, MAX_BATCH, MAX_SCALAR_BYTES

Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]

VECTOR_LIMIT: Final = MAX_BATCH * MAX_SCALAR_BYTES + 256
"""A vector of B scalars with a digest and a signature."""

SENDER_LIMIT: Final = 48 << 20
"""For a session with a sharing by each of 32 dealers at most: the dealing of one, what it passes on of the 31
others', 1 MiB each, and room for rows and points. The default of a declaration would cut off who helps."""


class Dealing(Message, frozen=True, tag="avss.dealing"):
    """Step 1, dealer to all: the commitment matrices, by coefficient and then by secret.

    `gaps` is empty, or a bitmap (lowest bit first) of the secrets that the dealer says it has not.
    """

    gaps: Annotated[bytes, msgspec.Meta(max_length=MAX_BATCH // 8)]
    matrix: bytes


class Send(Message, frozen=True, tag="avss.send"):
    """Step 1, dealer to one node, sealed: the coefficients of its row, by coefficient and then by secret."""

    row: bytes


class Echo(Message, frozen=True, tag="avss.echo"):
    """Step 2: the digest of the dealing, and the value that the recipient's row has in common with ours."""

    digest: Digest
    values: bytes


class Ready(Message, frozen=True, tag="avss.ready"):
    """Steps 3 and 4: as an echo, with a signature over the digest that others may show around."""

    digest: Digest
    values: bytes
    signature: Signature


class Get(Message, frozen=True, tag="avss.get"):
    """Step 6: who has seen this digest vouched for and has no matrix for it asks for one."""

    digest: Digest


class Matrix(Message, frozen=True, tag="avss.matrix"):
    """Step 6, the answer: the dealer's own envelope with the dealing of that digest."""

    digest: Digest
    envelope: bytes


KINDS: Final[tuple[type[Message], ...]] = (Dealing, Send, Echo, Ready, Get, Matrix)
"""What `Sharing.receive` takes."""


def rules(path: Path = "*") -> tuple[Rule, ...]:
    """The slots of sharings on forks named after their dealers."""
    return (
        Rule(Dealing, path, limit=DEALING_LIMIT),
        Rule(Send, path, unicast=True, limit=DEALING_LIMIT),
        Rule(Echo, path, unicast=True, limit=VECTOR_LIMIT),
        Rule(Ready, path, unicast=True, limit=VECTOR_LIMIT),
        Rule(Get, path, unicast=True, limit=128),
        Rule(Matrix, path, unicast=True, limit=MAX_MESSAGE_BYTES),
    )
