"""The node: holds one share of every key, and signs what it understands.

`node` is the service, `app` its HTTP and WebSocket face, `run` the process. `offers`, `creation`,
`refreshing` and `signing` say what it takes part in;
`keybook` and `pairs` what it keeps; `config`, `limits` and `policy` what it obeys.
"""
