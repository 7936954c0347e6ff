"""Refresh among honest parties: the life of a wallet, who is sent what, and what an abort leaves."""

from dataclasses import replace

import msgspec
import pytest
from tests.unit.sharing.table import Table, errors, identity
from tests.unit.sharing.wallets import Wallet

from quorate.encoding import encode
from quorate.errors import AlreadyUsed, LocalError, Missing, Refused
from quorate.groups import SECP256K1, Group, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.session import Message, Party
from quorate.sharing import masks
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.line import Line
from quorate.sharing.refresh import refresh_as_factor
from quorate.sharing.refresh_messages import Confirm, Item
from quorate.sharing.refresh_run import Run
from quorate.sharing.statements import to_sign

PERSONAL = {"device": 2, "backup": 3}


@pytest.mark.parametrize(
    ("group", "count", "degree"),
    [(TOY_GROUP, 1, 0), (TOY_GROUP, 3, 2), (TOY_GROUP, 5, 2), (SECP256K1, 1, 0)],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_wallet_lives_through_every_change_with_one_public_key(
    group: Group, count: int, degree: int
) -> None:
    wallet = Wallet.formed(group, count, degree, keys=9)
    key, chain_code = wallet.shares["device"].public_key, wallet.shares["device"].chain_code
    steps: list[tuple[dict[str, int], int, tuple[str, ...]]] = [
        (PERSONAL, 2, ("device",)),
        ({"device": 2, "backup": 3, "phone": 4}, 2, ("device",)),
        ({"backup": 3, "phone": 4}, 2, ("phone",)),
        ({"backup": 3, "phone": 4, "words": 5}, 3, ("phone",)),
        ({"backup": 3, "phone": 4, "words": 5}, 3, ("phone", "words")),
        ({"backup": 3, "phone": 4}, 2, ("backup", "phone")),
    ]
    for epoch, (factors, needed, online) in enumerate(steps, 1):
        wallet = wallet.refresh(factors, needed=needed, online=online)
        assert wallet.key_holds()
        assert {*factors} == {name for name in wallet.shares if not name.startswith("n")}
        for share in wallet.shares.values():
            share.check()
            assert (share.epoch, share.public_key, share.chain_code) == (epoch, key, chain_code)
    if group is SECP256K1:
        for share in wallet.shares.values():
            assert KeyShare.from_bytes(share.to_bytes()) == share


def test_everybody_prepares_the_same_epoch() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    change = wallet.change(PERSONAL)
    played = wallet.table(change).play()
    assert not errors(played)
    assert len({to_sign(done.statement) for done in played.values()}) == 1
    statement = played["backup"].statement
    assert statement.epoch == 1
    assert statement.structure == "2 of (3 of (n1 n2 n3 n4 n5), device, backup)"
    assert statement.public_key == wallet.shares["device"].public_key.to_bytes()
    assert statement.request == played["n1"].request
    for locks in wallet.locks.values():
        assert locks.slots == {change.pool[0]: played["n1"].request}


def test_no_party_is_ever_sent_what_another_one_opens() -> None:
    """The device asks, carries and deals, and still gets items of its own point only."""
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    table = wallet.table(wallet.change({"device": 2, "backup": 3, "phone": 4}))
    played = table.play()
    assert not errors(played)
    items = [(sender, to, e.recipient) for sender, to, e in table.sent if e.tag == "refresh.item"]
    assert sorted(items) == sorted(
        (f"n{i}", target, target) for i in range(1, 6) for target in ("device", "backup", "phone")
    )
    parts = [(sender, to, e.recipient) for sender, to, e in table.sent if e.tag == "refresh.part"]
    assert sorted(parts) == [("device", to, to) for to in ("backup", "phone")]
    points = [
        share.structure.factors[name]
        for name, share in ((n, played[n].share) for n in ("device", "backup", "phone"))
    ]
    assert points == [2, 3, 4]
    # what was opened where: each target's inbox holds items for it alone
    for name in ("device", "backup", "phone"):
        inbox = table.sessions[name]._inbox
        opened = {slot.recipient for slot in inbox._entries if slot.tag == "refresh.item"}
        assert opened == {name}


def test_an_online_factor_that_is_left_out_gets_nothing() -> None:
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    table = wallet.table(wallet.change({"backup": 3}))
    played = table.play()
    assert not errors(played)
    assert played["device"].share is None
    assert not [e for _, to, e in table.sent if e.tag == "refresh.item" and to == "device"]
    assert wallet.after(wallet.change({"backup": 3}), played).key_holds()


def test_a_present_echo_quorum_is_enough_and_the_absent_node_is_still_in_the_structure() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    change = wallet.change(PERSONAL)
    played = wallet.table(change, absent=("n4",)).play()
    assert not errors(played)
    later = wallet.after(change, played)
    assert "n4" in later.structure.nodes
    assert later.key_holds()
    # the absent node's share of the fresh key is the one it already has from the pool
    share = wallet.pool[0]["n4"].share.reveal()
    assert TOY_GROUP.generator.multiply(share) == later.shares["n1"].public_shares["n4"]
    too_few = wallet.table(change, absent=("n4", "n5")).play()
    assert {type(error) for error in errors(too_few).values()} == {Refused}


def test_an_abort_after_the_locks_burns_the_fresh_key() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    change = wallet.change(PERSONAL)

    def mute(message: Message, recipient: str) -> Message | None:
        return None if isinstance(message, Confirm) else message

    played = wallet.table(change, cheats={"backup": mute}).play()
    assert all(isinstance(played[f"n{i}"], Missing) for i in range(1, 6))
    # the same request in a new session is another request (fresh masks): never under the same fresh key
    again = wallet.table(change, seed=2).play()
    assert all(isinstance(again[f"n{i}"], AlreadyUsed) for i in range(1, 6))
    assert not isinstance(again["device"], AlreadyUsed)
    # under the next pool key it goes on, and the old epoch was usable all the time
    assert wallet.key_holds()
    rest = replace(wallet, pool=wallet.pool[1:])
    assert rest.refresh(PERSONAL).key_holds()


def test_no_item_leaves_a_node_before_an_echo_quorum_has_locked() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    silent = frozenset({"n3", "n4"})
    seen: list[Item] = []

    def spy(message: Message, recipient: str) -> Message:
        if isinstance(message, Item):
            seen.append(message)
        return message

    def late(message: Message, recipient: str) -> Message | None:
        return None if type(message).__name__ == "Lock" else message

    cheats = dict.fromkeys(silent, late) | {"n1": spy}
    played = wallet.table(wallet.change(PERSONAL), cheats=cheats).play()
    assert isinstance(played["n1"], Missing)
    assert played["n1"].parties == ("n3", "n4")
    assert not seen


def test_a_node_that_refuses_says_nothing_at_all() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    table = replace(wallet, now=wallet.now + 3600).table(wallet.change(PERSONAL))
    played = table.play()
    for i in range(1, 6):
        assert isinstance(played[f"n{i}"], Refused)
        assert played[f"n{i}"].code == "refresh-expired"
    assert not [sender for sender, _, _ in table.sent if sender.startswith("n")]


def test_a_seat_under_another_identity_than_the_request_names_is_refused() -> None:
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    change = wallet.change(PERSONAL)
    names = ["n1", "n2", "n3", "device", "backup"]
    for false in ("device", "backup"):
        identities = {name: identity("thief" if name == false else name) for name in names}
        played = wallet.table(change, identities=identities).play()
        assert {error.code for error in errors(played).values()} == {"refresh-parties"}  # type: ignore[attr-defined]
        assert len(errors(played)) == 5


def test_an_online_factor_that_is_no_target_must_be_the_one_on_record() -> None:
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    change = wallet.change({"backup": 3})
    identities = {
        n: identity("thief" if n == "device" else n) for n in ("n1", "n2", "n3", "device", "backup")
    }
    played = wallet.table(change, identities=identities).play()
    for name in ("n1", "n2", "n3", "device"):  # all who have a record
        assert isinstance(played[name], Refused)
        assert "identity on record" in str(played[name])


def test_an_online_factor_without_its_record_stops() -> None:
    wallet = Wallet.formed(TOY_GROUP, 1, 0)
    table: Table = wallet.table(wallet.change(PERSONAL))
    table.sessions["device"]._run = refresh_as_factor
    assert isinstance(table.play()["device"], Refused)


def test_the_payload_is_the_request() -> None:
    wallet = Wallet.formed(TOY_GROUP, 1, 0)
    change = wallet.change(PERSONAL)
    assert wallet.table(change).spec.payload == encode(change)


def test_a_stranger_at_the_table_or_a_missing_target_is_refused_by_all() -> None:
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    change = wallet.change(PERSONAL)
    for extra in (refresh_as_factor, None):
        table = wallet.table(change)
        seats = {name: session._run for name, session in table.sessions.items()}
        if extra is None:
            del seats["backup"]
        else:
            seats["stranger"] = extra
        played = Table(table.declaration, seats, TOY_GROUP, payload=encode(change)).play()
        assert {error.code for error in errors(played).values()} == {"refresh-parties"}  # type: ignore[attr-defined]
        assert len(errors(played)) == len(seats)


def test_a_session_over_another_curve_than_the_keys_is_refused_by_a_new_factor_too() -> None:
    wallet = Wallet.formed(TOY_GROUP, 1, 0)
    change = msgspec.structs.replace(wallet.change(PERSONAL), curve="secp256k1")
    played = wallet.table(change).play()
    assert {error.code for error in errors(played).values()} == {"refresh-key"}  # type: ignore[attr-defined]
    assert len(errors(played)) == 3


def test_a_device_that_adds_up_wrongly_stops_and_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    real = masks.Deal.part

    def wrong(self: masks.Deal, public: Line, online: int, tau: int, share: Scalar) -> Scalar:
        part = real(self, public, online, tau, share)
        return part + TOY_GROUP.scalar(1) if tau == 2 else part

    monkeypatch.setattr(masks.Deal, "part", wrong)
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    played = wallet.table(wallet.change(PERSONAL)).play()
    assert type(played["device"]) is LocalError
    assert all(isinstance(played[name], Missing) for name in ("n1", "n2", "n3", "backup"))


def test_there_is_no_line_before_the_masks_are_heard() -> None:
    wallet = Wallet.formed(TOY_GROUP, 1, 0)
    change = wallet.change(PERSONAL)
    caught: list[str] = []

    async def early(party: Party) -> None:
        try:
            _ = Run.of(party, change).line
        except LocalError as error:
            caught.append(str(error))

    table = wallet.table(change)
    table.sessions["device"]._run = early
    table.play()
    assert caught == ["the masks have not been heard yet"]
