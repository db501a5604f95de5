"""How a process is started: its command line, behind programs that tie it to its parent and give it its user."""

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from local.tools import require


@dataclass(frozen=True, slots=True)
class Command:
    """How a process is started and how it wants to be ended.

    `ports` names each port it listens on; `stop_signal` is its graceful one, given `grace` seconds; `orphan_signal` is
    what it gets when its parent dies; `as_user` gives root's children another uid, for programs that refuse root.
    """

    argv: Sequence[str]
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    stop_signal: Signals = signal.SIGTERM
    orphan_signal: Signals = signal.SIGKILL
    grace: float = 30
    as_user: bool = False


def wrapped(command: Command) -> list[str]:
    """Answer the full command line, behind programs that each replace themselves: the pid is the command's own."""
    other_user = ["--user", "--map-user=1000", "--map-group=1000", "--"]
    user = [require("unshare"), *other_user] if command.as_user and os.geteuid() == 0 else []
    leash = [require("setpriv"), "--pdeathsig", command.orphan_signal.name.removeprefix("SIG"), "--"]
    return [*user, *leash, *command.argv]
