"""The node: holds one share of every key, and signs what it understands.

`node` is the service, `app` its HTTP and WebSocket face, `run` the process. `offers` says what it takes part
in, `callers` and `challenges` who asks; `keybook`, `pairs` and `identity` hold what it keeps; `config`,
`limits` and `policy` what it obeys; `log` and `metrics` what it tells.
"""
