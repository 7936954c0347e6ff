"""Forming a key between a committee and a device, honestly, for every size."""

from dataclasses import replace

import msgspec
import pytest
from tests.unit.sharing.table import Table, errors
from tests.unit.sharing.wallets import ACCOUNT, form, formation_table, grants, nodes, without_keys

from quorate.encoding import decode, encode
from quorate.entropy import SeededRng
from quorate.errors import Malformed, Missing, ProofRejected
from quorate.groups import SECP256K1, Group
from quorate.groups.toy import TOY_GROUP
from quorate.primitives.proofs import SchnorrProof
from quorate.primitives.tags import Tag
from quorate.secret import Secret
from quorate.session import Party
from quorate.sharing import formation
from quorate.sharing.access import AccessStructure
from quorate.sharing.formation import DeviceSecret, Form, FormationRequest
from quorate.sharing.generation import CommitteeKey
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import Commitment, interpolate
from quorate.sharing.statements import to_sign
from quorate.testing.pools import deal_keys


@pytest.mark.parametrize(
    ("group", "count", "degree"),
    [
        (TOY_GROUP, 1, 0),
        (TOY_GROUP, 2, 1),
        (TOY_GROUP, 3, 2),
        (TOY_GROUP, 5, 2),
        (TOY_GROUP, 11, 3),
        (SECP256K1, 3, 1),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_committee_and_the_device_hold_the_key_together(group: Group, count: int, degree: int) -> None:
    formed = form(group, count, degree)
    assert set(formed) == {"device", *nodes(count)}
    device = formed["device"].share
    assert {to_sign(f.statement) for f in formed.values()} == {to_sign(formed["n1"].statement)}
    assert len({f.share.chain_code for f in formed.values()}) == 1
    for name, outcome in formed.items():
        share = outcome.share
        assert share.me == name
        assert share.public_key == device.public_key
        assert share.key_id == device.key_id
        assert share.epoch == 0
        share.check()
    # the vectors' signs: x = 2s - u
    committee = {i: formed[f"n{i}"].share.share.reveal() for i in range(1, degree + 2)}
    s, u = interpolate(group, committee), device.share.reveal()
    assert group.generator.multiply(s + s - u) == device.public_key
    for signers in device.structure.authorised_sets():
        total = sum((formed[name].share.additive(signers) for name in signers), group.scalar(0))
        assert group.generator.multiply(total) == device.public_key


def test_the_device_learns_only_the_public_side_of_the_committees_keys() -> None:
    table, _ = formation_table(TOY_GROUP, 5, 2)
    played = table.play()
    assert not errors(played)
    device = played["device"]
    assert device.keys == ()
    assert [key.key_id for key in device.spare] == [played["n1"].keys[1].key_id]
    assert [key.key_id for key in played["n3"].keys] == [device.committee.key_id, device.spare[0].key_id]


def test_pooled_keys_form_a_wallet_without_a_node_that_is_away() -> None:
    dealt = deal_keys(TOY_GROUP, nodes(5), 2, 2, SeededRng(bytes(32)))
    pool = {name: tuple(parts) for name, parts in dealt.items()}
    formed = form(TOY_GROUP, 5, 2, pool=pool, present=nodes(4))
    assert formed["device"].committee.key_id == pool["n5"][0].key_id
    assert set(formed["device"].share.public_shares) == {"device", *nodes(5)}
    # three nodes are fewer than agree for everybody
    table, _ = formation_table(TOY_GROUP, 5, 2, pool=pool, present=nodes(3))
    assert {type(e) for e in errors(table.play()).values()} == {Malformed}


@pytest.mark.parametrize("wrong", ["of others", "too few", "none"])
def test_keys_of_other_nodes_or_another_number_are_refused(wrong: str) -> None:
    others = deal_keys(TOY_GROUP, nodes(5), 2, 2, SeededRng(bytes(32)))
    own = deal_keys(TOY_GROUP, nodes(2), 1, 2, SeededRng(bytes(32)))
    pool = {name: tuple(own[name]) for name in nodes(2)}
    pool["n1"] = {"of others": tuple(others["n1"]), "too few": pool["n1"][:1], "none": ()}[wrong]
    pool = {"n2": pool["n2"], "n1": pool["n1"]}  # the number granted is that of the first
    played = formation_table(TOY_GROUP, 2, 1, pool=pool)[0].play()
    assert isinstance(played["n1"], Malformed)
    assert isinstance(played["device"], Missing)


def test_the_device_is_bound_before_the_committees_key_exists() -> None:
    """The payload, which every message's session id commits to, holds the commitment and not U."""
    table, secret = formation_table(SECP256K1, 1, 0)
    share = secret.point(SECP256K1)
    assert share.to_bytes() not in table.spec.payload
    request = decode(FormationRequest, table.spec.payload)
    formation.check_device(request, SECP256K1, share, secret.salt)
    with pytest.raises(ProofRejected):
        formation.check_device(request, SECP256K1, -share, secret.salt)


@pytest.mark.parametrize(
    "text",
    [
        "2 of (2 of (n1 n2), device, backup)",
        "1 of (2 of (n1 n2), device)",
        "2 of (2 of (n1 n2), device@3)",
        "2 of (device, n1)",
        "2 of (2 of (n1, 1 of (n2)), device)",
        "2 of (2 of (n1, n2), device)",
        "2 of (2 of (n1 n2), stranger)",
    ],
)
def test_another_structure_is_not_formed(text: str) -> None:
    secret = DeviceSecret.draw(TOY_GROUP, SeededRng(bytes(32)))
    empty = FormationRequest("test", ACCOUNT, 0, text, bytes(32), grants(1))

    async def run(party: Party) -> formation.Formed:
        return await without_keys(party)

    async def device(party: Party) -> formation.Formed:
        return await formation.form_as_device(party, secret)

    seats = {"n1": run, "n2": run, "device": device}
    played = Table(formation.DECLARATION, seats, TOY_GROUP, payload=encode(empty)).play()
    assert {type(error) for error in errors(played).values()} == {Malformed}


def test_a_device_with_another_secret_than_the_payloads_stops_itself() -> None:
    other = DeviceSecret.draw(TOY_GROUP, SeededRng(b"other"))

    def seat(secret: DeviceSecret) -> object:
        async def run(party: Party) -> formation.Formed:
            return await formation.form_as_device(party, replace(secret, share=other.share))

        return run

    played = formation_table(TOY_GROUP, 2, 1, device=seat)[0].play()  # type: ignore[arg-type]
    assert isinstance(played["device"], ProofRejected)

    async def as_node_name(party: Party) -> formation.Formed:
        return await formation.form_as_device(party, other)

    table, _ = formation_table(TOY_GROUP, 2, 1, device=lambda secret: as_node_name)
    assert isinstance(table.play()["device"], ProofRejected)


def test_a_key_that_would_be_zero_is_refused() -> None:
    """U = 2 P1 needs a committee and a device in collusion, and would be a key everybody knows."""
    group = TOY_GROUP
    s = group.scalar(5)
    committee = CommitteeKey(bytes(32), ("n1",), Commitment((group.generator.multiply(s),)))
    secret = replace(DeviceSecret.draw(group, SeededRng(bytes(32))), share=Secret(s + s))
    structure = AccessStructure.with_committee(["n1"], 0, {"device": 2})
    request = secret.request(
        group, network="test", account=ACCOUNT, index=0, structure=structure, grants=grants(1)
    )
    share = secret.point(group)
    bound = formation.proof_context(bytes(32), request, committee, share)
    proof = SchnorrProof.prove(Tag.FORMATION_PROOF, bound, s + s, share, SeededRng(bytes(32)))
    with pytest.raises(ProofRejected, match="no key"):
        formation.check_form(bytes(32), request, committee, Form(share, secret.salt, proof))


def test_two_formations_are_two_keys_and_bound_to_their_place() -> None:
    first, second = (form(TOY_GROUP, 1, 0, seed=seed)["device"] for seed in (1, 2))
    assert first.share.key_id != second.share.key_id
    assert first.share.chain_code != second.share.chain_code
    secret = DeviceSecret.draw(TOY_GROUP, SeededRng(bytes(32)))
    structure = AccessStructure.with_committee(["n1"], 0, {"device": 2})
    here = secret.request(
        TOY_GROUP, network="a", account=ACCOUNT, index=0, structure=structure, grants=grants(1)
    )
    for change in ({"network": "b"}, {"account": bytes(32)}, {"index": 1}):
        elsewhere = msgspec.structs.replace(here, **change)
        with pytest.raises(ProofRejected):
            formation.check_device(elsewhere, TOY_GROUP, secret.point(TOY_GROUP), secret.salt)
    formation.check_device(here, TOY_GROUP, secret.point(TOY_GROUP), secret.salt)


def test_a_formed_share_survives_the_vault() -> None:
    for formed in form(SECP256K1, 2, 1).values():
        assert KeyShare.from_bytes(formed.share.to_bytes()) == formed.share


def test_a_seat_of_another_kind_or_a_stranger_at_the_table_is_refused() -> None:
    secret = DeviceSecret.draw(TOY_GROUP, SeededRng(bytes(32)))
    structure = AccessStructure.with_committee(["n1", "n2"], 1, {"device": 2})
    request = secret.request(
        TOY_GROUP, network="test", account=ACCOUNT, index=0, structure=structure, grants=grants(1)
    )

    async def device(party: Party) -> formation.Formed:
        return await formation.form_as_device(party, secret)

    seats = {"n1": device, "n2": without_keys, "device": device}
    played = Table(formation.DECLARATION, seats, TOY_GROUP, payload=encode(request)).play()
    assert isinstance(played["n1"], Malformed)
    assert "device is device, not n1" in str(played["n1"])
    for extra in ({"stranger": without_keys}, {"device": None}):
        seats = {"n1": without_keys, "n2": without_keys, "device": device} | extra
        present = {name: run for name, run in seats.items() if run is not None}
        played = Table(formation.DECLARATION, present, TOY_GROUP, payload=encode(request)).play()
        assert {type(error) for error in errors(played).values()} == {Malformed}
        assert len(errors(played)) == len(present)


def test_a_structure_without_a_committee_has_no_degree() -> None:
    with pytest.raises(Malformed, match="no committee"):
        formation.structure_degree(AccessStructure.parse("2 of (a, b)"))
