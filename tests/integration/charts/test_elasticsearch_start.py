"""The elasticsearch chart's settings and probes with a real node, and what prepares its start."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.charts.pods import ElasticsearchPod, ran
from tests.unit.charts.rendering import only, render


async def test_a_node_starts_with_the_charts_settings_and_passes_its_probes(tmp_path: Path) -> None:
    """The server knows each setting (it refuses others), and each probe's path answers 200."""
    pod = ElasticsearchPod(tmp_path)
    try:
        await pod.start()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert await pod.answers(probe), probe
    finally:
        await pod.kill()


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, str]:
    folders = {name: tmp_path / name.lower() for name in ("IMAGE", "CONFIG", "DATA")}
    for folder in folders.values():
        folder.mkdir()
    (folders["IMAGE"] / "jvm.options.d").mkdir()
    (folders["IMAGE"] / "elasticsearch.yml").write_text("cluster.name: docker\n")
    return {name: str(folder) for name, folder in folders.items()}


def test_the_images_configuration_is_copied_to_where_it_can_be_written(folders: dict[str, str]) -> None:
    """The same at each start, folders included."""
    for _ in range(2):
        assert _prepare(folders, "1").returncode == 0
        assert (Path(folders["CONFIG"]) / "elasticsearch.yml").read_text() == "cluster.name: docker\n"
        assert (Path(folders["CONFIG"]) / "jvm.options.d").is_dir()


def test_another_number_of_nodes_is_refused(folders: dict[str, str]) -> None:
    """It says why, and the volume stays as it is."""
    assert _prepare(folders, "1").returncode == 0
    done = _prepare(folders, "3")
    assert done.returncode == 1
    assert "a cluster of 1, and 3 are asked for: the number cannot be changed" in done.stderr
    assert _prepare(folders, "1").returncode == 0


def _prepare(folders: dict[str, str], replicas: str) -> "subprocess.CompletedProcess[str]":
    script = only(render("elasticsearch"), "ConfigMap")["data"]["prepare.sh"]
    return ran(["sh", "-c", script], {"PATH": os.environ["PATH"], "REPLICAS": replicas, **folders})
