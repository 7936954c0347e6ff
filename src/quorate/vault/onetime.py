"""What is prepared for signatures: ECDSA's presignatures, FROST's nonces; all called presignatures here. Each
answers one request, once, whatever crashes.

Two answers of one party from one presignature give its nonce, and with it the key, to the other signers. So
one transaction moves READY -> CONSUMED(request hash), wipes the secret and stores the answer; it is durable,
and so is the generation outside the database, before the caller holds anything it could send. The same
request hash gets the stored bytes again. Any other, also with the same digest, is refused for ever. The
request hash covers the *complete* request: presignature id, payload, path, signer set, all entropies.

Values are opaque bytes here. Each is bound to key, epoch and signer set, expires, and dies with its epoch,
with the quarantine of one of its pairs, and when a rollback of the database is found.

States: READY -> CONSUMED | BURNED. Rows of used ids stay, without secrets (about 200 bytes each).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from quorate.errors import AlreadyUsed, LimitExceeded, LocalError, Remedy, Unavailable
from quorate.secret import Secret
from quorate.vault.rows import Place, Rows
from quorate.vault.storage import Transaction

MAX_READY: Final = 64
"""For one key and signer set. A pool hides the latency of a few signatures in a row; a larger one is only
more to lose, and more R values known in advance."""

MAX_LIFETIME_SECONDS: Final = 24 * 3600.0
"""A presignature is worth as much as a share; nothing needs one that is a day old."""

ECDSA: Final = "ecdsa"
"""What is meant unless somebody says otherwise."""

_TABLE: Final = "presignatures"
_BURN: Final = "UPDATE presignatures SET state = 'burned', body = NULL WHERE state = 'ready'"
_SELECT: Final = "SELECT key_id, epoch, signers, state, expires, request, body, answer FROM presignatures"


class PresignatureState(StrEnum):
    """See the module's docstring."""

    READY = "ready"
    CONSUMED = "consumed"
    BURNED = "burned"


class Presignatures:
    """The one-time store. Ids are the 32 random bytes of a presignature."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(
        self,
        presignature: bytes,
        value: bytes,
        *,
        key: str,
        epoch: int,
        signers: Sequence[str],
        pairs: Mapping[str, int],
        expires: float,
        now: float,
        scheme: str = ECDSA,
    ) -> None:
        """Store one, READY until `expires` (Unix seconds). `pairs`: peer -> shard of the OT instance used.

        `scheme` is what it serves: one key may sign by several.

        Raises `AlreadyUsed` for an id ever seen, `LimitExceeded` when `MAX_READY` wait already or it would
        live too long, `Unavailable` while a rollback is unresolved or when the epoch is not the active one.
        """
        if expires - now > MAX_LIFETIME_SECONDS:
            raise LimitExceeded(f"a presignature lives at most {MAX_LIFETIME_SECONDS / 3600:.0f} hours")
        self._refuse_after_rollback()
        names = _signers(signers)
        with self._rows.storage.transaction() as tx:
            _require_active(tx, key, epoch)
            if len(self._ready(tx, key, epoch, names, scheme, now)) >= MAX_READY:
                raise LimitExceeded(f"{MAX_READY} presignatures of key {key} wait already for {names}")
            added = tx.execute(
                "INSERT INTO presignatures (id, key_id, epoch, signers, scheme, state, expires, body) "
                "VALUES (?, ?, ?, ?, ?, 'ready', ?, ?) ON CONFLICT DO NOTHING",
                (
                    presignature.hex(),
                    key,
                    epoch,
                    names,
                    scheme,
                    expires,
                    self._rows.seal(_place(presignature, key, epoch, names), value),
                ),
            )
            if not added:
                raise AlreadyUsed("a presignature with this id was stored before; ids are never used twice")
            for peer, shard in sorted(pairs.items()):
                tx.execute(
                    "INSERT INTO presignature_pairs (id, peer, shard) VALUES (?, ?, ?)",
                    (presignature.hex(), peer, shard),
                )

    def consume(self, presignature: bytes, request: bytes, now: float) -> Secret[bytes]:
        """Take the value out, for the request with this hash. It is gone from the vault, durably.

        Raises `AlreadyUsed` when it was taken before, also for the same request (the value is no more;
        `answer` is for callers that may be asked again). Raises `Unavailable` when it is unknown, expired
        or burned.
        """
        self._refuse_after_rollback()
        with self._rows.storage.transaction(outermost=True) as tx:
            row = self._locked(tx, presignature)
            if row.state is PresignatureState.CONSUMED:
                raise AlreadyUsed(_USED)
            value = self._take(tx, row, now)
            self._close(tx, presignature, request, None)
        return Secret(value)

    def answer(
        self,
        presignature: bytes,
        request: bytes,
        now: float,
        make_answer: Callable[[Secret[bytes]], bytes],
    ) -> bytes:
        """The one answer to the request with this hash: made now, or the bytes stored when it was made.

        `make_answer` gets the value and runs inside the transaction that consumes it: it computes, and may
        write to this vault, but sends nothing. When it raises, the presignature is burned and the error
        goes on. Raises `AlreadyUsed` for any other request, `Unavailable` as `consume` does.
        """
        self._refuse_after_rollback()
        computing = False
        try:
            with self._rows.storage.transaction(outermost=True) as tx:
                row = self._locked(tx, presignature)
                if row.state is PresignatureState.CONSUMED:
                    return self._stored(row, request)
                value = self._take(tx, row, now)
                computing = True
                answer = make_answer(Secret(value))
                computing = False
                self._close(tx, presignature, request, self._rows.seal(row.answer_place, answer))
        except BaseException:
            if computing:
                self.burn(presignature)
            raise
        return answer

    def burn(self, presignature: bytes) -> None:
        """Destroy one that is READY. A used or unknown one is left as it is."""
        with self._rows.storage.transaction() as tx:
            _burn(tx, "id = ?", (presignature.hex(),))

    def burn_all(self) -> int:
        """Destroy all READY ones; gives their number. For a party that starts and can do without them.

        The generation finds a database that was restored alone. One that was restored together with its
        directory looks the same as before, and would offer for a second use what had been used in between.
        """
        with self._rows.storage.transaction() as tx:
            return burn_all(tx)

    def purge(self, now: float) -> int:
        """Destroy all that have expired; gives their number."""
        with self._rows.storage.transaction() as tx:
            return _burn(tx, "expires <= ?", (now,))

    def ready(
        self, key: str, epoch: int, signers: Sequence[str], now: float, scheme: str = ECDSA
    ) -> list[bytes]:
        """Ids that can be used, the one that expires first coming first."""
        with self._rows.storage.transaction() as tx:
            return self._ready(tx, key, epoch, _signers(signers), scheme, now)

    def belongs(
        self, presignature: bytes, key: str, epoch: int, signers: Sequence[str], scheme: str = ECDSA
    ) -> bool:
        """Whether an id was stored, whatever has become of it, for exactly this key, epoch and signer set.

        Ids are no secret. A caller that serves several keys asks this before `answer` or `consume`: a request
        about one key must neither use nor burn what belongs to another.
        """
        with self._rows.storage.transaction() as tx:
            found = tx.query_one(
                "SELECT key_id, epoch, signers, scheme FROM presignatures WHERE id = ?", (presignature.hex(),)
            )
        wanted = (key, epoch, _signers(signers), scheme)
        return found is not None and (found[0], int(found[1]), found[2], found[3]) == wanted

    def ready_with(self, peer: str, now: float) -> list[bytes]:
        """Ids this party could still use together with `peer`: what two parties compare on reconnect."""
        with self._rows.storage.transaction() as tx:
            found = tx.query(
                "SELECT p.id FROM presignatures p JOIN presignature_pairs q ON q.id = p.id "
                "WHERE q.peer = ? AND p.state = 'ready' AND p.expires > ? ORDER BY p.id",
                (peer, now),
            )
        return [bytes.fromhex(name) for (name,) in found]

    def _ready(
        self, tx: Transaction, key: str, epoch: int, names: str, scheme: str, now: float
    ) -> list[bytes]:
        found = tx.query(
            "SELECT id FROM presignatures WHERE key_id = ? AND epoch = ? AND signers = ? AND scheme = ? "
            "AND state = 'ready' AND expires > ? ORDER BY expires, id",
            (key, epoch, names, scheme, now),
        )
        return [bytes.fromhex(name) for (name,) in found]

    def _refuse_after_rollback(self) -> None:
        if self._rows.generation.rolled_back:
            raise Unavailable(
                "this database was restored from an older copy; signing waits until the heads of its "
                "accounts are read from the other nodes",
                remedy=Remedy.RETRY,
            )

    def _locked(self, tx: Transaction, presignature: bytes) -> _Row:
        found = tx.query_one(
            _SELECT + " WHERE id = ?",
            (presignature.hex(),),
            for_update=True,
        )
        if found is None:
            raise Unavailable("no such presignature; make a new one", remedy=Remedy.RETRY)
        return _Row(presignature, found)

    def _take(self, tx: Transaction, row: _Row, now: float) -> bytes:
        if row.state is not PresignatureState.READY or row.expires <= now or row.body is None:
            raise Unavailable(
                "this presignature has expired or was burned; make a new one", remedy=Remedy.RETRY
            )
        _require_active(tx, row.key, row.epoch)
        return self._rows.open(row.place, row.body)

    def _stored(self, row: _Row, request: bytes) -> bytes:
        if not hmac.compare_digest(row.request, request):
            raise AlreadyUsed(_USED)
        if row.answer is None:
            raise AlreadyUsed("this presignature was used for this very request, and its answer was not kept")
        return self._rows.open(row.answer_place, row.answer)

    def _close(self, tx: Transaction, presignature: bytes, request: bytes, answer: bytes | None) -> None:
        changed = tx.execute(
            "UPDATE presignatures SET state = 'consumed', request = ?, answer = ?, body = NULL "
            "WHERE id = ? AND state = 'ready'",
            (request, answer, presignature.hex()),
        )
        if changed != 1:
            raise LocalError("the presignature changed under a lock; the database is not one we can use")
        self._rows.generation.advance(tx)


def burn_epochs(tx: Transaction, key: str, epoch: int) -> int:
    """Destroy what is READY in an epoch and drop its answers; for the transaction that erases it."""
    tx.execute("UPDATE presignatures SET answer = NULL WHERE key_id = ? AND epoch = ?", (key, epoch))
    return _burn(tx, "key_id = ? AND epoch = ?", (key, epoch))


def burn_pair(tx: Transaction, peer: str, shard: int | None) -> int:
    """Destroy what is READY and was made with `peer` (over `shard`); for the transaction of a quarantine."""
    if shard is None:
        return _burn(tx, "id IN (SELECT id FROM presignature_pairs WHERE peer = ?)", (peer,))
    return _burn(tx, "id IN (SELECT id FROM presignature_pairs WHERE peer = ? AND shard = ?)", (peer, shard))


def burn_all(tx: Transaction) -> int:
    """Destroy everything READY; for the transaction that finds a rollback."""
    return _burn(tx, "1 = 1", ())


def _burn(tx: Transaction, which: str, parameters: tuple[str | int | float, ...]) -> int:
    return tx.execute(
        _BURN + " AND " + which,
        parameters,
    )


class _Row:
    """One row as read under its lock."""

    def __init__(self, presignature: bytes, columns: tuple[object, ...]) -> None:
        key, epoch, signers, state, expires, request, body, answer = columns
        self.key, self.epoch = str(key), int(str(epoch))
        self.state = PresignatureState(str(state))
        self.expires = float(str(expires))
        self.request = _octets(request) or b""
        self.body, self.answer = _octets(body), _octets(answer)
        self.place = _place(presignature, self.key, self.epoch, str(signers))
        self.answer_place = Place(
            "presignature_answers", presignature.hex(), str(signers), self.key, self.epoch
        )


def _octets(column: object) -> bytes | None:
    return bytes(column) if isinstance(column, bytes | memoryview) else None


def _place(presignature: bytes, key: str, epoch: int, names: str) -> Place:
    return Place(_TABLE, presignature.hex(), names, key, epoch)


def _signers(signers: Sequence[str]) -> str:
    return " ".join(sorted(signers))


def _require_active(tx: Transaction, key: str, epoch: int) -> None:
    found = tx.query_one("SELECT state FROM shares WHERE key_id = ? AND epoch = ?", (key, epoch))
    if found is None or found[0] != "active":
        raise Unavailable(f"epoch {epoch} of key {key} is not active here", remedy=Remedy.RETRY)


_USED: Final = "this presignature has answered a request; it never answers another one"
