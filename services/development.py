"""Runs a service's command from a copy of its sources, and starts it again whenever a file there changes.

For work on a service in a cluster: tools sync changed files into the pod's /sources, since its root file system is
read-only and a restarted container would forget them. `python -m services.development services.order serve`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

SOURCES: Final = Path("/sources")
_ORIGINAL: Final = Path(__file__).parents[1]
# Seconds between two looks at the files, and until a child that was asked to end is made to.
BETWEEN_LOOKS: Final = 0.5
GRACE: Final = 10.0


class Runner:
    """One child that runs from a folder of sources."""

    def __init__(self, command: Sequence[str], sources: Path) -> None:
        """Takes what follows `python -m`, and the folder."""
        self._command = [sys.executable, "-m", *command]
        self._sources = sources
        self._child: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Runs until it is told to stop; answers the child's exit code.

        A child that ends by itself, such as after a mistake in a file, is started again with the next change.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        seen = fingerprint(self._sources)
        self._start()
        while not self._stopping:
            time.sleep(BETWEEN_LOOKS)
            now = fingerprint(self._sources)
            if now != seen and not self._stopping:
                seen = now
                sys.stderr.write("files changed: starting again\n")
                self._end()
                self._start()
        return self._end()

    def _start(self) -> None:
        # The folder comes before /app on Python's path, as the current directory of `python -m`.
        environment = {**os.environ, "PYTHONPATH": f"{self._sources}:{_ORIGINAL}"}
        self._child = subprocess.Popen(self._command, cwd=self._sources, env=environment)  # noqa: S603 (our own words)

    def _end(self) -> int:
        if self._child is None:
            return 0
        self._child.terminate()
        try:
            return self._child.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            return self._child.wait()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True


def fingerprint(sources: Path) -> dict[str, tuple[int, int]]:
    """Answers size and time of change of every Python file."""
    found = {}
    for path in sources.rglob("*.py"):
        try:
            state = path.stat()
        except FileNotFoundError:  # it is being replaced at this moment
            continue
        found[str(path)] = (state.st_mtime_ns, state.st_size)
    return found


def main(command: Sequence[str], sources: Path = SOURCES) -> int:
    """Copies the services' sources where they can be changed, and runs a command from there.

    What is there already was changed since, before this container was started anew: it stays.
    """
    if not (sources / "services").exists():
        shutil.copytree(_ORIGINAL / "services", sources / "services", ignore=shutil.ignore_patterns("__pycache__"))
    return Runner(command, sources).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
