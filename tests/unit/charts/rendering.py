"""Charts rendered by the real helm, as the operator and `helm install` render them.

`render` answers objects, `refusal` the sentence with which helm refuses values. Values go in by standard input, so that
nothing is written. $HELM names another helm than the one that the project builds.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

from local.kubernetes.tools import tool
from local.progress import silent

CHARTS: Final = Path(__file__).parents[3] / "charts"
# Seconds; a rendering takes a fraction of one.
DEADLINE: Final = 60.0
# What helm says about the link by which a chart finds the library.
_ABOUT_LINKS: Final = "found symbolic link in path"

Object = dict[str, Any]

# libyaml's reader, ten times as fast as the one in Python.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderingError(Exception):
    """Helm refused; the message is its own."""


@cache
def helm() -> Path:
    """Answers the helm program, built where it is not there yet."""
    given = os.environ.get("HELM")
    return Path(given) if given else tool("helm", silent)


def charts() -> list[str]:
    """Answers the names of all charts, the library among them."""
    return sorted(path.parent.name for path in CHARTS.glob("*/Chart.yaml"))


def render(
    chart: str,
    values: Mapping[str, Any] | None = None,
    release: str | None = None,
    namespace: str = "shop",
    folder: Path = CHARTS,
) -> list[Object]:
    """Answers the objects that a chart makes of values; the release is `shop-<chart>` unless it is named.

    Raises RenderingError with helm's words where the values are refused.
    """
    text = _rendered(str(folder / chart), release or f"shop-{chart}", namespace, json.dumps(values or {}))
    return loaded(text)


def loaded(text: str) -> list[Object]:
    """Answers the objects in what helm writes."""
    return [document for document in yaml.load_all(text, _Loader) if document]


# Many tests look at the same rendering, each with its own copy of the objects.
@lru_cache(maxsize=512)
def _rendered(path: str, release: str, namespace: str, values: str) -> str:
    return run("template", release, path, "--namespace", namespace, "--values", "-", values=json.loads(values))


def refusal(chart: str, values: Mapping[str, Any]) -> str:
    """Answers what helm says about values that it has to refuse, on one line."""
    try:
        render(chart, values)
    except RenderingError as error:
        return " ".join(str(error).split())
    raise AssertionError(f"the chart {chart} accepts {values}")


def run(*arguments: str, values: Mapping[str, Any] | None = None) -> str:
    """Answers what helm writes; raises RenderingError where it fails."""
    done = subprocess.run(
        [helm(), *arguments],
        # As JSON: helm reads YAML 1.1, in which a bare `n` is false.
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if _ABOUT_LINKS not in line]
        raise RenderingError("\n".join(said))
    return done.stdout


def only(objects: list[Object], kind: str) -> Object:
    """Answers the one object of a kind."""
    found = of_kind(objects, kind)
    assert len(found) == 1, f"{len(found)} objects of kind {kind}"
    return found[0]


def serving(objects: list[Object]) -> Object:
    """Answers the Deployment of a service's pods that serve; what works beside them is another part."""
    return only([each for each in objects if part_of(each) == "server"], "Deployment")


def part_of(obj: Object) -> str:
    """Answers which part of its service an object belongs to."""
    return str(obj["metadata"]["labels"]["app.kubernetes.io/component"])


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """Answers the objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def pod_templates(objects: list[Object]) -> dict[str, Object]:
    """Answers the pod templates by `Kind/name` of what makes pods of them."""
    makers = {"Deployment", "StatefulSet", "DaemonSet", "Job"}
    return {
        f"{each['kind']}/{each['metadata']['name']}": each["spec"]["template"]
        for each in objects
        if each["kind"] in makers
    }


def merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Answers values with changes laid over them, as helm lays them."""
    result = dict(values)
    for key, change in changes.items():
        before = result.get(key)
        result[key] = merged(before, change) if isinstance(before, Mapping) and isinstance(change, Mapping) else change
    return result
