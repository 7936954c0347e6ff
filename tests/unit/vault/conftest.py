"""A vault on each engine, opened as often as a test likes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from quorate.entropy import system_rng
from quorate.vault import KeyFileSeal, Vault

NOW = 1_800_000_000.0
KEY = "wallet-key"
SIGNERS = ("device", "n1", "n2")

OpenVault = Callable[[], Vault]


@pytest.fixture
def open_again(storage_url: str, tmp_path: Path) -> Iterator[OpenVault]:
    """Opens the one vault of this test, as a restarted process would."""
    seal = KeyFileSeal.create(tmp_path / "seal" / "vault.key", rng=system_rng)
    opened: list[Vault] = []

    def open_vault() -> Vault:
        vault = Vault.open(storage_url, tmp_path / "keys", seal, rng=system_rng)
        opened.append(vault)
        return vault

    yield open_vault
    for vault in opened:
        vault.close()


@pytest.fixture
def vault(open_again: OpenVault) -> Vault:
    """A vault with one active share, so that presignatures have an epoch to belong to."""
    opened = open_again()
    opened.shares.put(KEY, 1, b"the share of epoch one", owner="n1")
    opened.shares.activate(KEY, 1)
    return opened


def put_presignature(vault: Vault, name: bytes, value: bytes = b"phi u v", **changes: object) -> None:
    arguments: dict[str, object] = {
        "key": KEY,
        "epoch": 1,
        "signers": SIGNERS,
        "pairs": {"device": 0, "n2": 7},
        "expires": NOW + 3600,
        "now": NOW,
    }
    vault.presignatures.put(name, value, **(arguments | changes))  # type: ignore[arg-type]
