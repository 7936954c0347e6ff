"""What a node keeps of one account: one row, replaced in one transaction, durable before the reply.

When the head advances, promise, lock and certificate of the version that was open go with it. Bodies are kept
of the entry locked last and of the one certified highest: no other can still be asked for.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quorate.account.register.certificates import Certificate, Proof
from quorate.account.register.entries import NOTHING, Digest, Entry, View
from quorate.encoding import Canonical


class Locked(Canonical, frozen=True):
    """The last LOCK this node has signed for the open version."""

    view: View
    hash: Digest


class Row(Canonical, frozen=True):
    """Head, and the state of the version above it."""

    entry: Entry | None
    proof: Proof | None
    promised: View
    lock: Locked | None = None
    certificate: Certificate | None = None
    bodies: Annotated[tuple[Entry, ...], msgspec.Meta(max_length=2)] = ()

    @classmethod
    def fresh(cls, epoch: int, entry: Entry | None = None, proof: Proof | None = None) -> Row:
        """A row whose head is `entry`, with nothing open above it."""
        return cls(entry, proof, View(epoch))

    @property
    def version(self) -> int:
        """Of the head; 0 when there is none."""
        return 0 if self.entry is None else self.entry.version

    @property
    def hash(self) -> bytes:
        """Of the head."""
        return NOTHING if self.proof is None else self.proof.hash

    def body(self, entry: bytes) -> Entry | None:
        """The entry with this hash, if it is kept."""
        return next((body for body in self.bodies if body.hash == entry), None)

    def with_lock(self, view: View, entry: Entry) -> Row:
        """The row after a LOCK on `entry`."""
        locked = Locked(view, entry.hash)
        return msgspec.structs.replace(
            self, lock=locked, bodies=self._bodies(entry, locked, self.certificate)
        )

    def with_promise(self, view: View) -> Row:
        """The row after a promise."""
        return msgspec.structs.replace(self, promised=view)

    def with_certificate(self, certificate: Certificate, entry: Entry) -> Row:
        """The row after a certificate was accepted; the one held stays if it is of a later view."""
        if self.certificate is not None and self.certificate.view >= certificate.view:
            return self
        bodies = self._bodies(entry, self.lock, certificate)
        return msgspec.structs.replace(self, certificate=certificate, bodies=bodies)

    def _bodies(self, new: Entry, lock: Locked | None, certificate: Certificate | None) -> tuple[Entry, ...]:
        wanted = [] if lock is None else [lock.hash]
        if certificate is not None and certificate.hash not in wanted:
            wanted.append(certificate.hash)
        known = {new.hash: new} | {body.hash: body for body in self.bodies}
        return tuple(known[name] for name in wanted if name in known)


def learned(before: Row, after: Row) -> tuple[Entry, ...]:
    """The entries that the step from `before` to `after` has shown to be of the chain, oldest first.

    A node that hears of version v+2 while v+1 was open knows v+1 as well, if it kept its body.
    """
    if after.entry is None or after.version == before.version:
        return ()
    parent = before.body(after.entry.parent)
    return (after.entry,) if parent is None else (parent, after.entry)
