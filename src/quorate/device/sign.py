"""One signature: choose nodes, run the protocol with them, go on with others when some fail.

Who is asked first is decided in `quorate.device.gather`. A node that fails in the session, or is suspected,
is passed over in the next try. What a check of our own has found to leak is stored (the OT setup is frozen)
before the session says another word. What a node reports is its word, and costs it or another node at most
the place in this signature.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from quorate.account import KeyRecord
from quorate.account.presets import DEVICE
from quorate.account.requests import OnlineRequest, PresignRequest
from quorate.device.committee import carry, catch_up
from quorate.device.gather import TooFewNodes, gather_signers
from quorate.device.register import AccountRegister
from quorate.device.sessions import Desk
from quorate.device.shelf import Entry, Shelf
from quorate.encoding import encode
from quorate.errors import (
    Abort,
    AlreadyUsed,
    Blame,
    LocalError,
    Missing,
    QuorateError,
    Refused,
    Remedy,
    Suspicion,
    Unavailable,
)
from quorate.primitives.parameters import STANDARD
from quorate.schemes.ecdsa import (
    ONLINE,
    PRESIGN,
    SIGN,
    PairSetup,
    Presignature,
    ReadyPresignature,
    Request,
    Signature,
    Signer,
    collect,
    presign,
    sign,
    suite,
)
from quorate.session import Declaration, Party, ProtocolRun, SessionSpec, roster_digest
from quorate.sharing.epochs import committee_epoch
from quorate.transport.channel import Channel

T = TypeVar("T")

MAX_TRIES: Final = 5
"""Attempts at one signature. Each can set aside a pair of nodes; a committee of thirty has fifteen, but
whoever meets five failures in a row should look before asking on."""

PRESIGNATURE_SECONDS: Final = 6 * 3600
"""How long a prepared signature waits. Nodes allow twelve hours."""


class SigningRoom:
    """Signs with one wallet's key."""

    def __init__(self, desk: Desk, shelf: Shelf, entry: Entry) -> None:
        self._desk = desk
        self._shelf = shelf
        self._entry = entry

    @property
    def record(self) -> KeyRecord:
        return self._entry.record

    async def sign(self, payload: bytes, digest: bytes) -> Signature:
        """Sign a request of a chain; `digest` is what this device derived from it.

        Uses a prepared signature where one is there for the chosen nodes. Raises `Abort`, `LocalError`.
        """

        cold = False

        async def attempt(entry: Entry, channels: Mapping[str, Channel]) -> Signature:
            nonlocal cold
            signers = tuple(sorted((*channels, DEVICE)))
            ready = [] if cold else await self._waiting(entry, signers)
            if ready:
                cold = True  # whatever becomes of it, the next try leans on nothing prepared
                return await self._online(entry, channels, signers, ready[0], payload, digest)
            return await self._cold(entry, channels, signers, payload, digest)

        async with self._desk.signing:
            return await self._try(attempt)

    async def prepare(self, count: int) -> int:
        """Do ahead what needs no message, for the next `count` signatures; gives how many wait then."""

        async def attempt(entry: Entry, channels: Mapping[str, Channel]) -> int:
            signers = tuple(sorted((*channels, DEVICE)))
            return await self._presign(entry, channels, signers)

        waiting = 0
        for _ in range(count):
            async with self._desk.signing:
                waiting = await self._try(attempt)
        return waiting

    # --- the sessions --------------------------------------------------------------------------------

    async def _cold(
        self,
        entry: Entry,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        payload: bytes,
        digest: bytes,
    ) -> Signature:
        signer, pairs = await self._seat(entry, signers)
        login = self._desk.login().issued

        async def protocol(party: Party) -> Signature:
            checking = partial(self._checked, pairs, login)
            return _own(await sign(party, signer, pairs, digest, combiner=DEVICE, checking=checking))

        return await self._run(entry.record, channels, signers, SIGN, payload, protocol)

    async def _presign(self, entry: Entry, channels: Mapping[str, Channel], signers: tuple[str, ...]) -> int:
        signer, pairs = await self._seat(entry, signers)
        expires = int(self._desk.clock()) + PRESIGNATURE_SECONDS
        login = self._desk.login().issued

        async def protocol(party: Party) -> Presignature:
            checking = partial(self._checked, pairs, login)
            return await presign(party, signer, pairs, expires=expires, checking=checking)

        payload = encode(PresignRequest(expires))
        made = await self._run(entry.record, channels, signers, PRESIGN, payload, protocol)
        return int(await self._desk.worker(self._keep, entry.record, made, signers, pairs, expires))

    async def _online(
        self,
        entry: Entry,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        presignature: bytes,
        payload: bytes,
        digest: bytes,
    ) -> Signature:
        async def protocol(party: Party) -> Signature:
            tweak = entry.record.group.scalar(0)
            request = Request.of(party.spec, presignature, digest, combiner=DEVICE, tweak=tweak)
            # Consumed durably before any answer is read; the steps of a session run in the worker.
            try:
                kept = self._desk.vault.presignatures.consume(
                    presignature, request.hash(), self._desk.clock()
                )
            except AlreadyUsed as error:
                # another signature of this moment was quicker; this one goes on with something else
                raise Unavailable(str(error), remedy=Remedy.RETRY) from None
            return await collect(party, ReadyPresignature(Presignature.from_bytes(kept.reveal())), request)

        asked = encode(OnlineRequest(presignature, payload))
        try:
            return await self._run(entry.record, channels, signers, ONLINE, asked, protocol)
        except QuorateError as error:
            # Some node may have answered, so it is of no more use. One that says it has none, as after a
            # restart, most likely has none of the others either: each would cost a signature a try.
            gone = isinstance(error, Refused) and error.code == "presignature"
            useless = await self._waiting(entry, signers) if gone else [presignature]
            await self._desk.worker(self._burn, useless)
            raise

    async def _run(
        self,
        record: KeyRecord,
        channels: Mapping[str, Channel],
        signers: tuple[str, ...],
        declaration: Declaration,
        payload: bytes,
        protocol: ProtocolRun[T],
    ) -> T:
        roster = record.roster(signers)
        proposal = SessionSpec(
            declaration.name,
            declaration.version,
            suite(record.group, STANDARD),
            record.key,
            record.epoch,
            signers,
            roster_digest(roster),
            len(signers),
            "signature",
            payload,
        )

        _, result = await self._desk.run(channels, roster, proposal, declaration, record.group, protocol)
        return result

    # --- choosing, and going on ----------------------------------------------------------------------

    async def _try(self, attempt: Callable[[Entry, Mapping[str, Channel]], Awaitable[T]]) -> T:
        marks = _Marks(self._desk.network.quorums.liars)
        last: QuorateError | None = None
        for _ in range(MAX_TRIES):
            # Another signature of this moment may have followed the committee to its next epoch.
            entry = self._entry = await self._desk.worker(self._shelf.entry, self._entry.key)
            if committee_epoch(entry.record.epoch) < self._desk.network.epoch:
                # Another wallet has been there first: the nodes sign nothing in the epoch of ours any more.
                entry = self._entry = await carry(self._desk, self._shelf, entry) or entry
            try:
                channels = await gather_signers(self._desk, entry.record, marks.penalties)
            except TooFewNodes as error:
                if await self._follow():
                    continue
                raise last if isinstance(last, Refused) else error from last
            try:
                result = await attempt(entry, channels)
            except Abort as error:
                last = error
                await self._react(error, marks)
                continue
            except LocalError as error:
                if error.remedy not in (Remedy.RETRY, Remedy.QUARANTINE):
                    raise
                last = error
                continue
            finally:
                self._desk.release(channels)
            self._desk.reachable.worked(channels)
            return result
        raise last or LocalError("nothing was tried")

    async def _react(self, error: Abort, marks: _Marks) -> None:
        """Make the next try different, or raise."""
        known = self._desk.network.nodes
        nodes = [name for name in error.parties if name in known]
        if error.reported_by in known:
            # Whoever reports a failure may be its cause, whomever it names. It weighs more than being named:
            # else one liar that names two others at a time would stay in every set until the tries are over.
            marks.penalties[error.reported_by] += 2
        if isinstance(error, Refused):
            await self._react_to_refusal(error, nodes, marks)
        elif isinstance(error, Missing) and not error.reported_by:
            for name in nodes:
                self._desk.reachable.failed(name)
        elif isinstance(error, Suspicion | Blame | Missing):
            marks.penalties.update(nodes)
        elif DEVICE in error.parties and len(error.parties) == 2 and nodes:
            # The two ends hold different OT setups (step 2.2): make a fresh one.
            await self._renew(nodes[0], marks.penalties)
        else:
            marks.penalties.update(nodes)

    async def _react_to_refusal(self, error: Refused, nodes: list[str], marks: _Marks) -> None:
        if error.code == "no-instance" and nodes:
            if DEVICE in error.parties:
                await self._renew(nodes[0], marks.penalties)
            else:
                await self._make_instances(nodes, marks.penalties)
        elif error.code in ("epoch", "committee") and nodes:
            if not await self._follow():
                await self._catch_up(nodes, marks.penalties)
        elif error.code == "unknown-key" and nodes:
            await self._catch_up(nodes, marks.penalties)
        elif error.code == "presignature":
            return  # ours is used up too; the next try signs cold
        elif error.code == "login-again" and nodes:
            marks.penalties.update(nodes)
        elif marks.is_settled(error):
            raise error

    async def _follow(self) -> bool:
        """Go with the nodes to another committee epoch, if there is one; the next try is in that."""
        carried = await catch_up(self._desk, self._shelf, self._entry)
        if carried is not None:
            self._entry = carried
        return carried is not None

    async def _renew(self, node: str, penalties: Counter[str]) -> None:
        try:
            await self._desk.set_up(node)
        except (Abort, LocalError):
            penalties[node] += 1

    async def _make_instances(self, nodes: list[str], penalties: Counter[str]) -> None:
        for node in nodes:
            try:
                await self._desk.nodes.make_instances(node)
            except Abort:
                penalties[node] += 1

    async def _catch_up(self, nodes: list[str], penalties: Counter[str]) -> None:
        """A node that was away when the wallet became live is told what is decided now."""
        register = await AccountRegister.open(self._desk)
        for node in nodes:
            penalties[node] += 1
            try:
                await register.show(node)
            except Abort:
                continue

    # --- storage, in the worker ----------------------------------------------------------------------

    async def _seat(self, entry: Entry, signers: tuple[str, ...]) -> tuple[Signer, dict[str, PairSetup]]:
        found: tuple[Signer, dict[str, PairSetup]] = await self._desk.worker(self._take_seat, entry, signers)
        return found

    def _take_seat(self, entry: Entry, signers: tuple[str, ...]) -> tuple[Signer, dict[str, PairSetup]]:
        if self._shelf.entry(entry.key).record != entry.record:
            raise Unavailable("the wallet has followed its nodes to another epoch", remedy=Remedy.RETRY)
        signer = Signer.of(self._shelf.share(entry), signers)
        book = self._desk.book
        return signer, {name: book.load(name) for name in signers if name != DEVICE}

    @contextmanager
    def _checked(self, pairs: Mapping[str, PairSetup], login: int) -> Iterator[None]:
        """The context of the leak-bearing checks (`checking` of `quorate.schemes.ecdsa.presign`)."""
        with self._desk.book.checking(pairs):
            try:
                yield
            except Suspicion as error:
                for name in error.parties if error.leak_bearing else ():
                    if name in pairs:
                        # Runs in the worker, inside the step that found it: durable before anybody is told.
                        self._desk.book.freeze(name, str(error), leak_bearing=True, login=login)
                raise

    def _refuse_frozen(self, pairs: Mapping[str, PairSetup]) -> None:
        for name, setup in pairs.items():
            self._desk.book.refuse_frozen(name, setup)

    async def _waiting(self, entry: Entry, signers: tuple[str, ...]) -> list[bytes]:
        found: list[bytes] = await self._desk.worker(self._ready, entry.record, signers)
        return found

    def _burn(self, presignatures: list[bytes]) -> None:
        for presignature in presignatures:
            self._desk.vault.presignatures.burn(presignature)

    def _ready(self, record: KeyRecord, signers: tuple[str, ...]) -> list[bytes]:
        return self._desk.vault.presignatures.ready(
            record.key.hex(), record.epoch, signers, self._desk.clock()
        )

    def _keep(
        self,
        record: KeyRecord,
        made: Presignature,
        signers: tuple[str, ...],
        pairs: Mapping[str, PairSetup],
        expires: int,
    ) -> int:
        now = self._desk.clock()
        with self._desk.vault.transaction():
            self._refuse_frozen(pairs)
            self._desk.vault.presignatures.put(
                made.id,
                made.to_bytes(),
                key=record.key.hex(),
                epoch=record.epoch,
                signers=signers,
                pairs={name: setup.shard for name, setup in pairs.items()},
                expires=expires,
                now=now,
            )
        return len(self._ready(record, signers))


@dataclass(slots=True)
class _Marks:
    """What the tries of one signature have shown of the nodes."""

    liars: int
    penalties: Counter[str] = field(default_factory=Counter)
    refused: dict[str, set[str]] = field(default_factory=dict)

    def is_settled(self, error: Refused) -> bool:
        """Whether this refusal is final: our own, or said by more nodes than may lie."""
        if not error.reported_by:
            return True
        said = self.refused.setdefault(error.code, set())
        said.add(error.reported_by)
        return len(said) > self.liars


def _own(signature: Signature | None) -> Signature:
    if signature is None:
        raise LocalError("the combiner of a signature is given it")
    return signature
