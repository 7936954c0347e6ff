"""The benchmarks measure what they say: real sessions, counted rounds and bytes, figures by their names."""

import json

import pytest

from quorate.cli.bench.cases import all_cases, select
from quorate.cli.bench.harness import Room, Sample
from quorate.cli.bench.report import figures, observed, table
from quorate.cli.failures import run
from quorate.errors import LocalError
from quorate.session import Declaration, Message, Party, Rule

KEYS = [
    "case",
    "runs",
    "wall_ms",
    "compute_ms",
    "cpu_ms_per_party",
    "bytes_per_party",
    "rounds",
    "hops",
]


class Word(Message, frozen=True, tag="bench.test.word"):
    """Something to say."""

    text: str


class Reply(Message, frozen=True, tag="bench.test.reply"):
    """Something to answer, to the hub only."""

    text: str


TALK = Declaration("bench.test", 1, Rule(Word), Rule(Reply, unicast=True))


async def talk(party: Party) -> int:
    """Everybody speaks to all, then all but the hub speak to the hub."""
    party.broadcast(Word("word"))
    words = await party.gather(Word)
    if party.me != "device":
        party.send("device", Reply("reply"))
        return len(words)
    return len(words) + len(await party.gather(Reply))


def test_rounds_are_waves_and_hops_count_the_way_through_the_hub() -> None:
    room = Room(("device", "node1", "node2"), hub="device")
    results, sample = room.run(room.spec(TALK, room.names), TALK, dict.fromkeys(room.names, talk))
    assert results == {"device": 4, "node1": 2, "node2": 2}
    assert (sample.rounds, sample.hops, sample.parties) == (2, 3, 3)
    assert sample.bytes > 8 * 100
    assert 0 < sample.compute < sample.wall


def test_with_one_node_nothing_goes_from_node_to_node() -> None:
    room = Room(("device", "node1"), hub="device")
    _, sample = room.run(room.spec(TALK, room.names), TALK, dict.fromkeys(room.names, talk))
    assert (sample.rounds, sample.hops) == (2, 2)


def test_figures_are_medians_by_the_names_that_are_promised() -> None:
    samples = [Sample(wall, wall / 2, wall, 400, 3, 5, 2) for wall in (0.001, 0.002, 0.009)]
    row = figures("a/case", samples)
    assert (row.runs, row.wall_ms, row.compute_ms, row.cpu_ms_per_party) == (3, 2.0, 1.0, 1.0)
    assert (row.bytes_per_party, row.rounds, row.hops) == (200, 3, 5)
    assert observed("b", [0.1, 0.3, 0.2]).wall_ms == 200.0
    assert "a/case" in table([row, observed("b", [0.1])])


def test_every_promised_case_is_there() -> None:
    names = {case.name for case in all_cases()}
    for size in (2, 3, 4):
        for what in ("setup", "presign", "online", "sign"):
            assert f"ecdsa-secp256k1/{what}/{size}-parties" in names
    assert {"wallet/create", "sign/processes-cold"} <= names
    assert len(select("ecdsa-secp256k1/sign")) == 3
    with pytest.raises(LocalError, match="no benchmark fits"):
        select("nonsense")


def test_json_is_a_list_of_objects_with_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "ecdsa-secp256k1/[so]*/2-parties", "--runs", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["case"].split("/")[1] for row in rows] == ["setup", "sign", "online"]
    for row in rows:
        assert list(row) == KEYS
        assert row["runs"] == 1
        assert row["bytes_per_party"] > 0
    assert rows[1]["rounds"] == 3
