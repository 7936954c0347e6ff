"""Which authority record may follow which, by whose signature, on which evidence."""

import msgspec
import pytest
from tests.support.authority import (
    ACCOUNT,
    BACKUP,
    DEVICE,
    NETWORK,
    OPERATION,
    OTHER,
    PERSONAL,
    certified,
    committee,
    entry,
    formed,
    point,
    prepared,
    wallet,
)

from quorate.account.authority import (
    AuthorityRecord,
    AuthorityRules,
    Evidence,
    evidence_of,
    make_entry,
    record_of,
)
from quorate.account.records import FactorKind
from quorate.account.register import Entry, Login
from quorate.account.requests import LiveRequest
from quorate.encoding import encode
from quorate.errors import LocalError, Malformed, Refused
from quorate.sharing.statements import KeyFormed

RULES = AuthorityRules(NETWORK, {0: committee(), 1: committee(1)}.get)
FIRST = certified(prepared())
replace = msgspec.structs.replace


def record(*live: LiveRequest) -> AuthorityRecord:
    return AuthorityRecord(NETWORK, ACCOUNT, tuple(wallet(one) for one in live))


@pytest.fixture
def first() -> Entry:
    return entry(None, record(FIRST), FIRST)


def denied(parent: Entry | None, wanted: Entry) -> str:
    with pytest.raises(Refused) as raised:
        RULES.check(parent, wanted)
    return raised.value.code


def test_an_account_begins_with_a_wallet_of_the_device_that_signs(first: Entry) -> None:
    RULES.check(None, first)
    plain = certified(formed())
    RULES.check(None, entry(None, record(plain), plain))
    assert denied(None, entry(None, record(FIRST), FIRST, author=OTHER)) == "factor"
    assert denied(None, entry(None, record(FIRST), FIRST, author=BACKUP)) == "factor"
    assert denied(None, replace(first, signatures=(bytes(64),))) == "signature"
    assert denied(None, replace(first, signatures=())) == "authors"
    twice = replace(first, authors=first.authors * 2, signatures=first.signatures * 2)
    assert denied(None, twice) == "authors"
    with pytest.raises(LocalError):
        entry(None, AuthorityRecord(NETWORK, ACCOUNT, ()), FIRST)
        RULES.check(None, entry(None, AuthorityRecord(NETWORK, ACCOUNT, ()), FIRST))


def test_what_is_signed_is_bound_to_its_account_and_network(first: Entry) -> None:
    assert denied(None, replace(first, account=b"b" * 32)) == "account"
    assert denied(None, replace(first, network="other")) == "account"
    foreign = certified(prepared(account=b"b" * 32))
    assert denied(None, entry(None, record(foreign), foreign)) == "evidence"
    abroad = certified(prepared(network="other"))
    assert denied(None, entry(None, record(abroad), abroad)) == "evidence"
    # Not a word of the entry can be changed after it was signed.
    for changed in (replace(first, operation=b"x" * 16), replace(first, private=b"x" * 32)):
        assert denied(None, changed) == "signature"


def test_later_entries_are_signed_under_the_record_before(first: Entry) -> None:
    second = certified(formed(b"l" * 32))
    for author in (DEVICE, BACKUP):
        after = entry(first, record(FIRST, second), second, author=author)
        RULES.check(first, after)
        assert (after.version, after.parent) == (2, first.hash)
    # A device of the wallet that is being added has nothing to say yet.
    theirs = wallet(second, OTHER)
    after = AuthorityRecord(NETWORK, ACCOUNT, (*record(FIRST).wallets, theirs))
    assert denied(first, entry(first, after, second, author=OTHER)) == "factor"


def test_wallets_never_leave(first: Entry) -> None:
    second = certified(formed(b"l" * 32))
    assert denied(first, entry(first, record(second), second)) == "removed"


def test_a_wallet_needs_what_r_nodes_have_signed(first: Entry) -> None:
    few = certified(prepared(), ["n1", "n2", "n3"])
    assert denied(None, entry(None, record(few), few)) == "evidence"
    twice = certified(prepared(), ["n1", "n1", "n2", "n3"])
    assert denied(None, entry(None, record(twice), twice)) == "evidence"
    strange = certified(prepared(), ["n1", "n2", "n3"])
    strange = replace(
        strange, signatures=replace(strange.signatures, by=(*strange.signatures.by, ("evil", bytes(64))))
    )
    assert denied(None, entry(None, record(strange), strange)) == "evidence"
    other = replace(FIRST, statement=prepared(public_key=point(70)))
    assert denied(None, entry(None, record(other), other)) == "evidence"
    assert denied(None, entry(None, record(FIRST))) == "evidence"
    spare = certified(formed(b"l" * 32))
    assert denied(None, entry(None, record(FIRST), FIRST, spare)) == "evidence"
    with pytest.raises(Malformed, match="one statement"):
        RULES.check(None, entry(None, record(FIRST), FIRST, FIRST))
    assert denied(None, entry(None, record(FIRST), FIRST, epoch=1)) == "evidence"
    later = certified(prepared(epoch=2))
    assert denied(None, entry(None, record(later), later, epoch=2)) == "committee"


def test_the_wallet_is_the_one_that_was_signed() -> None:
    true = wallet(FIRST)
    factors = true.factors
    for lie in (
        replace(true, public_key=point(70)),
        replace(true, line=point(70)),
        replace(true, founding=bytes(32)),
        replace(true, epoch=0),
        replace(true, structure=PERSONAL.replace("3 of", "2 of")),
        replace(true, factors=factors[:1]),
        replace(true, factors=(replace(factors[0], public_share=point(70)), factors[1])),
        replace(true, factors=(replace(factors[0], name="phone"), factors[1])),
    ):
        wanted = AuthorityRecord(NETWORK, ACCOUNT, (lie,))
        assert denied(None, entry(None, wanted, FIRST)) == "evidence"


def test_a_wallet_is_well_formed() -> None:
    same = replace(
        wallet(FIRST), factors=tuple(replace(f, keys=DEVICE.public.to_bytes()) for f in wallet(FIRST).factors)
    )
    assert denied(None, entry(None, AuthorityRecord(NETWORK, ACCOUNT, (same,)), FIRST)) == "structure"
    backups = replace(
        wallet(FIRST), factors=tuple(replace(f, kind=FactorKind.BACKUP) for f in wallet(FIRST).factors)
    )
    after = AuthorityRecord(NETWORK, ACCOUNT, (*record(certified(formed(b"a" * 32))).wallets, backups))
    plain = certified(formed(b"a" * 32))
    assert denied(None, entry(None, after, plain, FIRST)) == "structure"
    no_committee = certified(prepared(structure="2 of (device, backup)"))
    assert denied(None, entry(None, record(no_committee), no_committee)) == "structure"
    for broken in (
        {"public_key": b"\x02" + bytes(32)},
        {"structure": "2 of"},
        {"committee": (b"\x05" * 33,)},
    ):
        live = certified(prepared(**broken))
        with pytest.raises(LocalError):
            RULES.check(None, entry(None, record(live), live))
    with pytest.raises(Malformed, match="ascending"):
        record(certified(formed(b"l" * 32)), certified(formed(b"k" * 32)))
    odd = replace(wallet(FIRST), curve="unsafe-toy")
    assert denied(None, entry(None, AuthorityRecord(NETWORK, ACCOUNT, (odd,)), FIRST)) == "structure"
    late = certified(prepared(user=2))
    assert denied(None, entry(None, record(late), late)) == "epoch"


def test_a_wallet_goes_on_by_one_epoch_with_its_key(first: Entry) -> None:
    following = certified(prepared(user=2, epoch=1))
    after = record(FIRST).with_wallet(wallet(following))
    RULES.check(first, entry(first, after, following, epoch=1))
    for user, wanted in ((1, "epoch"), (3, "epoch")):
        live = certified(prepared(user=user, checks=b"c" * 32))
        assert denied(first, entry(first, record(FIRST).with_wallet(wallet(live)), live)) == wanted
    moved = certified(prepared(user=2, public_key=point(70)))
    assert denied(first, entry(first, record(FIRST).with_wallet(wallet(moved)), moved)) == "key"


def test_nothing_that_could_carry_a_key_out_is_taken_in_this_version(first: Entry) -> None:
    live = certified(prepared(user=2))
    stranger = replace(wallet(live), factors=wallet(live, OTHER).factors)
    assert denied(first, entry(first, record(FIRST).with_wallet(stranger), live)) == "export"
    lower = certified(prepared(user=2, structure=PERSONAL.replace("2 of (3", "1 of (3")))
    assert denied(first, entry(first, record(FIRST).with_wallet(wallet(lower)), lower)) == "export"
    fewer = certified(
        prepared(user=2, structure="2 of (3 of (n1 n2 n3 n4 n5), device)", factors=(("device", point(9)),))
    )
    assert denied(first, entry(first, record(FIRST).with_wallet(wallet(fewer)), fewer)) == "export"
    # Also the refresh of a key that was made live as it was formed: its backup would be a new factor.
    plain = certified(formed())
    begun = entry(None, record(plain), plain)
    assert denied(begun, entry(begun, record(FIRST), FIRST)) == "export"
    # Other names of nodes change nothing: those are the committee's affair.
    renamed = certified(prepared(user=2, structure=PERSONAL.replace("n5", "m5")))
    RULES.check(first, entry(first, record(FIRST).with_wallet(wallet(renamed)), renamed))


def test_the_login_is_the_accounts_and_at_first_the_authors(first: Entry) -> None:
    device, other = DEVICE.public.to_bytes(), OTHER.public.to_bytes()
    RULES.admit(None, first, 0.0, Login(ACCOUNT, device))
    RULES.admit(first, first, 0.0, Login(ACCOUNT, other))
    for login in (None, Login(b"b" * 32, device)):
        with pytest.raises(Refused) as raised:
            RULES.admit(first, first, 0.0, login)
        assert raised.value.code == "login"
    with pytest.raises(Refused, match="written by the device"):
        RULES.admit(None, first, 0.0, Login(ACCOUNT, other))


def test_devices_take_turns_and_backups_do_not(first: Entry) -> None:
    assert RULES.signers(first) == (DEVICE.public.to_bytes(),)
    assert RULES.identity(DEVICE.public.to_bytes()) == DEVICE.public
    with pytest.raises(Malformed):
        RULES.identity(b"short")


def test_the_private_record_is_kept_until_it_is_changed(first: Entry) -> None:
    assert first.private == bytes(32)
    named = make_entry(
        first, record_of(first), Evidence(()), OPERATION, DEVICE.public, DEVICE.sign, b"p" * 32
    )
    RULES.check(first, named)
    kept = make_entry(named, record_of(named), Evidence(()), OPERATION, DEVICE.public, DEVICE.sign)
    assert kept.private == b"p" * 32
    assert evidence_of(kept) == {}


def test_garbage_is_malformed(first: Entry) -> None:
    broken = replace(first, evidence=encode(7))
    for garbage in (
        replace(first, record=b"\x00"),
        replace(broken, signatures=(DEVICE.sign(broken.to_sign()),)),
    ):
        with pytest.raises(Malformed):
            RULES.check(None, garbage)
    assert isinstance(evidence_of(first)[b"k" * 32][1].statement, KeyFormed) is False
