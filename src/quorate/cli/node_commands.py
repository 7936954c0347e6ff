"""`quorate node`: one node's process, and the making of its identity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quorate.cli.terminal import Terminal

node_app = typer.Typer(
    name="node", help="Run one node, or make a new one.", no_args_is_help=True, rich_markup_mode=None
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@node_app.command()
def run(
    config: Annotated[
        Path, typer.Option(help="The node's configuration (TOML).", exists=True, dir_okay=False)
    ],
) -> None:
    """Serve a node until SIGTERM or Ctrl-C."""
    import os

    from quorate.cli.local_network import hold_node_lock
    from quorate.node.run import run as serve

    # The lock is held by this process until it ends, however it ends.
    held = hold_node_lock(config.resolve().parent)
    try:
        serve(config)
    finally:
        os.close(held)


@node_app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where the node keeps everything; made if need be.")],
    as_json: Json = False,
) -> None:
    """Make a node's vault, seal and identity, and print the identity for the network's configuration."""
    from quorate.entropy import system_rng
    from quorate.node.identity import own_identity
    from quorate.vault import Vault
    from quorate.vault.files import make_private_directory
    from quorate.vault.seals import KeyFileSeal

    make_private_directory(directory)
    seal_file = directory / "seal.key"
    open_seal = KeyFileSeal.load if seal_file.exists() else KeyFileSeal.create
    seal = open_seal(seal_file, rng=system_rng)
    vault = Vault.open(f"sqlite:///{directory / 'vault.sqlite'}", directory / "keys", seal, rng=system_rng)
    try:
        identity = own_identity(vault, system_rng).public.to_bytes().hex()
    finally:
        vault.close()
    Terminal(as_json).result({"identity": identity, "directory": str(directory)}, identity)
