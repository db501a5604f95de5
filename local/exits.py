"""How a command ends for the shell that started it: with its exit code, and an error as one line on stderr."""

import sys
from collections.abc import Callable

from local.errors import LocalError

_FAILED, _INTERRUPTED = 1, 130  # 128 and the number of SIGINT, as shells have it


def exit_code(act: Callable[[], int | None], interrupted: str = "") -> int:
    """Run a command and answer its exit code; `interrupted` is told to who presses Ctrl-C."""
    try:
        return act() or 0
    except LocalError as error:
        sys.stderr.write(f"{error}\n")
        return _FAILED
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{interrupted}\n" if interrupted else "")
        return _INTERRUPTED
