"""`--explain`: who sends what to whom, which part is made where, and what each could learn from it.

The device carries every session, so it sees every envelope's addresses and size; that is what is told here,
with one sentence a kind of message. Envelopes of one kind are told together when the next kind begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from quorate.device.sessions import Closed, Event, Opened
from quorate.transport.hub import Carried

_PROTOCOLS: Final = {
    "formation": "Forming the key: the nodes bring a number none of them knows; the device adds its own.",
    "refresh": "Bringing in the backup: the same key on fresh shares, one of them the backup's own.",
    "ecdsa.sign": "Signing: each signer makes a part from its share; only the sum is a signature.",
    "ecdsa.presign": "Preparing a signature: everything about it that needs no message yet.",
    "ecdsa.online": "Signing with what was prepared: one short answer from each node.",
}

_MESSAGES: Final = {
    "formation.contribution": ("fixes its part of the chain code by a hash", "nothing yet"),
    "formation.assigned": ("names the nodes' public point", "public points only"),
    "formation.form": (
        "opens the device's public point, with a proof",
        "a public point; the share stays here",
    ),
    "formation.reveal": ("opens its part of the chain code", "the chain code, which signs nothing"),
    "formation.agreed": ("states the hash of what came out", "that all have the same public key"),
    "refresh.known": ("states the public values it starts from", "public points only"),
    "refresh.accept": ("proves that the new factor has its keys", "its public keys"),
    "refresh.masks": ("fixes masks by public points", "public points only"),
    "refresh.mask-shares": ("sends a node its part of the masks, sealed", "that node: a random number"),
    "refresh.authorise": ("signs exactly this request", "what is asked for"),
    "refresh.lock": ("promises to serve this request and no other", "nothing more"),
    "refresh.item": (
        "sends a factor one item for its share, sealed",
        "only that factor; any few items are random",
    ),
    "refresh.part": ("sends a factor the masked rest, sealed", "only that factor; alone it is random"),
    "refresh.confirm": ("proves that it knows its new share", "its public point"),
    "refresh.ready": ("states that the new shares are in place", "nothing more"),
    "echo.digest": ("tells a hash of what it has heard", "that nobody was told something else"),
    "echo.seen": ("shows what it has heard, because hashes differ", "who told whom what"),
    "ecdsa.presign.commitment": ("fixes its part of the nonce by a hash", "nothing yet"),
    "ecdsa.presign.extension": ("begins a multiplication with one other signer", "bits under random pads"),
    "ecdsa.presign.opening": ("opens its public part of the nonce", "public points only"),
    "ecdsa.presign.multiplication": ("answers it: a product, in two random halves", "one random half each"),
    "ecdsa.answer": (
        "sends the device its part of this one signature",
        "one part; the sum needs all of them",
    ),
    "ecdsa.disclosure": ("shows the entropy of this signature", "a random number for this signature alone"),
}


@dataclass(slots=True)
class _Told:
    senders: set[str] = field(default_factory=set)
    recipients: set[str] = field(default_factory=set)
    count: int = 0
    size: int = 0


class Explainer:
    """An observer of a device's sessions that writes lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._kinds: dict[str, _Told] = {}

    def __call__(self, event: Event) -> None:
        """Take in one event."""
        match event:
            case Opened():
                self._opened(event)
            case Closed():
                self._closed(event)
            case _:
                self._carried(event)

    def _opened(self, event: Opened) -> None:
        if event.protocol in _PROTOCOLS:
            self._flush()
            self._say("")
            self._say(_PROTOCOLS[event.protocol])
            self._say(f"  taking part: {', '.join(event.parties)}")

    def _closed(self, event: Closed) -> None:
        if event.protocol == "ecdsa.setup" and not event.error:
            pair = " and ".join(event.parties)
            self._say(f"  {pair} can multiply now without showing their factors; this serves every signature")
            return
        self._flush()
        if event.error:
            self._say(f"  ended: {event.error}")
        elif event.protocol in ("ecdsa.sign", "ecdsa.online"):
            nodes = [name for name in event.parties if name != "device"]
            parts = ", ".join(f"one in the process of {name}" for name in nodes)
            self._say(f"  parts: {parts}, and the last here, from this device's share; it is sent to nobody")
            self._say("  sum: made here, and checked like any signature before anybody sees it")

    def _carried(self, event: Carried) -> None:
        if event.tag.startswith("ecdsa.setup"):
            return
        if event.tag not in self._kinds and self._kinds and not _same_round(event.tag, self._kinds):
            self._flush()
        told = self._kinds.setdefault(event.tag, _Told())
        told.senders.add(event.sender)
        told.recipients.add(event.recipient or "all others")
        told.count += 1
        told.size += event.size

    def _flush(self) -> None:
        for tag, told in self._kinds.items():
            what, learned = _MESSAGES.get(tag, ("", ""))
            whom = ", ".join(sorted(told.recipients))
            if len(told.senders) > 1 and told.senders == told.recipients:
                whom = "each other"
            self._say(f"  {', '.join(sorted(told.senders))} → {whom}: {what or tag}")
            amount = f"{told.count} envelopes, {told.size} bytes" if told.count > 1 else f"{told.size} bytes"
            self._say(f"      ({tag}; {amount}; learned: {learned or 'see its page'})")
        self._kinds.clear()


def _same_round(tag: str, kinds: dict[str, _Told]) -> bool:
    """Kinds that signers send side by side are told after each other, not in pieces."""
    rounds = (
        {"formation.contribution", "echo.digest", "formation.assigned"},
        {"formation.form", "formation.reveal"},
        {"refresh.known", "refresh.accept", "refresh.masks", "refresh.mask-shares"},
        {"refresh.lock", "refresh.part", "refresh.item", "refresh.confirm"},
        {"ecdsa.presign.commitment", "ecdsa.presign.extension"},
        {"ecdsa.presign.opening", "ecdsa.presign.multiplication"},
    )
    return any(tag in together and set(kinds) <= together for together in rounds)
