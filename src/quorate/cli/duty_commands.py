"""`quorate node duties`: what a stopped node knows of its validators' duties, carried out and in. And
`quorate wallet duty-bounds`, for what the device remembers itself.

The file is EIP-3076's, which every validator client reads and writes. A network is named by its genesis
validators root, as in that file.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from quorate.cli.node_vault import Config, Json, stopped
from quorate.cli.terminal import Terminal

duties_app = typer.Typer(
    name="duties",
    help="Carry validators' slashing protection out of a node and in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Network = Annotated[str, typer.Option(help="The genesis validators root: 0x and 64 digits.")]
Slot = Annotated[int, typer.Option(help="No block at or before this slot.", min=0)]
Epoch = Annotated[int, typer.Option(help="No vote from before this epoch or to it.", min=0)]
Which = Annotated[str | None, typer.Option("--wallet", help="Address or label; needed if there are several.")]


@duties_app.command("export")
def export(
    config: Config,
    network: Network,
    file: Annotated[Path, typer.Argument(help="Where the file goes; it must not exist.", dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Write what this node has signed for its validators, for whoever signs next."""
    root = octets(network, 32, "the network")
    with stopped(config) as vault:
        data = vault.duties.export_file(root)
    from quorate.errors import Unavailable

    try:
        with file.open("xb") as out:
            out.write(data)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}; choose another") from None
    Terminal(as_json).result({"file": str(file), "bytes": len(data)}, f"written to {file}")


@duties_app.command("import")
def import_(
    config: Config,
    network: Network,
    file: Annotated[Path, typer.Argument(help="An EIP-3076 file.", exists=True, dir_okay=False)],
    as_json: Json = False,
) -> None:
    """Take in what others have signed for the same validators. Adds to what is known here."""
    root = octets(network, 32, "the network")
    from quorate.vault.slashing import MAX_FILE_BYTES

    with file.open("rb") as given:
        data = given.read(MAX_FILE_BYTES + 1)
    with stopped(config) as vault:
        validators = vault.duties.import_file(data, root)
    Terminal(as_json).result({"validators": validators}, f"it was about {validators} validators")


@duties_app.command("bounds")
def bounds(
    config: Config,
    network: Network,
    validator: Annotated[str, typer.Option(help="Its public key: 0x and 96 digits.")],
    slot: Slot,
    epoch: Epoch,
    as_json: Json = False,
) -> None:
    """Let a validator sign after the present slot and epoch only; ends the freeze after a restore."""
    key, root = octets(validator, 48, "the validator"), octets(network, 32, "the network")
    from quorate.vault.slashing import Bounds

    with stopped(config) as vault:
        frozen = vault.duties.frozen(key, root)
        vault.duties.set_bounds(key, root, Bounds(slot, epoch, epoch))
    said = "it signs again, for what comes after" if frozen else "it signs for what comes after"
    Terminal(as_json).result({"was_frozen": frozen}, said)


def duty_bounds(
    network: Network, slot: Slot, epoch: Epoch, wallet: Which = None, as_json: Json = False
) -> None:
    """Let a wallet's validator sign after the present slot and epoch only.

    As far as this device is asked. Needed after it was restored from an older copy, and for a validator that
    has signed elsewhere.
    """
    asyncio.run(_bound(Terminal(as_json), wallet, octets(network, 32, "the network"), slot, epoch))


async def _bound(terminal: Terminal, which: str | None, network: bytes, slot: int, epoch: int) -> None:
    from quorate.device import Device

    with terminal.progress("reading the wallet"):
        async with Device.open() as device:
            await (await device.wallet(which)).set_duty_bounds(network, slot, epoch)
    terminal.result({"slot": slot, "epoch": epoch}, "it signs for what comes after")


def octets(text: str, length: int, what: str) -> bytes:
    """0x and digits. Raises `LocalError`."""
    from quorate.errors import LocalError

    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != length or len(digits) != 2 * length or digits == text:
        raise LocalError(f"{what} is named by 0x and {2 * length} hexadecimal digits")
    return value
