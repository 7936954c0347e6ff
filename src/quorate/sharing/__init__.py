"""Shares of a key and what is done to them without knowing the scheme that uses them.

`polynomial` (Shamir, Feldman, Lagrange), `access` (nested thresholds), `keyshare` (what a party holds),
`generation` (a key shared between nodes; `dkg` and `keygen` make such), `formation` (a wallet's key between a
committee and a device), `line` and `refresh` (a fresh line through the same key for a new set of
factors; `change` says what may be asked for, `masks` what an online factor deals), `statements` (what nodes
sign about keys), `quorums` (how many of them must).
"""
