"""What a node takes part in, one offer for each protocol.

`offer` says what one is and what all are built on; `setup`, `creation`, `refreshing` and `signing` are those
there are. `quorate.node.node` puts them on the counter.
"""
