"""`quorate node`: one node's process, and the making of its identity."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quorate.cli.duty_commands import duties_app
from quorate.cli.node_vault import Config, Json, stopped
from quorate.cli.terminal import Terminal

node_app = typer.Typer(
    name="node", help="Run one node, or make a new one.", no_args_is_help=True, rich_markup_mode=None
)
node_app.add_typer(duties_app)


@node_app.command()
def run(config: Config) -> None:
    """Serve a node until SIGTERM or Ctrl-C."""
    from quorate.node.run import run as serve

    serve(config)


@node_app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where the node keeps everything; made if need be.")],
    storage: Annotated[
        str, typer.Option(help="The database, as the configuration will name it.")
    ] = "sqlite:///vault.sqlite",
    seal: Annotated[
        str, typer.Option(help="keyfile:PATH (made if need be), or passphrase:.")
    ] = "keyfile:seal.key",
    as_json: Json = False,
) -> None:
    """Make a node's vault, seal and identity, and print the identity for the network's configuration."""
    from quorate.entropy import system_rng
    from quorate.node.config import placed
    from quorate.node.identity import open_vault, own_identity
    from quorate.vault.files import make_private_directory

    make_private_directory(directory)
    base = directory.resolve()
    vault = open_vault(placed(storage, base), base / "keys", placed(seal, base), make_key_file=True)
    try:
        identity = own_identity(vault, system_rng).public.to_bytes().hex()
    finally:
        vault.close()
    Terminal(as_json).result({"identity": identity, "directory": str(directory)}, identity)


@node_app.command("accept-restore")
def accept_restore(config: Config, as_json: Json = False) -> None:
    """Let a node whose database was restored serve again, after you have compared it with its peers."""
    with stopped(config) as vault:
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
    with stopped(config) as vault:
        reason = vault.instances.suspension(peer)
        vault.instances.reinstate(peer)
    said = f"{peer} may set up afresh" if reason else f"{peer} was not suspended"
    Terminal(as_json).result({"peer": peer, "was_suspended": reason is not None}, said)
