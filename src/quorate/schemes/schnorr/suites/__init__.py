"""The suites: one file each. Those of RFC 9591 say their hashes; the others say what they do differently."""
