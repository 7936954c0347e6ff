"""Accounts and their keys: who holds which share of what, and what each may ask for. Pure rules, no IO.

`records` says what is known of a key and `transitions` how that changes, `requests` what may be asked of
nodes about it, `presets` which structures are offered; `sentences` tells a person what one means, `shards`
spreads accounts over the nodes' OT instances. `register` is how nodes agree on the versions of an account,
`authority` what a version may say.
"""

from quorate.account.presets import structure_for
from quorate.account.records import Factor, FactorKind, KeyRecord, Member
from quorate.account.sentences import survival

__all__ = ["Factor", "FactorKind", "KeyRecord", "Member", "structure_for", "survival"]
