"""Artifacts of Maven repositories, brought by the `mvn` client with whatever mirrors and proxies it is set up for."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from local.cache import locked
from local.errors import FetchFailedError
from local.tools import require

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>artifacts</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""


def pom(coordinates: Sequence[str]) -> str:
    """Answer a project file that depends on each `group:artifact:version`."""
    return _POM.format(dependencies="\n".join(_dependency(*each.split(":")) for each in coordinates))


def _dependency(group: str, artifact: str, version: str) -> str:
    parts = (("groupId", group), ("artifactId", artifact), ("version", version))
    inner = "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in parts)
    return f"    <dependency>{inner}</dependency>"


def copy_jars(coordinates: Sequence[str], into: Path, *, transitive: bool = True) -> None:
    """Put the jars of `coordinates`, and of what they need at run time, into a folder; raise FetchFailedError.

    One at a time: Maven 3 does not guard its local repository against a second client.
    """
    mvn = require("mvn")
    require("java")
    with tempfile.TemporaryDirectory() as folder, locked("maven"):
        project = Path(folder, "pom.xml")
        project.write_text(pom(coordinates))
        goal = [
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            f"-DexcludeTransitive={str(not transitive).lower()}",
            f"-DoutputDirectory={into}",
        ]
        _run([mvn, "-B", "-q", "-f", str(project), *goal], coordinates)


def _run(command: Sequence[str], coordinates: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line][:5]
        raise FetchFailedError("\n".join([f"mvn could not fetch {', '.join(coordinates)}:", *said]))
