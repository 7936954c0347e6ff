"""The benchmarks measure what they say: real sessions, counted rounds and bytes, figures by their names."""

import json
import sys
from functools import partial
from pathlib import Path

import pytest

from quorate.cli.bench import cases, schnorr
from quorate.cli.bench.cases import BARS, COMMITTEES, CROWD, FIVE, SEVEN, all_cases, select
from quorate.cli.bench.committee import Committee, CommitteeDesk
from quorate.cli.bench.harness import Room, Sample
from quorate.cli.bench.plot import plot
from quorate.cli.bench.report import BatchFigures, Figures, batch, figures, observed, percentile, table, waits
from quorate.cli.bench.seats import Load, Table, peak_memory
from quorate.cli.failures import run
from quorate.errors import LocalError, Unavailable
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
    assert {"ecdsa/p256-2", "ecdsa/stark-2"} <= names
    for what in ("ed25519-2", "ed25519-4", "bip340-2"):
        assert {f"schnorr/{what}", f"schnorr/{what}-online"} <= names
    assert "bls/2-of-3" in names
    assert {"wallet/create", "sign/processes-cold", "sign/processes-refill"} <= names
    assert {"sign/processes-ed25519", "pool/assign", "register/write", "register/read"} <= names
    for curve in ("secp256k1", "ed25519"):
        for committee in BARS:
            assert f"dkg/{curve}/{committee}/1000-keys" in names
        assert f"dkg/{curve}/renew-5-to-7/1000-keys" in names
    assert [committee.nodes for committee in COMMITTEES if committee is not CROWD] == [4, 5, 7, 9, 13]
    for committee in (FIVE, SEVEN):
        assert {f"dkg/secp256k1/{committee}/{keys}-keys" for keys in (1, 10, 100, 1000)} <= names
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


@pytest.mark.parametrize("curve", ["p256", "stark"])
def test_signatures_on_other_curves_are_measured_as_those_on_the_first(curve: str) -> None:
    (case,) = select(f"ecdsa/{curve}-2")
    made = case.measure(1)
    assert isinstance(made, Figures)
    assert (made.rounds, made.runs) == (3, 1)
    assert made.bytes_per_party is not None
    assert 45_000 < made.bytes_per_party < 52_000


def test_schnorr_signatures_are_measured_cold_and_with_nonces_made_before() -> None:
    by_name = {case.name: case for case in select("schnorr/ed25519")}
    for size in (2, 4):
        cold = by_name[f"schnorr/ed25519-{size}"].measure(1)
        online = by_name[f"schnorr/ed25519-{size}-online"].measure(1)
        assert (cold.runs, cold.rounds, online.rounds) == (1, 2, 1)
        assert 0 < online.bytes_per_party < cold.bytes_per_party
    with pytest.raises(LocalError, match="no Schnorr signature"):
        schnorr.Bench.of("ecdsa", 2)


def test_a_bls_signature_is_one_message() -> None:
    (case,) = select("bls/2-of-3")
    made = case.measure(1)
    assert (made.runs, made.rounds, made.hops) == (1, 1, 1)


def test_committees_that_are_measured_hold_the_protocols_bounds() -> None:
    for committee in COMMITTEES:
        assert committee.quorums.nodes == len(committee.names)
        assert list(committee.names) == sorted(committee.names)
    assert FIVE.quorums.require_revocation()
    assert SEVEN.quorums.require_revocation()


def row(
    case: str, nodes: int, keys: int, *, curve: str = "secp256k1", bar: float | None = None
) -> BatchFigures:
    load = Load({"a": 0.002 * keys, "b": 0.004 * keys}, 1000 * keys, 12, 3)
    return batch(case, [load], curve=curve, nodes=nodes, degree=2, keys=keys, bar=bar, peak=5 << 20)


def test_figures_of_a_batch_are_those_of_one_node_and_key() -> None:
    made = row("dkg/x", 5, 100, bar=2.0)
    assert (made.cpu_ms_per_key, made.busiest_ms_per_key, made.bar_ms) == (3.0, 4.0, 2.0)
    assert (made.bytes_per_key, made.messages, made.rounds, made.peak_mib) == (1000, 12, 3, 5)
    shown = table([observed("b", [0.1]), made, row("dkg/y", 7, 100)])
    assert shown.count("\n\n") == 1, "a table for each kind of figures"
    assert shown.splitlines()[-1].split()[8] == "-", "no bar where nothing is promised"


def test_waiting_times_are_ranked_not_averaged() -> None:
    seconds = [n / 1000 for n in range(200, 0, -1)]
    assert (percentile(seconds, 0.5), percentile(seconds, 0.99), percentile(seconds, 1)) == (0.1, 0.198, 0.2)
    assert percentile([0.3], 0.5) == percentile([0.3], 0.99) == 0.3
    made = waits("pool/x", seconds, bar="p50", bar_ms=50)
    assert (made.runs, made.p50_ms, made.p99_ms, made.longest_ms) == (200, 100.0, 198.0, 200.0)
    assert (made.bar, made.bar_ms) == ("p50", 50)
    assert table([made, observed("b", [0.1])]).splitlines()[-1].split() == [
        "pool/x", "200", "100.0", "198.0", "200.0", "p50", "50",
    ]  # fmt: skip


@pytest.mark.long
def test_keys_are_assigned_and_messages_signed_over_real_processes() -> None:
    bars = {"pool/assign": "p50", "register/write": "p50", "register/read": "p50"}
    for name, bar in {**bars, "sign/processes-refill": "p99"}.items():
        (case,) = select(name)
        made = case.measure(3)
        assert (made.case, made.runs, made.bar) == (name, 3, bar)
        assert 0 < made.p50_ms <= made.p99_ms <= made.longest_ms


def test_a_batch_is_generated_in_a_process_for_each_node() -> None:
    (case,) = [case for case in all_cases() if case.name == f"dkg/secp256k1/{FIVE}/10-keys"]
    made = case.measure(1)
    assert isinstance(made, BatchFigures)
    assert (made.nodes, made.degree, made.keys, made.bar_ms) == (5, 2, 10, None)
    assert made.rounds >= 6, "dealing, echo, ready, proposal, echo, ready"
    # every node deals to, echoes to and readies to four others, in five sharings
    assert made.messages > 5 * 4 * (2 + 5 + 5)
    # each dealer sends its matrix of six points to four others
    assert made.bytes_per_key > 5 * 4 * 6 * 33
    assert 0 < made.cpu_ms_per_key <= made.busiest_ms_per_key
    assert made.peak_mib > 10


def test_a_batch_is_renewed_to_a_larger_committee() -> None:
    made = cases._renew("dkg/renew", "ed25519", 3, 1)
    assert (made.nodes, made.degree, made.keys) == (7, 3, 3)
    assert made.cpu_ms_per_key > 0


class Faulty:
    """A desk at which nothing goes well."""

    def __init__(self, name: str) -> None:
        self.name = name

    def receive(self, data: bytes) -> list[bytes]:
        raise ValueError(f"{self.name} read {data!r}")

    def leave(self) -> None:
        sys.exit(3)

    def finish(self) -> tuple[bytes, int, int]:
        return self.name.encode(), 1, peak_memory()


def test_what_fails_in_a_node_s_process_fails_here() -> None:
    with Table.laid(("a", "b"), Faulty) as seats:
        with pytest.raises(LocalError, match="ValueError: b read b'x'"):
            seats.seats["b"].call("receive", b"x")
        assert set(seats.call("finish")) == {"a", "b"}
        with pytest.raises(LocalError, match="disagree"):
            cases._agreed(seats, 1)
        with pytest.raises(LocalError, match="has died"):
            seats.seats["a"].call("leave")
    assert not any(seat.process.is_alive() for seat in seats.seats.values())


def test_a_desk_that_has_not_begun_says_so() -> None:
    desk = CommitteeDesk("node01")
    for call in (desk.renew, desk.finish, partial(desk.receive, b"")):
        with pytest.raises(ValueError, match="no"):
            call()
    assert desk.generate("secp256k1", Committee(4, 1, 0, 1), 1, 0)
    with pytest.raises(LocalError, match="not concluded"):
        desk.finish()


def test_batches_are_drawn_into_a_picture(tmp_path: Path) -> None:
    rows = [row("dkg/a", n, keys) for n in (4, 5, 7) for keys in (10, 100)]
    rows.append(row("dkg/renew-5-to-7", 7, 100, curve="ed25519"))
    picture = tmp_path / "figures.png"
    plot([observed("b", [0.1]), *rows], picture)
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(LocalError, match="only batches"):
        plot([observed("b", [0.1])], picture)
    with pytest.raises(LocalError, match="could not be written"):
        plot(rows, tmp_path / "nowhere" / "figures.png")


def test_who_has_nothing_to_draw_with_is_told_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr(cases.Case, "measure", lambda *_: pytest.fail("measured"), raising=False)
    with pytest.raises(Unavailable, match=r"quorate\[plot\]"):
        plot([row("dkg/a", 5, 10)], tmp_path / "x.png")
    assert run(["bench", "dkg/secp256k1/n5", "--plot", str(tmp_path / "x.png")]) == 3
    assert "quorate[plot]" in capsys.readouterr().err


def test_the_command_draws_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cases, "_generate", lambda case, *_: row(case, 5, 10))
    picture = tmp_path / "x.png"
    assert run(["bench", f"dkg/secp256k1/{FIVE}/10-keys", "--json", "--plot", str(picture)]) == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["case"] == f"dkg/secp256k1/{FIVE}/10-keys"
    assert picture.exists()
