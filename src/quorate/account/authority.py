"""The authority record of an account, and the rules by which its register lets it change.

Clear to nodes: which wallets the account has, each with its public key, the public value of the committee's
share, structure and factors. Who sits in the committee, and the nodes' public shares, are not in it: a change
of committee must not need the user. A node computes what it does from this record and what it holds itself.

Version 1 is signed by the device that is logged in and is a factor of a wallet in it; every later one by a
factor of the record before. Wallets are only added, or advanced by one user epoch with their public key, each
on a statement (KEY-FORMED, PREPARED) that R nodes have signed; both travel as the entry's evidence. Acts that
could carry a key out (a new or replaced factor, another threshold or structure) are refused in this version:
they need more approvals than one signature. docs/protocols/register.md, section 7.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Final

import msgspec

from quorate.account.committee import CommitteeRecord
from quorate.account.records import Digest, Encoded, FactorKind, Keys, Name
from quorate.account.register.entries import NOTHING, Entry
from quorate.account.register.rules import Login
from quorate.account.requests import LiveRequest
from quorate.encoding import Canonical, decode, encode
from quorate.errors import Malformed, ProofRejected, Refused, Unavailable
from quorate.groups.registry import group_named
from quorate.session import PublicIdentity, PublicKeys
from quorate.sharing.access import AccessStructure
from quorate.sharing.epochs import MAX_EPOCH, committee_epoch, user_epoch
from quorate.sharing.expression import MAX_EXPRESSION
from quorate.sharing.statements import KeyFormed, to_sign, verify_certificate

CURVES: Final = frozenset(
    {"secp256k1", "ed25519", "p256", "stark", "ristretto255", "bls12381g1", "bls12381g2"}
)
"""Named here, not looked up: what is valid must not depend on which packages a node has installed."""

MAX_WALLETS: Final = 64
"""Of one account, as many as a node keeps keys of (`quorate.node.limits`)."""


class WalletFactor(Canonical, frozen=True):
    """A device or backup: its signing and sealing key, and the public value of its share."""

    name: Name
    kind: FactorKind
    keys: Keys
    public_share: Encoded


class WalletKey(Canonical, frozen=True):
    """One key in one user epoch. `line` is the public value of the committee's share of it.

    `structure` names the nodes of the committee epoch in which it was agreed on; `founding` is the digest of
    the statement that this epoch stands on.
    """

    key: Digest
    curve: Name
    epoch: Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH)]
    public_key: Encoded
    line: Encoded
    structure: Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION)]
    factors: Annotated[tuple[WalletFactor, ...], msgspec.Meta(min_length=1, max_length=32)]
    founding: Digest


class AuthorityRecord(Canonical, frozen=True):
    """All wallets of an account, ascending by key id."""

    network: Name
    account: Digest
    wallets: Annotated[tuple[WalletKey, ...], msgspec.Meta(min_length=1, max_length=MAX_WALLETS)]

    def __post_init__(self) -> None:
        keys = [wallet.key for wallet in self.wallets]
        if keys != sorted(set(keys)):
            raise Malformed("authority record: wallets are distinct and ascending by key id")

    def wallet(self, key: bytes) -> WalletKey | None:
        """The wallet of this key."""
        return next((wallet for wallet in self.wallets if wallet.key == key), None)

    def with_wallet(self, wallet: WalletKey) -> AuthorityRecord:
        """The record with this wallet added, or in the place of its earlier epoch."""
        others = [other for other in self.wallets if other.key != wallet.key]
        wallets = tuple(sorted((*others, wallet), key=lambda one: one.key))
        return msgspec.structs.replace(self, wallets=wallets)

    @property
    def factors(self) -> tuple[WalletFactor, ...]:
        """The factors of all wallets."""
        return tuple(factor for wallet in self.wallets for factor in wallet.factors)


class Evidence(Canonical, frozen=True):
    """For each wallet that is new in an entry, or advanced: what R nodes have signed, and in which epoch."""

    live: Annotated[
        tuple[tuple[Annotated[int, msgspec.Meta(ge=0)], LiveRequest], ...], msgspec.Meta(max_length=8)
    ]


def record_of(entry: Entry) -> AuthorityRecord:
    """The authority record in an entry. Raises `Malformed`."""
    return decode(AuthorityRecord, entry.record)


def evidence_of(entry: Entry) -> dict[bytes, tuple[int, LiveRequest]]:
    """By key id: the committee epoch, and the certified statement. Raises `Malformed`."""
    found = decode(Evidence, entry.evidence).live
    by_key = {live.statement.key_id: (epoch, live) for epoch, live in found}
    if len(by_key) != len(found):
        raise Malformed("evidence: one statement for each wallet")
    return by_key


def wallet_of(live: LiveRequest, curve: str, factors: Mapping[str, tuple[FactorKind, bytes]]) -> WalletKey:
    """The wallet that a statement makes, with kind and keys of each factor. `KeyError` names a stranger."""
    statement = live.statement
    return WalletKey(
        key=statement.key_id,
        curve=curve,
        epoch=_user_epoch(live),
        public_key=statement.public_key,
        line=statement.committee[0],
        structure=statement.structure,
        factors=tuple(
            WalletFactor(name, factors[name][0], factors[name][1], share) for name, share in statement.factors
        ),
        founding=to_sign(statement),
    )


class AuthorityRules:
    """The rules of one network. `committees` gives the record of a committee epoch, None if unknown."""

    def __init__(self, network: str, committees: Callable[[int], CommitteeRecord | None]) -> None:
        self._network = network
        self._committees = committees

    def check(self, parent: Entry | None, entry: Entry) -> None:
        """Pure validity. Raises `Refused`; `Malformed` for a record that is none."""
        after = record_of(entry)
        if (after.network, after.account) != (self._network, entry.account) or entry.network != self._network:
            raise _denied("account", "the record is of another account or network")
        before = None if parent is None else record_of(parent)
        self._check_author(before, after, entry)
        self._check_wallets(before, after, evidence_of(entry))

    def admit(self, parent: Entry | None, entry: Entry, now: float, login: Login | None) -> None:
        """Local validity: a login of this account, and for the first entry the author's own."""
        if login is None or login.account != entry.account:
            raise _denied("login", "an entry is written by a device that has logged in to its account")
        if parent is None and login.device != entry.authors[0]:
            raise _denied("login", "an account's first entry is written by the device that signs it")

    def signers(self, entry: Entry) -> tuple[bytes, ...]:
        """The devices, which take turns. A backup is kept away, and would only make all others wait."""
        devices = {f.keys for f in record_of(entry).factors if f.kind is FactorKind.DEVICE}
        return tuple(sorted(devices))

    def identity(self, key: bytes) -> PublicIdentity:
        """A factor's public keys. Raises `Malformed`."""
        return PublicKeys.from_bytes(key)

    # --- what may be ------------------------------------------------------------------------------------

    def _check_author(self, before: AuthorityRecord | None, after: AuthorityRecord, entry: Entry) -> None:
        if len(entry.authors) != 1 or len(entry.signatures) != 1:
            raise _denied("authors", "one factor signs an entry")
        author = entry.authors[0]
        if before is None:
            may = any(f.keys == author and f.kind is FactorKind.DEVICE for f in after.factors)
        else:
            may = any(f.keys == author for f in before.factors)
        if not may:
            raise _denied("factor", "who signs is no factor of this account")
        try:
            self.identity(author).verify(entry.to_sign(), entry.signatures[0])
        except ProofRejected:
            raise _denied("signature", "the entry is not signed by its author") from None

    def _check_wallets(
        self,
        before: AuthorityRecord | None,
        after: AuthorityRecord,
        evidence: Mapping[bytes, tuple[int, LiveRequest]],
    ) -> None:
        known = {} if before is None else {wallet.key: wallet for wallet in before.wallets}
        if not set(known) <= {wallet.key for wallet in after.wallets}:
            raise _denied("removed", "a wallet does not leave an account")
        changed = [wallet for wallet in after.wallets if known.get(wallet.key) != wallet]
        if {wallet.key for wallet in changed} != set(evidence):
            raise _denied("evidence", "there is evidence for each wallet that changes, and for no other")
        for wallet in changed:
            epoch, live = evidence[wallet.key]
            if (former := known.get(wallet.key)) is not None:
                _check_advance(former, wallet)
            elif wallet.epoch > 1:
                raise _denied("epoch", "a wallet begins in its first epoch, or after its first refresh")
            self._check_founding(wallet, epoch, live, after)

    def _check_founding(
        self, wallet: WalletKey, epoch: int, live: LiveRequest, record: AuthorityRecord
    ) -> None:
        """That the wallet is what the nodes have signed, and R of them have."""
        statement = live.statement
        if (statement.network, statement.account) != (record.network, record.account):
            raise _denied("evidence", "the nodes' statement is about another account")
        curve = statement.curve if isinstance(statement, KeyFormed) else wallet.curve
        factors = {f.name: (f.kind, f.keys) for f in wallet.factors}
        if {name for name, _ in statement.factors} != set(factors) or wallet != wallet_of(
            live, curve, factors
        ):
            raise _denied("evidence", "the wallet is not the one that the nodes have signed")
        if not isinstance(statement, KeyFormed) and committee_epoch(statement.epoch) != epoch:
            raise _denied("evidence", "the statement is of another committee epoch")
        _check_shape(wallet)
        committee = self._committees(epoch)
        if committee is None:
            raise _denied("committee", f"committee epoch {epoch} is not known here")
        try:
            signatures = live.signatures.as_mapping()
            verify_certificate(statement, signatures, committee.identities, committee.quorums.ready)
        except (ProofRejected, Malformed) as error:
            raise _denied("evidence", str(error)) from None


def _check_advance(former: WalletKey, wallet: WalletKey) -> None:
    """One epoch on, the same key, and nothing that would carry it out."""
    if wallet.epoch != former.epoch + 1:
        raise _denied("epoch", "a wallet goes on by one epoch")
    if (wallet.public_key, wallet.curve) != (former.public_key, former.curve):
        raise _denied("key", "a wallet's public key never changes")
    if _shape(wallet) != _shape(former):
        raise _denied(
            "export", "changing factors or thresholds needs approvals that this version cannot take"
        )


def _check_shape(wallet: WalletKey) -> None:
    """A known curve, points of it, a structure whose factors are the wallet's, a device among them."""
    if wallet.curve not in CURVES:
        raise _denied("structure", "wallets are not on that curve")
    for point in (wallet.public_key, wallet.line, *(f.public_share for f in wallet.factors)):
        _check_point(wallet.curve, point)
    access = AccessStructure.parse(wallet.structure)
    if set(access.factors) != {factor.name for factor in wallet.factors} or access.committee() is None:
        raise _denied("structure", "the structure's factors are not the wallet's")
    if len({factor.keys for factor in wallet.factors}) != len(wallet.factors):
        raise _denied("structure", "every factor has keys of its own")
    for factor in wallet.factors:
        PublicKeys.from_bytes(factor.keys)
    if all(factor.kind is not FactorKind.DEVICE for factor in wallet.factors):
        raise _denied("structure", "a wallet has a device")


def _check_point(curve: str, encoded: bytes) -> None:
    """Raises `Malformed` for no point of the curve, where this node has the curve's library.

    One without it accepts what R nodes have signed, which made the points: the answer is the same.
    """
    try:
        group = group_named(curve)
    except Unavailable:
        return
    group.point_from_bytes(encoded)


def _shape(wallet: WalletKey) -> object:
    """What an advance leaves as it is: who the factors are, where they stand, and how many are needed.

    Names of nodes are left out: they change with the committee, which is none of the user's business.
    """
    access = AccessStructure.parse(wallet.structure)
    factors = tuple((f.name, f.kind, f.keys, access.factors.get(f.name)) for f in wallet.factors)
    return access.root.needed, len(access.root.members), factors


def _user_epoch(live: LiveRequest) -> int:
    statement = live.statement
    return 0 if isinstance(statement, KeyFormed) else user_epoch(statement.epoch)


def _denied(rule: str, why: str) -> Refused:
    return Refused(why, code=rule)


def make_entry(
    parent: Entry | None,
    record: AuthorityRecord,
    evidence: Evidence,
    operation: bytes,
    author: PublicKeys,
    sign: Callable[[bytes], bytes],
    private: bytes | None = None,
) -> Entry:
    """The next entry, signed. Without `private` the private record stays as it was."""
    kept = NOTHING if parent is None else parent.private
    entry = Entry(
        record.network,
        record.account,
        1 if parent is None else parent.version + 1,
        NOTHING if parent is None else parent.hash,
        operation,
        (author.to_bytes(),),
        encode(record),
        encode(evidence),
        kept if private is None else private,
    )
    return msgspec.structs.replace(entry, signatures=(sign(entry.to_sign()),))
