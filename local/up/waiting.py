"""Waits until a platform is Ready, and tells each component's changes as they come: one line for each."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.errors import LocalError
from local.progress import Report
from local.up.programs import CommandFailedError, Kubectl

BETWEEN_LOOKS = 1.0
_UNREACHABLE_FOR = 60.0  # seconds that the API may be away (it restarts, a laptop sleeps) before waiting is given up
_MESSAGE_WIDTH = 110


class NotReadyError(LocalError):
    """The platform did not become Ready in time; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is told of a component."""

    ready: bool
    reason: str
    message: str


def lines(resource: Mapping[str, Any]) -> dict[str, Line]:
    """Answer what the status says of each component, in its order."""
    components = resource.get("status", {}).get("components", [])
    return {each["name"]: Line(bool(each["ready"]), each["reason"], each.get("message", "")) for each in components}


def condition(resource: Mapping[str, Any], kind: str = "Ready") -> Mapping[str, Any]:
    """Answer a condition of the status; empty where the operator has not set it."""
    found: list[dict[str, Any]] = resource.get("status", {}).get("conditions", [])
    return next((each for each in found if each["type"] == kind), {})


def is_ready(resource: Mapping[str, Any]) -> bool:
    """Tell whether what is wished for now (its generation) is there and works."""
    ready = condition(resource)
    seen = resource.get("status", {}).get("observedGeneration")
    return ready.get("status") == "True" and seen == resource["metadata"]["generation"]


class Progress:
    """Tells what changed between two looks, with the seconds since the start."""

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock."""
        self._report = report
        self._clock = clock
        self._began = clock()
        self._told: dict[str, Line] = {}

    @property
    def seconds(self) -> float:
        """How long it has taken until now."""
        return self._clock() - self._began

    def show(self, resource: Mapping[str, Any]) -> None:
        """Tell every component whose line is another than before."""
        for name, line in lines(resource).items():
            if self._told.get(name) != line:
                self._told[name] = line
                self._report(f"  {self.seconds:5.0f} s  {name:<15}{_shown(line)}")


def _shown(line: Line) -> str:
    if line.ready and line.reason == "Ready":
        return "ready"
    return f"{line.reason:<22} {line.message}"[:_MESSAGE_WIDTH].rstrip()


def until_ready(kubectl: Kubectl, name: str, namespace: str, report: Report, within: float) -> Mapping[str, Any]:
    """Wait for a platform, telling its progress; answer the resource; raises NotReadyError past the deadline."""
    progress, resource, last_seen = Progress(report), dict[str, Any](), time.monotonic()
    while progress.seconds < within:
        try:
            resource, last_seen = kubectl.get("ecommerceplatforms", name, "--namespace", namespace), time.monotonic()
        except CommandFailedError:
            if time.monotonic() - last_seen > _UNREACHABLE_FOR:
                raise
        else:
            progress.show(resource)
            if is_ready(resource):
                report(f"  {progress.seconds:5.0f} s  the platform is Ready")
                return resource
        time.sleep(BETWEEN_LOOKS)
    raise NotReadyError(_unfinished(resource, within))


def _unfinished(resource: Mapping[str, Any], within: float) -> str:
    ready = condition(resource)
    told = [f"  {name}: {line.reason}: {line.message}" for name, line in lines(resource).items() if not line.ready]
    reason = (
        ready.get("message") or "the operator has said nothing yet; look at its log in the namespace ecommerce-system"
    )
    return "\n".join([f"the platform is not Ready after {within:.0f} s: {reason}", *told])
