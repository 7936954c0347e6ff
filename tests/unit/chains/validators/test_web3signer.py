"""Requests as validator software sends them to a remote signer become payloads, and nothing else does."""

import copy
from typing import Any

import pytest
from tests.support.bls import table

from quorate.chains import Decoded
from quorate.chains.validators import Beacon, network_id
from quorate.chains.validators.messages import (
    Aggregate,
    AggregationSlot,
    AttestationMessage,
    BlockHeader,
    Deposit,
    RandaoReveal,
    SyncContribution,
    SyncMessage,
    SyncSelection,
    VoluntaryExit,
)
from quorate.chains.validators.requests import from_web3signer
from quorate.errors import Malformed
from quorate.schemes.bls.suites import POSSESSION

MAINNET = "4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95"
CHAIN = network_id(bytes.fromhex(MAINNET))
KEY = table(POSSESSION).public_key.to_bytes()
ACCOUNT = "0x" + KEY.hex()
FORK_INFO = {
    "fork": {"previous_version": "0x04000000", "current_version": "0x05000000", "epoch": "364032"},
    "genesis_validators_root": "0x" + MAINNET,
}
ROOT = "0x" + "11" * 32
DATA = {
    "slot": "11649100",
    "index": "0",
    "beacon_block_root": ROOT,
    "source": {"epoch": "364033", "root": "0x" + "22" * 32},
    "target": {"epoch": "364034", "root": "0x" + "33" * 32},
}
AGGREGATE = {
    "aggregator_index": "7",
    "aggregate": {"aggregation_bits": "0x0101", "data": DATA, "signature": "0x" + "44" * 96},
    "selection_proof": "0x" + "55" * 96,
}
ELECTRA = copy.deepcopy(AGGREGATE)
ELECTRA["aggregate"]["committee_bits"] = "0x0100000000000000"  # type: ignore[index]

# the shapes of Web3Signer's OpenAPI document, /api/v1/eth2/sign/{identifier}
REQUESTS: dict[str, tuple[type, dict[str, Any]]] = {
    "ATTESTATION": (AttestationMessage, {"attestation": DATA}),
    "BLOCK_V2": (
        BlockHeader,
        {
            "beacon_block": {
                "version": "ELECTRA",
                "block_header": {
                    "slot": "11649100",
                    "proposer_index": "5",
                    "parent_root": ROOT,
                    "state_root": ROOT,
                    "body_root": ROOT,
                },
            }
        },
    ),
    "RANDAO_REVEAL": (RandaoReveal, {"randao_reveal": {"epoch": "364034"}}),
    "AGGREGATION_SLOT": (AggregationSlot, {"aggregation_slot": {"slot": "11649100"}}),
    "AGGREGATE_AND_PROOF": (Aggregate, {"aggregate_and_proof": AGGREGATE}),
    "AGGREGATE_AND_PROOF_V2": (
        Aggregate,
        {"aggregate_and_proof": {"version": "ELECTRA", "data": ELECTRA}},
    ),
    "SYNC_COMMITTEE_MESSAGE": (
        SyncMessage,
        {"sync_committee_message": {"beacon_block_root": ROOT, "slot": "11649100"}},
    ),
    "SYNC_COMMITTEE_SELECTION_PROOF": (
        SyncSelection,
        {"sync_aggregator_selection_data": {"slot": "11649100", "subcommittee_index": "3"}},
    ),
    "SYNC_COMMITTEE_CONTRIBUTION_AND_PROOF": (
        SyncContribution,
        {
            "contribution_and_proof": {
                "aggregator_index": "5",
                "contribution": {
                    "slot": "11649100",
                    "beacon_block_root": ROOT,
                    "subcommittee_index": "3",
                    "aggregation_bits": "0x" + "0f" * 16,
                    "signature": "0x" + "44" * 96,
                },
                "selection_proof": "0x" + "55" * 96,
            }
        },
    ),
    "VOLUNTARY_EXIT": (VoluntaryExit, {"voluntary_exit": {"epoch": "364034", "validator_index": "100"}}),
}
DEPOSIT = {
    "type": "DEPOSIT",
    "deposit": {
        "pubkey": ACCOUNT,
        "withdrawal_credentials": "0x01" + "00" * 11 + "99" * 20,
        "amount": "32000000000",
        "genesis_fork_version": "0x00000000",
    },
}


def request(kind: str, **changes: Any) -> dict[str, Any]:
    return {"type": kind, "fork_info": FORK_INFO, **copy.deepcopy(REQUESTS[kind][1]), **changes}


def decoded(document: dict[str, Any], chain: str = "") -> Decoded:
    return Beacon().decode(from_web3signer(document, ACCOUNT, chain), KEY)


@pytest.mark.parametrize("kind", REQUESTS)
def test_every_type_of_request_becomes_the_message_it_says(kind: str) -> None:
    found = decoded(request(kind, signingRoot="0x" + "00" * 32))  # which nobody believes
    assert type(found.content) is REQUESTS[kind][0]
    assert found.chain.caip2 == CHAIN
    expected = "03000000" if kind == "VOLUNTARY_EXIT" else "05000000"
    assert found.content.fork.version.hex() == expected
    assert decoded(request(kind), CHAIN).digests == found.digests


def test_values_arrive_where_they_belong() -> None:
    fields = decoded(request("ATTESTATION")).fields
    assert (fields["slot"], fields["source_epoch"], fields["target_epoch"]) == (11649100, 364033, 364034)
    assert decoded(request("AGGREGATE_AND_PROOF_V2")).fields["electra"] is True
    assert decoded(request("AGGREGATE_AND_PROOF")).fields["electra"] is False
    exit_fields = decoded(request("VOLUNTARY_EXIT")).fields
    assert (exit_fields["validator_index"], exit_fields["epoch"]) == (100, 364034)


def test_the_version_is_that_of_the_message_s_own_epoch() -> None:
    before = request("RANDAO_REVEAL", randao_reveal={"epoch": "364031"})
    assert decoded(before).content.fork.version.hex() == "04000000"
    slot = request("AGGREGATION_SLOT", aggregation_slot={"slot": str(364032 * 32 - 1)})
    assert decoded(slot).content.fork.version.hex() == "04000000"
    slot = request("AGGREGATION_SLOT", aggregation_slot={"slot": str(364032 * 32)})
    assert decoded(slot).content.fork.version.hex() == "05000000"


def test_an_exit_of_an_unknown_network_needs_its_version_said() -> None:
    info = {**FORK_INFO, "genesis_validators_root": "0x" + "55" * 32}
    with pytest.raises(Malformed, match="Capella"):
        from_web3signer(request("VOLUNTARY_EXIT", fork_info=info), ACCOUNT)
    from_web3signer(request("VOLUNTARY_EXIT", fork_info=info, fork_version="0x40000038"), ACCOUNT)


def test_a_deposit_says_for_which_chain_it_is() -> None:
    assert type(decoded(DEPOSIT, CHAIN).content) is Deposit
    with pytest.raises(Malformed, match="names no network"):
        from_web3signer(DEPOSIT, ACCOUNT)


def test_a_request_for_another_chain_than_the_one_meant_is_refused() -> None:
    with pytest.raises(Malformed, match="not for beacon:21"):
        from_web3signer(request("RANDAO_REVEAL"), ACCOUNT, "beacon:" + "21" * 16)


@pytest.mark.parametrize("kind", [None, 7, "", "BLOCK", "VALIDATOR_REGISTRATION", ["ATTESTATION"]])
def test_an_unknown_type_is_refused(kind: Any) -> None:
    with pytest.raises(Malformed, match="type: not one of"):
        from_web3signer({"type": kind, "fork_info": FORK_INFO}, ACCOUNT)


UNREAD = {"type", "version", "previous_version"}
"""What is looked at elsewhere, or not in these requests."""


def paths(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        found += [inner for name in value for inner in paths(value[name], (*path, name))]
    return found


@pytest.mark.parametrize("kind", [*REQUESTS, "DEPOSIT"])
def test_a_missing_or_odd_value_anywhere_is_refused_with_its_place(kind: str) -> None:
    document = DEPOSIT if kind == "DEPOSIT" else request(kind)
    for path in paths(document):
        if path[-1] in UNREAD or (kind == "VOLUNTARY_EXIT" and path[:2] == ("fork_info", "fork")):
            continue  # an exit's version does not follow the schedule
        for wrong in (None, [], 7, "0x0", "x", "-1"):
            changed = copy.deepcopy(document)
            place: Any = changed
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = wrong
            if path[-1] == "committee_bits" and wrong is None:
                continue  # an attestation before Electra
            with pytest.raises(Malformed) as caught:
                from_web3signer(changed, ACCOUNT, CHAIN)
            assert path[-1] in str(caught.value) or path == ("aggregate_and_proof", "data")


def test_a_whole_block_instead_of_its_header_is_refused() -> None:
    with pytest.raises(Malformed, match="send the header"):
        from_web3signer(request("BLOCK_V2", beacon_block={"version": "PHASE0", "block": {}}), ACCOUNT)
