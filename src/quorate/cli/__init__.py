"""The command line: `quorate`. What each command does is its own file; everything heavy is imported by it.

`main` is the console script. It turns errors into one line about what happened and one about what to do next,
and into exit codes (`quorate.cli.failures`). Nothing else imports this package.
"""

from __future__ import annotations

import sys


def main() -> None:
    """The console script."""
    from quorate.cli.failures import run

    sys.exit(run(sys.argv[1:]))
