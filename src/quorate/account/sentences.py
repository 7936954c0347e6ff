"""What a structure means to the person who relies on it, in one or two sentences without jargon."""

from __future__ import annotations

from quorate.sharing.access import AccessStructure

_WORDS = {0: "none", 1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven"}


def survival(structure: AccessStructure) -> str:
    """Which losses the wallet survives, and which one it does not.

    Speaks of the nodes as one body ("the service"), and of how many single nodes may be down.
    """
    nodes = tuple(structure.nodes)
    factors = tuple(structure.factors)
    survivable = [_the(name) for name in factors if structure.survives([name])]
    fatal = [_the(name) for name in factors if not structure.survives([name])]
    whole_service = bool(nodes) and structure.survives(nodes)
    committee = structure.committee()
    spare = len(nodes) - committee.needed if committee is not None else 0
    losses = [*survivable, *(["the whole service"] if whole_service else [])]
    sentences = []
    if losses:
        one = "any one of: " if len(losses) > 1 else ""
        sentences.append(f"The wallet survives the loss of {one}{_listed(losses, 'or')}.")
    if fatal:
        verb = "is" if len(fatal) == 1 else "are"
        sentences.append(f"{_listed(fatal, 'and').capitalize()} {verb} needed for every signature.")
    if nodes and not whole_service:
        sentences.append("The service is needed for every signature.")
    if len(nodes) > 1:
        down = f"up to {_count(spare)} of its {_count(len(nodes))} nodes" if spare else "no node"
        sentences.append(f"The service works with {down} down.")
    return " ".join(sentences)


def _the(name: str) -> str:
    return f"the {name}"


def _count(number: int) -> str:
    return _WORDS.get(number, str(number))


def _listed(parts: list[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"
