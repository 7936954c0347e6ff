"""The account register with storage and carrier: rows in a node's vault, and a device that goes round.

`quorate.account.register` says what is done; here it is made durable and carried. `service` answers a node's
questions from `store`; `carrier` drives a device's procedures over any port that asks a node one thing.
"""

from quorate.metadata.carrier import Carrier
from quorate.metadata.service import RegisterService
from quorate.metadata.store import Office, RegisterStore

__all__ = ["Carrier", "Office", "RegisterService", "RegisterStore"]
