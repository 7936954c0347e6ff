"""What a receiver holds of a sharing: the result, and what leads to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from quorate.errors import Malformed, ProofRejected
from quorate.secret import Secret
from quorate.session import PartyId
from quorate.sharing.avss.bivariate import Row
from quorate.sharing.avss.certificate import ReadyCertificate
from quorate.sharing.avss.commitments import Columns, Folded, check_one
from quorate.sharing.avss.messages import Dealing
from quorate.sharing.avss.setting import Setting
from quorate.sharing.polynomial import Commitment


@dataclass(frozen=True, slots=True, eq=False)
class Dealt:
    """A completed sharing as one receiver has it.

    `columns[l][k]` is the commitment to coefficient l of the polynomial on which the shares of secret k lie;
    `gaps` the secrets that the dealer says it lacks: what was dealt in their place is worth nothing.
    """

    dealer: PartyId
    digest: bytes
    shares: Secret[tuple[int, ...]]
    columns: Columns
    gaps: tuple[int, ...]
    certificate: ReadyCertificate

    def commitment(self, index: int) -> Commitment:
        """The public polynomial of one secret; its constant is the secret in the exponent."""
        return Commitment(tuple(column[index] for column in self.columns))

    @property
    def commitments(self) -> tuple[Commitment, ...]:
        """All of them."""
        return tuple(self.commitment(index) for index in range(len(self.columns[0])))


@dataclass(slots=True, eq=False, repr=False)
class Vote:
    """An echo or a ready; `checked` once its values are known to be right."""

    digest: bytes
    values: bytes
    signature: bytes = b""
    checked: bool = False


Votes: TypeAlias = dict[PartyId, Vote | None]
"""By sender, in order of arrival; None for one that was refused."""


@dataclass(slots=True, eq=False, repr=False)
class Held:
    """A dealing whose matrix we have, in the envelope it came in, and what was found out about it so far."""

    setting: Setting
    digest: bytes
    dealing: Dealing
    envelope: bytes
    folded: Folded | None = None
    public: Columns | None = None
    row: Row | None = None

    def wrong(self, x: int, y: int, values: bytes) -> str:
        """What is wrong with values that the node at `y` has sent to ours at `x`; nothing if they are right.

        Who has its own row knows what others must send: phi(x, y) = phi(y, x). Comparing bytes costs nothing;
        a difference is checked in the exponent before anybody is accused. Needs a row or a folded matrix.
        """
        try:
            if self.row is not None:
                expected = self.row.at(y)
                if values != expected:
                    index, given = self._first_difference(values, expected)
                    # If this passes, our own row is wrong, and has passed its check with probability 2^-128.
                    check_one(self.setting, self.dealing.matrix, index, x, y, given)
            elif self.folded is not None:
                scalars = self.setting.group.read_scalars(values, self.setting.count)
                self.folded.check_values(x, y, scalars)
        except (Malformed, ProofRejected) as error:
            return str(error)
        return ""

    def _first_difference(self, values: bytes, expected: bytes) -> tuple[int, bytes]:
        size = self.setting.group.scalar_length
        places = range(0, len(values), size)
        start = next(i for i in places if values[i : i + size] != expected[i : i + size])
        return start // size, values[start : start + size]
