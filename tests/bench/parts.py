"""CPU time by part of a platform: each datastore, each service, and what is below them."""

from collections.abc import Mapping

import psutil

from local.platform import Platform
from tests.bench import cpu


def used_by_part(platform: Platform) -> dict[str, float]:
    """Answers the seconds of CPU that each running part has used since it started, by its name."""
    return used({process.name: process.pid for process in platform.processes if process.running})


def used(parts: Mapping[str, int]) -> dict[str, float]:
    """Answers the same for parts that are given by name with their root processes' ids."""
    return {name: cpu.of_tree(psutil.Process(pid)) for name, pid in parts.items()}


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Answers what was added; a part that was started in between counts from its start."""
    return {name: spent - before.get(name, 0.0) for name, spent in after.items()}
