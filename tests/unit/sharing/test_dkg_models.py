"""The sums of a key generation against others' work: published vectors of ChillDKG, and a naive model.

ChillDKG shares by the same polynomials and commitments (PedPop) over the same curve; its rounds, encryption
and agreement are others, so only what Feldman's scheme fixes is compared.
"""

from __future__ import annotations

import hashlib
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from quorate.groups import SECP256K1, Point
from quorate.groups.toy import MODULUS, ORDER, TOY_GROUP
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import scalar
from quorate.sharing.avss import Dealt
from quorate.sharing.dkg import Generation
from quorate.sharing.polynomial import Commitment, interpolate_public, total
from quorate.sharing.reshare.keys import SharedKeys
from quorate.testing.generations import SIZES, check_play, play

CASES = json.loads((Path(__file__).parents[2] / "vectors" / "chilldkg.json").read_text())["cases"]


def point(text: str) -> Point:
    return SECP256K1.point_from_bytes(bytes.fromhex(text))


def tweaked(case: dict[str, Any]) -> Commitment:
    """The published sum, with BIP 341's tweak on its constant."""
    constant = point(case["sum"][0])
    tag = hashlib.sha256(b"TapTweak").digest()
    tweak = hashlib.sha256(tag + tag + constant.to_bytes()[1:]).digest()
    moved = constant + SECP256K1.generator.multiply(SECP256K1.scalar_from_bytes(tweak))
    return Commitment((moved, *map(point, case["sum"][1:])))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['threshold']}of{case['participants']}")
def test_constants_of_all_dealers_sum_to_the_published_commitment(case: dict[str, Any]) -> None:
    dealers = [Commitment((point(text),)) for text in case["constants"]]
    summed = (total(dealers).constant, *map(point, case["higher_sums"]))
    assert summed == tuple(map(point, case["sum"]))
    packed = bytes.fromhex("".join(case["constants"]))
    assert SECP256K1.sum(SECP256K1.read_points(packed, case["participants"])) == summed[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['threshold']}of{case['participants']}")
def test_published_shares_lie_on_the_published_commitment(case: dict[str, Any]) -> None:
    commitment = tweaked(case)
    shares = [point(text) for text in case["public_shares"]]
    assert commitment.constant == point(case["public_key"])
    assert commitment.degree == case["threshold"] - 1
    assert [commitment.at(x) for x in range(1, len(shares) + 1)] == shares
    commitment.check(1, SECP256K1.scalar_from_bytes(bytes.fromhex(case["share_of_first"])))
    names = tuple(f"p{i}" for i in range(len(shares)))
    columns = tuple((column,) for column in commitment.points)
    keys = SharedKeys(SECP256K1, names, (bytes(32),), columns)
    assert [keys.public_shares(name)[0] for name in names] == shares
    for chosen in combinations(range(len(shares)), case["threshold"]):
        found = interpolate_public(SECP256K1, {i + 1: shares[i] for i in chosen})
        assert found == commitment.constant


# --- a dealer who does all alone, in plain integers ---------------------------------------------------


def value_at(points: dict[int, int], at: int) -> int:
    """Lagrange's formula, written out."""
    total_ = 0
    for x, y in points.items():
        weight = 1
        for other in points:
            if other != x:
                weight = weight * (at - other) * pow(x - other, -1, ORDER) % ORDER
        total_ += y * weight
    return total_ % ORDER


def in_the_exponent(value: int) -> int:
    residue = pow(4, value, MODULUS)
    return min(residue, MODULUS - residue)


@pytest.mark.parametrize("quorums", SIZES[:4], ids=lambda quorums: f"n{quorums.nodes}")
def test_a_generation_is_what_one_naive_dealer_would_have_dealt(quorums: Any) -> None:
    for seed in range(6):
        seats: dict[str, Generation] = {}
        played = play(seed, quorums, count=2, seats=seats)
        check_play(played)
        honest = [name for name in played.result.honest if name in played.result.values]
        value = played.result.values[honest[0]]
        place = {name: number for number, name in enumerate(played.result.spec.parties, 1)}
        for index, key in enumerate(value.keys):
            dealt = [
                {place[name]: _share(seats[name], dealer, index) for name in honest[: quorums.degree + 1]}
                for dealer in value.dealers
            ]
            digests = [_completed(seats[honest[0]], dealer).digest for dealer in value.dealers]
            slope = scalar(Tag.DKG_SLOPE, TOY_GROUP, played.result.spec.id, b"", *digests).value
            secret = sum(value_at(points, 0) for points in dealt) % ORDER
            assert int.from_bytes(key.public_key.to_bytes(), "big") == in_the_exponent(secret)
            for name, x in place.items():
                share = (sum(value_at(points, x) for points in dealt) + slope * x) % ORDER
                assert int.from_bytes(key.public_share(name).to_bytes(), "big") == in_the_exponent(share)
                if name in honest:
                    assert played.result.values[name].shares.reveal()[index] == share


def _share(seat: Generation, dealer: str, index: int) -> int:
    return _completed(seat, dealer).shares.reveal()[index]


def _completed(seat: Generation, dealer: str) -> Dealt:
    completed = seat.sharings[dealer].completed
    assert completed is not None
    return completed
