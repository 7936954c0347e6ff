"""The backup's own short-lived process: makes its keys and its share, and writes them to a file.

    python -m quorate.device.backup.process

It speaks through standard input and output with the device that started it, and with nobody else: first it is
told what it is for (`Task`, with the password), then it hands over its public keys, then it takes its seat in
the wallet's refresh (docs/protocols/refresh.md), whose items are sealed to it, and writes its file before it
reports that it has finished. What the device carries for it is ciphertext; no process sees two shares.

A wallet with several keys is refreshed key by key; the backup is one and the same factor of all, and its file
is written anew with each. A file that exists is opened first, for a key that is added to its wallet.

At the end it is told what became of the wallet. If that was an abort the file is erased, because a share of
an aborted line is half of the key (or it is again what it was before); if the device died it stays, and the
device settles it when it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec

from quorate.account.presets import DEVICE
from quorate.device.backup.file import open_backup, read_header, write
from quorate.encoding import Confidential, decode, encode
from quorate.entropy import Rng, system_rng
from quorate.errors import Malformed, ProofRejected, QuorateError, Refused, Unavailable
from quorate.groups import group_named
from quorate.secret import Secret
from quorate.session import NONCE_BYTES, KeyPair, Party, PublicKeys, Session, SessionSpec
from quorate.sharing.change import Change, structure_of
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.refresh import DECLARATION, Refreshed, refresh_as_factor
from quorate.transport.channel import Channel, ChannelClosed
from quorate.transport.frames import Begin, Frame, Propose, read_frame
from quorate.transport.host import Hosted, Worker, host
from quorate.transport.pipe import PipeChannel, standard_streams
from quorate.vault.files import erase, read_small, write_new

KEPT: Final = b"kept"
VOID: Final = b"void"
"""What the device says at the end: the wallet lives, or it was given up."""

REFUSED: Final = b"refused: "
"""What the process begins with instead of its public keys, when it can't open the file."""

FORMATION_SECONDS: Final = 180.0
"""How long the backup waits for its seat: the key is formed meanwhile, on machines that may be slow."""


class Task(Confidential, frozen=True):
    """What the backup is for. `nodes` are the committee's names and public identities."""

    name: Annotated[str, msgspec.Meta(max_length=32)]
    network: Annotated[str, msgspec.Meta(max_length=64)]
    account: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    device: Annotated[bytes, msgspec.Meta(min_length=65, max_length=65)]
    nodes: tuple[tuple[str, bytes], ...]
    path: str
    password: str
    exists: bool = False

    def to_bytes(self) -> bytes:
        """For the pipe only: the password is inside."""
        return encode(self)


class BackupService:
    """Takes the backup's seat in one refresh; refuses everything else."""

    def __init__(self, task: Task, rng: Rng) -> None:
        self.me = task.name
        self._task = task
        self._rng = rng
        self._shares: tuple[KeyShare, ...] = ()
        self._before: bytes | None = None
        self._seed = self._open() if task.exists else rng(32)
        self.written: Path | None = None
        self.keys = KeyPair(Secret(self._seed))
        self._known: dict[str, PublicKeys] = {
            **{name: PublicKeys.from_bytes(keys) for name, keys in task.nodes},
            DEVICE: PublicKeys.from_bytes(task.device),
            task.name: self.keys.public,
        }

    async def consider(self, propose: Propose) -> bytes:
        spec = propose.spec
        change = self._judge(spec)
        if propose.proposer != DEVICE or (spec.key, spec.suite) != (change.key_id, change.curve):
            raise Refused("the session is not the device's refresh of one key", code="proposal")
        return self._rng(NONCE_BYTES)

    async def open(self, propose: Propose, nonce: bytes, begin: Begin) -> Hosted:
        spec = begin.spec
        if spec.proposal_id != propose.spec.proposal_id or spec.nonce_of(self.me) != nonce:
            raise Refused("the agreement is not the one proposed", code="proposal", parties=[self.me])
        try:
            self._known[DEVICE].verify(spec.id, begin.signature)
        except ProofRejected:
            raise Refused("the agreement is not signed by the device", code="proof") from None
        roster = self._roster(spec, begin)

        async def run(party: Party) -> Refreshed:
            return await refresh_as_factor(party)

        group = group_named(spec.suite)
        session = Session(spec, self.me, self.keys, roster, DECLARATION, group, run, rng=self._rng)
        return _Seat(session, self)

    def keep(self, refreshed: Refreshed) -> None:
        """Write the file, durably, with all shares there are."""
        if refreshed.share is None:
            raise Malformed("a refresh for a backup gives it a share")
        task = self._task
        path = Path(task.path)
        first, *more = shares = (*self._shares, refreshed.share)
        there = task.exists or self.written is not None
        write(path, task.network, self._seed, first, task.password, self._rng, more=more, replace=there)
        self.written = path
        self._shares = shares

    def give_up(self) -> None:
        """The wallet, or the key that was added, was given up: the file is as it was before, or gone."""
        if self.written is None:
            return
        if self._before is None:
            erase(self.written)
        else:
            draft = self.written.with_name(self.written.name + ".draft")
            write_new(self.written, self._before, draft=draft)
        self.written = None

    def _open(self) -> bytes:
        """Take up a file that exists; gives the seed of the keys. Raises `Unavailable`, `Malformed`."""
        task = self._task
        path = Path(task.path)
        opened = open_backup(path, task.password, self._rng)
        header = read_header(path)
        if (header.network, header.factor) != (task.network, task.name):
            raise Unavailable(f"{path} is the backup of another network or factor")
        self._shares, self._before = opened.shares, read_small(path)
        return opened.seed.reveal()

    def _judge(self, spec: SessionSpec) -> Change:
        change = decode(Change, spec.payload)
        mine = [target for target in change.targets if target.name == self.me]
        if spec.protocol != DECLARATION.name or len(mine) != 1:
            raise Refused("this backup takes part in one refresh, as itself", code="protocol")
        if (change.network, change.account) != (self._task.network, self._task.account):
            raise Refused("the key is of another account", code="account")
        if mine[0].factor != self.keys.public.to_bytes():
            raise Refused("the request gives this backup another's keys", code="factor")
        if sorted(structure_of(change).nodes) != sorted(name for name, _ in self._task.nodes):
            raise Refused("the key is shared by other nodes than this network's", code="structure")
        return change

    def _roster(self, spec: SessionSpec, begin: Begin) -> Mapping[str, PublicKeys]:
        """Whom we were told of keeps the identity we were told; other new factors speak for themselves."""
        if len(begin.roster) != len(spec.parties):
            raise Refused("one identity for each party is needed", code="roster")
        return {
            name: self._known.get(name) or PublicKeys.from_bytes(encoded)
            for name, encoded in zip(spec.parties, begin.roster, strict=True)
        }


@dataclass(slots=True)
class _Seat(Hosted):
    session: Session[Refreshed]
    service: BackupService

    def finish(self) -> bytes:
        self.service.keep(self.session.result())
        return b""

    def fail(self, error: QuorateError) -> None:
        """Nothing was written yet."""


async def take_seats(channel: Channel, service: BackupService, worker: Worker) -> None:
    """Its seat in one refresh after the other, for as long as the channel is open."""
    while True:
        try:
            frame = await asyncio.wait_for(channel.receive(), FORMATION_SECONDS)
        except (ChannelClosed, TimeoutError):
            return
        # What else comes belongs to a session that is over: late envelopes, or that it failed elsewhere.
        if isinstance(frame, Propose):
            line = _Proposed(channel, frame)
            await host(line, service, worker)
            if line.closed:
                return  # in the middle of a session, which has noticed, and says so to nobody any more


class _Proposed:
    """A channel whose next frame was received already."""

    def __init__(self, channel: Channel, first: Frame) -> None:
        self._channel = channel
        self._first: Frame | None = first
        self.closed = False

    async def send(self, frame: Frame) -> None:
        await self._channel.send(frame)

    async def receive(self) -> Frame:
        first, self._first = self._first, None
        if first is not None:
            return first
        try:
            return await self._channel.receive()
        except ChannelClosed:
            self.closed = True
            raise

    async def close(self) -> None:
        await self._channel.close()


class _UntilVerdict:
    """The pipe as a channel that ends with the device's verdict."""

    def __init__(self, pipe: PipeChannel) -> None:
        self._pipe = pipe
        self.verdict = b""

    async def send(self, frame: Frame) -> None:
        await self._pipe.send(frame)

    async def receive(self) -> Frame:
        block = await self._pipe.receive_block()
        if block in (KEPT, VOID):
            self.verdict = block
            raise ChannelClosed("the device has said what became of the wallet")
        return read_frame(block)

    async def close(self) -> None:
        await self._pipe.close()


async def serve(rng: Rng) -> None:
    """The whole life of the process."""
    pipe = await standard_streams()
    task = decode(Task, await pipe.receive_block())
    try:
        service = BackupService(task, rng)
    except (Unavailable, Malformed) as error:
        await pipe.send_block(REFUSED + str(error).encode())
        return
    await pipe.send_block(service.keys.public.to_bytes())
    line = _UntilVerdict(pipe)
    await take_seats(line, service, asyncio.to_thread)
    if not line.verdict:
        return
    if line.verdict == VOID:
        service.give_up()
    await pipe.send_block(line.verdict)


if __name__ == "__main__":
    asyncio.run(serve(system_rng))
