"""Attacks on key generation, formation and refresh that no single check of a page is named after."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.unit.sharing.table import Cheat, Table, blamed, errors
from tests.unit.sharing.test_secrecy import Dealt, Form, knows
from tests.unit.sharing.wallets import ACCOUNT, Wallet, form, grants, nodes, without_keys

from quorate.encoding import encode
from quorate.entropy import SeededRng
from quorate.errors import Blame, Malformed, Missing, Refused
from quorate.groups.toy import ORDER, TOY_GROUP
from quorate.secret import Secret
from quorate.session import Message, Party
from quorate.session.echo import Seen
from quorate.sharing import formation, line, masks, refresh_messages
from quorate.sharing.access import AccessStructure, NotAuthorised, NotExact
from quorate.sharing.change import structure_of
from quorate.sharing.expression import Leaf, Member, Threshold
from quorate.sharing.formation import DeviceSecret, Formed
from quorate.sharing.polynomial import Polynomial
from quorate.sharing.quorums import Quorums
from quorate.sharing.refresh_messages import Item, Masks

ONE = TOY_GROUP.scalar(1)


# --- a committee that does not stand where key generation deals ---------------------------------------


@pytest.mark.parametrize("committee", ["2 of (n1@2 n2@3 n3@5)", "2 of (n1 n2 n3@4)", "2 of (n2@3 n1@4 n3@9)"])
def test_a_committee_at_points_that_no_key_generation_deals_to_is_not_formed(committee: str) -> None:
    """Shares lie at 1..n; a structure that says otherwise gives coefficients that sum to another key."""
    structure = AccessStructure.parse(f"2 of ({committee}, device)")
    secret = DeviceSecret.draw(TOY_GROUP, SeededRng(b"u"))
    request = secret.request(
        TOY_GROUP, network="test", account=ACCOUNT, index=0, structure=structure, grants=grants(1)
    )

    async def as_device(party: Party) -> Formed:
        return await formation.form_as_device(party, secret)

    seats: dict[str, Any] = dict.fromkeys(nodes(3), without_keys) | {"device": as_device}
    played = Table(formation.DECLARATION, seats, TOY_GROUP, payload=encode(request)).play()
    assert all(isinstance(outcome, Malformed) for outcome in played.values()), played


def test_a_request_with_a_committee_at_other_points_is_refused_by_a_factor_without_a_record() -> None:
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    honest = wallet.change({"device": 2, "backup": 3})
    moved = {"old": "2 of (2 of (n1@2 n2 n3), device)", "new": "2 of (2 of (n1@2 n2 n3), device, backup)"}
    with pytest.raises(Refused, match="1 to 3"):
        structure_of(msgspec.structs.replace(honest, **moved))


# --- values that come out as nothing ------------------------------------------------------------------


def cancelling(wallet: Wallet, targets: Sequence[int]) -> Callable[..., masks.Deal]:
    """Masks whose constant cancels the device's old share, so that its part is zero."""

    def random_deal(group: Any, points: Sequence[int], degree: int, extra: int, rng: Any) -> masks.Deal:
        u = wallet.shares["device"].share.reveal()
        lam = line.weights([2], ORDER)[2]
        polynomials = {}
        for tau in points:
            hidden = group.scalar(-line.basis(tau, 2, ORDER)[0] * lam * u.value)
            constant = hidden if tau in targets else None
            polynomials[tau] = Polynomial.random(group, degree, rng, constant=constant)
        return masks.Deal(group, polynomials, Secret(()))

    return random_deal


@pytest.mark.parametrize("targets", [[2], [3], [2, 3]])
def test_a_part_of_zero_is_a_part_like_any_other(monkeypatch: pytest.MonkeyPatch, targets: list[int]) -> None:
    """It shows the target the device's old share, by the device's own choice, and stops nobody."""
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    monkeypatch.setattr(masks.Deal, "random", cancelling(wallet, targets))
    change = wallet.change({"device": 2, "backup": 3})
    played = wallet.table(change).play()
    assert not errors(played), errors(played)
    assert wallet.after(change, played).key_holds()


# --- what a liar can stop, and whether it is named ----------------------------------------------------


def lying_items(*liars: str) -> dict[str, Cheat]:
    def cheat(message: Message, recipient: str) -> Message:
        if isinstance(message, Item) and recipient == "backup":
            return msgspec.structs.replace(message, value=message.value + ONE)
        return message

    return dict.fromkeys(liars, cheat)


@pytest.mark.parametrize("liars", [("n1",), ("n1", "n2"), ("n5",)])
def test_false_items_do_not_stop_a_target_that_has_enough_good_ones(liars: tuple[str, ...]) -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    change = wallet.change({"device": 2, "backup": 3})
    played = wallet.table(change, cheats=lying_items(*liars)).play()
    assert not errors(played), errors(played)
    assert wallet.after(change, played).key_holds()


def test_false_items_are_blamed_when_the_good_ones_do_not_suffice() -> None:
    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    table = wallet.table(wallet.change({"device": 2, "backup": 3}), cheats=lying_items("n1", "n3", "n5"))
    played = table.play()
    assert blamed(table, played) == {"n1", "n3", "n5"}
    assert isinstance(played["backup"], Blame)


def test_false_items_are_blamed_also_where_others_are_silent() -> None:
    def silent(message: Message, recipient: str) -> Message | None:
        return None if isinstance(message, Item) else message

    wallet = Wallet.formed(TOY_GROUP, 5, 2)
    cheats = lying_items("n1") | {"n2": silent, "n3": silent}
    table = wallet.table(wallet.change({"device": 2, "backup": 3}), cheats=cheats)
    played = table.play()
    assert blamed(table, played) == {"n1"}
    assert isinstance(played["backup"], Blame)
    assert isinstance(played["device"], Missing)


def test_two_liars_with_masks_of_full_size_are_still_shown() -> None:
    """The report of a view must hold the largest envelopes that a liar may sign, not honest ones only."""
    declared = {rule.kind: rule.limit for rule in refresh_messages.DECLARATION.rules}
    assert declared[Seen] >= 2 * (declared[Masks] + 1024)


# --- coefficients, computed a second time -------------------------------------------------------------
#
# From the definition and by other means: shares are dealt by polynomials of this file, an exact set is chosen
# by walking the tree, and its coefficients are the row of an inverted Vandermonde matrix.


def first_row_of_the_inverse(points: Sequence[int]) -> list[int]:
    """c with sum c_i p_i^k = [k == 0]: the weights of the value at 0, by Gaussian elimination mod q."""
    size = len(points)
    rows = [[pow(p, k, ORDER) for p in points] + [int(k == 0)] for k in range(size)]
    for column in range(size):
        pivot = next(r for r in range(column, size) if rows[r][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        inverse = pow(rows[column][column], ORDER - 2, ORDER)
        rows[column] = [value * inverse % ORDER for value in rows[column]]
        for r in range(size):
            if r != column:
                factor = rows[r][column]
                rows[r] = [(a - factor * b) % ORDER for a, b in zip(rows[r], rows[column], strict=True)]
    return [row[-1] for row in rows]


def random_tree(rnd: random.Random, names: list[str], depth: int = 1, point: int = 0) -> Threshold:
    members: list[Member] = []
    for where in sorted(rnd.sample([1, 2, 3, 4, 7, 65534, 65535], rnd.randint(1, 4))):
        if depth < 4 and rnd.random() < 0.3:
            members.append(random_tree(rnd, names, depth + 1, where))
        else:
            names.append(f"p{len(names)}")
            members.append(Leaf(names[-1], where))
    return Threshold(rnd.randint(1, len(members)), tuple(members), point)


def deal(member: Member, value: int, rnd: random.Random, shares: dict[str, int]) -> None:
    if isinstance(member, Leaf):
        shares[member.name] = value
        return
    coefficients = [value, *(rnd.randrange(ORDER) for _ in range(member.needed - 1))]
    for child in member.members:
        at = sum(c * pow(child.point, k, ORDER) for k, c in enumerate(coefficients)) % ORDER
        deal(child, at, rnd, shares)


def exact(member: Member, weight: int, rnd: random.Random, found: dict[str, int]) -> None:
    """A random exact set of signers and their coefficients."""
    if isinstance(member, Leaf):
        found[member.name] = weight
        return
    chosen = rnd.sample(member.members, member.needed)
    weights = first_row_of_the_inverse([child.point for child in chosen])
    for child, own in zip(chosen, weights, strict=True):
        exact(child, weight * own % ORDER, rnd, found)


@pytest.mark.parametrize("seed", range(40))
def test_coefficients_of_any_tree_and_any_exact_set_are_those_of_another_program(seed: int) -> None:
    rnd = random.Random(seed)
    structure = AccessStructure(random_tree(rnd, []))
    shares: dict[str, int] = {}
    key = rnd.randrange(ORDER)
    deal(structure.root, key, rnd, shares)
    for _ in range(5):
        signers: dict[str, int] = {}
        exact(structure.root, 1, rnd, signers)
        assert structure.coefficients(signers, ORDER) == signers
        assert sum(c * shares[name] for name, c in signers.items()) % ORDER == key
        # one signer less is too few; one more is another exact set, or none
        for name in signers:
            with pytest.raises(NotAuthorised):
                structure.coefficients(set(signers) - {name}, ORDER)
        for name in set(structure.leaves) - set(signers):
            with pytest.raises(NotExact):
                structure.coefficients({*signers, name}, ORDER)


# --- who knows the key, in the cases beside the page's table ------------------------------------------


def aborted(number: int) -> Dealt:
    """One of several refreshes of one key, each under a fresh committee key of its own."""
    return Dealt(name=f"{number}.", fresh=f"t{number}.")


def test_aborted_refreshes_do_not_add_up_for_the_device_and_degree_many_nodes() -> None:
    lines = [aborted(number) for number in range(4)]
    view: list[Form] = []
    for dealt in lines:
        view += dealt.online(2, 3) + dealt.target(2)
        for i in (1, 2):
            view += dealt.node(i, 2, 3)
    assert not knows(view, lines[0].x)
    # with one node more, any one of them is enough
    assert knows(view + lines[0].node(3, 2, 3), lines[0].x)


def test_backups_of_aborted_refreshes_and_degree_many_nodes_know_nothing_together() -> None:
    lines = [aborted(number) for number in range(4)]
    view: list[Form] = []
    for dealt in lines:
        view += dealt.target(3)
        for i in (1, 2):
            view += dealt.node(i, 2, 3)
    assert not knows(view, lines[0].x)
    assert not knows(view, Form({"u": 1}))
    # two shares of ONE aborted line are the key: why these are erased
    assert knows(view + lines[2].target(2), lines[0].x)


def test_masks_dealt_twice_show_the_difference_of_two_lines_and_no_share() -> None:
    """A device that repeats its masks gives its backup differences; the nodes' shares stay hidden."""
    first, second = Dealt(name="same.", fresh="t1."), Dealt(name="same.", fresh="t2.")
    view = first.target(3) + second.target(3)
    assert not knows(view, first.x)
    assert not knows(view, Form({"u": 1}))
    assert not knows(view, Form({"s0": 1}))
    difference: Any = Form({"t1.0": 1}) - Form({"t2.0": 1})
    assert knows(view, difference)


def test_masks_that_the_backup_was_told_give_away_the_devices_own_share_and_no_nodes() -> None:
    dealt = Dealt()
    view = dealt.target(3) + dealt.online(3)[1:]
    assert knows(view, Form({"u": 1}))
    assert not knows(dealt.target(3) + dealt.online(3)[1:], Form({"s0": 1}))
    for i in range(1, 6):
        share: Any = Form({f"s{k}": i**k for k in range(3)})
        assert not knows(view, share)


# --- quorums, and requests that come again ------------------------------------------------------------


def test_no_configured_quorum_lets_a_key_live_that_another_request_could_still_lock() -> None:
    """Sessions count by the standard quorums of (n, d), certificates by the configured ones.

    Whatever is configured: R nodes that made a key live and E nodes that lock a request share more nodes than
    may lie, so one honest node would have had to do both.
    """
    compared = 0
    for n, d in itertools.product(range(1, 14), range(13)):
        for t, f in itertools.product(range(5), range(9)):
            try:
                configured = Quorums(n, d, t, f).require_revocation()
            except Malformed:
                continue
            session = Quorums.standard(n, d)
            assert session.liars >= configured.liars
            assert session.echo >= configured.echo
            assert session.echo + configured.ready - n > configured.liars
            assert 2 * session.echo - n > session.liars
            compared += 1
    assert compared > 100


def test_the_same_request_played_again_shows_the_same_values_and_nothing_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even a device that repeats its masks bit by bit, so that nodes find their lock on this very request."""
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    change = wallet.change({"device": 2, "backup": 3})
    honest = masks.Deal.random

    def repeated(group: Any, points: Any, degree: int, extra: int, rng: Any) -> masks.Deal:
        return honest(group, points, degree, extra, SeededRng(b"the same masks"))

    monkeypatch.setattr(masks.Deal, "random", repeated)
    seen: list[dict[tuple[str, str], Item]] = []
    for seed in (1, 2):
        items: dict[tuple[str, str], Item] = {}
        played = wallet.table(change, seed=seed, cheats=noting(wallet, items)).play()
        assert not errors(played), errors(played)
        seen.append(items)
    assert len(seen[0]) == 6
    assert seen[0] == seen[1]


def noting(wallet: Wallet, items: dict[tuple[str, str], Item]) -> dict[str, Cheat]:
    def of(node: str) -> Cheat:
        def note(message: Message, recipient: str) -> Message:
            if isinstance(message, Item):
                items[node, recipient] = message
            return message

        return note

    return {node: of(node) for node in wallet.structure.nodes}


def test_an_authorisation_a_lock_or_a_confirmation_of_another_session_is_of_no_use() -> None:
    """One change, two sessions: what was signed in the first is put before the parties of the second."""
    wallet = Wallet.formed(TOY_GROUP, 3, 1)
    change = wallet.change({"device": 2, "backup": 3})
    first = wallet.table(change, seed=1)
    assert not errors(first.play())
    wallet = replace(wallet, locks={name: type(lock)() for name, lock in wallet.locks.items()})
    second = wallet.table(change, seed=2, silent=frozenset({"backup"}))
    for session in second.sessions.values():
        session.start()
    for _, recipient, envelope in first.sent:
        assert not second.sessions[recipient].receive(encode(envelope))
    for name, session in second.sessions.items():
        assert set(session.dropped) == {"another session"}, name
        assert not session.done
    assert not any(lock.slots for lock in wallet.locks.values())


def test_the_committees_first_value_is_not_taken_for_a_fresh_one_after_a_refresh() -> None:
    """Its id is the wallet's and its point no longer the live one: a line through it is the first line."""
    made = form(TOY_GROUP, 3, 1, keys=3)
    wallet = Wallet.formed(TOY_GROUP, 3, 1, keys=3).refresh({"device": 2, "backup": 3})
    first = {name: made[name].keys[0] for name in nodes(3)}
    assert first["n1"].key_id == wallet.shares["n1"].key_id
    again = replace(wallet, pool=[first, *wallet.pool])
    played = again.table(again.change({"device": 2, "backup": 3})).play()
    for name in nodes(3):
        assert isinstance(played[name], Refused)
        assert played[name].code == "refresh-pool"
