"""One sharing with every message in a test's hands: honest seats, and liars whose words the test chooses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.unit.session.table import Table

from quorate.encoding import decode, encode
from quorate.entropy import SeededRng
from quorate.groups import Group, Point, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest
from quorate.session import (
    EVERYBODY,
    Envelope,
    Exhibit,
    Identity,
    Message,
    Offence,
    Party,
    Session,
    convict,
    examine,
)
from quorate.sharing.avss import DECLARATION, Dealt, Setting, bivariate, commitments, offence, share
from quorate.sharing.avss.certificate import statement
from quorate.sharing.avss.messages import Dealing, Echo, Ready, Send
from quorate.sharing.quorums import Quorums
from quorate.testing import unsafe_identity

FIVE = Quorums(5, 2, 1, 0)
DEALER = "n1"


def names(count: int) -> tuple[str, ...]:
    """n1 to n9: sorted as they are numbered."""
    return tuple(f"n{number}" for number in range(1, count + 1))


class Batch:
    """A dealer's secrets, laid open: what an honest dealer would send, and every value of every row."""

    def __init__(self, setting: Setting, seed: bytes = b"batch", secrets: Sequence[int] = ()) -> None:
        self.setting = setting
        group = setting.group
        self.columns = bivariate.draw(group, setting.degree, setting.count, SeededRng(seed))
        if secrets:
            self.columns[0] = list(secrets)
        self.public = commitments.commit(group, self.columns)
        self.dealing = Dealing(b"", commitments.pack(self.public))

    @property
    def digest(self) -> bytes:
        return commitments.digest_of(self.setting, self.dealing)

    def rows(self, x: int) -> list[list[int]]:
        return bivariate.row(self.columns, self.setting.degree, x, self.setting.group.order)

    def send(self, node: str) -> Send:
        columns = self.rows(self.setting.point(node))
        return Send(b"".join(self.setting.group.write_scalars(column) for column in columns))

    def values(self, sender: str, recipient: str) -> bytes:
        group, x, y = self.setting.group, self.setting.point(sender), self.setting.point(recipient)
        return group.write_scalars(bivariate.evaluate(self.rows(x), y, group.order))

    def echo(self, sender: str, recipient: str) -> Echo:
        return Echo(self.digest, self.values(sender, recipient))

    def ready(self, sender: str, recipient: str, identity: Identity | None = None) -> Ready:
        signature = (identity or unsafe_identity(sender)).sign(statement(self.setting, self.digest))
        return Ready(self.digest, self.values(sender, recipient), signature)


class Circle:
    """The sharing by `dealer`, of the honest seats only; everybody else says what the test makes it say."""

    def __init__(
        self,
        quorums: Quorums = FIVE,
        *,
        honest: Iterable[str],
        count: int = 2,
        dealer: str = DEALER,
        group: Group = TOY_GROUP,
        nodes: Sequence[str] | None = None,
        parties: Sequence[str] | None = None,
        secrets: Sequence[Scalar | None] | None = None,
        constants: Sequence[Point] | None = None,
        may_lack: Callable[[int], bool] | None = None,
        real: bool = False,
    ) -> None:
        self.quorums, self.count, self.dealer = quorums, count, dealer
        self.nodes = tuple(nodes) if nodes else names(quorums.nodes)
        self.constants = constants
        self.table = Table(DECLARATION, parties or self.nodes, group=group, real=real)

        async def run(party: Party) -> Dealt | None:
            return await share(
                party,
                dealer,
                quorums=quorums,
                count=count,
                nodes=self.nodes,
                secrets=secrets,
                constants=constants,
                may_lack=may_lack,
            )

        self.run = run
        self.seats: dict[str, Session[Any]] = {name: self.table.seat(name, run) for name in honest}
        self.under_way: list[tuple[str, bytes]] = []
        for name, seat in self.seats.items():
            self.post(name, seat.start())

    @property
    def setting(self) -> Setting:
        """As every seat has it."""
        return setting_of(self.table, self.dealer, self.nodes, self.quorums, self.count)

    # --- delivering ----------------------------------------------------------------------------------

    def post(self, sender: str, outbound: Iterable[bytes]) -> None:
        """Put what a seat gave on its way."""
        for data in outbound:
            recipient = Envelope.parse(data).recipient
            to = [recipient] if recipient else [name for name in self.table.spec.parties if name != sender]
            self.under_way += [(name, data) for name in to if name in self.seats]

    def bring(self, to: str, data: bytes) -> None:
        """One envelope to one seat, now."""
        self.post(to, self.seats[to].receive(data))

    def settle(self, keep: Callable[[str, Envelope], bool] = lambda to, envelope: True) -> None:
        """Deliver until nothing is under way; what `keep` refuses is held back, and stays under way."""
        held = []
        while self.under_way:
            to, data = self.under_way.pop(0)
            if keep(to, Envelope.parse(data)):
                self.bring(to, data)
            else:
                held.append((to, data))
        self.under_way = held

    # --- lying ---------------------------------------------------------------------------------------

    def say(self, sender: str, message: Message, to: str = EVERYBODY, **how: Any) -> bytes:
        """An envelope with any message, signed by its sender, on its way; to one, or to all honest seats."""
        data = self.table.envelope(sender, message, to, path=self.dealer, **how)
        self.post(sender, [data])
        return data

    def tell(self, sender: str, message: Message, *only: str) -> bytes:
        """A broadcast that only these hear."""
        data = self.table.envelope(sender, message, path=self.dealer)
        self.under_way += [(name, data) for name in only]
        return data

    def deal(self, batch: Batch, *to: str) -> None:
        """The dealing and the rows, honestly, to these or to all seats."""
        receivers = to or tuple(self.seats)
        self.tell(self.dealer, batch.dealing, *receivers)
        for name in receivers:
            self.say(self.dealer, batch.send(name), name)

    def echo(self, sender: str, batch: Batch, *to: str) -> None:
        """An honest echo."""
        for name in to or tuple(self.seats):
            self.say(sender, batch.echo(sender, name), name)

    def ready(self, sender: str, batch: Batch, *to: str) -> None:
        """An honest ready."""
        for name in to or tuple(self.seats):
            self.say(sender, batch.ready(sender, name, self.table.identities[sender]), name)

    # --- what came of it -----------------------------------------------------------------------------

    def batch(self, seed: bytes = b"batch", secrets: Sequence[int] = ()) -> Batch:
        return Batch(self.setting, seed, secrets)

    def completed(self) -> dict[str, Dealt]:
        """What honest seats have."""
        return {name: seat.result() for name, seat in self.seats.items() if seat.concluded and seat.result()}

    def accused(self) -> set[str]:
        """Whom anybody accuses."""
        return {name for seat in self.seats.values() for name in seat.deviations}

    def proved(self, accuser: str, offender: str) -> str:
        """What a stranger finds in one accusation; raises `ProofRejected` if nothing."""
        table = self.table
        blame = self.seats[accuser].deviations[offender]
        (finding,) = convict(blame, table.spec, table.roster, DECLARATION, table.group)
        if finding.offence is not Offence.STATEMENT:
            return finding.offence.value
        exhibits = [decode(Exhibit, data) for data in blame.evidence]
        shown = [examine(exhibit, table.spec, table.roster, DECLARATION, table.group) for exhibit in exhibits]
        return offence(
            self.setting,
            self.dealer,
            offender,
            shown,
            session=table.spec.id,
            path=self.dealer,
            identities=table.roster,
            constants=self.constants,
        )


def setting_of(table: Table, dealer: str, nodes: Sequence[str], quorums: Quorums, count: int) -> Setting:
    """The setting of a sharing at the root of a table's session, without a seat."""
    quorum = (quorums.nodes, quorums.degree, quorums.liars, quorums.away)
    agreed = (dealer, dealer, table.group.name, tuple(nodes), quorum, count)
    session = digest(Tag.AVSS_SESSION, table.spec.id, encode(agreed))
    return Setting(session, table.group, tuple(nodes), quorums, count)
