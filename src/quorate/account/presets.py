"""The structures offered before any expression: two presets and what they expand to.

Here too what both ends know of curves before any session: which of them need OT setups.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quorate.errors import Malformed
from quorate.sharing.access import AccessStructure

PAIRED_CURVES: Final = frozenset({"secp256k1", "p256", "stark"})
"""Curves of ECDSA, which wants an OT setup between any two signers."""

DEVICE: Final = "device"
BACKUP: Final = "backup"

PERSONAL: Final = "personal"
"""Any two of: the nodes, this device, a backup."""

SERVER: Final = "server"
"""The nodes and this device, both needed."""

FIRST_DEVICE_POINT: Final = 2
BACKUP_POINT: Final = 3


def structure_for(preset: str, nodes: Sequence[str], degree: int) -> AccessStructure:
    """The structure a new wallet ends with.

    `preset` is ``personal``, ``server`` or an expression over the nodes, ``device`` and ``backup``.
    Raises `Malformed` for an expression that is none, or that leaves out committee or device.
    """
    if preset == PERSONAL:
        return AccessStructure.with_committee(
            nodes, degree, {DEVICE: FIRST_DEVICE_POINT, BACKUP: BACKUP_POINT}
        )
    if preset == SERVER:
        return formation_structure(nodes, degree)
    structure = AccessStructure.parse(preset)
    if sorted(structure.nodes) != sorted(nodes) or structure.factors.get(DEVICE) != FIRST_DEVICE_POINT:
        raise Malformed(
            f"{structure}: a new wallet needs all nodes ({' '.join(nodes)}) as its first member and the "
            "device as its second"
        )
    committee = structure.committee()
    if committee is None or committee.needed != degree + 1:
        raise Malformed(f"{structure}: the nodes of this network share with {degree + 1} of {len(nodes)}")
    return structure


def formation_structure(nodes: Sequence[str], degree: int) -> AccessStructure:
    """The structure every wallet begins with: 2 of (committee, device)."""
    return AccessStructure.with_committee(nodes, degree, {DEVICE: FIRST_DEVICE_POINT})
