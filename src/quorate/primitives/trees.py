"""All-but-one correlation: from transferred keys to trees of which one party misses one leaf each.

Step A2 of docs/protocols/oblivious-transfer.md: a GGM tree as puncturable pseudorandom function, corrected
level by level (SoftSpokenOT, ePrint 2022/192, section 6), with its consistency proof. All trees of a batch
are worked on at once, as arrays with the tree as first axis.

Numbering. The chooser's choice bit at level d of a tree is c_d; the leaf it misses has the index whose bits,
most significant first, are the complements of c_1..c_k. That index is `delta`, k bits of Delta. What the
chooser holds is kept in *relative* order: slot s stands for the node s XOR (its piece of delta), so that
slot 0 is always the missing one, and no branch or address depends on delta.

Assumes that keys are used for one batch only. A proof that passes still tells a cheating responder that the
choice bits he guessed were right; what that costs him is in the page's section on leakage.
"""

from __future__ import annotations

import hmac
from typing import Final

import numpy as np
import numpy.typing as npt

from quorate.errors import CheckFailed
from quorate.primitives.bits import expand, masks, octets
from quorate.primitives.limbs import Octets
from quorate.primitives.parameters import SEED_BYTES, OTParameters
from quorate.primitives.tags import Tag
from quorate.primitives.transcript import digest

PROOF_BYTES: Final = 32
"""Bytes of one leaf's proof value; a tree's proof is two of them."""


def corrections_shape(parameters: OTParameters) -> tuple[int, int, int, int]:
    """Trees, levels below the first, two branches, bytes."""
    return parameters.trees, parameters.depth - 1, 2, SEED_BYTES


def proofs_shape(parameters: OTParameters) -> tuple[int, int, int]:
    """Trees, XOR and hash of the leaves' proof values, bytes."""
    return parameters.trees, 2, PROOF_BYTES


def grow(parameters: OTParameters, sid: bytes, keys: Octets) -> tuple[Octets, Octets, Octets]:
    """The responder's side, steps A2.1 to A2.3.

    `keys`: (trees, depth, 2, SEED_BYTES), both keys of each transfer. Returns the leaves, (trees, leaves,
    SEED_BYTES), with the corrections and proofs to send.
    """
    corrections = np.zeros(corrections_shape(parameters), np.uint8)
    nodes = keys[:, 0]
    for level in range(2, parameters.depth + 1):
        nodes = _double(parameters, sid, level, nodes, _slots(parameters, level - 1))
        sums = np.bitwise_xor.reduce(nodes.reshape(parameters.trees, -1, 2, SEED_BYTES), axis=1)
        corrections[:, level - 2] = keys[:, level - 1] ^ sums
    values = _proof_values(parameters, sid, nodes, _slots(parameters, parameters.depth))
    proofs = np.stack([np.bitwise_xor.reduce(values, axis=1), _seals(sid, values)], axis=1)
    return np.ascontiguousarray(nodes), corrections, proofs


def complete(
    parameters: OTParameters, sid: bytes, keys: Octets, choices: Octets, corrections: Octets, proofs: Octets
) -> Octets:
    """The chooser's side, steps A2.4 and A2.5.

    `keys`: (trees, depth, SEED_BYTES), the chosen key of each transfer; `choices`: (trees, depth), bits.
    Returns the leaves that are not missing in relative order, (trees, leaves - 1, SEED_BYTES). Raises
    `CheckFailed` if the responder's corrections do not fit his proof.
    """
    trees = parameters.trees
    delta = np.zeros(trees, np.uint32)
    nodes = np.zeros((trees, 1, SEED_BYTES), np.uint8)  # slot 0: the root is missing
    for level in range(1, parameters.depth + 1):
        choice = choices[:, level - 1]
        if level == 1:
            children = np.zeros((trees, 2, SEED_BYTES), np.uint8)
            sibling = keys[:, 0]
        else:
            children = _double(parameters, sid, level, nodes, _slots(parameters, level - 1) ^ delta[:, None])
            pairs = children.reshape(trees, -1, 2, SEED_BYTES)
            # left and right child change places where the path turns right (choice 0)
            turned = (pairs[:, :, 0] ^ pairs[:, :, 1]) & masks(1 - choice)[:, None]
            pairs ^= turned[:, :, None]
            children[:, :2] = 0  # of the missing node, hence not known
            known = np.bitwise_xor.reduce(pairs[:, :, 1], axis=1)
            left, right = corrections[:, level - 2, 0], corrections[:, level - 2, 1]
            sibling = left ^ ((left ^ right) & masks(choice)) ^ keys[:, level - 1] ^ known
        children[:, 1] = sibling
        nodes = children
        delta = 2 * delta + (1 - choice)
    _verify(parameters, sid, nodes, delta, proofs)
    return np.ascontiguousarray(nodes[:, 1:])


def _verify(
    parameters: OTParameters, sid: bytes, nodes: Octets, delta: npt.NDArray[np.uint32], proofs: Octets
) -> None:
    """Step A2.5: the missing leaf's proof value follows from the XOR of all; then the hash must fit."""
    values = _proof_values(parameters, sid, nodes, _slots(parameters, parameters.depth) ^ delta[:, None])
    values[:, 0] = np.bitwise_xor.reduce(values[:, 1:], axis=1) ^ proofs[:, 0]
    for level in range(parameters.depth):  # from relative to absolute order, one index bit at a time
        pairs = values.reshape(parameters.trees, -1, 2, 1 << level, PROOF_BYTES)
        bit = ((delta >> level) & 1).astype(np.uint8)
        turned = (pairs[:, :, 0] ^ pairs[:, :, 1]) & masks(bit)[:, None, None]
        pairs ^= turned[:, :, None]
    if not hmac.compare_digest(_seals(sid, values).tobytes(), np.ascontiguousarray(proofs[:, 1]).tobytes()):
        raise CheckFailed("the corrections of an OT setup do not fit their proof", leak_bearing=False)


def _slots(parameters: OTParameters, level: int) -> npt.NDArray[np.uint32]:
    return np.broadcast_to(np.arange(1 << level, dtype=np.uint32), (parameters.trees, 1 << level))


def _double(
    parameters: OTParameters, sid: bytes, level: int, nodes: Octets, numbers: npt.NDArray[np.uint32]
) -> Octets:
    """Both children of every node of the level above `level`; `numbers` are the nodes' absolute numbers."""
    key = digest(Tag.OT_TREE, sid, bytes([level]))
    children = expand(key, _absolute(numbers), nodes.reshape(-1, SEED_BYTES), 2 * SEED_BYTES)
    return children.reshape(parameters.trees, -1, SEED_BYTES).copy()


def _proof_values(
    parameters: OTParameters, sid: bytes, leaves: Octets, numbers: npt.NDArray[np.uint32]
) -> Octets:
    key = digest(Tag.OT_LEAF, sid)
    values = expand(key, _absolute(numbers), leaves.reshape(-1, SEED_BYTES), PROOF_BYTES)
    return values.reshape(parameters.trees, -1, PROOF_BYTES).copy()


def _absolute(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Numbers within each tree as numbers within the level of the whole batch."""
    trees, width = numbers.shape
    first: npt.NDArray[np.uint32] = np.arange(0, trees * width, width, dtype=np.uint32)
    return np.add(numbers, first[:, None]).ravel()


def _seals(sid: bytes, values: Octets) -> Octets:
    hashes = [
        digest(Tag.OT_LEAVES, sid, tree.to_bytes(4, "big"), row.tobytes()) for tree, row in enumerate(values)
    ]
    return octets(b"".join(hashes), len(hashes), PROOF_BYTES)
