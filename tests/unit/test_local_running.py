"""Claims about the record of a running platform, and about bringing back what died."""

import os
import sys
from pathlib import Path

import pytest

from local.errors import AlreadyRunningError
from local.launching import Command
from local.processes import Process
from local.running import Record, end, hold, read
from local.supervision import PAUSES, Supervisor

RECORD = Record(os.getpid(), "http://127.0.0.1:8080/graphql", {"gateway": 8080}, ("gateway",))


def test_a_second_up_is_told_where_the_first_one_is(tmp_path: Path) -> None:
    """The refusal has the pid and the address of the running platform."""
    with hold(tmp_path, RECORD), pytest.raises(AlreadyRunningError) as caught, hold(tmp_path):
        pass
    assert f"pid {os.getpid()}" in str(caught.value)
    assert RECORD.graphql_url in str(caught.value)


def test_a_record_counts_only_while_its_writer_lives(tmp_path: Path) -> None:
    """What a killed platform left names a pid that may be another program's by now: it is not believed, nor ended."""
    with hold(tmp_path, RECORD):
        assert read(tmp_path) == RECORD
        left_behind = (tmp_path / "running.json").read_text()
    (tmp_path / "running.json").write_text(left_behind)
    assert read(tmp_path) is None
    assert end(tmp_path, seconds=1) is None


class Fleeting(Process):
    """Serves at once and ends by itself at once."""

    starts = 0

    def command(self) -> Command:
        self.starts += 1
        return Command([sys.executable, "-c", "print('last words')"])

    async def ready(self) -> bool:
        return False


async def test_what_keeps_dying_is_brought_back_with_growing_pauses_and_then_left_alone(tmp_path: Path) -> None:
    """Each pause is used once; each report has the last words."""
    lines: list[str] = []
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    process = Fleeting("fleeting", tmp_path / "log")
    with pytest.raises(Exception, match="before it was ready"):
        await process.start()
    await Supervisor(lines.append, sleep=pause).watch(process)
    assert pauses == list(PAUSES)
    assert process.starts == 1 + len(PAUSES)
    assert "last words" in lines[1]
    assert "left alone" in lines[-1]


async def test_a_command_that_dies_before_it_is_ready_is_shown_with_its_log(tmp_path: Path) -> None:
    """Nobody has to look for the log file."""
    with pytest.raises(Exception, match=r"fleeting ended with code 0 before it was ready(.|\n)*last words"):
        await Fleeting("fleeting", tmp_path / "log").start()
