"""A device's part: writing (A, B, C), reading and flipping, without any IO of its own.

A procedure is a generator: it yields what is to be done (`Ask`, `Tell`, `Sleep`, `Look`) and is sent what
came of it (`Heard`). `quorate.metadata.carrier` drives it over connections, the simulator over a schedule.
Steps are those of docs/protocols/register.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from quorate.account.register.asking import (
    PATIENCE,
    Look,
    Moved,
    Procedure,
    Sleep,
    Tell,
    ask,
    count,
    everybody,
    quorum,
    silent_members,
)
from quorate.account.register.certificates import Certificate, Proof
from quorate.account.register.client import Client
from quorate.account.register.entries import SLOT_SECONDS, Entry, View, next_slot, slot_at
from quorate.account.register.handlers import ABSTAINS, FINISHED
from quorate.account.register.messages import (
    Commit,
    Decided,
    Denied,
    Head,
    Headed,
    Installed,
    Lock,
    Pending,
    Refusal,
    Reply,
    Stated,
    Trail,
    Trailed,
    Voted,
)
from quorate.entropy import Rng
from quorate.errors import Missing, Refused

MAX_ROUNDS: Final = 64
"""Views that one write or read tries. Each slot view takes at most a turn of all factors, so a writer whose
rivals leave it a turn within some minutes never gets here."""


Propose: TypeAlias = Callable[[Entry | None], Entry]
"""The wanted entry on top of a head, signed. Raises `Refused` when it is not wanted or possible any more."""

Found: TypeAlias = tuple[Certificate, Entry]
"""A certificate and its entry."""


def write(client: Client, propose: Propose, *, installed: bool = False) -> Procedure[Entry]:
    """Write an entry; gives it decided, wherever in the chain. With `installed`, when R nodes act on it.

    Raises `Refused` when the rules forbid it, `Missing` when too few answer.
    """
    for _ in range(MAX_ROUNDS):
        wanted = propose(client.entry)
        yield from _advance(client, wanted.version, wanted)
        done = yield from find(client, wanted.operation, wanted.version)
        if done is not None:
            if installed:
                yield from install(client)
            return done
    raise Missing("others were faster too many times in a row; try again")


def read(client: Client, rng: Rng) -> Procedure[Entry | None]:
    """The head: nothing decided before the call is above it. Finishes what is half-finished.

    Raises `Missing` when fewer than E members answer.
    """
    for _ in range(MAX_ROUNDS):
        try:
            heads = yield from _heads(client, rng)
        except Moved:
            continue
        if (yield from _settle(client, heads)):
            return client.entry
        # Somebody else's view is in the way; by the time of the next slot it is through, or it is over.
        heard = yield Look()
        yield Sleep((slot_at(heard.now) + 1) * SLOT_SECONDS)
    raise Missing("the register stays half-written; try again")


def install(client: Client) -> Procedure[None]:
    """Show the head to all until R have signed that they act on it. Raises `Missing`."""
    for _ in range(MAX_ROUNDS):
        if client.entry is None or client.proof is None:
            return
        question = Decided(client.entry, client.proof)
        try:
            heard = yield from ask(client, question, quorum(client, Installed, client.committee.ready))
        except Moved:
            continue  # a later version is decided, which stands on ours
        have, ready = count(heard.replies, Installed), client.committee.ready
        if have >= ready:
            return
        raise Missing(
            f"{ready} nodes must act on it and {have} have said so; the others are told when they are back",
            parties=silent_members(client, heard.replies, Installed),
            needed=ready - have,
        )
    raise Missing("the register moves on faster than nodes can be told; try again")


def find(client: Client, operation: bytes, since: int) -> Procedure[Entry | None]:
    """Our entry of this operation, if the chain holds it at version `since` or later. Raises `Missing`."""
    if client.entry is None or client.version < since:
        return None
    chain: list[Entry] = [client.entry]
    if client.version > since and not _is_ours(client, client.entry, operation):

        def enough(replies: Mapping[int, Reply]) -> bool:
            chain[:] = _chain(client.entry, since, replies)
            return bool(chain)

        yield from ask(client, Trail(client.subject.account, since), enough)
        if not chain:
            raise Missing("the versions in between could not be read; whether ours is among them is open")
    return next((entry for entry in chain if _is_ours(client, entry, operation)), None)


# --- the steps of a write ------------------------------------------------------------------------------


def _advance(
    client: Client, version: int, wanted: Entry | None, found: Found | None = None
) -> Procedure[None]:
    """Steps A, B and C until the head is at `version` or above.

    Without `wanted`, finish `found`: until it is decided, or E members say that nothing can have been.
    """
    tried, entry = 0, wanted
    best: View | None = None
    for _ in range(MAX_ROUNDS):
        try:
            if found is None and entry is not None:
                found = yield from _open_view(client, entry)
            elif found is None:
                tried, found, over = yield from _slot_view(client, version, wanted, tried)
                if over:
                    return
            entry = None
            if found is not None and found[0].view.epoch == client.committee.epoch:
                yield from _commit(client, found)
            elif found is not None and (best is None or best < found[0].view):
                # Certified by an earlier committee: let this one certify it anew, in its open view.
                best, entry = found[0].view, found[1]
        except Moved:
            entry = wanted
        found = None
        if client.version >= version:
            return
    raise Missing("the register could not be written: too few nodes answer, or a rival is always faster")


def _open_view(client: Client, entry: Entry) -> Procedure[Found | None]:
    """Step A: LOCK in the open view. Gives a certificate of ours, or the one that is pending."""
    view = View(client.committee.epoch)
    heard = yield from ask(client, Lock(view, entry), quorum(client, Voted))
    certificate = client.votes(Certificate, entry.version, view, entry.hash, heard.replies)
    if certificate is not None:
        return certificate, entry
    for _, reply in sorted(heard.replies.items()):
        if isinstance(reply, Refusal) and isinstance(reply.reason, Pending):
            return reply.reason.certificate, reply.reason.body
    _raise_denial(client, heard.replies)
    return None


def _commit(client: Client, found: Found) -> Procedure[None]:
    """Step B: COMMIT; E of them decide. Then DECIDED to all, without waiting."""
    certificate, entry = found
    # Nodes that locked it hold the entry; the others ask for it.
    question = Commit(client.subject.account, certificate)
    heard = yield from ask(client, question, quorum(client, Voted), entry=entry)
    proof = client.votes(Proof, certificate.version, certificate.view, certificate.hash, heard.replies)
    if proof is not None:
        client.advance(entry, proof)
        yield Tell(everybody(client, Decided(entry, proof)))


def _slot_view(
    client: Client, version: int, wanted: Entry | None, tried: int
) -> Procedure[tuple[int, Found | None, bool]]:
    """Step C: in our next slot, PREPARE, then LOCK what the states oblige to, or else what we want.

    Gives the slot, a certificate if it came to one, and whether there is nothing to be finished.
    """
    heard = yield Look()
    slot = _own_slot(client, heard.now, tried)
    view = View(client.committee.epoch, slot)
    yield Sleep(slot * SLOT_SECONDS)
    heard = yield from ask(client, client.prepare(version, view), quorum(client, Stated))
    stated = [reply for _, reply in sorted(heard.replies.items()) if isinstance(reply, Stated)]
    if len(stated) < client.committee.echo:
        return slot, None, False
    certified = [reply for reply in stated if reply.state.certificate is not None]
    entry = max(certified, key=_certified_at).body if certified else wanted
    if entry is None:
        return slot, None, True
    just = tuple(reply.state for reply in stated)
    heard = yield from ask(client, Lock(view, entry, just), quorum(client, Voted))
    certificate = client.votes(Certificate, version, view, entry.hash, heard.replies)
    if certificate is not None:
        return slot, (certificate, entry), False
    _raise_denial(client, heard.replies)
    return slot, None, False


def _own_slot(client: Client, now: float, tried: int) -> int:
    current = slot_at(now)
    # Late in a slot there is no time left for its two questions; ours comes again soon.
    fresh = now - current * SLOT_SECONDS < SLOT_SECONDS - 2 * PATIENCE
    after = max(tried, current - 1 if fresh else current)
    slot = None if client.signer is None else next_slot(after, client.signer.key, client.turns())
    if slot is None:
        raise Missing("a device that signs for this account must finish what it has begun; try again then")
    return slot


def _certified_at(stated: Stated) -> View:
    certificate = stated.state.certificate
    return View(0) if certificate is None else certificate.view


def _is_ours(client: Client, entry: Entry, operation: bytes) -> bool:
    """By the operation and by us: others may copy the former."""
    return entry.operation == operation and (client.signer is None or client.signer.key in entry.authors)


def _chain(head: Entry | None, since: int, replies: Mapping[int, Reply]) -> list[Entry]:
    """The entries from the head down to version `since`, by their hashes; empty if one is missing."""
    trailed = [reply for _, reply in sorted(replies.items()) if isinstance(reply, Trailed)]
    known = {entry.hash: entry for reply in trailed for entry in reply.entries}
    chain: list[Entry] = []
    while head is not None and head.version >= since:
        chain.append(head)
        if head.version == since:
            return chain
        head = known.get(head.parent)
    return []


# --- the steps of a read -------------------------------------------------------------------------------


def _heads(client: Client, rng: Rng) -> Procedure[dict[int, Headed]]:
    question = Head(client.subject.account, client.committee.epoch, rng(32), client.hash)
    heard = yield from ask(client, question, quorum(client, Headed))
    heads = {member: reply for member, reply in sorted(heard.replies.items()) if isinstance(reply, Headed)}
    needed = client.committee.echo - len(heads)
    if needed > 0:
        raise Missing(
            f"{client.committee.echo} nodes must show the account's head and {len(heads)} have",
            parties=silent_members(client, heard.replies, Headed),
            needed=needed,
        )
    return heads


def _settle(client: Client, heads: Mapping[int, Headed]) -> Procedure[bool]:
    """Take the highest head, finish what is pending above it; False when that did not succeed."""
    best = max(heads.values(), key=lambda head: head.version)
    if best.entry is not None and best.proof is not None:
        client.advance(best.entry, best.proof)
    pending = [
        (head.pending, head.body)
        for head in heads.values()
        if head.version == client.version and head.pending is not None and head.body is not None
    ]
    if not pending:
        return True
    certificate, body = max(pending, key=lambda held: held[0].view)
    commits = {
        member: Voted(member, head.commit)
        for member, head in heads.items()
        if head.commit is not None and _commits_to(client, certificate, member, head)
    }
    proof = client.votes(Proof, certificate.version, certificate.view, certificate.hash, commits)
    if proof is not None:
        client.advance(body, proof)
        yield Tell(everybody(client, Decided(body, proof)))
        return True
    try:
        yield from _advance(client, certificate.version, None, (certificate, body))
    except (Missing, Refused):
        return False
    return True


def _commits_to(client: Client, certificate: Certificate, member: int, head: Headed) -> bool:
    held = head.pending
    if held is None or head.commit is None or (held.view, held.hash) != (certificate.view, certificate.hash):
        return False
    question = Commit(client.subject.account, certificate)
    return client.believes(question, member, Voted(member, head.commit))


def _raise_denial(client: Client, replies: Mapping[int, Reply]) -> None:
    """Raises `Refused` when so many members deny by a rule that, the liars among them, no quorum is left."""
    denials = [
        (client.committee.names[member], reply.reason)
        for member, reply in sorted(replies.items())
        if isinstance(reply, Refusal)
        and isinstance(reply.reason, Denied)
        and reply.reason.rule not in (ABSTAINS, FINISHED)
    ]
    if len(client.committee.names) - len(denials) < client.committee.echo:
        reason = denials[0][1]
        parties = [name for name, _ in denials]
        raise Refused(f"the nodes refuse the entry: {reason.why}", code=reason.rule, parties=parties)
