"""The stand-ins' start scripts, run with a `java` that says how it was called."""

import subprocess
from pathlib import Path

import pytest

from local.images import standins

SCRIPTS = Path(standins.__file__).with_name("files")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Java home whose program prints its arguments, one a line."""
    java = tmp_path / "bin/java"
    java.parent.mkdir()
    java.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    java.chmod(0o755)
    return tmp_path


def _run(script: Path, home: Path, *arguments: str, **environment: str) -> list[str]:
    given = {"PATH": "/usr/bin:/bin", "JAVA_HOME": str(home), **environment}
    done = subprocess.run(  # noqa: S603 (our own script)
        [script, *arguments], check=True, capture_output=True, text=True, env=given, timeout=30
    )
    return done.stdout.splitlines()


def test_elasticsearch_takes_variables_with_a_dot_as_settings(home: Path) -> None:
    """Settings come from the environment as with the official image; those of parts that are not there are dropped."""
    settings = {"cluster.name": "shop", "discovery.seed_hosts": "a,b", "xpack.security.enabled": "false"}
    said = _run(
        SCRIPTS / "elasticsearch-entrypoint.sh",
        home,
        "-Enode.name=shop-0",
        **settings,
        **{"ingest.geoip.downloader.enabled": "false", "ES_JAVA_OPTS": "-Xms64m -Xmx64m", "NOT_A.setting": "1"},
    )
    given = said[said.index("Launcher") + 1 :]
    assert {"cluster.name=shop", "discovery.seed_hosts=a,b", "node.name=shop-0"} <= set(given)
    assert not [each for each in given if each.startswith(("xpack", "ingest", "NOT_A"))]
    assert said.index("-Xmx64m") > said.index("-Xmx512m")


def test_elasticsearch_runs_another_command_as_it_is(home: Path) -> None:
    """A command that is no setting replaces the server: `docker run IMAGE ls` lists."""
    assert _run(SCRIPTS / "elasticsearch-entrypoint.sh", home, "echo", "hello") == ["hello"]


def test_kafka_honours_the_official_variables(home: Path, tmp_path: Path) -> None:
    """Heap, log settings and folder come from the variables that the official scripts know."""
    said = _run(
        SCRIPTS / "kafka-server-start.sh",
        home,
        "/tmp/server.properties",  # noqa: S108 (only handed on)
        KAFKA_HEAP_OPTS="-Xms64m -Xmx64m",
        KAFKA_LOG4J_OPTS="-Dlog4j2.configurationFile=/etc/kafka/log4j2.properties",
        KAFKA_JMX_OPTS=" ",
        LOG_DIR=str(tmp_path / "logs"),
    )
    assert said[:2] == ["-Xms64m", "-Xmx64m"]
    assert "-Dlog4j2.configurationFile=/etc/kafka/log4j2.properties" in said
    assert said[-2:] == ["kafka.Kafka", "/tmp/server.properties"]  # noqa: S108 (only handed on)
    assert (tmp_path / "logs").is_dir()


def test_kafka_formats_its_storage(home: Path, tmp_path: Path) -> None:
    """kafka-storage.sh hands its words to Kafka's own tool, with a small heap unless told otherwise."""
    said = _run(SCRIPTS / "kafka-storage.sh", home, "random-uuid", LOG_DIR=str(tmp_path))
    assert said[0] == "-Xmx256M"
    assert said[-2:] == ["kafka.tools.StorageTool", "random-uuid"]
