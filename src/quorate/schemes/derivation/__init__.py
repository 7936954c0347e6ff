"""Derived accounts: many public keys from one shared key, without any party talking to another.

See docs/derivation.md. `path` is how a request names one.
"""

from quorate.schemes.derivation.path import MAX_INDEX, MAX_LEVELS, checked_path, parse_path, write_path

__all__ = ["MAX_INDEX", "MAX_LEVELS", "checked_path", "parse_path", "write_path"]
