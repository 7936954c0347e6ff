"""One sharing: the handlers of HybridVSS for a dealer, a receiver, or both (Kate, Huang and Goldberg, ePrint
2012/377, section 3; Cachin, Kursawe, Lysyanskaya and Strobl, CCS 2002). Numbers are those of the steps of
docs/protocols/avss.md.

Synchronous: each call sends what follows from it, and nothing is awaited. Own messages are handled by a
direct call. Whatever is wrong with a message is its sender's affair: the sender is accused where the message
proves it, the message does not count, and the sharing goes on. Guards are set before anything that can fail:
the first message of each kind from each sender is the only one.

Assumes a tolerant session that delivers on this fork's path, and what `Setting` and `constants` say to be
common knowledge. Deterministic given the session's seed and the order of arrival.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from quorate.errors import Malformed, ProofRejected
from quorate.groups import Point, Scalar
from quorate.secret import Secret
from quorate.session import Exhibit, Message, Party, PartyId
from quorate.sharing.avss import bivariate, commitments, judging
from quorate.sharing.avss.bivariate import Row
from quorate.sharing.avss.certificate import ReadyCertificate, statement
from quorate.sharing.avss.commitments import Columns, Folded
from quorate.sharing.avss.dealt import Dealt, Held, Vote, Votes
from quorate.sharing.avss.messages import Dealing, Echo, Get, Matrix, Ready, Send
from quorate.sharing.avss.setting import Setting


class Sharing:
    """One seat of one sharing, on the fork named after its dealer.

    `constants` are the required secrets in the exponent, for resharing: a dealing with others is refused.
    Then a dealer may lack some, and `may_lack(index)` says whether this receiver lets that pass: who doesn't,
    does not vouch for the dealing, and still completes it if enough others did.
    """

    def __init__(
        self,
        party: Party,
        setting: Setting,
        dealer: PartyId,
        *,
        constants: Sequence[Point] | None = None,
        may_lack: Callable[[int], bool] | None = None,
    ) -> None:
        if party.path.rpartition("/")[2] != dealer:
            raise ValueError(
                f"the sharing by {dealer} takes place on the fork of that name, not {party.path!r}"
            )
        self.completed: Dealt | None = None
        self.setting: Final = setting
        self.dealer: Final = dealer
        self._party = party
        self._constants = constants
        self._may_lack = may_lack or (lambda index: False)
        self._point = setting.point(party.me)
        self._has_dealt = False
        self._dealing_came = self._row_came = self._echoed = self._readied = False
        self._offer: bytes | None = None
        self._row: bytes | None = None
        self._held: dict[bytes, Held] = {}
        self._echoes: Votes = {}
        self._readies: Votes = {}
        self._wanted: bytes | None = None
        self._asked: list[PartyId] = []
        self._told: list[PartyId] = []
        self._answered: list[PartyId] = []

    # --- 1. the dealer ---------------------------------------------------------------------------------

    def deal(self, secrets: Sequence[Scalar | None] | None = None) -> None:
        """Share `secrets` (default: fresh random ones); None stands for one that we lack. The dealer, once.

        Raises `Malformed` for a secret of zero, whose commitment has no encoding, and `ProofRejected` for
        secrets that are not the required ones: others would convict us of them.
        """
        setting, group = self.setting, self.setting.group
        if self._party.me != self.dealer or self._has_dealt:
            raise ValueError("the dealer deals, once")
        columns = bivariate.draw(group, setting.degree, setting.count, self._party.rng)
        gaps: tuple[int, ...] = ()
        if secrets is not None:
            if len(secrets) != setting.count:
                raise ValueError(f"{len(secrets)} secrets for a sharing of {setting.count}")
            gaps = tuple(index for index, secret in enumerate(secrets) if secret is None)
            columns[0] = [
                drawn if secret is None else secret.value
                for drawn, secret in zip(columns[0], secrets, strict=True)
            ]
        self._has_dealt = True
        public = commitments.commit(group, columns)
        dealing = Dealing(commitments.bitmap(gaps, setting.count), commitments.pack(public))
        if self._constants is not None:
            commitments.check_shape(setting, dealing, self._constants)
        self._party.broadcast(dealing)
        rows = {
            node: bivariate.row(columns, setting.degree, x, group.order)
            for x, node in enumerate(setting.nodes, 1)
        }
        for node, coefficients in rows.items():
            if node != self._party.me:
                packed = b"".join(group.write_scalars(column) for column in coefficients)
                self._party.send(node, Send(packed))
        if self._point:
            self._keep_own(dealing, public[: setting.degree + 1], rows[self._party.me])

    def _keep_own(self, dealing: Dealing, public: Columns, coefficients: Sequence[Sequence[int]]) -> None:
        # our own row needs no check, and against it every point is compared without folding
        self._dealing_came = self._row_came = True
        digest = commitments.digest_of(self.setting, dealing)
        held = Held(self.setting, digest, dealing, self._party.own_envelope(Dealing))
        held.public = public
        held.row = Row.of(self.setting.group, len(self.setting.nodes), coefficients)
        self._held[held.digest] = held
        self._echo(held)

    # --- what comes ------------------------------------------------------------------------------------

    def receive(self, sender: PartyId, message: Message) -> None:
        """Take in one message of `messages.KINDS`. Never raises for what is in it."""
        if not self._point:
            return
        if isinstance(message, Dealing | Send):
            if sender != self.dealer:
                self._party.accuse(type(message), sender, f"deals in the place of {self.dealer}", step="1")
            elif isinstance(message, Dealing):
                self._take_dealing(message)
            else:
                self._take_row(message)
        elif isinstance(message, Echo | Ready | Get | Matrix):
            if not self.setting.point(sender):
                self._party.accuse(type(message), sender, "takes part without being a node", step="2")
            elif isinstance(message, Echo):
                self._take_echo(sender, message)
            elif isinstance(message, Ready):
                self._take_ready(sender, message)
            elif isinstance(message, Get):
                self._answer(sender, message)
            else:
                self._take_matrix(sender, message)

    # --- 2. dealing and row, echo ----------------------------------------------------------------------

    def _take_dealing(self, dealing: Dealing) -> None:
        if self._dealing_came or self.completed:
            return
        self._dealing_came = True
        try:
            commitments.check_shape(self.setting, dealing, self._constants)
        except ProofRejected as error:
            self._party.accuse(Dealing, self.dealer, str(error), step="2")
            return
        digest = commitments.digest_of(self.setting, dealing)
        if digest not in self._held:
            self._held[digest] = Held(
                self.setting, digest, dealing, self._party.envelopes(Dealing)[self.dealer]
            )
        self._offer = digest
        self._vouch()
        self._go_on(digest)

    def _take_row(self, send: Send) -> None:
        if self._row_came or self.completed:
            return
        self._row_came = True
        if len(send.row) != self.setting.row_bytes:
            reason = f"a row of {len(send.row)} bytes, not {self.setting.row_bytes}"
            self._party.accuse(Send, self.dealer, reason, step="2")
            return
        self._row = send.row
        self._vouch()

    def _vouch(self) -> None:
        """Both parts have come: check the row against the matrix, and echo."""
        if self._row is None or self._offer is None:
            return
        packed, self._row = self._row, None
        held = self._held.get(self._offer)
        if held is None:
            return
        folded = self._fold(held)
        if folded is None:
            return
        setting = self.setting
        try:
            values = setting.group.read_scalars(packed, setting.count * (setting.degree + 1))
            coefficients = [values[i : i + setting.count] for i in range(0, len(values), setting.count)]
            folded.check_row(self._point, coefficients)
        except (Malformed, ProofRejected) as error:
            self._party.accuse((Dealing, Send), self.dealer, f"its row is wrong: {error}", step="2")
            return
        if held.row is None:
            held.row = Row.of(setting.group, len(setting.nodes), coefficients)
        if all(self._may_lack(index) for index in commitments.gaps_of(setting, held.dealing)):
            self._echo(held)

    def _echo(self, held: Held) -> None:
        row = held.row
        if row is None or self._echoed:
            return
        self._echoed = True
        for x, node in enumerate(self.setting.nodes, 1):
            if node != self._party.me:
                self._party.send(node, Echo(held.digest, row.at(x)))
        self._echoes[self._party.me] = Vote(held.digest, row.at(self._point), checked=True)
        self._go_on(held.digest)

    # --- 3. to 5. echoes and readies -------------------------------------------------------------------

    def _take_echo(self, sender: PartyId, echo: Echo) -> None:
        if sender in self._echoes or self.completed:
            return
        self._echoes[sender] = None
        if self._has_length(sender, echo):
            self._echoes[sender] = Vote(echo.digest, echo.values)
            self._go_on(echo.digest)

    def _take_ready(self, sender: PartyId, ready: Ready) -> None:
        if sender in self._readies or self.completed:
            return
        self._readies[sender] = None
        if not self._has_length(sender, ready):
            return
        try:
            self._party.identity_of(sender).verify(statement(self.setting, ready.digest), ready.signature)
        except ProofRejected:
            self._party.accuse(Ready, sender, "its ready is not signed", step="4")
            return
        self._readies[sender] = Vote(ready.digest, ready.values, ready.signature)
        self._go_on(ready.digest)

    def _has_length(self, sender: PartyId, vote: Echo | Ready) -> bool:
        if len(vote.values) == self.setting.vector_bytes:
            return True
        reason = f"{len(vote.values)} bytes of values, not {self.setting.vector_bytes}"
        self._party.accuse(type(vote), sender, reason, step="3")
        return False

    def _go_on(self, digest: bytes) -> None:
        """Whatever the votes for this digest allow now. Points are checked when they begin to matter."""
        if self.completed or not self._reaches(
            self._said(self._echoes, digest), self._said(self._readies, digest)
        ):
            return
        held = self._held.get(digest)
        if held is None:
            self._ask(digest)
            return
        if held.row is None and self._fold(held) is None:
            return
        echoes = self._true(held, Echo, self._echoes)
        readies = self._true(held, Ready, self._readies)
        if not self._readied and self._reaches(echoes, readies):
            self._send_ready(held, {**readies, **echoes})
            readies = self._true(held, Ready, self._readies)
        if len(readies) >= self.setting.ready:
            self._complete(held, readies)

    def _reaches(self, echoes: dict[PartyId, Vote], readies: dict[PartyId, Vote]) -> bool:
        return len(echoes) >= self.setting.echo or len(readies) >= self.setting.amplify

    def _said(self, votes: Votes, digest: bytes) -> dict[PartyId, Vote]:
        return {name: vote for name, vote in votes.items() if vote is not None and vote.digest == digest}

    def _true(self, held: Held, kind: type[Echo | Ready], votes: Votes) -> dict[PartyId, Vote]:
        """The votes for a digest whose values are right; who sent others is accused, once."""
        found = {}
        for sender, vote in self._said(votes, held.digest).items():
            if not vote.checked:
                reason = held.wrong(self._point, self.setting.point(sender), vote.values)
                if reason:
                    votes[sender] = None
                    self._accuse_of_values(held, kind, sender, reason)
                    continue
                vote.checked = True
            found[sender] = vote
        return found

    def _accuse_of_values(self, held: Held, kind: type[Echo | Ready], sender: PartyId, reason: str) -> None:
        # without the dealing, which is another's message, nobody could tell that the values are wrong
        dealing = Exhibit(held.envelope, b"")
        self._party.accuse(kind, sender, f"its point is wrong: {reason}", step="3", beside=[dealing])

    def _send_ready(self, held: Held, voters: dict[PartyId, Vote]) -> None:
        setting, group = self.setting, self.setting.group
        if held.row is None:
            points = {
                setting.point(name): group.read_scalars(vote.values, setting.count)
                for name, vote in list(voters.items())[: setting.degree + 1]
            }
            held.row = Row.through(group, len(setting.nodes), points)
        self._readied = True
        signature = self._party.sign(statement(setting, held.digest))
        for x, node in enumerate(setting.nodes, 1):
            if node != self._party.me:
                self._party.send(node, Ready(held.digest, held.row.at(x), signature))
        own = Vote(held.digest, held.row.at(self._point), signature, checked=True)
        self._readies[self._party.me] = own

    def _complete(self, held: Held, readies: dict[PartyId, Vote]) -> None:
        public = held.public if held.folded is None else held.folded.public
        if held.row is None or public is None:  # pragma: no cover - our own ready counts, and needs both
            return
        signers = sorted(list(readies)[: self.setting.ready])
        self.completed = Dealt(
            self.dealer,
            held.digest,
            Secret(held.row.shares),
            public,
            commitments.gaps_of(self.setting, held.dealing),
            ReadyCertificate(held.digest, tuple((name, readies[name].signature) for name in signers)),
        )
        # nothing is counted any more: what remains is the envelope, for those who ask for it
        self._held = {held.digest: Held(self.setting, held.digest, held.dealing, held.envelope)}
        self._echoes, self._readies, self._row = {}, {}, None

    # --- 6. who has no matrix --------------------------------------------------------------------------

    def _fold(self, held: Held) -> Folded | None:
        """The folded matrix; None, and it is forgotten, if it holds a point that is none."""
        if held.folded is None:
            try:
                held.folded = Folded.read(self.setting, held.dealing.matrix, self._party.rng)
            except Malformed as error:
                self._accuse_of_dealing(held.envelope, f"its matrix is none: {error}")
                del self._held[held.digest]
        return held.folded

    def _ask(self, digest: bytes) -> None:
        if self._wanted not in (None, digest):
            return  # with at most t liars one digest at most gets so far
        self._wanted = digest
        holders = {**self._said(self._echoes, digest), **self._said(self._readies, digest)}
        for sender in holders:
            if len(self._asked) < self.setting.asked and sender not in (*self._asked, self._party.me):
                self._asked.append(sender)
                self._party.send(sender, Get(digest))

    def _answer(self, sender: PartyId, get: Get) -> None:
        held = self._held.get(get.digest)
        if held is not None and sender not in self._answered:
            self._answered.append(sender)
            self._party.send(sender, Matrix(held.digest, held.envelope))

    def _take_matrix(self, sender: PartyId, message: Matrix) -> None:
        if sender not in self._asked or sender in self._told or self.completed:
            return
        self._told.append(sender)
        if message.digest != self._wanted or message.digest in self._held:
            return
        try:
            dealing = judging.passed_on(
                self.setting,
                self.dealer,
                message,
                session=self._party.session_id,
                path=self._party.path,
                identity=self._party.identity_of(self.dealer),
            )
        except ProofRejected as error:
            self._party.accuse(Matrix, sender, str(error), step="6")
            return
        own = self._party.envelopes(Dealing).get(self.dealer)
        if own is not None and own != message.envelope:
            self._accuse_of_dealing(message.envelope, "deals one thing to us and another to others")
        try:
            commitments.check_shape(self.setting, dealing, self._constants)
        except ProofRejected as error:
            self._accuse_of_dealing(message.envelope, str(error))
            return
        self._held[message.digest] = Held(self.setting, message.digest, dealing, message.envelope)
        self._go_on(message.digest)

    def _accuse_of_dealing(self, envelope: bytes, reason: str) -> None:
        """By our own copy of the dealing, if there is one, and by the one that was passed on to us."""
        own = self._party.envelopes(Dealing).get(self.dealer)
        beside = [] if envelope == own else [Exhibit(envelope, b"")]
        self._party.accuse(Dealing, self.dealer, reason, step="6", beside=beside)
