"""The backup's seat: what it takes part in, and what it refuses."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from quorate.account.presets import DEVICE
from quorate.device.backup.process import BackupService, Task, take_seats
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.errors import Refused
from quorate.session import NONCE_BYTES, KeyPair, SessionSpec, roster_digest
from quorate.sharing.change import Change, Target
from quorate.transport.channel import MemoryChannel
from quorate.transport.frames import Begin, Nonce, Propose

PEOPLE = {name: KeyPair.generate(system_rng) for name in (DEVICE, "node1", "node2", "node3")}
NODES = tuple((name, PEOPLE[name].public.to_bytes()) for name in ("node1", "node2", "node3"))


@pytest.fixture
def task(tmp_path: Path) -> Task:
    path = str(tmp_path / "wallet.backup")
    device = PEOPLE[DEVICE].public.to_bytes()
    return Task("backup", "local", bytes(32), device, NODES, path, "a long password")


@pytest.fixture
def service(task: Task) -> BackupService:
    return BackupService(task, system_rng)


def change(service: BackupService, **fields: object) -> Change:
    device = Target(2, DEVICE, "device", PEOPLE[DEVICE].public.to_bytes())
    backup = Target(3, "backup", "backup", service.keys.public.to_bytes())
    made = Change(
        network="local",
        account=bytes(32),
        curve="secp256k1",
        key_id=bytes(32),
        node_epoch=0,
        epoch=0,
        public_key=b"x",
        pool=(bytes(32),),
        old="2 of (2 of (node1 node2 node3), device)",
        new="2 of (2 of (node1 node2 node3), device, backup)",
        online=((DEVICE, b"y"),),
        targets=(device, backup),
        expires=1,
        nonce=bytes(32),
    )
    return msgspec.structs.replace(made, **fields)


def proposal(service: BackupService, wanted: Change, **fields: object) -> SessionSpec:
    roster = {name: pair.public for name, pair in PEOPLE.items()} | {"backup": service.keys.public}
    spec = SessionSpec(
        "refresh",
        1,
        "secp256k1",
        bytes(32),
        0,
        tuple(sorted(roster)),
        roster_digest(roster),
        2,
        "refresh",
        encode(wanted),
    )
    return msgspec.structs.replace(spec, **fields)


async def test_it_takes_its_seat_in_the_devices_refresh(service: BackupService) -> None:
    nonce = await service.consider(Propose(DEVICE, b"", proposal(service, change(service))))
    assert len(nonce) == NONCE_BYTES


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"network": "other"}, "account"),
        ({"account": bytes([1]) * 32}, "account"),
        ({"targets": (Target(3, "backup", "backup", b"z" * 65),)}, "factor"),
        ({"targets": (Target(3, "other", "backup", b"z" * 65),)}, "protocol"),
        (
            {
                "old": "2 of (2 of (m1 m2 m3), device)",
                "new": "2 of (2 of (m1 m2 m3), device, backup)",
            },
            "structure",
        ),
        (
            {
                "old": "2 of (2 of (node1 node2), device)",
                "new": "2 of (2 of (node1 node2), device, backup)",
            },
            "structure",
        ),
    ],
)
async def test_a_refresh_that_is_not_its_own_is_refused(
    service: BackupService, fields: dict[str, object], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await service.consider(Propose(DEVICE, b"", proposal(service, change(service, **fields))))
    assert refused.value.code == code


async def test_only_the_device_proposes_and_only_a_refresh(service: BackupService) -> None:
    wanted = change(service)
    with pytest.raises(Refused):
        await service.consider(Propose("node1", b"", proposal(service, wanted)))
    with pytest.raises(Refused):
        await service.consider(Propose(DEVICE, b"", proposal(service, wanted, protocol="formation")))
    with pytest.raises(Refused):
        await service.consider(Propose(DEVICE, b"", proposal(service, wanted, key=bytes([9]) * 32)))


async def test_an_agreement_the_device_did_not_sign_or_that_differs_is_refused(
    service: BackupService,
) -> None:
    spec = proposal(service, change(service))
    propose = Propose(DEVICE, b"", spec)
    nonce = await service.consider(propose)
    whole = spec.with_nonces(dict.fromkeys(spec.parties, nonce))
    roster = tuple(
        (service.keys if name == "backup" else PEOPLE[name]).public.to_bytes() for name in spec.parties
    )
    with pytest.raises(Refused) as refused:
        await service.open(propose, nonce, Begin(whole, roster, PEOPLE["node1"].sign(whole.id)))
    assert refused.value.code == "proof"
    good = PEOPLE[DEVICE].sign(whole.id)
    with pytest.raises(Refused) as refused:
        await service.open(propose, bytes(32), Begin(whole, roster, good))
    assert refused.value.code == "proposal"
    with pytest.raises(Refused) as refused:
        await service.open(propose, nonce, Begin(whole, roster[1:], good))
    assert refused.value.code == "roster"
    assert (await service.open(propose, nonce, Begin(whole, roster, good))).session.me == "backup"


async def test_nodes_are_who_it_was_told_they_are_whatever_the_agreement_says(
    service: BackupService,
) -> None:
    from quorate.errors import Malformed

    false = {**PEOPLE, "node1": KeyPair.generate(system_rng)}
    roster = {name: pair.public for name, pair in false.items()} | {"backup": service.keys.public}
    spec = proposal(service, change(service), roster=roster_digest(roster))
    propose = Propose(DEVICE, b"", spec)
    nonce = await service.consider(propose)
    whole = spec.with_nonces(dict.fromkeys(spec.parties, nonce))
    encoded = tuple(roster[name].to_bytes() for name in spec.parties)
    with pytest.raises(Malformed, match="identities are not the agreed ones"):
        await service.open(propose, nonce, Begin(whole, encoded, PEOPLE[DEVICE].sign(whole.id)))


def test_what_is_told_to_a_process_never_stands_in_its_arguments(task: Task) -> None:
    from quorate.device.backup import link as backup_link

    source = Path(backup_link.__file__).read_text()
    start = source[source.index("create_subprocess_exec") :]
    assert "password" not in start[: start.index(")")]
    assert "env=" not in start[: start.index(")")]


@pytest.mark.parametrize("proposed", [False, True])
async def test_it_ends_when_the_device_hangs_up_between_two_sessions_and_within_one(
    service: BackupService, proposed: bool
) -> None:
    near, far = MemoryChannel.pair()
    serving = asyncio.create_task(take_seats(far, service, asyncio.to_thread))
    if proposed:
        await near.send(Propose(DEVICE, b"", proposal(service, change(service))))
        assert isinstance(await near.receive(), Nonce)
    await near.close()
    await asyncio.wait_for(serving, 2.0)
