"""Carriers of sessions: frames, channels, the hub that opens a session and the host that serves one.

`frames` is the vocabulary of a connection, `hub` and `host` its two ends, `channel` the port they speak
through (in memory, `websocket`, `pipe`), `reports` how errors cross it.
"""
