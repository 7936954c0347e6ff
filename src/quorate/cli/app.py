"""The commands and their options. Only typer is imported here; each command imports what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quorate.cli.account_commands import add_accounts
from quorate.cli.change_commands import committee_app
from quorate.cli.duty_commands import duty_bounds
from quorate.cli.node_commands import node_app
from quorate.cli.sign_chains import add_chains
from quorate.cli.sign_commands import sign_app
from quorate.cli.wallet_commands import wallet_app

app = typer.Typer(
    help="Wallets whose key never exists in one place.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    # One width everywhere, so that docs/cli.md can quote what is printed.
    context_settings={"terminal_width": 100},
    epilog="State lives in QUORATE_HOME. Exit codes: 0 done, 2 usage, 3 this machine, 4 refused, "
    "5 too few nodes, 6 no result, 1 a mistake in Quorate.",
)
app.add_typer(node_app)
app.add_typer(committee_app)
app.add_typer(wallet_app)
app.add_typer(sign_app)
add_chains(sign_app)
add_accounts(wallet_app)
wallet_app.command("duty-bounds")(duty_bounds)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _version(wanted: bool) -> None:
    if wanted:
        from quorate import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Wallets whose key never exists in one place."""


@app.command()
def up(
    nodes: Annotated[int | None, typer.Option(help="How many nodes a new network has (5).")] = None,
    degree: Annotated[
        int | None, typer.Option(help="One more than this many nodes sign together (a majority).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the nodes on this machine; make them first if there are none."""
    from quorate.cli.network_commands import start

    start(nodes, degree, as_json)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the nodes. Nothing is lost: `up` brings them back."""
    from quorate.cli.network_commands import stop

    stop(as_json)


@app.command()
def network(as_json: Json = False) -> None:
    """Show the nodes, which of them run, and the known chains."""
    from quorate.cli.network_commands import show

    show(as_json)


@app.command()
def login(
    subject: Annotated[str, typer.Option("--as", help="Who to log in as.")] = "me", as_json: Json = False
) -> None:
    """Log this device in at the local network."""
    from quorate.cli.wallet_commands import log_in

    log_in(subject, as_json)


@app.command()
def demo(
    as_json: Json = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell what happens; then kill a node and sign again.")
    ] = False,
) -> None:
    """Make a wallet, sign a transfer, and see an EVM accept it; leaves nothing behind."""
    from quorate.cli.demo import run

    run(as_json=as_json, explain=explain)


@app.command()
def doctor(as_json: Json = False) -> int:
    """Check this installation and its network; exit code 3 if something is wrong."""
    from quorate.cli.doctor import run

    return run(as_json=as_json)


@app.command()
def bench(
    pattern: Annotated[str, typer.Argument(help="A case, the beginning of one, or a pattern with *.")] = "*",
    runs: Annotated[int | None, typer.Option(help="Runs of each case.", min=1, max=1000)] = None,
    listing: Annotated[bool, typer.Option("--list", help="Only name the cases.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Draw batches of keys into this PNG; needs quorate[plot].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure the protocols on this machine: medians, CPU and bytes of each party, rounds."""
    from quorate.cli.bench.command import run

    run(pattern, runs, listing=listing, as_json=as_json, picture=plot)
