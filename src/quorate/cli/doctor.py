"""`quorate doctor`: what might be wrong here, each finding with what to do about it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Final

from quorate.cli.failures import LOCAL, OK
from quorate.cli.local_network import LocalNetwork, is_ready
from quorate.cli.terminal import Terminal
from quorate.device.home import Home
from quorate.errors import QuorateError


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. `next` is empty where nothing is to be done."""

    check: str
    ok: bool
    found: str
    next: str = ""


def run(*, as_json: bool) -> int:
    """Run every check; gives the exit code."""
    terminal = Terminal(as_json)
    with terminal.progress("checking"):
        findings = asyncio.run(examine())
    lines = []
    for finding in findings:
        lines.append(f"{'ok  ' if finding.ok else 'LOOK'} {finding.check}: {finding.found}")
        if finding.next:
            lines.append(f"     next: {finding.next}")
    healthy = all(finding.ok for finding in findings)
    terminal.result({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}, *lines)
    return OK if healthy else LOCAL


async def examine() -> list[Finding]:
    """All findings, in order. One that cannot be made is itself a finding."""
    findings = []
    for name, check in _CHECKS.items():
        try:
            findings.append(await check())
        except QuorateError as error:
            findings.append(Finding(name, False, str(error)))
        except (OSError, ImportError) as error:
            findings.append(Finding(name, False, f"{type(error).__name__}: {error}"))
    return findings


async def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), version)


async def _curve() -> Finding:
    from quorate.groups import SECP256K1

    point = SECP256K1.generator.multiply(SECP256K1.scalar(2))
    return Finding("curve", point == SECP256K1.generator + SECP256K1.generator, "libsecp256k1 answers")


async def _evm() -> Finding:
    try:
        version = importlib.metadata.version("py-evm")
    except importlib.metadata.PackageNotFoundError:
        return Finding("evm", True, "not installed; only the demo needs it: pip install 'quorate[evm]'")
    return Finding("evm", True, f"py-evm {version}, for the demo")


async def _home() -> Finding:
    home = Home.default()
    if not home.path.exists():
        return Finding("home", True, f"{home.path} is made when it is needed")
    mode = home.path.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding("home", False, f"others may look into {home.path}", f"chmod 700 {home.path}")
    writable = os.access(home.path, os.W_OK)
    return Finding("home", writable, str(home.path), "" if writable else f"chown {home.path} to yourself")


async def _nodes() -> Finding:
    home = Home.default()
    local = LocalNetwork(home)
    if not local.exists:
        return Finding("nodes", False, "no network was made here", "quorate up")
    nodes = local.nodes()
    down = [node.name for node in nodes if node.pid is None]
    if down:
        return Finding("nodes", False, f"not running: {', '.join(down)}", "quorate up")
    ready = await asyncio.gather(*(asyncio.to_thread(is_ready, node.url) for node in nodes))
    silent = [node.name for node, answers in zip(nodes, ready, strict=True) if not answers]
    if silent:
        logs = ", ".join(str(node.log) for node in nodes if node.name in silent)
        return Finding("nodes", False, f"running but not ready: {', '.join(silent)}", f"look at {logs}")
    return Finding("nodes", True, f"{len(nodes)} are ready")


async def _device() -> Finding:
    from quorate.device.device import Device

    home = Home.default()
    if not LocalNetwork(home).exists:
        return Finding("device", True, "waits for a network")
    async with Device.open() as device:
        logged_in, unfinished = device.logged_in, await device.unfinished()
        wallets = len(await device.wallets())
    if unfinished:
        return Finding(
            "device", False, f"{unfinished} wallets are not finished", "quorate up, then quorate wallet list"
        )
    if wallets and not logged_in:
        return Finding("device", False, "the login has run out", "quorate login")
    return Finding("device", True, f"{wallets} wallets, {'logged in' if logged_in else 'not logged in yet'}")


_CHECKS: Final[dict[str, Callable[[], Awaitable[Finding]]]] = {
    "python": _python,
    "curve": _curve,
    "evm": _evm,
    "home": _home,
    "nodes": _nodes,
    "device": _device,
}
