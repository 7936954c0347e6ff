"""One request to a node over HTTP, from a command that does nothing else meanwhile.

A device's own requests go through its connection pool (`quorate.device.nodes`); here the standard library is
enough, and starts faster than it.
"""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Final

import msgspec

from quorate.errors import Missing, Refused

ANSWER_SECONDS: Final = 10.0
"""For one node's answer; busy ones take a moment."""

MAX_ANSWER_BYTES: Final = 1 << 22


class _Explanation(msgspec.Struct, frozen=True):
    code: str = "http"
    message: str = "no explanation"


def ask(
    url: str,
    *,
    name: str = "",
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = ANSWER_SECONDS,
) -> bytes:
    """The body of the answer. `url` comes from the network's own file; `name` is whom errors are about.

    Raises `Missing` if nothing answers, and `Refused` with the node's reason if it does not want to.
    """
    name = name or url
    try:
        request = urllib.request.Request(url, data=body, headers=dict(headers or {}), method=method)  # noqa: S310
        with urllib.request.urlopen(request, timeout=seconds) as response:  # noqa: S310
            data: bytes = response.read(MAX_ANSWER_BYTES)
            return data
    except urllib.error.HTTPError as error:
        raise _explained(name, error.read(1 << 16)) from None
    except (OSError, ValueError) as error:  # URLError is an OSError; a URL that cannot be one, a ValueError
        raise Missing(f"{name} cannot be reached: {type(error).__name__}", parties=[name], needed=1) from None


def _explained(name: str, data: bytes) -> Refused:
    try:
        answer = msgspec.json.decode(data, type=_Explanation)
    except ValueError:
        answer = _Explanation()
    return Refused(f"{name}: {answer.message[:512]}", code=answer.code[:64], parties=[name])
