"""Signature schemes: what turns shares of a key into signatures.

Key generation, refresh and resharing know no scheme and live in `quorate.sharing`; a scheme adds its setup
and its signing. `ecdsa` is the first.
"""
