"""`quorate sign`: transactions, messages and typed data, previewed and approved before anything is asked."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quorate.cli.terminal import Terminal

if TYPE_CHECKING:
    from quorate.chains import Chain, Signed
    from quorate.device.wallet import Wallet

sign_app = typer.Typer(
    name="sign",
    help="Sign with a wallet; shows what, and asks first.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document; implies that --yes is needed.")]
Which = Annotated[str | None, typer.Option("--wallet", help="Address or label; needed if there are several.")]
ChainName = Annotated[str, typer.Option(help="eip155:<chain id>, or the id alone.")]
At = Annotated[str, typer.Option("--path", help="A derived account: 0/7.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Explain = Annotated[bool, typer.Option("--explain", help="Tell live who sends what to whom.")]


@sign_app.command()
def ethereum(
    file: Annotated[
        Path | None,
        typer.Argument(help="A transaction as JSON; options win over it.", dir_okay=False),
    ] = None,
    to: Annotated[str | None, typer.Option(help="Recipient or contract.")] = None,
    value: Annotated[str | None, typer.Option(help="In wei, or with a unit: 0.1ether, 5gwei.")] = None,
    data: Annotated[str | None, typer.Option(help="Call data, 0x….")] = None,
    chain: ChainName = "",
    nonce: Annotated[int | None, typer.Option()] = None,
    gas: Annotated[int | None, typer.Option(help="Gas limit.")] = None,
    max_fee: Annotated[str | None, typer.Option(help="maxFeePerGas, in wei or with a unit.")] = None,
    priority_fee: Annotated[str | None, typer.Option(help="maxPriorityFeePerGas.")] = None,
    rpc: Annotated[
        str | None, typer.Option(help="An endpoint that fills in what is missing, and sends.")
    ] = None,
    path: At = "",
    wallet: Which = None,
    yes: Yes = False,
    explain: Explain = False,
    as_json: Json = False,
) -> None:
    """Sign a transaction; with --rpc also send it."""
    fields = _read_json(file) if file is not None else {}
    given = {
        "to": to,
        "value": None if value is None else wei(value),
        "data": data,
        "nonce": nonce,
        "gas": gas,
        "maxFeePerGas": None if max_fee is None else wei(max_fee),
        "maxPriorityFeePerGas": None if priority_fee is None else wei(priority_fee),
        "chainId": int(caip2(chain).partition(":")[2]) if chain else None,
    }
    fields |= {name: entry for name, entry in given.items() if entry is not None}
    fields.setdefault("chainId", 1)
    asyncio.run(_transaction(Terminal(as_json), wallet, fields, path, rpc, yes, explain))


@sign_app.command()
def message(
    text: Annotated[str, typer.Argument(help="What to sign.")],
    chain: ChainName = "1",
    path: At = "",
    wallet: Which = None,
    yes: Yes = False,
    explain: Explain = False,
    as_json: Json = False,
) -> None:
    """Sign a message (EIP-191)."""

    def payload(found: Wallet) -> bytes:
        return found.payload_of_message(text, caip2(chain), path)

    asyncio.run(_sign(Terminal(as_json), wallet, payload, path, yes, explain))


@sign_app.command("typed-data")
def typed_data(
    file: Annotated[Path, typer.Argument(help="The typed data as JSON (EIP-712).", dir_okay=False)],
    chain: ChainName = "",
    path: At = "",
    wallet: Which = None,
    yes: Yes = False,
    explain: Explain = False,
    as_json: Json = False,
) -> None:
    """Sign typed data (EIP-712)."""
    document = _read_json(file)

    def payload(found: Wallet) -> bytes:
        return found.payload_of_typed_data(document, caip2(chain) if chain else "", path)

    asyncio.run(_sign(Terminal(as_json), wallet, payload, path, yes, explain))


async def _transaction(
    terminal: Terminal,
    which: str | None,
    fields: dict[str, Any],
    path: str,
    rpc: str | None,
    yes: bool,
    explain: bool,
) -> None:
    if rpc is None:
        # Without an endpoint nobody fills these in, and a guess could lose the transaction.
        fields.setdefault("value", 0)

        def payload(found: Wallet) -> bytes:
            return found.payload_of_transaction(fields, path)

        await _sign(terminal, which, payload, path, yes, explain)
        return
    from quorate.chains.ethereum.rpc import EthereumRpc
    from quorate.device import Device

    async with Device.open(observer=observer(explain)) as device:
        wallet = await device.wallet(which)
        chain = _row(wallet, fields)
        async with EthereumRpc(rpc, chain) as endpoint:
            with terminal.progress("asking the endpoint"):
                filled = await endpoint.fill(fields, wallet.address_on(chain.caip2, path))
            payload_bytes = wallet.payload_of_transaction(filled, path)
            signed = await approve_and_sign(terminal, wallet, payload_bytes, yes)
            with terminal.progress("sending"):
                sent = await endpoint.send(signed.raw)
    data = _described(wallet, signed, path) | {"sent": True}
    terminal.result(data, f"sent: {sent}", *([chain.explorer.format(sent)] if chain.explorer else []))


def _row(wallet: Wallet, fields: Mapping[str, Any]) -> Chain:
    from quorate.chains.ethereum.rpc_fields import integer

    return wallet.chain(f"eip155:{integer(fields['chainId'], 'chainId')}")


async def _sign(
    terminal: Terminal, which: str | None, payload: Any, path: str, yes: bool, explain: bool
) -> None:
    from quorate.device import Device

    async with Device.open(observer=observer(explain)) as device:
        wallet = await device.wallet(which)
        signed = await approve_and_sign(terminal, wallet, payload(wallet), yes)
    terminal.result(_described(wallet, signed, path), f"0x{signed.raw.hex()}", f"id: {signed.id}")


async def approve_and_sign(terminal: Terminal, wallet: Wallet, payload: bytes, yes: bool) -> Signed:
    """Show what would be signed, ask, and sign. Raises `Refused` where it is not approved."""
    from quorate.errors import LocalError, Refused

    preview = await asyncio.to_thread(wallet.preview, payload)
    # On standard error, so that standard output holds the result alone.
    print(preview.text(), file=sys.stderr)
    if not yes:
        if terminal.as_json or not sys.stdin.isatty():
            raise LocalError("nobody is there to approve this; if you mean it, add --yes")
        if not typer.confirm("Sign this?", err=True):
            raise Refused("not approved, so nobody was asked to sign", code="not-approved")
    with terminal.progress("signing"):
        return await wallet.sign(payload)


def observer(explain: bool) -> Any:
    """Who tells live what happens, if anybody should."""
    if not explain:
        return None
    from quorate.cli.explain import Explainer

    return Explainer(lambda line: print(line, file=sys.stderr, flush=True))


def _described(wallet: Wallet, signed: Signed, path: str) -> dict[str, Any]:
    from quorate.device.wallet import ETHEREUM

    return {
        "address": wallet.address_on(ETHEREUM, path),
        "id": signed.id,
        "signed": f"0x{signed.raw.hex()}",
        **dict(signed.details),
    }


def caip2(chain: str) -> str:
    """``1`` and ``eip155:1`` mean the same chain. Raises `Malformed`."""
    from quorate.errors import Malformed

    if chain.isascii() and chain.isdigit():
        return f"eip155:{int(chain)}"
    namespace, _, reference = chain.partition(":")
    if namespace != "eip155" or not reference.isdigit():
        raise Malformed(f"--chain {chain}: write eip155:<chain id>, or the id alone")
    return chain


def wei(text: str) -> int:
    """An exact amount in wei: a whole number, or a decimal with a unit. Raises `Malformed`."""
    from decimal import Decimal, InvalidOperation

    from quorate.errors import Malformed

    plain = text.strip().lower()
    for unit, digits in (("gwei", 9), ("wei", 0), ("ether", 18), ("eth", 18)):
        if plain.endswith(unit):
            number, scale = plain.removesuffix(unit).strip(), digits
            break
    else:
        number, scale = plain, 0
    try:
        amount = Decimal(number).scaleb(scale)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0 or amount != amount.to_integral_value() or amount >= 1 << 256:
        raise Malformed(f"amount {text!r}: write a whole number of wei, or a decimal with ether or gwei")
    return int(amount)


def _read_json(path: Path) -> dict[str, Any]:
    from quorate.errors import Malformed, Unavailable

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Malformed(f"{path} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Malformed(f"{path}: expected a JSON object")
    return found
