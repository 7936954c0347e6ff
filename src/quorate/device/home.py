"""Where a person's Quorate lives on this machine: one directory, named by ``QUORATE_HOME``.

``network/`` is the local network that `quorate up` makes (each node in a directory of its own), ``device/``
this machine's device. Deleting the directory deletes the device's shares; wallets with a backup survive that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quorate.vault.files import make_private_directory

VARIABLE: Final = "QUORATE_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths under one directory; nothing is created before it is needed."""

    path: Path

    @classmethod
    def default(cls) -> Home:
        """``$QUORATE_HOME``, else the place the system keeps a user's application data in."""
        named = os.environ.get(VARIABLE)
        if named:
            return cls(Path(named).expanduser().absolute())
        from platformdirs import user_data_path

        return cls(user_data_path("quorate", appauthor=False))

    @property
    def network(self) -> Path:
        """The local network's directory."""
        return self.path / "network"

    @property
    def network_file(self) -> Path:
        """What a device needs to know of the network; public."""
        return self.network / "network.json"

    @property
    def login_key(self) -> Path:
        """The local network's login key: whoever reads it can log in as anybody there."""
        return self.network / "login.key"

    @property
    def operator_key(self) -> Path:
        """The local network's operator key: whoever reads it can change its committee."""
        return self.network / "operator.key"

    @property
    def device(self) -> Path:
        """The device's vault, its data keys and its seal."""
        return self.path / "device"

    def make(self) -> Home:
        """Create the directory, readable by its owner only; gives itself."""
        make_private_directory(self.path)
        return self
