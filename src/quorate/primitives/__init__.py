"""Building blocks that protocols share. Nothing here sends a message or keeps a file.

- `tags`, `transcript`: every hash, tagged and framed.
- `commitment`, `proofs`: hash commitments; knowledge of a logarithm, equality of two.
- `sealed`, `hpke`: encryption to a public key; the latter can prove what a box held.
- `kdf`: HKDF, for those two.
- `base_ot`, `extension`, `vole`: oblivious transfer and the two-party multiplication built on it.
"""
