"""How far a change of committee has come at one node, for its operator."""

from __future__ import annotations

from dataclasses import dataclass

from quorate.account.changing import Assembly
from quorate.node.epochs.store import ChangeStore, Under


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a change has come at one node. `stage` is a word for programs, `text` a sentence for people."""

    epoch: int
    stage: str
    text: str
    chunks: int = 0
    done: int = 0
    stored: int = 0
    members: int = 0
    erased: int = 0


def progress_of(store: ChangeStore, under: Under, assembly: Assembly | None) -> Progress:
    """What `store` says of the change it is under; `assembly` is the list of keys once it is known."""
    epoch, members = under.new.epoch, len(under.new.names)
    if assembly is None:
        shown = sum(store.pages(name) is not None for name in under.old.names)
        text = f"{shown} of {len(under.old.names)} nodes have shown what they hold"
        return Progress(epoch, "listing", text, members=members)
    chunks = len(assembly.chunks)
    done = sum(store.result(at) is not None for at in range(chunks))
    stored = len(store.holds(under.new.names))
    if store.activation() is not None:
        return Progress(epoch, "switching", "the epoch is in force", chunks, done, stored, members)
    text = f"{done} of {chunks} chunks are reshared, {stored} of {members} nodes have stored all of them"
    return Progress(epoch, "resharing", text, chunks, done, stored, members)
