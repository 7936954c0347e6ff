"""What a command says when it fails: the reason, the next step, and an exit code a script can act on.

==== =========================================================================
code meaning
==== =========================================================================
0    done
1    a mistake in Quorate itself; the traceback is written to a file that is named
2    the command line was not understood
3    something on this machine: input, files, configuration, nothing running
4    refused, by a node or by this device: login, policy, an unknown chain
5    too few nodes answer
6    a session ended without a result, and repeating it may help
130  interrupted
==== =========================================================================
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Any, Final

from quorate.errors import Abort, Blame, LocalError, Missing, QuorateError, Refused, Remedy, Suspicion

OK: Final = 0
BUG: Final = 1
USAGE: Final = 2
LOCAL: Final = 3
REFUSED: Final = 4
MISSING: Final = 5
ABORTED: Final = 6
INTERRUPTED: Final = 130


def run(arguments: Sequence[str]) -> int:
    """Run one command line; gives the exit code. Never lets a traceback reach the terminal."""
    import typer
    from typer.exceptions import TyperException

    from quorate.cli.app import app

    as_json = "--json" in arguments
    try:
        outcome = app(args=list(arguments), prog_name="quorate", standalone_mode=False)
    except typer.Exit as ended:
        return ended.exit_code
    except TyperException as error:
        print(f"error: {error.format_message()}", file=sys.stderr)
        print("next:  quorate --help", file=sys.stderr)
        return USAGE
    except (typer.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except QuorateError as error:
        tell(error, as_json=as_json)
        return code_of(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person gets no traceback
        tell_bug(error, as_json=as_json)
        return BUG
    return outcome if isinstance(outcome, int) else OK


def code_of(error: QuorateError) -> int:
    """The exit code of an error."""
    match error:
        case Refused():
            return REFUSED
        case Missing():
            return MISSING
        case LocalError():
            return LOCAL
        case _:
            return ABORTED


def next_step(error: QuorateError) -> str:
    """What to do now, in one line; empty where the message says it all."""
    match error:
        case Refused(code="login" | "login-again"):
            return "log in, then repeat the command: quorate login"
        case Refused(code="not-approved"):
            return ""
        case Refused(code="unknown-chain"):
            return "name one of the known chains (quorate network), or add a row for yours"
        case Refused(code="pool-empty" | "pool-split" | "pool-held" | "pool-hour"):
            return "repeat the command in a moment"
        case Refused(code="pool-day" | "pool-open"):
            return "repeat the command tomorrow, or ask whoever runs the nodes"
        case Refused(code="blind" | "blind-digest"):
            return "sign the transaction or message itself"
        case Refused():
            return "change the request, or ask whoever runs the nodes"
        case Missing():
            return "start the nodes that are down (quorate up), then repeat the command"
        case Blame():
            return "repeat the command; if it names the same party again, look at that party's log"
        case Suspicion(remedy=Remedy.QUARANTINE):
            return "log in again and repeat the command: quorate login"
        case Abort():
            return "repeat the command"
        case LocalError(remedy=Remedy.RETRY):
            return "repeat the command"
        case _:
            return ""


def described(error: QuorateError) -> dict[str, Any]:
    """An error as plain data."""
    found: dict[str, Any] = {
        "kind": type(error).__name__,
        "message": str(error),
        "remedy": error.remedy.value,
        "next": next_step(error),
        "exit_code": code_of(error),
    }
    if isinstance(error, Abort):
        found |= {"parties": list(error.parties), "step": error.step}
    if isinstance(error, Missing):
        found["needed"] = error.needed
    if isinstance(error, Refused):
        found["code"] = error.code
    return found


def tell(error: QuorateError, *, as_json: bool) -> None:
    """Say it: as JSON on standard output, or in words on standard error."""
    if as_json:
        print(json.dumps({"error": described(error)}))
        return
    print(f"error: {error}", file=sys.stderr)
    step = next_step(error)
    if step:
        print(f"next:  {step}", file=sys.stderr)


def tell_bug(error: Exception, *, as_json: bool) -> None:
    """A mistake of ours: where the details are, and what was going on."""
    with tempfile.NamedTemporaryFile(
        "w", prefix="quorate-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        # Frames and types only: the values in an error's text may be anything.
        file.writelines(traceback.format_tb(error.__traceback__))
        file.write(f"{type(error).__name__}: {error}\n")
    message = f"this should not have happened ({type(error).__name__}); details are in {file.name}"
    if as_json:
        print(json.dumps({"error": {"kind": "Bug", "message": message, "exit_code": BUG}}))
        return
    print(f"error: {message}", file=sys.stderr)
    print("next:  look for secrets in that file before you send it with a report", file=sys.stderr)
