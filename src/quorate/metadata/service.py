"""A node's side of the register: a question's bytes in, a signed reply's bytes out.

One transaction for each question: the row as it was, `step`, the row as it is now, and, when the head has
advanced, what the node does about it (`Decide`). Only then is there a reply. Synchronous, for the worker
thread; who asks was established by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from quorate.account.register import Committee, Context, Entry, Login, Question, Reply, Rules, step
from quorate.account.register.handlers import ABSTAINS, FINISHED, refuse
from quorate.account.register.handover import FinalWord, Shown, adopt, show, verify_final
from quorate.account.register.messages import Denied, Installed, Once, Trail, Trailed
from quorate.clock import Clock
from quorate.encoding import decode, encode
from quorate.errors import Missing, ProofRejected, Refused, Unavailable
from quorate.metadata.store import Office, RegisterStore, Standing
from quorate.session import Identity, PublicIdentity
from quorate.vault import Vault

MAX_QUESTION_BYTES: Final = 192 << 10
"""The largest is a LOCK with its states: an entry of 80 kB and 32 states of 2.3 kB."""

MAX_ENTRIES_A_DAY: Final = 256
"""New entries of one account that a node votes for in a day. Every version is kept, so without a limit one
account could fill the node; a person makes a few a year."""

_SILENT: Final[Mapping[Standing, str]] = {
    Standing.VOTES: "",
    Standing.JOINS: ABSTAINS,
    Standing.ABSTAINS: ABSTAINS,
    Standing.FINISHED: FINISHED,
}

Decide = Callable[[Entry], str]
"""What a node does about a decided entry, as often as it is shown. Gives the rule by which it cannot, empty
if it has: only then INSTALLED is said. Runs in the transaction that writes the head, which is decided all
the same; what it raises undoes that."""


class Offices(Protocol):
    """The chain of committees as this node knows it."""

    @property
    def current(self) -> Committee:
        """The one in office now."""

    def of(self, epoch: int) -> Committee | None:
        """Of an epoch up to now."""


class RegisterService:
    """The register of the node called `me`."""

    def __init__(
        self,
        network: str,
        me: str,
        vault: Vault,
        identity: Identity,
        offices: Offices,
        rules: Rules,
        clock: Clock,
        decide: Decide,
    ) -> None:
        self._network = network
        self._me = me
        self._identity = identity
        self._offices = offices
        self._rules = rules
        self._clock = clock
        self._decide = decide
        self.store = RegisterStore(vault)
        self._office = self.store.office(offices.current.epoch)

    @property
    def office(self) -> Office:
        """Where this node stands."""
        return self._office

    def answer(self, request: bytes, login: Login) -> bytes:
        """The reply to one question of a device that has logged in.

        Raises `Malformed` and `LimitExceeded` for what is no question, `Refused` for another's account.
        """
        question: Question = decode(Question, request, limit=MAX_QUESTION_BYTES)  # type: ignore[arg-type]
        if question.account != login.account:
            raise Refused("the register of another account", code="account", parties=[self._me])
        return encode(self.reply(question, login))

    def reply(self, question: Question, login: Login | None) -> Reply:
        """The same, before and behind the encoding. The row is durable when this returns."""
        if isinstance(question, Trail):
            return Trailed(self.store.trail(question.account, question.since))
        if isinstance(question, Once):
            # A slot is asked for where its meaning is known (who may have what): never here, by anybody.
            raise Refused("slots are given by those who know what they stand for", code="slot")
        with self.store.transaction():
            # Inside: whoever finishes the epoch meanwhile does so before this vote or after it.
            context = self._context(question.account, login)
            before = self.store.row(question.account, context.committee.epoch)
            after, reply = step(before, question, context)
            self.store.put(question.account, before, after)
            if isinstance(reply, Installed) and after.entry is not None:
                unable = self._decide(after.entry)
                if unable:
                    reply = refuse(question, Denied(unable, "this node cannot act on the entry yet"), context)
            if after != before:
                self.store.advance()
        return reply

    def head(self, account: bytes) -> Entry | None:
        """The head as this node has it."""
        return self.store.row(account, self._office.epoch).entry

    def _context(self, account: bytes, login: Login | None) -> Context:
        current, office = self._offices.current, self._office
        committee = self._offices.of(office.epoch)
        if committee is None:
            raise Unavailable(f"{self._me} does not know the committee of epoch {office.epoch} any more")
        is_over = current.epoch > office.epoch
        names = committee.names
        return Context(
            network=self._network,
            member=names.index(self._me) if self._me in names else 0,
            committee=committee,
            committees=self._offices.of,
            rules=_Metered(self._rules, self.store, account),
            now=self._clock(),
            sign=self._identity.sign,
            login=login,
            silent=FINISHED if is_over or self._me not in names else _SILENT[office.standing],
            successor=current if is_over else None,
        )

    # --- a change of committee -------------------------------------------------------------------------

    def finish(self) -> None:
        """Stop voting in this epoch, durably. Before any last word is given out."""
        if self._office.standing is Standing.VOTES:
            self._take(Office(self._office.epoch, Standing.FINISHED))

    @property
    def has_last_word(self) -> bool:
        """Whether we were a member that voted to the end of its epoch, and have ended it."""
        committee = self._offices.of(self._office.epoch)
        member = committee is not None and self._me in committee.names
        return member and self._office.standing is Standing.FINISHED

    def last_word(self, shard: int) -> tuple[FinalWord, Shown]:
        """Our FINAL about a shard, with what it is over. Raises `Refused` unless we voted to the end."""
        committee = self._offices.of(self._office.epoch)
        if committee is None or not self.has_last_word:
            raise Refused("a node that has not voted to the end has no last word", code=ABSTAINS)
        shown = show(self.store.rows(shard), {})
        member = committee.names.index(self._me)
        epoch, sign = committee.epoch, self._identity.sign
        return FinalWord.signed(self._network, epoch, shard, member, shown.root, sign), shown

    def check_word(self, word: FinalWord, shown: Shown) -> None:
        """Raises `ProofRejected` unless it is a member's last word, `Missing` if its committee is unknown."""
        if self._offices.of(word.epoch) is None:
            raise Missing(f"{self._me} does not know the committee of epoch {word.epoch} yet")
        verify_final(word, shown, self._network, self._offices.of)

    def adopt(self, shard: int, finals: Iterable[tuple[FinalWord, Shown]], epoch: int) -> None:
        """Take a shard over into `epoch`. Raises `Missing` without E good last words of the old members."""
        if self._office == Office(epoch - 1, Standing.VOTES):
            raise Refused("a member finishes its own epoch before it takes over the next", code=FINISHED)
        old = self._offices.of(epoch - 1)
        if old is None:
            raise Unavailable(f"{self._me} does not know the committee of epoch {epoch - 1}")
        good = [final for final in finals if self._is_good(final, shard)]
        rows, _ = adopt(good, old, epoch, self.store.rows(shard), {})
        with self.store.transaction():
            for account, row in rows.items():
                before = self.store.row(account, epoch)
                self.store.put(account, before, row)
                if row.entry is not None and row.version > before.version:
                    self._decide(row.entry)
            self.store.advance()

    def begin(self, epoch: int) -> None:
        """Vote in `epoch`, all shards having been adopted."""
        if epoch > self._office.epoch or self._office == Office(epoch, Standing.JOINS):
            self._take(Office(epoch, Standing.VOTES))

    def _is_good(self, final: tuple[FinalWord, Shown], shard: int) -> bool:
        try:
            verify_final(*final, self._network, self._offices.of)
        except ProofRejected:
            return False
        return final[0].shard == shard

    def _take(self, office: Office) -> None:
        self.store.take_office(office)
        self._office = office


class _Metered(Rules):
    """The rules, with a count of new entries a day among the local ones."""

    def __init__(self, rules: Rules, store: RegisterStore, account: bytes) -> None:
        self._rules, self._store, self._account = rules, store, account

    def check(self, parent: Entry | None, entry: Entry) -> None:
        self._rules.check(parent, entry)

    def admit(self, parent: Entry | None, entry: Entry, now: float, login: Login | None) -> None:
        self._rules.admit(parent, entry, now, login)
        if self._store.count(self._account, int(now // 86400)) > MAX_ENTRIES_A_DAY:
            raise Refused(f"an account has at most {MAX_ENTRIES_A_DAY} new entries a day", code="rate")

    def signers(self, entry: Entry) -> tuple[bytes, ...]:
        return self._rules.signers(entry)

    def identity(self, key: bytes) -> PublicIdentity:
        return self._rules.identity(key)
