"""How a key's record comes to be, from a formation and from a refresh, and what nodes say when it is live.

Node and device derive the same from the same session, each on its own; neither takes the other's.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quorate.account.carrying import carried_structure
from quorate.account.committee import CommitteeRecord
from quorate.account.records import Factor, FactorKind, KeyRecord, Member
from quorate.session import PublicKeys
from quorate.sharing.change import Change
from quorate.sharing.epochs import in_committee_epoch
from quorate.sharing.formation import Formed
from quorate.sharing.keyshare import KeyShare
from quorate.sharing.statements import KeyFormed, KeyLive, Prepared, to_sign


def formed_record(formed: Formed, roster: Mapping[str, PublicKeys]) -> KeyRecord:
    """The record of a freshly formed key; everybody in the session derives the same."""
    statement, share = formed.statement, formed.share
    structure = share.structure
    return KeyRecord(
        network=statement.network,
        account=statement.account,
        key=share.key_id,
        curve=share.group.name,
        epoch=share.epoch,
        public_key=share.public_key.to_bytes(),
        chain_code=share.chain_code,
        structure=str(structure),
        committee=tuple(
            Member(name, roster[name].to_bytes(), share.public_shares[name].to_bytes())
            for name in structure.nodes
        ),
        factors=tuple(
            Factor(name, FactorKind.DEVICE, roster[name].to_bytes(), share.public_shares[name].to_bytes())
            for name in structure.factors
        ),
    )


def refreshed_record(before: KeyRecord, change: Change, share: KeyShare) -> KeyRecord:
    """The record of the epoch that a refresh has prepared."""
    keys = {member.name: member.keys for member in before.committee}
    return KeyRecord(
        network=before.network,
        account=before.account,
        key=before.key,
        curve=before.curve,
        epoch=share.epoch,
        public_key=share.public_key.to_bytes(),
        chain_code=share.chain_code,
        structure=str(share.structure),
        committee=tuple(
            Member(name, keys[name], share.public_shares[name].to_bytes()) for name in share.structure.nodes
        ),
        factors=tuple(
            Factor(
                target.name,
                FactorKind(target.kind),
                target.factor,
                share.public_shares[target.name].to_bytes(),
            )
            for target in change.targets
        ),
    )


def live_in(record: KeyRecord, founded_on: KeyFormed | Prepared, committee: CommitteeRecord) -> KeyLive:
    """`live_statement` as the nodes of this committee make it, who may hold the key in a later epoch of
    theirs than the record has: of all that changes with it, the statement names but these two."""
    live = live_statement(record, founded_on)
    return msgspec.structs.replace(
        live,
        epoch=in_committee_epoch(record.epoch, committee.epoch),
        structure=str(carried_structure(record.access, committee)),
    )


def live_statement(record: KeyRecord, founded_on: KeyFormed | Prepared) -> KeyLive:
    """What every node signs when it has made this record live, on a certificate of `founded_on`."""
    return KeyLive(
        record.network,
        record.account,
        record.key,
        record.epoch,
        record.structure,
        record.public_key,
        to_sign(founded_on),
        founded_on.archive,
    )
