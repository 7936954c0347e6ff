"""How a key's record comes to be, from a formation and from a refresh.

Node and device derive the same from the same session, each on its own; neither takes the other's.
"""

from __future__ import annotations

from collections.abc import Mapping

from quorate.account.records import Factor, FactorKind, KeyRecord, Member
from quorate.session import PublicKeys
from quorate.sharing.change import Change
from quorate.sharing.formation import Formed
from quorate.sharing.keyshare import KeyShare


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
