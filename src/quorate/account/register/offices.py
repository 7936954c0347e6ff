"""From the nodes' committee records to the register's committees, and how a node shows a later one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quorate.account.committee import Activation, CommitteeRecord, Succession, verify_chain
from quorate.account.register.certificates import Committee
from quorate.encoding import Canonical, decode, encode
from quorate.errors import LocalError

MAX_SHOWN_BYTES: Final = 30 << 10
"""What fits a refusal: three successions of the largest committee, twenty of a small one. Whoever has been
away for longer fetches the whole chain (`/v1/committee`)."""


class Way(Canonical, frozen=True):
    """The last successions up to a committee, and what put that in force."""

    successions: tuple[Succession, ...]
    activation: Activation | None


def committee_of(record: CommitteeRecord, way: bytes = b"") -> Committee:
    """The committee of a record; `way` is what it shows to those who ask in an earlier epoch."""
    quorums = record.quorums
    identities = tuple(seat.identity for seat in record.members)
    return Committee(record.epoch, record.names, identities, quorums.echo, quorums.ready, way)


def way_to(chain: Sequence[Succession], activation: Activation | None) -> bytes:
    """The end of a chain, as much of it as fits."""
    for skipped in range(len(chain) + 1):
        shown = encode(Way(tuple(chain[skipped:]), activation))
        if len(shown) <= MAX_SHOWN_BYTES:
            return shown
    return b""


def follow(known: CommitteeRecord, way: bytes) -> CommitteeRecord | None:
    """The committee to which a way leads from `known`, if it is proven and in force; else None."""
    try:
        shown = decode(Way, way)
        fresh = [one for one in shown.successions if one.record.epoch > known.epoch]
        if not fresh or shown.activation is None:
            return None
        record = verify_chain(known, fresh)
        shown.activation.verify(record)
    except LocalError:
        return None
    return record
