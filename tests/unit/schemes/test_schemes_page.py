"""docs/schemes.md: its table names the schemes there are, on the curves they sign on."""

import re
from pathlib import Path

import pytest

from quorate.schemes.registry import scheme_named, scheme_names

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "schemes.md").read_text()
SECTION = PAGE.split("## The members")[1].split("## Adding one")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if line.startswith("| ")
][1:]
CURVES = {
    "secp256k1": "secp256k1",
    "P-256": "p256",
    "STARK": "stark",
    "Ed25519": "ed25519",
    "ristretto255": "ristretto255",
    "BLS12-381": "bls12381g",
}


def test_every_scheme_of_ours_is_in_the_table_and_nothing_else_is_said_to_be_here() -> None:
    named = {name for row in ROWS for name in re.findall(r"`([a-z0-9-]+)`", row[5])}
    assert named == set(scheme_names())


@pytest.mark.parametrize("row", [row for row in ROWS if "`" in row[5]], ids=lambda row: row[5])
def test_a_row_names_the_curves_its_schemes_sign_on(row: list[str]) -> None:
    written = [CURVES[curve.strip()] for curve in row[2].split(",")]
    for name in re.findall(r"`([a-z0-9-]+)`", row[5]):
        curves = scheme_named(name).curves
        assert any(curve.startswith(tuple(written)) for curve in curves), name
