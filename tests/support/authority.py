"""Wallets as the register knows them, with statements signed by a committee whose keys the test has."""

from collections.abc import Iterable, Mapping

from quorate.account.authority import AuthorityRecord, Evidence, WalletKey, make_entry, wallet_of
from quorate.account.committee import CommitteeRecord, Seat
from quorate.account.records import FactorKind
from quorate.account.register import Entry
from quorate.account.requests import LiveRequest, Signatures
from quorate.entropy import SeededRng
from quorate.groups import SECP256K1
from quorate.session import KeyPair
from quorate.sharing.epochs import epoch_number
from quorate.sharing.statements import KeyFormed, Prepared, to_sign

NETWORK = "local"
ACCOUNT = b"a" * 32
PLAIN = "2 of (3 of (n1 n2 n3 n4 n5), device)"
PERSONAL = "2 of (3 of (n1 n2 n3 n4 n5), device, backup)"
OPERATION = b"operation-number"


def keys(name: str) -> KeyPair:
    return KeyPair.generate(SeededRng(name.encode().ljust(32, b".")))


NODES = {f"n{i}": keys(f"n{i}") for i in range(1, 6)}
DEVICE, BACKUP, OTHER = keys("device"), keys("backup"), keys("other")


def committee(epoch: int = 0) -> CommitteeRecord:
    seats = tuple(Seat(name, "http://x", pair.public.to_bytes()) for name, pair in NODES.items())
    return CommitteeRecord(NETWORK, epoch, seats, 2, 1, 0, bytes(32) if epoch == 0 else b"p" * 32)


def point(number: int) -> bytes:
    return SECP256K1.generator.multiply(SECP256K1.scalar(number)).to_bytes()


def formed(key: bytes = b"k" * 32, **changes: object) -> KeyFormed:
    fields: dict[str, object] = {
        "network": NETWORK,
        "account": ACCOUNT,
        "curve": "secp256k1",
        "key_id": key,
        "structure": PLAIN,
        "public_key": point(7),
        "committee": (point(2), point(3), point(4)),
        "factors": (("device", point(5)),),
        "chain_code": bytes(32),
    }
    return KeyFormed(**(fields | changes))  # type: ignore[arg-type]


def prepared(key: bytes = b"k" * 32, *, user: int = 1, epoch: int = 0, **changes: object) -> Prepared:
    fields: dict[str, object] = {
        "network": NETWORK,
        "account": ACCOUNT,
        "key_id": key,
        "epoch": epoch_number(epoch, user),
        "request": bytes(32),
        "structure": PERSONAL,
        "public_key": point(7),
        "committee": (point(8), point(3), point(4)),
        "factors": (("device", point(9)), ("backup", point(10))),
        "checks": bytes(32),
    }
    return Prepared(**(fields | changes))  # type: ignore[arg-type]


def certified(
    statement: KeyFormed | Prepared, signers: Iterable[str] = ("n1", "n2", "n3", "n4")
) -> LiveRequest:
    signed = tuple((name, NODES[name].sign(to_sign(statement))) for name in signers)
    return LiveRequest(statement, Signatures(signed))


def holders(device: KeyPair = DEVICE) -> Mapping[str, tuple[FactorKind, bytes]]:
    return {
        "device": (FactorKind.DEVICE, device.public.to_bytes()),
        "backup": (FactorKind.BACKUP, BACKUP.public.to_bytes()),
    }


def wallet(live: LiveRequest, device: KeyPair = DEVICE) -> WalletKey:
    return wallet_of(live, "secp256k1", holders(device))


def entry(
    parent: Entry | None,
    record: AuthorityRecord,
    *live: LiveRequest,
    epoch: int = 0,
    author: KeyPair = DEVICE,
) -> Entry:
    evidence = Evidence(tuple((epoch, one) for one in live))
    return make_entry(parent, record, evidence, OPERATION, author.public, author.sign)
