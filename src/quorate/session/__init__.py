"""Sessions: how a protocol written as one async function becomes signed, sealed bytes on any carrier.

Read in this order: `party` (what a protocol may do), `message` (what it declares), `session` (the engine),
`envelope` and `spec` (the wire; ``docs/protocols/wire.md`` specifies it with vectors), `inbox` (what is
refused at the door), `evidence` (what makes a blame checkable), `echo` and `journal`.

A protocol, whole::

    class Commit(Message, frozen=True, tag="toss.commit"):
        digest: bytes


    class Open(Message, frozen=True, tag="toss.open"):
        coin: bytes
        salt: bytes


    TOSS = Declaration("toss", 1, Rule(Commit), Rule(Open))


    async def toss(party: Party) -> bytes:
        coin, salt = party.rng(32), party.rng(32)
        party.broadcast(Commit(commit(...)))
        commits = await party.gather(Commit)
        party.broadcast(Open(coin, salt))
        opened = await party.gather(Open)
        party.blame(
            Open, [p for p in opened if not opens(commits[p], opened[p])], "its coin is not the committed one"
        )
        return combine(coin, opened)


    session = Session(spec, "alice", identity, roster, TOSS, group, toss, rng=system_rng)

An asynchronous protocol (docs/protocols/wire.md, section 11) declares itself `tolerant`, listens with
`Party.stream`, counts quorums, names liars with `Party.accuse` and goes on without them, and gives its result
with `Party.conclude` while it still serves those who are behind.
"""

from quorate.session.echo import broadcast as echo_broadcast
from quorate.session.envelope import EVERYBODY, MAX_ENVELOPE_BYTES, Envelope, Slot
from quorate.session.evidence import Exhibit, Finding, Offence, convict, examine
from quorate.session.identity import Identity, KeyPair, PublicIdentity, PublicKeys
from quorate.session.journal import Journal, MemoryJournal
from quorate.session.message import Declaration, Message, PartyId, Path, Rule, is_party_id, tag_of
from quorate.session.party import Arrival, Party, ProtocolRun, Waiting, together
from quorate.session.session import HELP_BUDGET, Session
from quorate.session.spec import NONCE_BYTES, SessionSpec, roster_digest

__all__ = [
    "EVERYBODY",
    "HELP_BUDGET",
    "MAX_ENVELOPE_BYTES",
    "NONCE_BYTES",
    "Arrival",
    "Declaration",
    "Envelope",
    "Exhibit",
    "Finding",
    "Identity",
    "Journal",
    "KeyPair",
    "MemoryJournal",
    "Message",
    "Offence",
    "Party",
    "PartyId",
    "Path",
    "ProtocolRun",
    "PublicIdentity",
    "PublicKeys",
    "Rule",
    "Session",
    "SessionSpec",
    "Slot",
    "Waiting",
    "convict",
    "echo_broadcast",
    "examine",
    "is_party_id",
    "roster_digest",
    "tag_of",
    "together",
]
