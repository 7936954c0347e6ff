"""`QuorateAccount`: an eth-account `LocalAccount` whose key does not exist, for web3.py and everything built
on it.

web3.py's signing middleware and several other tools accept subclasses of `LocalAccount` and nothing else,
so this is one; each method that would use the key builds a payload and hands it to a `Signer` instead. The
signer is synchronous, because eth-account's interface is. It gets the payload rather than a digest: the
nodes behind it decide on what they can read.

Refused, with an error that says what to do: the key itself, encryption of it, and signing a hash (unless
`allow_blind`, which the nodes must allow too). `sign_message` refuses what `encode_typed_data` returns,
because only two hashes are left in it: pass the data itself to `sign_typed_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeAlias, cast

from quorate.chains.chain import Decoded, Signature, Signed
from quorate.chains.ethereum import requests
from quorate.chains.ethereum.address import address_of, public_key_bytes
from quorate.chains.ethereum.heavy import load
from quorate.chains.registry import Chains
from quorate.errors import LocalError, Malformed, Refused

load()  # first, because importing eth-account changes the process (see `heavy`)

from eth_account.datastructures import (  # noqa: E402
    SignedMessage,
    SignedSetCodeAuthorization,
    SignedTransaction,
)
from eth_account.messages import SignableMessage, _hash_eip191_message  # noqa: E402
from eth_account.signers.local import LocalAccount  # noqa: E402
from eth_keys.datatypes import Signature as VrsSignature  # noqa: E402
from hexbytes import HexBytes  # noqa: E402

Signer: TypeAlias = Callable[[bytes], Signature]
"""Takes a request's payload, blocks until the wallet has signed it, returns the 65-byte signature."""

_NO_KEY: Final = (
    "this wallet's private key exists nowhere, so it cannot be read or encrypted; "
    "use the account's sign_… methods, or export the wallet if you mean to leave"
)


class QuorateAccount(LocalAccount):
    """One wallet's account on EIP-155 chains.

    `chain` is the CAIP-2 id under which requests that name no chain themselves are made (messages, and typed
    data without ``chainId``). `chains` holds the rows that may be signed for. `path` is that of a derived
    account; `public_key` is then the child's.
    """

    def __init__(
        self,
        public_key: Any,
        signer: Signer,
        *,
        chain: str = "eip155:1",
        chains: Chains | None = None,
        allow_blind: bool = False,
        path: str = "",
    ) -> None:
        # LocalAccount.__init__ is left out on purpose: all it does is keep the key
        self._public_key = public_key_bytes(public_key)
        self._address = cast(Any, address_of(self._public_key))
        self._signer = signer
        self._chains = chains if chains is not None else Chains()
        self._chain = self._chains.chain(chain).caip2
        self._allow_blind = allow_blind
        self._path = path

    def __repr__(self) -> str:
        return f"QuorateAccount({self._address})"

    @property
    def key(self) -> NoReturn:
        """Raises `LocalError`: there is none."""
        raise LocalError(_NO_KEY)

    def __bytes__(self) -> NoReturn:
        raise LocalError(_NO_KEY)

    def encrypt(self, password: str, kdf: Any = None, iterations: int | None = None) -> NoReturn:
        """Raises `LocalError`: there is no key to encrypt."""
        raise LocalError(_NO_KEY)

    def sign_transaction(self, transaction_dict: Mapping[str, Any], blobs: Any = None) -> SignedTransaction:
        """A complete transaction dictionary; ``chainId`` names the chain. Raises `Malformed` or `Refused`."""
        if blobs is not None:
            raise Refused("blob transactions (type 3) are not supported", code="unsupported-transaction")
        _, signed = self._sign(requests.transaction(transaction_dict, self._address, self._path))
        r, s, v = _parts(signed)
        return SignedTransaction(HexBytes(signed.raw), HexBytes(signed.id), r, s, v)

    def sign_message(self, signable_message: SignableMessage) -> SignedMessage:
        """What `eth_account.messages.encode_defunct` returns. Raises `Refused` for other EIP-191 versions."""
        version, header, body = signable_message
        if version == b"E" and header == b"thereum Signed Message:\n" + str(len(body)).encode():
            payload = requests.message(bytes(body), self._address, self._chain, self._path)
            return self._sign_message(payload)
        return self._sign_digest(
            bytes(_hash_eip191_message(signable_message)),
            "only hashes are left of this message, so nobody could read what is signed; "
            "pass typed data itself to sign_typed_data(full_message=…)",
        )

    def sign_typed_data(
        self,
        domain_data: dict[str, Any] | None = None,
        message_types: dict[str, Any] | None = None,
        message_data: dict[str, Any] | None = None,
        full_message: dict[str, Any] | None = None,
    ) -> SignedMessage:
        """EIP-712, in either of eth-account's two forms. Raises `Malformed` naming the field."""
        document = _full_message(domain_data, message_types, message_data, full_message)
        domain = document.get("domain")
        chain = "" if isinstance(domain, Mapping) and "chainId" in domain else self._chain
        return self._sign_message(requests.typed_data(document, self._address, chain, self._path))

    def sign_authorization(self, authorization: Mapping[str, Any]) -> SignedSetCodeAuthorization:  # type: ignore[override]
        """An EIP-7702 authorization: ``chainId``, ``address``, ``nonce``. It hands the account to code."""
        decoded, signed = self._sign(requests.authorization(authorization, self._address, path=self._path))
        r, s, v = _parts(signed)
        return SignedSetCodeAuthorization(
            chain_id=decoded.content.chain_id,
            address=decoded.content.address,
            nonce=decoded.content.nonce,
            y_parity=v,
            r=r,
            s=s,
            signature=VrsSignature(vrs=(v, r, s)),
            authorization_hash=HexBytes(decoded.digest),
        )

    def unsafe_sign_hash(self, message_hash: Any) -> SignedMessage:
        """A bare digest. Raises `Refused` with code ``blind`` unless blind signing is allowed."""
        return self._sign_digest(
            bytes(HexBytes(message_hash)),
            "a bare hash may be any transaction, so it is not signed; use sign_message or sign_typed_data, "
            "or allow blind signing here and on the nodes",
        )

    def _sign_digest(self, digest: bytes, refusal: str) -> SignedMessage:
        if not self._allow_blind:
            raise Refused(refusal, code="blind")
        return self._sign_message(requests.blind(digest, self._address, self._chain, self._path))

    def _sign_message(self, payload: bytes) -> SignedMessage:
        decoded, signed = self._sign(payload)
        r, s, v = _parts(signed)
        return SignedMessage(HexBytes(decoded.digest), r, s, v, HexBytes(signed.raw))

    def _sign(self, payload: bytes) -> tuple[Decoded, Signed]:
        # decoded before anybody is asked, so that a mistake costs no presignature and no approval
        decoded = self._chains.decode(payload, self._public_key)
        return decoded, self._chains.attach(decoded, [self._signer(payload)])


def _parts(signed: Signed) -> tuple[int, int, int]:
    details = signed.details
    return int(str(details["r"]), 16), int(str(details["s"]), 16), int(str(details["v"]))


def _full_message(
    domain_data: Any, message_types: Any, message_data: Any, full_message: Any
) -> Mapping[str, Any]:
    parts = (domain_data, message_types, message_data)
    if full_message is not None:
        if any(part is not None for part in parts) or not isinstance(full_message, Mapping):
            raise Malformed(
                "typed data: give either full_message or domain_data, message_types and message_data"
            )
        return full_message
    if not all(isinstance(part, Mapping) for part in parts):
        raise Malformed("typed data: give either full_message or domain_data, message_types and message_data")
    from eth_account._utils.encode_typed_data.encoding_and_hashing import get_primary_type

    types = {name: row for name, row in message_types.items() if name != "EIP712Domain"}
    try:
        primary = get_primary_type(types)
    except (ValueError, TypeError, KeyError):
        raise Malformed(
            "typed data types: no single primary type; pass full_message with primaryType"
        ) from None
    return {"types": message_types, "primaryType": primary, "domain": domain_data, "message": message_data}
