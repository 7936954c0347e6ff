"""`quorate node`: one node's process, and the making of its identity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quorate.cli.terminal import Terminal

if TYPE_CHECKING:
    from quorate.vault import Vault

node_app = typer.Typer(
    name="node", help="Run one node, or make a new one.", no_args_is_help=True, rich_markup_mode=None
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Config = Annotated[Path, typer.Option(help="The node's configuration (TOML).", exists=True, dir_okay=False)]


@node_app.command()
def run(config: Config) -> None:
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


@node_app.command("accept-restore")
def accept_restore(config: Config, as_json: Json = False) -> None:
    """Let a node whose database was restored serve again, after you have compared it with its peers."""
    with _stopped(config) as vault:
        restored = vault.rolled_back
        vault.acknowledge_rollback()
    said = "it serves again at its next start" if restored else "nothing had been restored"
    Terminal(as_json).result({"restored": restored}, said)


@node_app.command()
def reinstate(
    config: Config,
    peer: Annotated[str, typer.Argument(help="The peer, as the node's log names it.")],
    as_json: Json = False,
) -> None:
    """End the suspension of a pair after three failed checks in a day, once you know what happened."""
    with _stopped(config) as vault:
        reason = vault.instances.suspension(peer)
        vault.instances.reinstate(peer)
    said = f"{peer} may set up afresh" if reason else f"{peer} was not suspended"
    Terminal(as_json).result({"peer": peer, "was_suspended": reason is not None}, said)


@contextmanager
def _stopped(config: Path) -> Iterator[Vault]:
    """The vault of a node that does not run. Raises `Unavailable` if it does."""
    import os

    from quorate.cli.local_network import hold_node_lock
    from quorate.node.config import load_config
    from quorate.node.run import open_vault

    held = hold_node_lock(config.resolve().parent)
    try:
        vault = open_vault(load_config(config))
        try:
            yield vault
        finally:
            vault.close()
    finally:
        os.close(held)
