"""Structs with a secret inside print their names and nothing else, by `repr`, `str` and `rich`."""

import io

import pytest
from rich.console import Console
from rich.pretty import Pretty

from quorate.device.backup.process import Task
from quorate.encoding import Canonical
from quorate.groups import SECP256K1
from quorate.schemes.ecdsa.setup import Response
from quorate.sharing.refresh_messages import Item

SECRET = b"thirty-two bytes nobody may see!"
HELD = [
    Task("backup", "local", bytes(32), bytes(65), (), "/backup", SECRET.decode()),
    Response(SECRET, SECRET, SECRET),
    Item(SECP256K1.scalar(int.from_bytes(SECRET, "big")), SECRET),
]


def printed(value: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=200).print(Pretty(value))
    return f"{value!r} {value} {stream.getvalue()}"


@pytest.mark.parametrize("held", HELD, ids=lambda held: type(held).__name__)
def test_only_the_name_is_printed(held: Canonical) -> None:
    shown = printed(held)
    assert "nobody" not in shown
    assert SECRET.hex() not in shown
    assert str(int.from_bytes(SECRET, "big")) not in shown


def test_the_same_fields_in_a_plain_struct_would_be_seen() -> None:
    class Plain(Canonical, frozen=True):
        password: str

    assert "nobody" in printed(Plain(SECRET.decode()))
