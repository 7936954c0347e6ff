"""A share knows its whole public side and refuses to be inconsistent with it."""

from dataclasses import replace

import msgspec
import pytest

from quorate.entropy import SeededRng
from quorate.errors import Malformed
from quorate.groups import SECP256K1, Group, Scalar
from quorate.groups.toy import TOY_GROUP
from quorate.secret import Secret
from quorate.sharing.access import AccessStructure, NotAuthorised
from quorate.sharing.expression import Leaf, Member
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.polynomial import Polynomial

PERSONAL = "2 of (3 of (n1 n2 n3 n4 n5), device, backup)"


def deal(text: str, group: Group) -> dict[str, KeyShare]:
    """All shares of a random key: what no real process ever holds."""
    structure = AccessStructure.parse(text)
    rng = SeededRng(bytes(32))
    shares: dict[str, Scalar] = {}
    key = group.random_scalar(rng)
    _deal(structure.root, key, group, rng, shares)
    public = {name: group.generator.multiply(share) for name, share in shares.items()}
    return {
        name: KeyShare(
            bytes(32), 0, structure, group.generator.multiply(key), public, name, Secret(share), bytes(32)
        )
        for name, share in shares.items()
    }


def _deal(member: Member, value: Scalar, group: Group, rng: SeededRng, shares: dict[str, Scalar]) -> None:
    if isinstance(member, Leaf):
        shares[member.name] = value
        return
    polynomial = Polynomial.random(group, member.needed - 1, rng, constant=value)
    for child in member.members:
        _deal(child, polynomial.at(child.point).reveal(), group, rng, shares)


@pytest.mark.parametrize(
    "text", [PERSONAL, "2 of (1 of (n1), device)", "3 of (a b c)", "2 of (2 of (a b), c)"]
)
def test_a_share_survives_its_encoding_and_checks_out(text: str) -> None:
    for share in deal(text, SECP256K1).values():
        share.check()
        assert KeyShare.from_bytes(share.to_bytes()) == share
        assert "Secret(…)" in repr(share)


def test_additive_summands_are_the_key() -> None:
    shares = deal(PERSONAL, TOY_GROUP)
    for signers in shares["device"].structure.authorised_sets():
        total = sum((shares[name].additive(signers) for name in signers), TOY_GROUP.scalar(0))
        assert TOY_GROUP.generator.multiply(total) == shares["device"].public_key
    with pytest.raises(NotAuthorised):
        shares["device"].additive(frozenset({"device"}))


def test_one_false_public_share_is_found_whoever_it_belongs_to() -> None:
    shares = deal(PERSONAL, TOY_GROUP)
    mine = shares["device"]
    for name in mine.structure.leaves:
        if name == "device":
            continue
        wrong = {**mine.public_shares, name: mine.public_shares[name] + TOY_GROUP.generator}
        with pytest.raises(Malformed, match="does not belong to the public key"):
            replace(mine, public_shares=wrong).check()
    with pytest.raises(Malformed, match="does not belong to the public key"):
        replace(mine, public_key=TOY_GROUP.generator).check()


def test_an_inconsistent_share_is_never_built() -> None:
    shares = deal(PERSONAL, SECP256K1)
    mine = shares["device"]
    without = {name: p for name, p in mine.public_shares.items() if name != "backup"}
    for change, words in (
        ({"share": shares["backup"].share}, "does not fit"),
        ({"me": "mallory"}, "exactly the structure"),
        ({"public_shares": without}, "exactly the structure"),
        ({"key_id": b""}, "32 bytes"),
        ({"chain_code": b""}, "32 bytes"),
        ({"epoch": -1}, "negative"),
    ):
        with pytest.raises(Malformed, match=words):
            replace(mine, **change)  # type: ignore[arg-type]


def test_other_bytes_are_no_share() -> None:
    data = deal("2 of (1 of (n1), device)", SECP256K1)["device"].to_bytes()
    for wrong in (
        data[:-1],
        data + b"\x00",
        data.replace(b"2 of (1 of (n1), device)", b"2 of(1 of (n1), device )"),
        data.replace(b"2 of (1 of (n1), device)", b"1 of (1 of (n1), devicf)"),
    ):
        with pytest.raises(Malformed):
            KeyShare.from_bytes(wrong)


def test_a_stored_share_names_every_public_share() -> None:
    data = deal("2 of (1 of (n1), device)", SECP256K1)["device"].to_bytes()
    fields = msgspec.msgpack.decode(data)
    assert msgspec.msgpack.encode(fields) == data
    fields[5] = fields[5][:1]
    with pytest.raises(Malformed, match="exactly the structure"):
        KeyShare.from_bytes(msgspec.msgpack.encode(fields))
