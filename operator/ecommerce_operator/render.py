"""Charts and values become objects: `helm template` in a child process that knows no cluster.

Values go in on standard input (they name Secrets and hold none). A rendering depends on nothing but chart, name,
namespace and values, so it is remembered by their digest; the number that is remembered is bounded. helm checks
`values.schema.json`, and its sentence about it is passed on.
"""

import asyncio
import json
import os
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from ecommerce_operator.errors import RenderError
from ecommerce_operator.manifests import digest_of
from ecommerce_operator.metrics import RENDERS
from ecommerce_operator.model import Release

TIMEOUT: Final = 30.0  # seconds; a rendering takes about 0.1
REMEMBERED: Final = 64  # renderings; a platform has about ten, of some 20 kB each
_AT_ONCE: Final = 2
_SENTENCE: Final = 500  # characters of helm's complaint

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Renderer:
    """Renders the charts in a folder by a helm program."""

    def __init__(self, helm: str, charts: Path) -> None:
        self._helm = helm
        self._charts = charts
        self._remembered: OrderedDict[str, Sequence[Any]] = OrderedDict()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def render(self, release: Release, namespace: str) -> Sequence[Any]:
        """Answers the objects of a release, not to be changed; raises RenderError with helm's own sentence."""
        digest = digest_of([release.chart, release.name, namespace, _plain(release.values)])
        if digest not in self._remembered:
            async with self._slots:
                text = await self._template(release, namespace)
            self._remembered[digest] = _parsed(text, release.chart)
        self._remembered.move_to_end(digest)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return self._remembered[digest]

    async def _template(self, release: Release, namespace: str) -> bytes:
        RENDERS.inc()
        with tempfile.TemporaryDirectory(prefix="helm-") as home:
            child = await self._start(release, namespace, home)
            values = json.dumps(_plain(release.values)).encode()
            try:
                async with asyncio.timeout(TIMEOUT):
                    out, complaint = await child.communicate(values)
            except TimeoutError:
                raise RenderError(f"helm did not render the chart {release.chart} in time.", "ChartTimeout") from None
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        if child.returncode:
            raise RenderError(_sentence(complaint, release.chart), "InvalidValues")
        return out

    async def _start(self, release: Release, namespace: str, home: str) -> asyncio.subprocess.Process:
        arguments = ("template", release.name, str(self._charts / release.chart), "--namespace", namespace)
        # Of this process's environment helm gets nothing that could lead it to a cluster.
        environment = {"HOME": home, "PATH": os.environ.get("PATH", ""), "TMPDIR": home}
        try:
            return await asyncio.create_subprocess_exec(
                self._helm, *arguments, "--values", "-", env=environment,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise RenderError(f"helm cannot be started ({self._helm}): {error.strerror}.", "HelmMissing") from None


def _plain(values: Any) -> Any:
    """Answers values as JSON holds them, whatever kinds of mappings and sequences they are made of."""
    if isinstance(values, str | int | float | bool) or values is None:
        return values
    if hasattr(values, "items"):
        return {str(name): _plain(value) for name, value in values.items()}
    return [_plain(value) for value in values]


def _parsed(text: bytes, chart: str) -> Sequence[Any]:
    try:
        return [document for document in yaml.load_all(text, Loader=_LOADER) if document]
    except yaml.YAMLError as error:
        raise RenderError(f"The chart {chart} rendered text that is no YAML: {error}.") from None


def _sentence(complaint: bytes, chart: str) -> str:
    """Answers what helm said without what it says each time."""
    text = " ".join(complaint.decode(errors="replace").rpartition("Error: ")[2].split())
    text = text.removeprefix("values don't meet the specifications of the schema(s) in the following chart(s): ")
    return f"The chart {chart} refuses its values: {text[:_SENTENCE]}"
