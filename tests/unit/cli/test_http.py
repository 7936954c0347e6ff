"""Requests of commands to nodes: what is said of an answer, and of none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from quorate.cli.http import ask
from quorate.errors import Missing, Refused


class Echo(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        refusal = self.headers.get("Refuse")
        self.send_response(403 if refusal else 200)
        self.end_headers()
        self.wfile.write(refusal.encode() if refusal else body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_answer_is_its_body(url: str) -> None:
    assert ask(url, method="POST", body=b"hello") == b"hello"


@pytest.mark.parametrize(
    ("said", "code", "text"),
    [
        ('{"code": "busy", "message": "later"}', "busy", "node1: later"),
        ("<html>", "http", "node1: no explanation"),
    ],
)
def test_a_refusal_says_why_and_who(url: str, said: str, code: str, text: str) -> None:
    with pytest.raises(Refused, match=text) as refused:
        ask(url, name="node1", method="POST", body=b"", headers={"Refuse": said})
    assert (refused.value.code, refused.value.parties) == (code, ("node1",))


@pytest.mark.parametrize("nowhere", ["http://127.0.0.1:1", "no address at all"])
def test_without_an_answer_the_node_is_missing(nowhere: str) -> None:
    with pytest.raises(Missing, match="node1 cannot be reached"):
        ask(nowhere, name="node1")
