"""The registry of domain tags: every hash of the package begins with one, and no two uses share one.

A tag names a use, not a module, and changing one changes the protocol. Add yours to the section of its
layer. Fields are length-prefixed, so one tag may begin like another (``a/b`` and ``a/bc``) without harm.
"""

from __future__ import annotations

from enum import StrEnum, unique


@unique
class Tag(StrEnum):
    """What a hash is for."""

    # groups
    HASH_TO_POINT = "group/hash-to-point"

    # primitives
    PROOF_NONCE = "proof/nonce"
    SEALED_BOX = "sealed/box"
    HPKE_OPENING = "hpke/opening"

    # session
    SESSION = "session/session"
    SESSION_PROPOSAL = "session/session-proposal"
    ROSTER = "session/roster"
    ENVELOPE = "session/envelope"
    ENVELOPE_SEAL = "session/envelope-seal"
    IDENTITY_SIGNING = "session/identity-signing"
    IDENTITY_SEALING = "session/identity-sealing"
    ECHO = "session/echo"

    # sharing
    KEY_ID = "sharing/key-id"
    CHAIN_CODE = "sharing/chain-code"
    KEYGEN_COMMITMENT = "sharing/keygen-commitment"
    KEYGEN_CHAIN_CODE = "sharing/keygen-chain-code"
    KEYGEN_PROOF = "sharing/keygen-proof"
    KEYGEN_CONFIRMATION = "sharing/keygen-confirmation"
    FORMATION_DEVICE = "sharing/formation-device"
    FORMATION_CHAIN_CODE = "sharing/formation-chain-code"
    FORMATION_PROOF = "sharing/formation-proof"
    REFRESH_CORE = "sharing/refresh-core"
    REFRESH_REQUEST = "sharing/refresh-request"
    REFRESH_AUXILIARY = "sharing/refresh-auxiliary"
    REFRESH_SHARE = "sharing/refresh-share"
    STATEMENT = "sharing/statement"

    # identity
    ACCOUNT = "identity/account"
    LOGIN_TOKEN = "identity/login-token"
    REQUEST = "identity/request"
