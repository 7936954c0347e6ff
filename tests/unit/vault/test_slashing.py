"""The rules of EIP-3076 and its file: the published cases, and each rule by itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from quorate.errors import LimitExceeded, Malformed, Refused
from quorate.vault import slashing
from quorate.vault.slashing import (
    MAX_NUMBER,
    Attestation,
    Block,
    Bounds,
    Duty,
    History,
    judge,
    read_interchange,
    write_interchange,
)

CASES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "slashing.json").read_text())[
    "cases"
]
NETWORK = bytes(32)
KEY = b"\xaa" * 48


def root(number: int | None) -> bytes:
    return b"" if number is None else number.to_bytes(32, "big")


def key(validator: int) -> bytes:
    return bytes([validator]) * 48


def written(entries: list[Any]) -> bytes:
    """A file, by hand: the reader must not be tested by the writer alone."""

    def signed(number: int | None) -> dict[str, str]:
        return {} if number is None else {"signing_root": "0x" + root(number).hex()}

    data = [
        {
            "pubkey": "0x" + key(validator).hex(),
            "signed_blocks": [{"slot": str(slot)} | signed(r) for slot, r in blocks],
            "signed_attestations": [
                {"source_epoch": str(source), "target_epoch": str(target)} | signed(r)
                for source, target, r in votes
            ],
        }
        for validator, blocks, votes in entries
    ]
    metadata = {"interchange_format_version": "5", "genesis_validators_root": "0x" + NETWORK.hex()}
    return json.dumps({"metadata": metadata, "data": data}).encode()


def tries(step: dict[str, Any]) -> list[tuple[int, Duty, bool]]:
    found: list[tuple[int, Duty, bool]] = []
    for validator, slot, *given, expected in step.get("blocks", []):
        found.append((validator, Block(slot, root(*given or [0])), expected))
    for validator, source, target, *given, expected in step.get("attestations", []):
        found.append((validator, Attestation(source, target, root(*given or [0])), expected))
    return found


def permitted(history: History, duty: Duty) -> bool:
    try:
        judge(history, duty)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("through_our_own_file", [False, True], ids=["as read", "exported and read"])
def test_the_published_cases_hold(name: str, through_our_own_file: bool) -> None:
    histories: dict[bytes, History] = {}
    for step in CASES[name]:
        for validator, said in read_interchange(written(step["file"]), NETWORK).items():
            histories[validator] = histories.get(validator, History()).merged(said)
        if through_our_own_file:
            again = read_interchange(write_interchange(histories, NETWORK), NETWORK)
            histories = {
                k: History(h.blocks, h.attestations, again[k].bounds.raised(h.bounds))
                for k, h in histories.items()
            }
        for validator, duty, expected in tries(step):
            history = histories[key(validator)]
            assert permitted(history, duty) is expected, (validator, duty)
            if expected:
                histories[key(validator)] = history.with_duty(duty)


def code(history: History, duty: Duty) -> str:
    with pytest.raises(Refused) as caught:
        judge(history, duty)
    return caught.value.code


def signed(*duties: Duty) -> History:
    history = History()
    for duty in duties:
        assert judge(history, duty)
        history = history.with_duty(duty)
    return history


R, S = b"r" * 32, b"s" * 32


def test_a_second_block_of_a_slot_is_refused_and_the_same_one_is_not_new() -> None:
    history = signed(Block(10, R))
    assert judge(history, Block(10, R)) is False
    assert code(history, Block(10, S)) == "slashable"
    assert judge(history, Block(11, S))


def test_a_block_before_the_first_known_one_is_refused() -> None:
    history = signed(Block(10, R), Block(20, R))
    assert code(history, Block(9, S)) == "below-bound"
    assert judge(history, Block(15, S))


def test_a_second_vote_for_a_target_is_refused_and_the_same_one_is_not_new() -> None:
    history = signed(Attestation(4, 5, R))
    assert judge(history, Attestation(4, 5, R)) is False
    assert code(history, Attestation(4, 5, S)) == "slashable"
    assert code(history, Attestation(3, 5, R)) == "slashable"


def test_a_vote_that_surrounds_or_is_surrounded_is_refused() -> None:
    history = signed(Attestation(2, 3, R), Attestation(5, 8, R))
    assert code(history, Attestation(4, 9, S)) == "slashable"
    assert code(history, Attestation(6, 7, S)) == "slashable"
    # sharing an end is no surrounding
    assert judge(history, Attestation(5, 9, S))
    assert judge(history, Attestation(5, 7, S))
    assert judge(history, Attestation(8, 9, S))


def test_a_vote_from_after_its_target_is_refused() -> None:
    assert code(History(), Attestation(6, 5, R)) == "slashable"
    assert judge(History(), Attestation(5, 5, R))


def test_votes_before_the_first_known_one_are_refused() -> None:
    history = signed(Attestation(4, 5, R))
    assert code(history, Attestation(3, 6, S)) == "slashable"  # which is also a surrounding
    assert code(history, Attestation(3, 4, S)) == "below-bound"
    assert code(History(bounds=Bounds(source=4)), Attestation(3, 6, S)) == "below-bound"
    assert code(History(bounds=Bounds(target=6)), Attestation(6, 6, S)) == "below-bound"


def test_what_is_known_without_its_root_is_never_the_same() -> None:
    history = History.of([Block(10, b"")], [Attestation(4, 5, b"")])
    assert code(history, Block(10, R)) == "slashable"
    assert code(history, Attestation(4, 5, R)) == "slashable"
    assert code(history, Block(10, b"")) == "slashable"
    assert code(history, Attestation(4, 5, b"")) == "slashable"


def test_bounds_only_rise() -> None:
    history = History.of([Block(10, R)], [Attestation(4, 5, R)])
    late = history.merged(History.of([Block(3, S)], [Attestation(1, 2, S)]))
    assert late.bounds == Bounds(10, 4, 5)
    assert late.merged(History(bounds=Bounds(8, 6, 1))).bounds == Bounds(10, 6, 5)


def test_what_is_pruned_is_bounded() -> None:
    history = signed(*(Block(n, R) for n in range(1, 9)), *(Attestation(n, n + 1, R) for n in range(8)))
    kept = history.pruned(3)
    assert {block.slot for block in kept.blocks} == {6, 7, 8}
    assert {vote.target for vote in kept.attestations} == {6, 7, 8}
    assert kept.bounds == Bounds(5, 4, 5)
    assert kept.pruned(3) == kept
    for duty in (Block(5, R), Attestation(4, 5, R), Attestation(3, 9, S)):
        with pytest.raises(Refused):
            judge(kept, duty)
    assert judge(kept, Block(8, R)) is False
    assert history.pruned() == history


def test_a_file_of_ours_says_what_we_know_bounds_included() -> None:
    history = signed(*(Block(n, R) for n in range(1, 9)), *(Attestation(n, n + 1, R) for n in range(8)))
    kept = history.pruned(3).merged(History.of([Block(30, b"")], []))
    data = write_interchange({KEY: kept, key(1): History()}, NETWORK)
    read = read_interchange(data, NETWORK)
    assert read[KEY].blocks == kept.blocks
    assert kept.attestations <= read[KEY].attestations
    assert Attestation(4, 5, b"") in read[KEY].attestations
    assert read[KEY].bounds.target == kept.bounds.target
    assert read[key(1)] == History()
    assert [entry["pubkey"] for entry in json.loads(data)["data"]] == ["0x" + "01" * 48, "0x" + "aa" * 48]


def changed(change: Any) -> bytes:
    document = json.loads(written([[0, [[7, 1]], [[1, 2, None]]]]))
    change(document)
    return json.dumps(document).encode()


MALFORMED = {
    "no JSON": lambda: b"{",
    "another version": lambda: changed(lambda d: d["metadata"].update(interchange_format_version="4")),
    "numbers without quotes": lambda: changed(lambda d: d["data"][0]["signed_blocks"][0].update(slot=7)),
    "a sign": lambda: changed(lambda d: d["data"][0]["signed_blocks"][0].update(slot="-7")),
    "leading zeros": lambda: changed(lambda d: d["data"][0]["signed_blocks"][0].update(slot="07")),
    "no slot": lambda: changed(lambda d: d["data"][0]["signed_blocks"][0].pop("slot")),
    "source alone": lambda: changed(lambda d: d["data"][0]["signed_attestations"][0].pop("target_epoch")),
    "a null": lambda: changed(lambda d: d["data"][0]["signed_attestations"][0].update(source_epoch=None)),
    "a short key": lambda: changed(lambda d: d["data"][0].update(pubkey="0x00")),
    "a short root": lambda: changed(lambda d: d["data"][0]["signed_blocks"][0].update(signing_root="0x00")),
    "too far": lambda: changed(lambda d: d["data"][0]["signed_blocks"][0].update(slot=str(MAX_NUMBER + 1))),
    "deep nesting": lambda: b"[" * 100_000,
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_file_that_is_none_is_refused_whole(name: str) -> None:
    with pytest.raises(Malformed):
        read_interchange(MALFORMED[name](), NETWORK)


def test_a_file_of_another_network_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        read_interchange(written([]), b"\x01" * 32)
    assert caught.value.code == "other-network"


def test_a_file_has_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written([])
    monkeypatch.setattr(slashing, "MAX_FILE_BYTES", len(data))
    assert read_interchange(data, NETWORK) == {}
    with pytest.raises(LimitExceeded):
        read_interchange(data + b" ", NETWORK)


def test_numbers_and_roots_have_their_range() -> None:
    Block(MAX_NUMBER, R)
    for wrong in (
        lambda: Block(MAX_NUMBER + 1, R),
        lambda: Block(-1, R),
        lambda: Block(1, b"r" * 31),
        lambda: Attestation(0, MAX_NUMBER + 1, R),
        lambda: Attestation(-1, 0, R),
        lambda: Bounds(slot=-2),
        lambda: Bounds(target=MAX_NUMBER + 1),
        lambda: Bounds(source=-1),
    ):
        with pytest.raises(Malformed):
            wrong()
