"""Building blocks that protocols share. Nothing here sends a message or keeps a file.

- `tags`, `transcript`: every hash, tagged and framed.
- `commitment`, `proofs`: hash commitments; knowledge of a logarithm, equality of two.
- `sealed`, `hpke`: encryption to a public key; the latter can prove what a box held.
- `kdf`: HKDF, for those two.
- `base_ot`, `extension`, `vole`: oblivious transfer and the two-party multiplication built on it.
"""

import os

# The matrix products of `limbs` take 0.01 to 0.1 ms; waking a pool of threads costs more than that, and a
# node runs one process per core anyway. OpenBLAS reads this once, when numpy is first imported, so it is set
# before any module here can do so; an operator's own value wins. (threadpoolctl could do it later, at the
# price of one more dependency.)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
