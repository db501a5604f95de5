"""Every chart under charts/: well-formed, complete by itself, the same whenever it is rendered."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.charts.rendering import CHARTS, charts, run

# Different at each rendering, or dependent on a cluster or on what was installed before.
UNSTABLE = re.compile(
    r"\b(lookup|now|uuidv4|rand\w+|gen(CA|SelfSigned|Signed|Private)\w*|derivePassword|encryptAES|htpasswd|bcrypt)\b"
    r"|\.Release\.(Revision|IsInstall|IsUpgrade)|\.Capabilities|helm\.sh/hook"
)
ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
TEXT = re.compile(r'"(?:\\.|[^"\\])*"|/\*.*?\*/', re.DOTALL)
# Helm's own: it adds them to every chart that has another one below it.
HELMS_OWN = {"global", "lib"}

every_chart = pytest.mark.parametrize("chart", charts())


@every_chart
def test_helm_finds_no_fault(chart: str) -> None:
    """`helm lint --strict` accepts every chart."""
    run("lint", "--strict", str(CHARTS / chart))


@every_chart
def test_nothing_unstable(chart: str) -> None:
    """No template uses chance, time, the cluster or a hook: what is rendered depends on chart and values alone."""
    for path in (CHARTS / chart / "templates").rglob("*"):
        if path.is_file():
            text = path.read_text()
            code = " ".join(TEXT.sub("", action) for action in ACTION.findall(text))
            assert not UNSTABLE.search(code), path
            assert "helm.sh/hook" not in text, path


@every_chart
def test_the_library_is_found_by_a_link(chart: str) -> None:
    """Who depends on the library has a relative link to it: a checkout needs no download and no build."""
    described = yaml.safe_load((CHARTS / chart / "Chart.yaml").read_text())
    library = yaml.safe_load((CHARTS / "lib/Chart.yaml").read_text())
    for dependency in described.get("dependencies", []):
        assert dependency == {"name": "lib", "version": library["version"], "repository": "file://../lib"}
        link = CHARTS / chart / "charts/lib"
        assert link.is_symlink()
        assert str(link.readlink()) == "../../lib"


@pytest.mark.parametrize("chart", [name for name in charts() if name != "lib"])
def test_a_package_stands_alone(chart: str, tmp_path: Path) -> None:
    """`helm package` puts the library in: a package can be installed where there is no checkout."""
    run("package", str(CHARTS / chart), "--destination", str(tmp_path))
    (package,) = tmp_path.glob("*.tgz")
    run("lint", "--strict", str(package))


@pytest.mark.parametrize("chart", [name for name in charts() if (CHARTS / name / "values.schema.json").is_file()])
def test_the_schema_knows_exactly_the_values(chart: str) -> None:
    """At every level that it describes, the schema knows the keys of values.yaml and refuses others."""
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text())
    values = yaml.safe_load((CHARTS / chart / "values.yaml").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(values, schema)
    assert _differences(values, schema, schema.get("$defs", {})) == []


def _differences(values: Any, schema: dict[str, Any], definitions: dict[str, Any], path: str = "") -> list[str]:
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    known = schema.get("properties")
    if known is None or not isinstance(values, dict):
        return []
    found = [f"{path}.{key}" for key in set(values) ^ (set(known) - HELMS_OWN)]
    if schema.get("additionalProperties") is not False:
        found.append(f"{path} takes unknown keys")
    for key in set(values) & set(known):
        found += _differences(values[key], known[key], definitions, f"{path}.{key}")
    return found
