"""`quorate sign bitcoin`, `solana` and the others: one command for each family of chains, all of one form.

A command reads what a library of that chain has made (a PSBT, a transaction, a payload in JSON) or a message,
makes the request of it, shows the preview, asks, and hands out the signed object. What a chain wants of its
own stands in its row of `WAYS`; a further family is a row there.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from quorate.cli.sign_commands import Explain, Json, Which, Yes, approve_and_sign, observer
from quorate.cli.terminal import Terminal

if TYPE_CHECKING:
    from quorate.chains import Signed
    from quorate.device.wallet import Wallet

MAX_FILE_BYTES: Final = 1 << 20
"""Of what is read; as text a request takes at most two thirds of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who signs where: the wallet's key on `curve`, its account at `path`, on `chain`."""

    chain: str
    account: str
    curve: str
    path: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Way:
    """How requests of one family come: what a file holds, how a payload is made of it, or of a message."""

    name: str
    namespace: str
    help: str
    file_help: str
    read: Callable[[bytes, Place], bytes]
    say: Callable[[str, Place], bytes] | None
    join: Callable[[bytes, Signed], Signed] | None = None
    """With the signatures that the file had already, where attaching ours makes the object anew."""


def _psbt(data: bytes, place: Place) -> bytes:
    from quorate.chains.bitcoin import requests

    return requests.psbt(data, place.account, place.chain, place.path)


def _bitcoin_message(text: str, place: Place) -> bytes:
    from quorate.chains.bitcoin import requests

    return requests.message(text, place.account, place.chain, place.path)


def _solana(data: bytes, place: Place) -> bytes:
    from quorate.chains.solana import requests

    return requests.transaction(octets(data), place.account, place.chain, place.path)


def _solana_joined(data: bytes, signed: Signed) -> Signed:
    from quorate.chains import Signed
    from quorate.chains.solana import wire
    from quorate.chains.solana.message import parse
    from quorate.encoding import base58

    raw = wire.completed(octets(data), signed.raw)
    message, present = wire.split(raw)
    missing = tuple(base58.encode(key) for key in parse(message).signers if key not in present)
    details = dict(signed.details)
    details |= {"base64": b64encode(raw).decode(), "complete": not missing, "missing": missing}
    first = raw[1:65]
    return Signed(raw, base58.encode(first) if any(first) else "", details)


def _solana_message(text: str, place: Place) -> bytes:
    from quorate.chains.solana import requests

    return requests.message(text, place.account, place.chain, path=place.path)


_POLKADOT: Final[Mapping[str, Any]] = {"ed25519": "ed25519", "ristretto255": "sr25519", "secp256k1": "ecdsa"}


def _polkadot(data: bytes, place: Place) -> bytes:
    from quorate.chains.polkadot import requests

    return requests.from_json(document(data), _POLKADOT[place.curve], place.path)


def _polkadot_message(text: str, place: Place) -> bytes:
    from quorate.chains.polkadot import requests

    return requests.message(text, place.account, place.chain, _POLKADOT[place.curve], place.path)


def _starknet(data: bytes, place: Place) -> bytes:
    from quorate.chains.starknet import requests
    from quorate.chains.starknet.account import deployment_of
    from quorate.chains.starknet.family import DEFAULT_CLASS

    fields = document(data)
    if "primaryType" in fields:
        return requests.typed_data(fields, deployment_of(place.key, DEFAULT_CLASS), "", place.path)
    return requests.from_rpc(fields, requests.deployment_for(fields, place.key), place.chain, place.path)


def _near(data: bytes, place: Place) -> bytes:
    from quorate.chains.near import requests

    if not data.lstrip().startswith(b"{"):
        return requests.transaction(octets(data), place.chain, place.path)
    from quorate.errors import Malformed

    fields = document(data)
    nonce = octets(str(fields.get("nonce", "")).encode())
    text, recipient = fields.get("message"), fields.get("recipient")
    if not isinstance(text, str) or not isinstance(recipient, str):
        raise Malformed("message: expected message, recipient and nonce, as NEP-413 has them")
    account, callback = fields.get("accountId", place.account), fields.get("callbackUrl")
    return requests.message(
        text, nonce, recipient, account, place.chain, callback_url=callback, path=place.path
    )


def _validator(data: bytes, place: Place) -> bytes:
    from quorate.chains.validators.requests import from_web3signer

    return from_web3signer(document(data), place.account, place.chain)


def _text(data: bytes, place: Place) -> bytes:
    from quorate.errors import Malformed

    try:
        return _text_message(data.decode(), place)
    except UnicodeDecodeError:
        raise Malformed("the file is no text in UTF-8") from None


def _text_message(text: str, place: Place) -> bytes:
    from quorate.chains import messages

    return messages.message(text, place.account, place.chain.partition(":")[2], place.path)


WAYS: Final = (
    Way(
        "bitcoin",
        "bip122",
        "Sign a PSBT or a message for Bitcoin (P2WPKH and P2TR).",
        "A PSBT: its bytes, base64 or hexadecimal.",
        _psbt,
        _bitcoin_message,
    ),
    Way(
        "solana",
        "solana",
        "Sign a transaction or a message for Solana.",
        "A transaction or its message: bytes, base64 or hexadecimal.",
        _solana,
        _solana_message,
        _solana_joined,
    ),
    Way(
        "near",
        "near",
        "Sign a transaction or a message for NEAR.",
        "A transaction in Borsh: bytes, base64 or hexadecimal; or a message of NEP-413 in JSON.",
        _near,
        None,
    ),
    Way(
        "polkadot",
        "polkadot",
        "Sign an extrinsic or a message for Polkadot and its relatives.",
        "What is to be signed, in JSON as polkadot-js has it (SignerPayloadJSON).",
        _polkadot,
        _polkadot_message,
    ),
    Way(
        "starknet",
        "starknet",
        "Sign a transaction or typed data for Starknet.",
        "A transaction in JSON as JSON-RPC has it, without its signature; or typed data (SNIP-12).",
        _starknet,
        None,
    ),
    Way(
        "validator",
        "beacon",
        "Sign a message of an Ethereum validator, once.",
        "A signing request in JSON as Web3Signer takes it.",
        _validator,
        None,
    ),
    Way(
        "text",
        "quorate",
        "Sign a text with any key, for software that is no blockchain's; --chain names the scheme.",
        "A text.",
        _text,
        _text_message,
    ),
)


def _command(way: Way) -> Callable[..., None]:
    def sign(
        file: Annotated[
            Path | None, typer.Argument(help="What is to be signed; see above.", dir_okay=False)
        ] = None,
        message: Annotated[str | None, typer.Option(help="A text to sign instead of a file.")] = None,
        chain: Annotated[str, typer.Option(help="Its CAIP-2 id or name; the main network otherwise.")] = "",
        key: Annotated[str, typer.Option(help="The curve of the key, where several have accounts.")] = "",
        kind: Annotated[str, typer.Option(help="Which address, where a key has several: p2wpkh.")] = "",
        path: Annotated[str, typer.Option(help="A derived account: 0/7.")] = "",
        out: Annotated[
            Path | None, typer.Option(help="Write the signed object into this new file.", dir_okay=False)
        ] = None,
        wallet: Which = None,
        yes: Yes = False,
        explain: Explain = False,
        as_json: Json = False,
    ) -> None:
        from quorate.errors import LocalError, Unavailable

        if out is not None and out.exists():
            raise Unavailable(f"{out} exists already; nothing is overwritten: choose another")
        if (file is None) == (message is None) or (message is not None and way.say is None):
            what = "a file, or --message TEXT" if way.say is not None else "a file"
            raise LocalError(f"say what to sign: {what}")

        data = read(file) if file is not None else b""

        def payload(place: Place) -> bytes:
            if message is not None and way.say is not None:
                return way.say(message, place)
            return way.read(data, place)

        def finish(signed: Signed) -> Signed:
            return signed if file is None or way.join is None else way.join(data, signed)

        terminal, where = Terminal(as_json), (chain, key, path, kind)
        asyncio.run(
            _sign(terminal, way, wallet, payload, finish, message is not None, where, out, yes, explain)
        )

    sign.__doc__ = f"{way.help}\n\nThe file: {way.file_help}"
    return sign


def add_chains(group: typer.Typer) -> None:
    """Put the commands beside those of Ethereum."""
    for way in WAYS:
        group.command(way.name)(_command(way))


async def _sign(
    terminal: Terminal,
    way: Way,
    which: str | None,
    payload: Callable[[Place], bytes],
    finish: Callable[[Signed], Signed],
    said: bool,
    where: tuple[str, str, str, str],
    out: Path | None,
    yes: bool,
    explain: bool,
) -> None:
    from quorate.device import Device

    async with Device.open(observer=observer(explain)) as device:
        wallet = await device.wallet(which)
        place = _place(wallet, way, *where)
        signed = finish(await approve_and_sign(terminal, wallet, payload(place), yes))
    missing = signed.details.get("missing")
    if out is not None:
        await asyncio.to_thread(out.write_bytes, signed.raw)
    text = written(signed, said=said)
    data = {"address": place.account, "chain": place.chain, "id": signed.id, "signed": text}
    lines = [f"written: {out}"] if out is not None else [text]
    lines += [f"still to sign: {', '.join(missing)}"] if isinstance(missing, tuple) and missing else []
    terminal.result(data | dict(signed.details), *lines, *([f"id: {signed.id}"] if signed.id else []))


def _place(wallet: Wallet, way: Way, chain: str, curve: str, path: str, kind: str) -> Place:
    """Which chain, key and address are meant. Raises `Refused`, `LocalError`."""
    from quorate.errors import LocalError, Refused

    rows = wallet.chains_of(way.namespace)
    named = [
        row for row in rows if chain.lower() in (row.caip2.lower(), row.reference.lower(), row.name.lower())
    ]
    found = rows[0].caip2 if not chain else named[0].caip2 if named else chain
    if not found.startswith(f"{way.namespace}:"):
        known = ", ".join(row.name for row in rows)
        raise Refused(f"no chain {chain} of this family; there are {known}", code="unknown-chain")
    which = curve or wallet.curve_for(found)
    accounts = wallet.addresses_on(found, path, curve=which)
    if kind and kind not in accounts:
        raise LocalError(f"no address of kind {kind}; there are {', '.join(accounts)}")
    account = accounts[kind] if kind else wallet.address_on(found, path, curve=which)
    return Place(found, account, which, path, wallet.public_key_at(which, path))


def read(path: Path) -> bytes:
    """A file's bytes. Raises `Unavailable`, `LimitExceeded`."""
    from quorate.errors import LimitExceeded, Unavailable

    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise LimitExceeded(f"{path} is larger than any request")
    return data


def octets(data: bytes) -> bytes:
    """Bytes as they are, or what base64 or hexadecimal text says."""
    try:
        text = "".join(data.decode("ascii").split())
    except UnicodeDecodeError:
        return data
    plain = text.removeprefix("0x")
    for decoded in (bytes.fromhex, partial(b64decode, validate=True)):
        try:
            return decoded(plain)
        except ValueError:
            continue
    return data


def document(data: bytes) -> dict[str, Any]:
    """A JSON object. Raises `Malformed`."""
    from quorate.errors import Malformed

    try:
        found = json.loads(data)
    except ValueError as error:
        raise Malformed(f"the file is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Malformed("the file: expected a JSON object")
    return found


def written(signed: Signed, *, said: bool = False) -> str:
    """The signed object as text: as the chain's tools take it. `said`: it is a message's signature."""
    details = signed.details
    if said and "signature" in details:
        return str(details["signature"])
    if "base64" in details:
        return str(details["base64"])
    if "txid" in details and details.get("complete"):
        return signed.raw.hex()  # Bitcoin's programs know no 0x
    if signed.raw[:5] == b"psbt\xff":
        return b64encode(signed.raw).decode()
    if signed.raw[:1] in (b"[", b"{") and signed.raw.isascii():
        return signed.raw.decode()
    return f"0x{signed.raw.hex()}"
