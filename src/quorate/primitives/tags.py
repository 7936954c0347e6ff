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
    HPKE_SENDER = "hpke/sender"
    HPKE_OPENING = "hpke/opening"
    OT_SESSION = "ot/session"
    OT_BLIND = "ot/blind"
    OT_MASK = "ot/mask"
    OT_KEY = "ot/key"
    OT_TREE = "ot/tree"
    OT_LEAF = "ot/leaf"
    OT_LEAVES = "ot/leaves"
    OT_SETUP = "ot/setup"
    OT_CHECK = "ot/check"
    VOLE_GADGET = "vole/gadget"
    VOLE_CONTEXT = "vole/context"
    VOLE_STREAMS = "vole/streams"
    VOLE_PADS = "vole/pads"
    VOLE_CORRECTIONS = "vole/corrections"
    VOLE_CHALLENGE = "vole/challenge"
    VOLE_CHECK = "vole/check"

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
    AVSS_SESSION = "sharing/avss-session"
    AVSS_DEALING = "sharing/avss-dealing"
    AVSS_READY = "sharing/avss-ready"
    AVSS_JUDGEMENT = "sharing/avss-judgement"
    RESHARE_KEYS = "sharing/reshare-keys"
    RESHARE_NONCE = "sharing/reshare-nonce"
    RESHARE_AGREEMENT = "sharing/reshare-agreement"
    RESHARE_RESULT = "sharing/reshare-result"
    RESHARE_ROOT = "sharing/reshare-root"
    RESHARE_SLOPE = "sharing/reshare-slope"
    CHOICE_VOUCHER = "sharing/choice-voucher"
    CHOICE_NONCE = "sharing/choice-nonce"
    AGREEMENT_SUBJECT = "sharing/agreement-subject"
    AGREEMENT_LEADER = "sharing/agreement-leader"
    AGREEMENT_ECHO = "sharing/agreement-echo"
    AGREEMENT_READY = "sharing/agreement-ready"
    AGREEMENT_CHANGE = "sharing/agreement-change"
    DKG_DEALING = "sharing/dkg-dealing"
    DKG_AGREEMENT = "sharing/dkg-agreement"
    DKG_KEY = "sharing/dkg-key"
    DKG_CHAIN_CODE = "sharing/dkg-chain-code"
    DKG_NONCE = "sharing/dkg-nonce"
    DKG_SLOPE = "sharing/dkg-slope"

    # identity
    ACCOUNT = "identity/account"
    LOGIN_TOKEN = "identity/login-token"
    REQUEST = "identity/request"

    # vault
    VAULT_SCOPE = "vault/scope"

    # schemes
    QUORUM = "schemes/quorum"
    ECDSA_SESSION = "ecdsa/session"
    ECDSA_PRESIGNATURE = "ecdsa/presignature"
    ECDSA_NONCE = "ecdsa/nonce"
    ECDSA_ROUND_ONE = "ecdsa/round-one"
    ECDSA_EXTENSION = "ecdsa/extension"
    ECDSA_ZERO_SHARE = "ecdsa/zero-share"
    ECDSA_ENTROPY_KEY = "ecdsa/entropy-key"
    ECDSA_PAYLOAD = "ecdsa/payload"
    ECDSA_REQUEST = "ecdsa/request"
    ECDSA_CONTEXT = "ecdsa/context"
    ECDSA_ENTROPY = "ecdsa/entropy"
    ECDSA_USE = "ecdsa/use"
    ECDSA_DELTA = "ecdsa/delta"
    ECDSA_SETUP = "ecdsa/setup"
    ECDSA_SETUP_NONCE = "ecdsa/setup-nonce"
    ECDSA_SETUP_SEED = "ecdsa/setup-seed"
    ECDSA_SETUP_FINGERPRINT = "ecdsa/setup-fingerprint"
    ECDSA_SETUP_CONFIRMATION = "ecdsa/setup-confirmation"

    # account
    SHARD = "account/shard"
    POOL_CANDIDATE = "account/pool-candidate"
    COMMITTEE_RECORD = "account/committee-record"
    COMMITTEE_CLAIM = "account/committee-claim"
    COMMITTEE_SUCCESSION = "account/committee-succession"
    COMMITTEE_QUESTION = "account/committee-question"
    COMMITTEE_FROZEN = "account/committee-frozen"
    COMMITTEE_STORED = "account/committee-stored"
    COMMITTEE_ERASED = "account/committee-erased"
    HOLDING = "account/holding"
    HOLDING_LABEL = "account/holding-label"
    INVENTORY = "account/inventory"
    CHANGE_KEYS = "account/change-keys"
    CHANGE_ROW = "account/change-row"
    COMMITTEE_PLAN = "account/committee-plan"
    REGISTER_ENTRY = "register/entry"
    REGISTER_AUTHORS = "register/authors"
    REGISTER_LOCK = "register/lock"
    REGISTER_COMMIT = "register/commit"
    REGISTER_PREPARE = "register/prepare"
    REGISTER_STATE = "register/state"
    REGISTER_INSTALLED = "register/installed"
    REGISTER_HEAD = "register/head"
    REGISTER_REFUSAL = "register/refusal"
    REGISTER_SLOT = "register/slot"
    REGISTER_OWNER = "register/owner"
    REGISTER_FINAL = "register/final"
    REGISTER_ROOT = "register/root"

    # testing
    UNSAFE_IDENTITY = "testing/unsafe-identity"
    UNSAFE_SIGNATURE = "testing/unsafe-signature"
    UNSAFE_PAD = "testing/unsafe-pad"
    UNSAFE_MAC = "testing/unsafe-mac"
    UNSAFE_OPENING = "testing/unsafe-opening"
    SIMULATION_SEED = "testing/simulation-seed"
    SIMULATION_TRACE = "testing/simulation-trace"
    TOSS_COMMITMENT = "testing/toss-commitment"
    TOSS_COIN = "testing/toss-coin"

    # links
    LINK_TRANSCRIPT = "link/transcript"
    LINK_KEYS = "link/keys"
    LINK_WELCOME = "link/welcome"
    LINK_CONFIRM = "link/confirm"

    # node
    DEVICE = "node/device"
