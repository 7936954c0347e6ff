"""`quorate login` and `quorate wallet`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quorate.cli.terminal import Terminal

if TYPE_CHECKING:
    from quorate.device.wallet import Facts

wallet_app = typer.Typer(
    name="wallet", help="Make wallets and look at them.", no_args_is_help=True, rich_markup_mode=None
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@wallet_app.command()
def create(
    preset: Annotated[
        str,
        typer.Option(
            help="personal (any two of nodes, device, backup), server (nodes and device), or an expression."
        ),
    ] = "personal",
    backup_file: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Where the backup goes; NAME=FILE where there are several."),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="Holds the backup's password; asked for otherwise.", dir_okay=False)
    ] = None,
    label: Annotated[str, typer.Option(help="What you call the wallet.")] = "",
    keys: Annotated[
        str, typer.Option(help="Curves of its keys: secp256k1, ed25519, ..., with commas between them.")
    ] = "secp256k1",
    as_json: Json = False,
) -> None:
    """Make a wallet."""
    terminal = Terminal(as_json)
    places = _places(preset, backup_file or [])
    password = _password(password_file) if places else ""
    asyncio.run(_create(terminal, preset, places, password, label, curves(keys)))


@wallet_app.command("add-key")
def add_key(
    keys: Annotated[str, typer.Argument(help="Curves of the keys: ed25519, p256, stark, ...")],
    wallet: Annotated[
        str | None, typer.Option("--wallet", help="Address or label; needed if there are several.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="Holds the backup's password; asked for otherwise.", dir_okay=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Give a wallet keys on further curves, held by the same factors."""
    asyncio.run(_add_key(Terminal(as_json), wallet, curves(keys), password_file))


@wallet_app.command("list")
def list_(as_json: Json = False) -> None:
    """All wallets of this device."""
    asyncio.run(_list(Terminal(as_json)))


@wallet_app.command()
def show(
    wallet: Annotated[
        str | None, typer.Argument(help="Address or label; needed if there are several.")
    ] = None,
    as_json: Json = False,
) -> None:
    """One wallet: its address, and which losses it survives."""
    asyncio.run(_show(Terminal(as_json), wallet))


def log_in(subject: str, as_json: bool) -> None:
    """`quorate login`."""
    asyncio.run(_log_in(Terminal(as_json), subject))


async def _create(
    terminal: Terminal,
    preset: str,
    places: dict[str, Path],
    password: str,
    label: str,
    keys: tuple[str, ...],
) -> None:
    from quorate.clock import monotonic
    from quorate.device import Backup, Device

    backups = {name: Backup.to(path, password) for name, path in places.items()}
    begun = monotonic()
    with terminal.progress("opening the device") as report:
        async with Device.open() as device:
            if not device.logged_in:
                await device.log_in()
            wallet = await device.create_wallet(preset, backups, label=label, keys=keys, report=report)
            facts = wallet.show()
    seconds = round(monotonic() - begun, 2)
    lines = [facts.address, *_keys(facts), facts.survives]
    lines += [
        f"backup: {path} (keep it apart from this device, and the password apart from it)"
        for path in facts.backups
    ]
    terminal.result(facts.as_dict() | {"seconds": seconds}, *lines)


async def _add_key(
    terminal: Terminal, which: str | None, keys: tuple[str, ...], password_file: Path | None
) -> None:
    from quorate.device import Device

    async with Device.open() as device:
        if not device.logged_in:
            await device.log_in()
        wallet = await device.wallet(which)
        password = _password(password_file, confirm=False) if wallet.show().backups else ""
        with terminal.progress("forming the key") as report:
            facts = (await device.add_key(wallet, *keys, password=password, report=report)).show()
    terminal.result(facts.as_dict(), facts.address, *_keys(facts))


async def _list(terminal: Terminal) -> None:
    from quorate.device import Device

    with terminal.progress("reading the wallets"):
        async with Device.open() as device:
            wallets = [wallet.show() for wallet in await device.wallets()]
            unfinished = await device.unfinished()
    lines = [f"{facts.address}  {facts.preset}  {facts.label}".rstrip() for facts in wallets]
    if unfinished:
        lines.append(f"{unfinished} more wait for their nodes; start them: quorate up")
    if not lines:
        lines.append("no wallet yet; make one: quorate wallet create")
    terminal.result({"wallets": [facts.as_dict() for facts in wallets], "unfinished": unfinished}, *lines)


async def _show(terminal: Terminal, which: str | None) -> None:
    from quorate.device import Device

    with terminal.progress("reading the wallet"):
        async with Device.open() as device:
            facts = (await device.wallet(which)).show()
    lines = [facts.address]
    if facts.label:
        lines.append(f"label:   {facts.label}")
    lines += _keys(facts)
    lines += [facts.survives, f"who signs: {facts.structure}"]
    lines += [f"backup:  {path}" for path in facts.backups]
    terminal.result(facts.as_dict(), *lines)


async def _log_in(terminal: Terminal, subject: str) -> None:
    from quorate.device import Device, Home, LocalIssuer, Network

    home = Home.default()
    network = Network.read(home.network_file)
    issuer = LocalIssuer(network.name, home.login_key, subject)
    async with Device.open() as device:
        found = await device.log_in(issuer)
    data = {
        "subject": found.subject,
        "network": network.name,
        "account": found.account.hex(),
        "expires": found.expires,
    }
    terminal.result(data, f"logged in at {network.name} as {found.subject}")


def _keys(facts: Facts) -> list[str]:
    """A line for each key where there are several, or another than most wallets have."""
    if [key["curve"] for key in facts.keys] == ["secp256k1"]:
        return []
    return [f"key:     {key['curve']} {key['public_key']}" for key in facts.keys]


def curves(text: str) -> tuple[str, ...]:
    """Names of curves, with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _places(preset: str, files: list[str]) -> dict[str, Path]:
    """Backup files by factor; ``backup`` where no name is given."""
    from quorate.session import is_party_id

    found: dict[str, Path] = {}
    for text in files:
        name, equals, path = text.partition("=")
        if equals and is_party_id(name):
            found[name] = Path(path)
        else:
            found["backup"] = Path(text)
    if preset == "personal" and not found:
        from quorate.errors import LocalError

        raise LocalError(
            "a personal wallet has a backup: say where, with --backup-file FILE (best on another disk), "
            "or make one without: --preset server"
        )
    return found


def _password(path: Path | None, *, confirm: bool = True) -> str:
    from quorate.errors import LocalError, Unavailable

    if path is not None:
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise Unavailable(f"{path} cannot be read: {error.strerror}") from None
    if not sys.stdin.isatty():
        raise LocalError("nobody is there to type a password; give it in a file: --password-file FILE")
    return str(
        typer.prompt("Password for the backup", hide_input=True, confirmation_prompt=confirm, err=True)
    )
