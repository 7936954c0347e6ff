"""Canonical bytes: one value, one encoding; and the limits of what is read at all.

Messages are `msgspec` structs encoded as MessagePack arrays with fields in declaration order. MessagePack
itself admits several encodings of one value (wide integers, for instance), so `decode` encodes what it
has read once more and refuses bytes that differ: whatever passes is canonical by construction.
Group elements are byte strings inside; the codec of a session's group parses them, so a decoded message
holds valid points and scalars and nothing inside a protocol checks them again.
"""

from quorate.encoding.canonical import Canonical, Confidential, decode, encode
from quorate.encoding.limits import MAX_MESSAGE_BYTES, MAX_TEXT_BYTES

__all__ = [
    "MAX_MESSAGE_BYTES",
    "MAX_TEXT_BYTES",
    "Canonical",
    "Confidential",
    "decode",
    "encode",
]
