"""`quorate wallet accounts`, `add-account`, `rename-account`, `watch`: accounts derived from a key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from quorate.cli.terminal import Terminal
from quorate.cli.wallet_commands import Json

if TYPE_CHECKING:
    from quorate.device.accounts import NamedAccount
    from quorate.device.wallet import Wallet

Which = Annotated[str | None, typer.Option("--wallet", help="Address or label; needed if there are several.")]
Curve = Annotated[str, typer.Option("--key", help="The curve of the key; the wallet's first otherwise.")]


def add_accounts(group: typer.Typer) -> None:
    """Put the commands among those of wallets."""
    group.command("accounts")(accounts)
    group.command("add-account")(add_account)
    group.command("rename-account")(rename_account)
    group.command("watch")(watch)


def accounts(wallet: Which = None, key: Curve = "", as_json: Json = False) -> None:
    """The accounts derived from a key, with the path that `quorate sign --path` takes.

    An account is no key of its own: exporting one would export all, so it is not offered.
    """

    async def run(found: Wallet) -> list[NamedAccount]:
        return await found.accounts(key).all()

    asyncio.run(_show(Terminal(as_json), wallet, key, run))


def add_account(
    name: Annotated[str, typer.Argument(help="What you call it; only this device knows.")],
    wallet: Which = None,
    key: Curve = "",
    as_json: Json = False,
) -> None:
    """Name the next account of a key. At most 20 in a row may be unused, or a restored wallet misses some."""

    async def run(found: Wallet) -> list[NamedAccount]:
        return [await found.accounts(key).add(name)]

    asyncio.run(_show(Terminal(as_json), wallet, key, run))


def rename_account(
    account: Annotated[str, typer.Argument(help="Its name or number.")],
    name: Annotated[str, typer.Argument(help="The new name.")],
    wallet: Which = None,
    key: Curve = "",
    as_json: Json = False,
) -> None:
    """Call an account something else."""

    async def run(found: Wallet) -> list[NamedAccount]:
        return [await found.accounts(key).rename(account, name)]

    asyncio.run(_show(Terminal(as_json), wallet, key, run))


def watch(
    wallet: Which = None,
    test: Annotated[bool, typer.Option("--test", help="For Bitcoin's test networks.")] = False,
    as_json: Json = False,
) -> None:
    """What a watch-only wallet takes: xpub and output descriptors. Whoever has them sees every account."""
    asyncio.run(_watch(Terminal(as_json), wallet, test))


async def _show(
    terminal: Terminal,
    which: str | None,
    key: str,
    run: Callable[[Wallet], Awaitable[list[NamedAccount]]],
) -> None:
    from quorate.device import Device

    with terminal.progress("reading the wallet"):
        async with Device.open() as device:
            wallet = await device.wallet(which)
            found = await run(wallet)
            curve = key or wallet.curves[0]
            rows = [row.as_dict() | _address(wallet, curve, row.path) for row in found]
    lines = [
        f"{row['path']:8}  {row.get('address', row['public_key'])}  {row['name']}"
        + ("" if row["used"] else "  (unused)")
        for row in rows
    ]
    terminal.result(
        {"curve": curve, "accounts": rows}, *(lines or ["no account yet; quorate wallet add-account"])
    )


def _address(wallet: Wallet, curve: str, path: str) -> dict[str, str]:
    """The account's address on Ethereum, where the key has one; other chains' depend on the chain."""
    from quorate.device.wallet import ETHEREUM

    return {"address": wallet.address_on(ETHEREUM, path)} if curve == "secp256k1" else {}


async def _watch(terminal: Terminal, which: str | None, test: bool) -> None:
    from quorate.device import Device

    with terminal.progress("reading the wallet"):
        async with Device.open() as device:
            found = (await device.wallet(which)).accounts("secp256k1").watching(test=test)
    terminal.result(dict(found), *(f"{name + ':':17} {text}" for name, text in found.items()))
