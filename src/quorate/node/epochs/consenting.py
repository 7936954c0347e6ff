"""Step B: the old committee settles on one record, and signs it.

A node whose operator wishes for a record, or whose turn it is to renew, puts it forward; the others vouch for
what they would sign. One of those that R vouch for is chosen (`quorate.node.epochs.ballots`), and only that
is signed: two wishes at once, or a liar with two, cannot leave the epoch without any record for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from quorate.account.committee import (
    CommitteeRecord,
    Succession,
    in_order,
    succession_subject,
)
from quorate.encoding import encode
from quorate.errors import Malformed
from quorate.node.epochs.ballots import MAX_ATTEMPTS, Ballots, candidate_of, succession_question
from quorate.node.epochs.means import Means
from quorate.node.epochs.store import ChangeStore
from quorate.node.epochs.talk import Certified, Signed, Vouch, Wished
from quorate.transport.links import NotNow

PATH_BYTES: Final = 1 << 18
"""Of the successions told with a new one: a quarter of a parcel, hundreds of epochs of five nodes."""


def lately(chain: Sequence[Succession]) -> tuple[Succession, ...]:
    """The end of a chain, as much of it as fits a parcel beside other things.

    Members need the last one alone. A node that comes knows a committee of its configuration, and follows
    from there if that is not too long ago; the whole chain would outgrow every parcel one day.
    """
    size, taken = 0, 0
    for one in reversed(chain):
        size += len(encode(one))
        if size > PATH_BYTES:
            break
        taken += 1
    return tuple(chain[len(chain) - taken :])


class Consenting:
    """One node's part in choosing and signing successions. `certify` is told of one that is whole."""

    def __init__(
        self,
        means: Means,
        store: ChangeStore,
        ballots: Ballots,
        certify: Callable[[tuple[Succession, ...]], Awaitable[None]],
    ) -> None:
        self._means = means
        self._store = store
        self._ballots = ballots
        self._certify = certify

    def attempt(self, record: CommitteeRecord) -> int:
        """Under which number of ours we put this record forward: the same again for the same one."""
        parent = self._means.committee.record
        question = succession_question(parent)
        for attempt in range(MAX_ATTEMPTS):
            candidate = candidate_of(parent, self._means.me, attempt)
            if self._ballots.vouched(question, candidate) in (None, record.digest):
                return attempt
        raise Malformed("this node has put forward too many committees for one epoch")

    def vouch(self, sender: str, attempt: int, record: CommitteeRecord) -> None:
        """Our word for a record that a node has put forward, to all; checked before. Raises `Refused`."""
        means, parent = self._means, self._means.committee.record
        if sender not in parent.names or not 0 <= attempt < MAX_ATTEMPTS:
            raise Malformed("only a node of the committee puts a record forward, and not that often")
        candidate = candidate_of(parent, sender, attempt)
        with means.vault.transaction():
            self._store.put_wished(record)
            vouch = self._ballots.vouch(succession_question(parent), candidate, record.digest)
            means.tell(parent.names, vouch)

    def write(self, sender: str, talk: Vouch | Signed | Wished) -> None:
        """What a node says about the record to come. Raises `NotNow`, `ProofRejected`, `Malformed`."""
        parent = self._means.committee.record
        question = succession_question(parent)
        epoch = talk.record.epoch if isinstance(talk, Wished) else talk.epoch
        if epoch != parent.epoch + 1:
            return  # of an epoch that has begun since
        match talk:
            case Vouch():
                self._ballots.take(question, sender, talk)
            case Signed() if sender in parent.names:
                parent.identities[sender].verify(succession_subject(talk.record), talk.signature)
                self._store.put_signed(sender, talk)
            case Wished(record=record):
                chosen = self._ballots.chosen(question)
                if chosen is None:
                    raise NotNow("nothing is chosen here yet")
                if record.digest in chosen.values():
                    self._store.put_wished(record)
            case _:
                raise Malformed("not for this node to say")

    async def advance(self) -> None:
        """The next thing that is due."""
        means, parent = self._means, self._means.committee.record
        if not means.committee.is_member:
            return
        question = succession_question(parent)
        chosen = await means.background(self._ballots.chosen, question)
        if chosen is None:
            await self._ballots.start(means, question, parent)
            return
        (thing,) = chosen.values()
        record = await means.background(self._store.wished, thing)
        if record is None:
            return  # whoever vouched for it sends it
        if await means.background(self._store.voted, "succession", record.epoch) is None:
            await means.worker(self._sign, parent, record)
        signed = await means.background(self._store.signed, parent.names, thing)
        if len(signed) >= parent.quorums.echo:
            path = (*lately(means.committee.chain), Succession(record, in_order(signed)))
            await self._certify(path)
            everybody = sorted({*parent.names, *record.names})

            def publish() -> None:
                with means.vault.transaction():
                    means.tell(everybody, Certified(path))

            await means.worker(publish)

    def _sign(self, parent: CommitteeRecord, record: CommitteeRecord) -> None:
        """The chosen record, and no other: for each epoch once, ever."""
        means = self._means
        with means.vault.transaction():
            self._store.vote_once("succession", record.epoch, record.digest)
            signature = means.committee.keys.sign(succession_subject(record.digest))
            signed = Signed(record.epoch, record.digest, signature)
            self._store.put_signed(means.me, signed)
            means.tell(parent.names, Wished(record))
            means.tell(parent.names, signed)
