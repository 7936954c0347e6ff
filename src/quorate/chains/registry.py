"""Finding the family of a chain by its CAIP-2 namespace, and one `Chains` object for a process.

A family is an entry point of the group ``quorate.chains`` whose name is the namespace it speaks for; it is
imported when a payload first names it. The name decides, so that no family is loaded to ask what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Final

from quorate.chains.chain import Chain, Decoded, Family, Request, Signature, Signed, unknown_chain
from quorate.errors import LocalError, Unavailable

GROUP: Final = "quorate.chains"


class Chains:
    """All chains a process signs for: those the families bring, and the rows of its configuration."""

    def __init__(self, rows: Iterable[Chain] = ()) -> None:
        self._rows = tuple(rows)
        self._families: dict[str, Family] = {}
        self._lock = Lock()

    def decode(self, payload: bytes, public_key: Any) -> Decoded:
        """See `Family.decode`; `Refused` with code ``unknown-chain`` for a namespace nobody speaks for."""
        request = Request.from_payload(payload)
        return self.family(request.chain).decode(payload, public_key)

    def attach(self, decoded: Decoded, signatures: Iterable[Signature]) -> Signed:
        """See `Family.attach`."""
        return self.family(decoded.chain.caip2).attach(decoded, tuple(signatures))

    def address(self, caip2: str, public_key: Any) -> str:
        """The account of a public key on a chain."""
        return self.family(caip2).address_on(caip2, public_key)

    def addresses(self, caip2: str, public_key: Any) -> Mapping[str, str]:
        """Every account of a public key on a chain, by its kind; the one of `address` first."""
        return self.family(caip2).addresses(public_key, caip2)

    def chain(self, caip2: str) -> Chain:
        """The row of a chain. `Refused` with code ``unknown-chain`` when there is none."""
        row = self.family(caip2).chains.get(caip2)
        if row is None:
            raise unknown_chain(caip2)
        return row

    def warm(self, *namespaces: str) -> None:
        """Load the libraries behind these families (all that are installed, when none is named) early.

        Takes most of a second of CPU for Ethereum: call it in a thread, once the process is ready.
        """
        from importlib.metadata import entry_points

        for namespace in namespaces or sorted(point.name for point in entry_points(group=GROUP)):
            try:
                self.family(f"{namespace}:").warm()
            except Unavailable:
                # an extra that is not installed here: said to whoever asks for that chain
                if namespaces:
                    raise

    def family(self, caip2: str) -> Family:
        """The family that speaks for a CAIP-2 id."""
        namespace = caip2.partition(":")[0]
        with self._lock:
            if namespace not in self._families:
                self._families[namespace] = self._load(namespace)
            return self._families[namespace]

    def _load(self, namespace: str) -> Family:
        from importlib.metadata import entry_points

        points = tuple(entry_points(group=GROUP, name=namespace))
        if not points:
            raise unknown_chain(namespace)
        if len({point.value for point in points}) > 1:
            raise LocalError(
                f"chains of {namespace}: installed twice, as {', '.join(p.value for p in points)}"
            )
        kind = points[0].load()
        family = kind(tuple(row for row in self._rows if row.namespace == namespace))
        if not isinstance(family, Family) or family.namespace != namespace:
            raise LocalError(f"chains of {namespace}: {points[0].value} is not a Family of that namespace")
        return family
