"""Claims about what a person is told when the host lacks something or has it taken."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from local import artifacts, tools
from local.cache import cache_directory, obtain
from local.errors import PortTakenError, ToolMissingError
from local.maven import pom
from local.ports import free_ports, is_free, require_free
from local.progress import silent
from local.secrets import keep


def test_a_missing_tool_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Maven the message says `mvn` and how to get it."""
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolMissingError, match=r"mvn is missing.*apt-get install maven"):
        tools.require("mvn")


def test_all_missing_tools_are_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With an empty cache and only util-linux, the message has a line for each tool that downloads."""
    for name in ("setpriv", "unshare"):
        (tmp_path / name).symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ECOMMERCE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolMissingError) as caught:
        artifacts.check_tools()
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["uv", "mvn", "java"]


def test_a_taken_port_is_told_with_the_process_that_has_it() -> None:
    """The message has the port, who wanted it, and the pid and command of the process that listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError) as caught:
            require_free("Kafka", port)
    assert f"Kafka cannot listen on 127.0.0.1:{port}" in str(caught.value)
    assert f"pid {os.getpid()} ({Path(sys.executable).name}" in str(caught.value).replace(f"{sys.exec_prefix}/bin/", "")


def test_free_ports_are_different_free_and_not_for_outgoing_connections() -> None:
    """A client that dials a stopped server must never be given the server's port as its own."""
    ports = free_ports(map(str, range(20))).values()
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert len(set(ports)) == 20
    assert all(port < lowest_outgoing and is_free(port) for port in ports)


def test_the_cache_can_be_put_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """ECOMMERCE_CACHE goes before XDG_CACHE_HOME."""
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.delenv("ECOMMERCE_CACHE", raising=False)
    assert cache_directory() == Path("/xdg/ecommerce-platform")
    monkeypatch.setenv("ECOMMERCE_CACHE", "/chosen")
    assert cache_directory() == Path("/chosen")


def test_an_interrupted_download_leaves_nothing_that_looks_complete(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder appears under its name only when it is whole; the next try builds it, and later ones find it."""
    monkeypatch.setenv("ECOMMERCE_CACHE", str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ConnectionError

    with pytest.raises(ConnectionError):
        obtain("thing-1", fail, silent)
    assert not (tmp_path / "thing-1").exists()
    built = obtain("thing-1", lambda folder: (folder / "whole").touch(), silent)
    assert [path.name for path in built.iterdir()] == ["whole"]
    assert obtain("thing-1", fail, silent) == built


@pytest.mark.timeout(60)
def test_filling_the_cache_is_not_a_tests_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The clock of the test that comes first on a new machine stands still meanwhile, and goes on afterwards."""
    monkeypatch.setenv("ECOMMERCE_CACHE", str(tmp_path))
    clock: list[float] = []
    obtain("thing-1", lambda _: clock.append(signal.getitimer(signal.ITIMER_REAL)[0]), silent)
    assert clock == [0.0]
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60


def test_a_project_for_maven_names_each_coordinate() -> None:
    """Every `group:artifact:version` becomes one dependency."""
    text = pom(["org.example:one:1.0", "org.example:two:2.0"])
    assert text.count("<dependency>") == 2
    assert "<groupId>org.example</groupId><artifactId>two</artifactId><version>2.0</version>" in text


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """The second call answers the first one's secret."""
    path = tmp_path / "secrets/key"
    assert keep(path, lambda: "first") == keep(path, lambda: "second") == "first"
    assert path.stat().st_mode & 0o777 == 0o600
