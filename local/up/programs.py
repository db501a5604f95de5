"""kubectl, helm and the like: run with a deadline, on one cluster, and their own words told when they fail.

The kubeconfig is always named on the command line: a KUBECONFIG in the environment may lead to somebody's production.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.kubernetes.tools import tool
from local.progress import Report

OLDEST = {"kubectl": (1, 33), "helm": (3, 14)}  # kubectl: within a minor version of the clusters that are made here
_VERSION = {"kubectl": ("version", "--client", "--output=json"), "helm": ("version", "--template={{.Version}}")}
_ASK_DEADLINE = 20.0
_SHOWN = 3000


class CommandFailedError(LocalError):
    """A program that was run for the cluster failed; the message holds what it said."""


def run(
    command: Sequence[str | Path], *, text: str | None = None, timeout: float, env: dict[str, str] | None = None
) -> str:
    """Run a program to its end and answer its output; raises CommandFailedError, also past the deadline."""
    words = [str(word) for word in command]
    name = " ".join([Path(words[0]).name, *(word for word in words[1:4] if not word.startswith("--kubeconfig"))])
    environment = {**os.environ, **(env or {})}
    try:
        done = subprocess.run(
            words, check=False, input=text or "", capture_output=True, text=True, timeout=timeout, env=environment
        )
    except subprocess.TimeoutExpired:
        raise CommandFailedError(f"`{name}` did not end within {timeout:.0f} s") from None
    except OSError as error:
        raise CommandFailedError(f"`{name}` could not be run: {error}") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-_SHOWN:]
        raise CommandFailedError(f"`{name}` failed with code {done.returncode}: {said}")
    return done.stdout


def program(name: str, report: Report) -> Path:
    """Answer the host's own program where it is new enough, else the one that is built here."""
    own = shutil.which(name)
    return Path(own) if own and fits(name, own) else tool(name, report)


def fits(name: str, path: str) -> bool:
    """Tell whether a program is at least of the oldest version that works."""
    try:
        said = run([path, *_VERSION[name]], timeout=_ASK_DEADLINE)
    except CommandFailedError:
        return False
    found = re.search(r"v(\d+)\.(\d+)\.", said)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST[name]


class Kubectl:
    """Asks one cluster."""

    def __init__(self, path: Path, kubeconfig: Path) -> None:
        """Take the program and the file that leads to the cluster."""
        self.path = path
        self.kubeconfig = kubeconfig

    def __call__(self, *arguments: str, text: str | None = None, timeout: float = 60) -> str:
        """Run it and answer its output; raises CommandFailedError."""
        return run([self.path, f"--kubeconfig={self.kubeconfig}", *arguments], text=text, timeout=timeout)

    def get(self, *arguments: str, timeout: float = 30) -> dict[str, Any]:
        """Answer an object, or a list of them under `items`, as the API gives it; raises CommandFailedError."""
        found: dict[str, Any] = json.loads(self("get", *arguments, "--output=json", timeout=timeout))
        return found

    def find(self, *arguments: str, timeout: float = 30) -> dict[str, Any] | None:
        """Answer an object, or None where there is none (or not even its kind)."""
        try:
            text = self("get", *arguments, "--output=json", "--ignore-not-found", timeout=timeout)
        except CommandFailedError as error:
            if "the server doesn't have a resource type" in str(error):
                return None
            raise
        found: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return found

    def apply(self, *objects: dict[str, Any], timeout: float = 60) -> None:
        """Apply objects on the server's side; raises CommandFailedError."""
        # JSON, since a word such as 12e5 is text to one reader of YAML and a number to another.
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self(
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=make-up",
            "-f",
            "-",
            text=text,
            timeout=timeout,
        )


class Helm:
    """Installs charts into one cluster."""

    def __init__(self, path: Path, kubectl: Kubectl) -> None:
        """Take the program, and kubectl for what helm cannot mend by itself."""
        self.path = path
        self._kubectl = kubectl

    def install(self, release: str, chart: Path, namespace: str, values: dict[str, Any], timeout: float = 180) -> None:
        """Install a release or bring it up to date, and wait until its objects are there and ready."""
        self._forget_interrupted(release, namespace)
        command: list[str | Path] = [
            self.path,
            "upgrade",
            "--install",
            release,
            chart,
            "--namespace",
            namespace,
            "--values",
            "-",
        ]
        limits = ["--wait", f"--timeout={timeout:.0f}s", "--history-max=3"]
        kubeconfig = f"--kubeconfig={self._kubectl.kubeconfig}"
        run([*command, *limits, kubeconfig], text=json.dumps(values), timeout=timeout + 30)

    def uninstall(self, release: str, namespace: str, timeout: float = 120) -> None:
        """Remove a release, if it is there."""
        kubeconfig = f"--kubeconfig={self._kubectl.kubeconfig}"
        command: list[str | Path] = [
            self.path,
            "uninstall",
            release,
            "--namespace",
            namespace,
            "--ignore-not-found",
            "--wait",
        ]
        run([*command, f"--timeout={timeout:.0f}s", kubeconfig], timeout=timeout + 30)

    def _forget_interrupted(self, release: str, namespace: str) -> None:
        """Drop the record of an installation that was killed half-way: helm would wait for it for ever."""
        pending = "status in (pending-install, pending-upgrade, pending-rollback)"
        selector = f"owner=helm,name={release},{pending}"
        self._kubectl("delete", "secrets", "--namespace", namespace, "--selector", selector, "--ignore-not-found")
