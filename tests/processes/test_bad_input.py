"""Bad input to a real node, over its own sockets: it says clearly what is wrong or hangs up, and stays ready.

Everything goes to one node of the shared network, which serves other wallets all the while; at the end they
sign as before.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import count

import aiohttp
import msgspec
import pytest
from tests.processes.conftest import Machine
from tests.support.raw_hub import CLOSED, Line, Stranger, line_to, replaced

from quorate.clock import unix_time
from quorate.device.login import read_login_key
from quorate.device.network import Network
from quorate.encoding import encode
from quorate.entropy import system_rng
from quorate.identity import issue_token, prove_request
from quorate.node.limits import MAX_BODY_BYTES, MAX_SESSIONS_PER_ACCOUNT
from quorate.session import KeyPair
from quorate.transport.frames import MAX_FRAME_BYTES, Begin, Deliver, Failed, Finished, Nonce, Propose

NODE = "node1"
GENERATIONS = count(int(unix_time()))
"""Every setup a test proposes is above the one before it."""


@pytest.fixture
def network(machine: Machine) -> Network:
    return Network.read(machine.home.network_file)


@pytest.fixture
def mallory(machine: Machine, network: Network) -> Stranger:
    return Stranger.of(network, read_login_key(machine.home.login_key), "mallory")


@pytest.fixture
async def url(network: Network) -> AsyncIterator[str]:
    """The node's address. After the test the node is ready, and takes a good session of somebody new."""
    yield network.nodes[NODE].url
    async with aiohttp.ClientSession() as client:
        async with client.get(f"{network.nodes[NODE].url}/v1/ready") as response:
            assert response.status == 200


def spoilt_frames(mallory: Stranger) -> dict[str, bytes | str]:
    """First messages that are no acceptable proposal, by what is wrong with them."""
    spec = mallory.setup(NODE, next(GENERATIONS))
    good = mallory.propose(spec)
    data = encode(good)
    raw = msgspec.msgpack.decode(data)
    fields = msgspec.msgpack.decode(encode(spec))
    found: dict[str, bytes | str] = {
        "nothing": b"",
        "text": "hello",
        "one byte": b"\xc1",
        "noise": system_rng(1000),
        "trailing byte": data + b"\x00",
        "a tag nobody knows": msgspec.msgpack.encode(["pwn", *raw[1:]]),
        "a field too many": msgspec.msgpack.encode([*raw, 1]),
        "a field too few": msgspec.msgpack.encode(raw[:-1]),
        "a map instead of an array": msgspec.msgpack.encode({"type": "propose", "proposer": "device"}),
        "a wide integer": data.replace(
            encode(spec.version) + encode(spec.suite), b"\xcd\x00\x01" + encode(spec.suite)
        ),
        "nested a hundred thousand deep": b"\x91" * 100_000,
        "an array that claims four thousand million": b"\xdd\xff\xff\xff\xff",
        "too large a credential": replaced(good, credential=bytes(4097)),
        "too large a name": replaced(good, proposer="d" * 33),
        "begin before a proposal": encode(mallory.begin(spec, bytes(32))),
        "envelopes before a proposal": encode(Deliver((b"x",))),
        "a nonce": encode(Nonce(bytes(32))),
        "an end": encode(Finished(b"")),
        "a failure": encode(Failed("abort", "you did it", (NODE,))),
        "a failure of a kind nobody knows": encode(Failed("x" * 32, "")),
    }
    for length in (1, 10, 100, len(data) // 2, len(data) - 1):
        found[f"cut at {length}"] = data[:length]
    for name, parties in {
        "parties not sorted": ["node1", "device"],
        "a party twice": ["device", "node1", "node1"],
        "a party with a name like a path": ["../etc", "node1"],
        "more parties than there may be": [f"p{i:03}" for i in range(65)],
    }.items():
        found[name] = replaced(good, spec=[*fields[:5], parties, *fields[6:]])
    return found


async def test_what_is_no_proposal_is_answered_or_hung_up_on(url: str, mallory: Stranger) -> None:
    for wrong, data in spoilt_frames(mallory).items():
        async with line_to(url) as line:
            if isinstance(data, str):
                await line.socket.send_str(data)
            else:
                await line.send(data)
            told = await line.ends()
            assert told is None or told.kind in ("malformed", "local", "abort", "refused"), (wrong, told)
            assert told is None or told.parties != ("mallory",)


async def test_a_message_above_the_largest_frame_ends_the_connection(url: str) -> None:
    async with line_to(url) as line:
        with contextlib.suppress(ConnectionError):  # it hangs up before it has read all
            await line.socket.send_bytes(bytes(MAX_FRAME_BYTES + 1))
        assert await line.hear() is CLOSED
        assert line.socket.close_code in (1006, 1009)


REFUSALS: dict[str, tuple[Callable[[Stranger, Propose], Propose], str]] = {
    "a protocol nobody speaks": (
        lambda _, p: msgspec.structs.replace(p, spec=msgspec.structs.replace(p.spec, protocol="export")),
        "protocol",
    ),
    "another suite": (
        lambda _, p: msgspec.structs.replace(p, spec=msgspec.structs.replace(p.spec, suite="p256/none")),
        "suite",
    ),
    "a payload that is none": (
        lambda _, p: msgspec.structs.replace(p, spec=msgspec.structs.replace(p.spec, payload=b"\xff")),
        "payload",
    ),
    "a session the node is no party of": (
        lambda s, p: msgspec.structs.replace(p, spec=s.setup("node2", 1)),
        "parties",
    ),
    "no login": (lambda _, p: msgspec.structs.replace(p, credential=b""), "login"),
    "a login that is noise": (lambda _, p: msgspec.structs.replace(p, credential=system_rng(200)), "login"),
    "a login signed by somebody else": (
        lambda s, p: msgspec.structs.replace(
            p, credential=issue_token(s.network.name, s.keys, s.user, s.keys.public, unix_time(), system_rng)
        ),
        "login",
    ),
    "a login that has run out": (
        lambda s, p: msgspec.structs.replace(
            p, credential=issue_token(s.network.name, s.login_key, s.user, s.keys.public, 0, system_rng)
        ),
        "login",
    ),
    "a login of another network": (
        lambda s, p: msgspec.structs.replace(
            p, credential=issue_token("other", s.login_key, s.user, s.keys.public, unix_time(), system_rng)
        ),
        "login",
    ),
    "the name of a node, with a device's login": (
        lambda _, p: msgspec.structs.replace(p, proposer="node2"),
        "name",
    ),
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_a_proposal_that_must_not_be_is_refused_by_its_code(
    url: str, mallory: Stranger, what: str
) -> None:
    change, code = REFUSALS[what]
    async with line_to(url) as line:
        await line.send(change(mallory, mallory.propose(mallory.setup(NODE, next(GENERATIONS)))))
        told = await line.ends()
        assert told is not None
        assert (told.kind, told.code) == ("refused", code)


async def accepted(line: Line, mallory: Stranger) -> Begin:
    """The agreement that would go on from here."""
    spec = mallory.setup(NODE, next(GENERATIONS))
    await line.send(mallory.propose(spec))
    nonce = await line.hear()
    assert isinstance(nonce, Nonce), nonce
    return mallory.begin(spec, nonce.nonce)


async def test_an_agreement_that_is_not_the_proposed_one_is_refused(url: str, mallory: Stranger) -> None:
    other = KeyPair.generate(system_rng)
    async with line_to(url) as line:
        replayed = await accepted(line, mallory)
    for what, spoil, code in (
        ("of another session", lambda _: replayed, "proposal"),
        (
            "with the nonce of another session",
            lambda good: mallory.begin(good.spec.with_nonces({}), replayed.spec.nonce_of(NODE)),
            "nonce",
        ),
        (
            "signed by another device",
            lambda good: msgspec.structs.replace(good, signature=other.sign(good.spec.id)),
            "proof",
        ),
        (
            "with one identity too few",
            lambda good: msgspec.structs.replace(good, roster=good.roster[1:]),
            "roster",
        ),
    ):
        async with line_to(url) as line:
            good = await accepted(line, mallory)
            await line.send(spoil(good))
            told = await line.ends()
            assert told is not None, what
            assert (told.kind, told.code) == ("refused", code), what


async def test_a_nonce_given_once_serves_no_second_session(url: str, mallory: Stranger) -> None:
    """The same agreement, word for word, on a new connection: the node has drawn another nonce by then."""
    spec = mallory.setup(NODE, next(GENERATIONS))
    async with line_to(url) as line:
        await line.send(mallory.propose(spec))
        nonce = await line.hear()
        begin = mallory.begin(spec, nonce.nonce)
        await line.send(begin)
        await line.hear()
    async with line_to(url) as line:
        await line.send(mallory.propose(spec))
        assert isinstance(await line.hear(), Nonce)
        await line.send(begin)
        told = await line.ends()
        assert told is not None
        assert told.code == "nonce"


async def test_what_is_no_envelope_of_a_running_session_harms_nobody(url: str, mallory: Stranger) -> None:
    for noise in (
        Deliver((b"", b"x", system_rng(100))),
        Deliver((encode(["not", "an", "envelope"]),) * 256),
        Nonce(bytes(32)),
        b"\x00",
    ):
        async with line_to(url) as line:
            await line.send(await accepted(line, mallory))
            await line.send(noise)
            await line.send(Failed("abort", "enough"))
            heard = await line.hear()
            while heard is not CLOSED:
                assert not (isinstance(heard, Failed) and heard.kind in ("blame", "suspicion")), heard
                heard = await line.hear()


async def test_an_account_has_so_many_sessions_at_once_and_another_account_still_gets_in(
    url: str, machine: Machine, network: Network, mallory: Stranger
) -> None:
    other = Stranger.of(network, mallory.login_key, "somebody else")
    for _ in range(2):  # twice: whoever hangs up leaves no session counted
        async with AsyncExitStack() as stack:
            for _ in range(MAX_SESSIONS_PER_ACCOUNT):
                line = await stack.enter_async_context(line_to(url))
                await line.send(await accepted(line, mallory))
            await asyncio.sleep(0.3)
            extra = await stack.enter_async_context(line_to(url))
            await extra.send(await accepted(extra, mallory))
            told = await extra.ends()
            assert told is not None
            assert "too many sessions of this account" in told.message
            assert told.remedy == "retry"
            line = await stack.enter_async_context(line_to(url))
            await line.send(await accepted(line, other))
            await line.send(Failed("abort", "enough"))
            assert not isinstance(await line.hear(), Failed)
        await asyncio.sleep(0.3)


async def test_a_thousand_connections_that_come_to_nothing(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")

    async def half_open(number: int) -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection(host, int(port))
        if number % 2:
            writer.write(b"GET /v1/sessions HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgr")
        return writer

    for _ in range(4):
        writers = await asyncio.gather(*map(half_open, range(250)))
        async with aiohttp.ClientSession() as client, client.get(f"{url}/v1/ready") as response:
            assert response.status == 200
        for writer in writers:
            writer.transport.abort()


async def test_a_hundred_sockets_that_say_nothing_and_go(url: str) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(100):
            await stack.enter_async_context(line_to(url))
        async with aiohttp.ClientSession() as client, client.get(f"{url}/v1/ready") as response:
            assert response.status == 200


REQUESTS: dict[str, tuple[str, str, bytes | None, dict[str, str], int]] = {
    "a path that is none": ("GET", "/v1/keys", None, {}, 404),
    "a method that is none": ("DELETE", "/v1/wallets", None, {}, 405),
    "no body": ("POST", "/v1/pool/offer", b"", {}, 400),
    "no JSON": ("POST", "/v1/pool/offer", b"\xff\xfe", {}, 400),
    "JSON of another shape": ("POST", "/v1/pool/offer", b"[1]", {}, 400),
    "a field nobody knows": ("POST", "/v1/pool/offer", b'{"request":"AA==","x":1}', {}, 400),
    "deep JSON": ("POST", "/v1/pool/offer", b"[" * 60_000, {}, 400),
    "a request that is no base64": ("POST", "/v1/pool/offer", b'{"request":"?"}', {}, 401),
    "a request that is noise": ("POST", "/v1/pool/offer", b'{"request":"AAAA"}', {}, 401),
    "a body above the limit": (
        "POST",
        "/v1/pool/offer",
        b'{"request":"' + b"A" * MAX_BODY_BYTES + b'"}',
        {},
        413,
    ),
    "no proof": ("GET", "/v1/wallets", None, {}, 401),
    "a proof that is no base64": ("GET", "/v1/wallets", None, {"Quorate-Proof": "?"}, 400),
    "a proof that is noise": ("GET", "/v1/wallets", None, {"Quorate-Proof": "AAAA"}, 401),
    "no proof for instances": ("POST", "/v1/instances", b"", {}, 401),
}


@pytest.mark.parametrize("what", REQUESTS)
async def test_a_bad_request_gets_a_status_and_says_why(url: str, what: str) -> None:
    method, path, body, headers, status = REQUESTS[what]
    if body is not None:
        headers = {"Content-Type": "application/json", **headers}
    async with aiohttp.ClientSession() as client:
        async with client.request(method, url + path, data=body, headers=headers) as response:
            assert response.status == status, await response.text()
            answer = json.loads(await response.text())
    assert set(answer) == {"code", "message", "remedy"}
    assert "Traceback" not in answer["message"]


async def test_a_proof_serves_one_request_to_one_node(url: str, network: Network, mallory: Stranger) -> None:
    async with aiohttp.ClientSession() as client:

        async def nonce(node: str) -> bytes:
            async with client.get(network.nodes[node].url + "/v1/challenge") as response:
                return bytes.fromhex((await response.json())["nonce"])

        async def ask(node: str, path: str, header: str) -> int:
            async with client.get(
                network.nodes[node].url + path, headers={"Quorate-Proof": header}
            ) as response:
                return response.status

        def proof(fresh: bytes, path: str = "/v1/wallets", keys: KeyPair = mallory.keys) -> str:
            identity = network.identities[NODE]
            return base64.b64encode(
                prove_request(keys, mallory.token, identity, "GET", path, b"", fresh)
            ).decode()

        good = proof(await nonce(NODE))
        assert await ask(NODE, "/v1/wallets", good) == 200
        assert await ask(NODE, "/v1/wallets", good) == 401
        assert await ask("node2", "/v1/wallets", proof(await nonce("node2"))) == 401
        assert await ask(NODE, "/v1/wallets", proof(bytes(32))) == 401
        assert await ask(NODE, "/v1/wallets", proof(await nonce(NODE), path="/v1/instances")) == 401
        thief = KeyPair.generate(system_rng)
        assert await ask(NODE, "/v1/wallets", proof(await nonce(NODE), keys=thief)) == 401


def test_after_all_that_other_wallets_sign(
    machine: Machine, addresses: dict[str, str], signs: Callable[[str], None]
) -> None:
    signs(addresses["personal"])
    signs(addresses["server"])
    logs = (machine.home.network / NODE / "node.log").read_text()
    assert "Traceback" not in logs, logs[logs.index("Traceback") :][:3000]
