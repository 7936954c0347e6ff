"""The vault of a node that is stopped, for the operator's commands; and the options these share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quorate.vault import Vault

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Config = Annotated[Path, typer.Option(help="The node's configuration (TOML).", exists=True, dir_okay=False)]


@contextmanager
def stopped(config: Path) -> Iterator[Vault]:
    """The vault of a node that does not run. Raises `Unavailable` if it does."""
    from quorate.node.config import load_config
    from quorate.node.identity import open_vault
    from quorate.node.lock import NodeLock

    with NodeLock.hold(config.resolve().parent):
        found = load_config(config)
        vault = open_vault(found.storage, found.keys, found.seal)
        try:
            yield vault
        finally:
            vault.close()
