"""The example protocol: parties toss a coin together, by commitment and opening (Blum, 1981).

Each commits to 32 random bytes, opens when all have committed, and the coin is the hash of all. Whoever
speaks last could still refuse to open; the others then know who. The simulator's first scenario, and the
protocol to read before writing one.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from quorate.errors import ProofRejected
from quorate.primitives import commitment
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import Declaration, Message, Party, Rule

Bytes32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Commit(Message, frozen=True, tag="toss.commit"):
    """Step 1: a commitment to one's coin."""

    digest: Bytes32


class Open(Message, frozen=True, tag="toss.open"):
    """Step 2: the coin, and the salt that opens the commitment."""

    coin: Bytes32
    salt: Bytes32


TOSS: Final = Declaration("toss", 1, Rule(Commit, limit=64), Rule(Open, limit=128))


async def toss(party: Party) -> bytes:
    """The common coin, 32 bytes. Raises `Blame` on who opens to something else than it committed to."""
    mine = Open(party.rng(32), party.rng(32))
    party.broadcast(
        Commit(commitment.commit(Tag.TOSS_COMMITMENT, _place(party, party.me), mine.coin, mine.salt))
    )
    commits = await party.gather(Commit)
    party.broadcast(mine)
    opened = await party.gather(Open)
    liars = [name for name in opened if not fits(_place(party, name), commits[name], opened[name])]
    party.blame((Commit, Open), liars, "the coin is not the one committed to", step="toss 2")
    coins = {**opened, party.me: mine}
    return digest(Tag.TOSS_COIN, party.session_id, *(coins[name].coin for name in party.parties))


def fits(place: bytes, commit: Commit, opened: Open) -> bool:
    """Whether an opening fits its commitment: what a stranger asks who is shown both."""
    try:
        commitment.opens(commit.digest, Tag.TOSS_COMMITMENT, place, opened.coin, opened.salt)
    except ProofRejected:
        return False
    return True


def place_of(session: bytes, name: str) -> bytes:
    """The context of a commitment, without which it could be copied from another party or session."""
    return session + name.encode()


def _place(party: Party, name: str) -> bytes:
    return place_of(party.session_id, name)
