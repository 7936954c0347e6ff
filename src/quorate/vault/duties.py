"""Validators' duties done, so that none is ever done in two ways: slashing protection that survives a crash.

`permit` reads what a validator has signed, judges the new duty by `quorate.vault.slashing`, and stores it, in
one transaction that is durable, generation and all, before the caller holds anything it could send. The row
of the validator is locked meanwhile, so two threads, processes or replicas that share the database come one
after the other. The very same duty is permitted again: a BLS signature is deterministic, and an answer that
got lost may be asked for once more.

Nothing here is secret, and nothing is erased with an epoch of the key: shares change, the validator stays. A
history is kept for ever, at most `MAX_ENTRIES` of each kind, with bounds for the rest.

When a rollback of the database is found, every validator is *frozen*, those included that the older copy had
not heard of: duties may have been done in between, and other than with an account's head, no other node can
say which. Each stays so until the operator gives bounds that lie behind everything that can have been signed
(`set_bounds`: the present slot and epoch do).

Protects one node from itself. Whether a validator is safe also needs that any two quorums which could sign
share an honest node or device: see docs/protocols/bls.md, "Duties".
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.errors import LocalError, Malformed, Refused, Remedy, Unavailable
from quorate.vault.rows import Rows
from quorate.vault.slashing import (
    KEY_BYTES,
    ROOT_BYTES,
    Attestation,
    Block,
    Bounds,
    Duty,
    History,
    judge,
    read_interchange,
    write_interchange,
)
from quorate.vault.storage import Transaction


class Duties:
    """The histories of all validators that this party signs for.

    A validator is its 48-byte public key on a network, which its 32-byte genesis validators root names.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def permit(self, validator: bytes, network: bytes, duty: Duty) -> bool:
        """Allow one duty and remember it, durably. Gives whether it is new (False: it was done before).

        Raises `Refused` with code ``slashable``, ``below-bound`` or ``validator-frozen``, and `Unavailable`
        while a rollback is unresolved. Then nothing must be signed.
        """
        if not duty.root:
            raise LocalError("a duty to be done has a signing root")
        if self._rows.generation.rolled_back:
            raise Unavailable(
                "this database was restored from an older copy; validators' duties wait for that",
                remedy=Remedy.RETRY,
            )
        with self._rows.storage.transaction(outermost=True) as tx:
            if _lock(tx, validator, network):
                raise Refused(
                    "what this validator signed last is not known here, since the database was restored from "
                    "an older copy; set its bounds to the present slot and epoch first",
                    code="validator-frozen",
                )
            history = _read(tx, validator, network)
            new = judge(history, duty)
            if new:
                _write(tx, validator, network, history, history.with_duty(duty).pruned())
                self._rows.generation.advance(tx)
        return new

    def history(self, validator: bytes, network: bytes) -> History:
        """What is known of one validator; empty for a strange one."""
        with self._rows.storage.transaction() as tx:
            return _read(tx, validator, network)

    def frozen(self, validator: bytes, network: bytes) -> bool:
        """Whether a rollback was found and bounds have not been given since."""
        with self._rows.storage.transaction() as tx:
            found = tx.query_one(
                "SELECT frozen FROM duty_validators WHERE validator = ? AND network = ?",
                _names(validator, network),
            )
            if found is None:
                found = tx.query_one(
                    "SELECT frozen FROM duty_validators WHERE validator = ? AND network = ?", _EVERY
                )
        return found is not None and bool(found[0])

    def set_bounds(self, validator: bytes, network: bytes, bounds: Bounds) -> None:
        """The operator's word that everything signed so far lies at or below these. Bounds only rise.

        Ends a freeze, so the numbers must not be guesses: the present slot and epoch are always right.
        """
        with self._rows.storage.transaction(outermost=True) as tx:
            _lock(tx, validator, network)
            history = _read(tx, validator, network)
            _write(tx, validator, network, history, history.merged(History(bounds=bounds)))
            tx.execute(
                "UPDATE duty_validators SET frozen = 0 WHERE validator = ? AND network = ?",
                _names(validator, network),
            )
            self._rows.generation.advance(tx)

    def import_file(self, data: bytes, network: bytes) -> int:
        """Take in an EIP-3076 file; gives how many validators it was about. All of it or nothing.

        Adds to what is known and never takes away; a frozen validator stays frozen. Raises what
        `read_interchange` raises.
        """
        found = read_interchange(data, network)
        with self._rows.storage.transaction(outermost=True) as tx:
            for validator in sorted(found):  # one order, so that two imports do not wait for each other
                _lock(tx, validator, network)
                history = _read(tx, validator, network)
                _write(tx, validator, network, history, history.merged(found[validator]).pruned())
            self._rows.generation.advance(tx)
        return len(found)

    def export_file(self, network: bytes) -> bytes:
        """The EIP-3076 file of all validators on a network, for a new node or another signer.

        Whoever goes on with it must begin after this one has stopped.
        """
        with self._rows.storage.transaction() as tx:
            names = tx.query(
                "SELECT validator FROM duty_validators WHERE network = ? ORDER BY validator", (network.hex(),)
            )
            histories: Mapping[bytes, History] = {
                bytes.fromhex(name): _read(tx, bytes.fromhex(name), network) for (name,) in names
            }
        return write_interchange(histories, network)


def freeze_all(tx: Transaction) -> None:
    """Stop all validators, also those without a row yet; for the transaction that finds a rollback."""
    tx.execute("UPDATE duty_validators SET frozen = 1")
    tx.execute(
        "INSERT INTO duty_validators (validator, network, frozen, slot, source, target) "
        "VALUES (?, ?, 1, -1, 0, -1) ON CONFLICT DO NOTHING",
        _EVERY,
    )


def _lock(tx: Transaction, validator: bytes, network: bytes) -> bool:
    """Make the validator's row if there is none, and hold it; gives whether it is frozen."""
    names = _names(validator, network)
    tx.execute(
        "INSERT INTO duty_validators (validator, network, frozen, slot, source, target) "
        "SELECT ?, ?, COUNT(*), -1, 0, -1 FROM duty_validators WHERE validator = ? AND network = ? "
        "ON CONFLICT DO NOTHING",
        (*names, *_EVERY),
    )
    found = tx.query_one(
        "SELECT frozen FROM duty_validators WHERE validator = ? AND network = ?", names, for_update=True
    )
    if found is None:
        raise LocalError("a validator vanished while it was written; the database is not one we can use")
    return bool(found[0])


def _read(tx: Transaction, validator: bytes, network: bytes) -> History:
    names = _names(validator, network)
    bounds = tx.query_one(
        "SELECT slot, source, target FROM duty_validators WHERE validator = ? AND network = ?", names
    )
    blocks = tx.query("SELECT slot, root FROM duty_blocks WHERE validator = ? AND network = ?", names)
    votes = tx.query(
        "SELECT source, target, root FROM duty_attestations WHERE validator = ? AND network = ?", names
    )
    return History(
        frozenset(Block(int(slot), bytes.fromhex(root)) for slot, root in blocks),
        frozenset(
            Attestation(int(source), int(target), bytes.fromhex(root)) for source, target, root in votes
        ),
        Bounds(*map(int, bounds)) if bounds else Bounds(),
    )


def _write(tx: Transaction, validator: bytes, network: bytes, before: History, after: History) -> None:
    names = _names(validator, network)
    for block in before.blocks ^ after.blocks:
        statement = _ADD_BLOCK if block in after.blocks else _DROP_BLOCK
        tx.execute(statement, (*names, block.slot, block.root.hex()))
    for vote in before.attestations ^ after.attestations:
        statement = _ADD_VOTE if vote in after.attestations else _DROP_VOTE
        tx.execute(statement, (*names, vote.source, vote.target, vote.root.hex()))
    bounds = after.bounds
    tx.execute(
        "UPDATE duty_validators SET slot = ?, source = ?, target = ? WHERE validator = ? AND network = ?",
        (bounds.slot, bounds.source, bounds.target, *names),
    )


def _names(validator: bytes, network: bytes) -> tuple[str, str]:
    if len(validator) != KEY_BYTES or len(network) != ROOT_BYTES:
        raise Malformed(f"a validator is {KEY_BYTES} bytes of public key on a network of {ROOT_BYTES} bytes")
    return validator.hex(), network.hex()


_EVERY = ("", "")
"""The row that says: who is not known here is frozen too."""

_ADD_BLOCK = "INSERT INTO duty_blocks (validator, network, slot, root) VALUES (?, ?, ?, ?)"
_ADD_VOTE = "INSERT INTO duty_attestations (validator, network, source, target, root) VALUES (?, ?, ?, ?, ?)"
_DROP_BLOCK = "DELETE FROM duty_blocks WHERE validator = ? AND network = ? AND slot = ? AND root = ?"
_DROP_VOTE = (
    "DELETE FROM duty_attestations WHERE validator = ? AND network = ? "
    "AND source = ? AND target = ? AND root = ?"
)
