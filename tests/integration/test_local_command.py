"""Claims about `make dev` and its companions, on real datastores and a real service."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from local.platform import USUAL_PORTS
from local.ports import free_ports


def local(verb: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "local", verb, "--data", str(folder), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (our own program)


@contextmanager
def up(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """`up` with the account service alone, on free ports; killed where a test fails."""
    ports = [f"--port={name}={port}" for name, port in free_ports(USUAL_PORTS).items()]
    command = [sys.executable, "-m", "local", "up", "--data", str(folder), "--only", "account", *ports]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Answers what it said up to the line with that text."""
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if text in line:
            return said
    pytest.fail(f"{text!r} was never said:\n{said}")


def everyone_below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def command_line(process: psutil.Process) -> list[str]:
    """Answers its words; none where it has ended since it was listed, as PostgreSQL's children come and go."""
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def test_up_runs_once_tells_where_and_ends_by_down_with_its_data_kept(tmp_path: Path) -> None:
    """A second `up` and `clean-data` are refused meanwhile; `down` leaves no process; then `clean-data` forgets."""
    with up(tmp_path) as running:
        assert "http://127.0.0.1:" in read_until(running, "Ctrl-C ends it")
        below = everyone_below(running)
        for verb in ("up", "clean-data"):
            refused = local(verb, tmp_path)
            assert refused.returncode == 1
            assert f"runs already with pid {running.pid}: http://127.0.0.1:" in refused.stderr
        assert local("status", tmp_path).returncode == 0
        assert f"pid {running.pid}" in local("down", tmp_path).stdout
        assert running.wait() == 0
    assert not [process for process in below if process.is_running()]
    assert (tmp_path / "postgres/cluster/PG_VERSION").exists()
    assert local("clean-data", tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["running.json"]


def test_a_start_that_is_interrupted_leaves_no_process(tmp_path: Path) -> None:
    """Ctrl-C while Kafka and Elasticsearch are still on their way ends them too."""
    with up(tmp_path) as running:
        read_until(running, "postgres")
        below = everyone_below(running)
        running.send_signal(signal.SIGINT)
        assert running.wait() == 0
    assert below
    assert not [process for process in below if process.is_running()]


def test_a_service_that_dies_is_reported_and_brought_back(tmp_path: Path) -> None:
    """Its last log lines are shown, and it serves again under another pid."""
    with up(tmp_path) as running:
        read_until(running, "Ctrl-C ends it")
        (account,) = (one for one in everyone_below(running) if "services.account" in command_line(one))
        account.kill()
        said = read_until(running, "serves again")
        assert "account ended with code -9" in said
        assert f"pid {account.pid}" not in said
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 0
