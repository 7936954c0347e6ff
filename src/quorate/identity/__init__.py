"""Who asks: login tokens that name an account and the device's key, and proofs that this device asks now."""

from quorate.identity.login import Claims, Login, NetworkLogin, account_id, issue_token
from quorate.identity.requests import RequestProof, prove_request, verify_request

__all__ = [
    "Claims",
    "Login",
    "NetworkLogin",
    "RequestProof",
    "account_id",
    "issue_token",
    "prove_request",
    "verify_request",
]
