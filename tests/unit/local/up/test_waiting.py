"""Claims about what a person is told while a platform starts."""

from typing import Any

from local.up.waiting import Progress, is_ready, lines


def _resource(*components: tuple[str, bool, str, str], ready: str = "False", seen: int = 1) -> dict[str, Any]:
    told = [{"name": name, "ready": ok, "reason": reason, "message": text} for name, ok, reason, text in components]
    conditions = [{"type": "Ready", "status": ready, "reason": "x", "message": "x"}]
    status = {"observedGeneration": seen, "conditions": conditions, "components": told}
    return {"metadata": {"name": "shop", "namespace": "shop", "generation": 1}, "status": status}


def test_each_change_is_one_line() -> None:
    """A component is told when its reason changes, with the seconds since the start, and not when nothing does."""
    told: list[str] = []
    clock = iter([0.0, 1.0, 5.0, 9.0])
    progress = Progress(told.append, clock=lambda: next(clock))
    starting = _resource(("postgres", False, "Starting", "Waits for its pod."))
    progress.show(starting)
    progress.show(starting)
    progress.show(_resource(("postgres", True, "Ready", "")))
    assert [line.split() for line in told] == [
        ["1", "s", "postgres", "Starting", "Waits", "for", "its", "pod."],
        ["5", "s", "postgres", "ready"],
    ]


def test_a_warning_is_told() -> None:
    """What works but wants to be looked at keeps its reason."""
    told: list[str] = []
    Progress(told.append).show(_resource(("gateway", True, "NoAddress", "The Ingress has no address.")))
    assert "NoAddress" in told[0]


def test_ready_is_of_this_generation() -> None:
    """A Ready that was said of an earlier wish does not count."""
    assert is_ready(_resource(ready="True", seen=1))
    assert not is_ready(_resource(ready="True", seen=0))
    assert not is_ready(_resource(ready="False", seen=1))
    assert not is_ready({"metadata": {"generation": 1}})


def test_a_resource_without_a_status() -> None:
    """Before the operator has seen it, there is nothing to tell."""
    assert lines({"metadata": {"name": "shop"}}) == {}
