"""The command line of a service: commands with flags, and one line for what its reader can mend."""

import json
import subprocess
import sys

import pytest
from pydantic_settings import BaseSettings

from services import commands
from services.commands import Command
from services.errors import UnavailableError


class _Settings(BaseSettings):
    some_address: str


class _ForeignError(Exception):
    """Of a library that one service uses."""


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, bool]]]:
    """What was done, in order."""
    monkeypatch.setattr("sys.argv", ["shop"])
    return []


def _call(
    monkeypatch: pytest.MonkeyPatch,
    done: list[tuple[str, dict[str, bool]]],
    *words: str,
    fault: Exception | None = None,
) -> None:
    def work(**flags: bool) -> None:
        done.append((words[0], flags))
        if fault:
            raise fault

    monkeypatch.setattr("sys.argv", ["shop", *words])
    listed = (Command("serve", work), Command("reindex", work, {"keep_old": "keeps the old one"}))
    commands.main("shop", "The shop.\n\nserve   serves", *listed, mendable=(_ForeignError,))


@pytest.mark.parametrize(
    ("words", "flags"),
    [(("serve",), {}), (("reindex",), {"keep_old": False}), (("reindex", "--keep-old"), {"keep_old": True})],
)
def test_a_command_is_done_once_with_its_flags(
    monkeypatch: pytest.MonkeyPatch,
    done: list[tuple[str, dict[str, bool]]],
    words: tuple[str, ...],
    flags: dict[str, bool],
) -> None:
    """The one that was named, and no other; a flag that was not given is False."""
    _call(monkeypatch, done, *words)
    assert done == [(words[0], flags)]


@pytest.mark.parametrize("words", [(), ("dance",), ("serve", "--keep-old"), ("reindex", "--else")])
def test_misuse_does_nothing(
    monkeypatch: pytest.MonkeyPatch, done: list[tuple[str, dict[str, bool]]], words: tuple[str, ...]
) -> None:
    """The command line's own exit status for misuse, and nothing is done."""
    with pytest.raises(SystemExit) as refused:
        _call(monkeypatch, done, *words)
    assert refused.value.code == 2
    assert done == []


@pytest.mark.parametrize(
    "fault", [UnavailableError("It is away."), OSError("It is away."), _ForeignError("It is away.")]
)
def test_what_a_person_can_mend_is_one_line(
    monkeypatch: pytest.MonkeyPatch, done: list[tuple[str, dict[str, bool]]], fault: Exception
) -> None:
    """The service's name and the sentence, in place of a traceback."""
    with pytest.raises(SystemExit) as refused:
        _call(monkeypatch, done, "serve", fault=fault)
    assert refused.value.code == "shop: It is away."


def test_a_fault_of_ours_keeps_its_traceback(
    monkeypatch: pytest.MonkeyPatch, done: list[tuple[str, dict[str, bool]]]
) -> None:
    """What nobody foresaw is not made smaller than it is."""
    with pytest.raises(ZeroDivisionError):
        _call(monkeypatch, done, "serve", fault=ZeroDivisionError())


def test_help_keeps_its_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], done: list[tuple[str, dict[str, bool]]]
) -> None:
    """The list of commands in a module's docstring is read as it was written."""
    with pytest.raises(SystemExit):
        _call(monkeypatch, done, "--help")
    assert "The shop.\n\nserve   serves\n" in capsys.readouterr().out


def test_a_missing_setting_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Named, before any work begins."""

    async def never(_: _Settings) -> None:
        pytest.fail("nothing may begin without its settings")

    monkeypatch.delenv("SOME_ADDRESS", raising=False)
    with pytest.raises(SystemExit, match="shop: SOME_ADDRESS: Field required"):
        commands.run("shop", _Settings, never)


_PROGRAM = """
import asyncio, sys, structlog
from services import commands
from pydantic_settings import BaseSettings

class Settings(BaseSettings):
    some_address: str

async def work(settings):
    await asyncio.sleep(0)
    structlog.get_logger().info("worked", address=settings.some_address)

commands.main("shop", None, commands.Command("serve", lambda: commands.run("shop", Settings, work, metrics=False)))
assert not {"sqlalchemy", "alembic"} & set(sys.modules), "what a database needs was loaded"
"""


def test_a_command_runs_with_its_settings_and_logs() -> None:
    """Work is given what was read, and its lines name the service; no database is loaded by one that has none."""
    ended = subprocess.run(  # noqa: S603 (our own words)
        [sys.executable, "-c", _PROGRAM, "serve"],
        env={"SOME_ADDRESS": "127.0.0.1:1", "METRICS_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    line = json.loads(ended.stderr.splitlines()[-1])
    assert (line["service"], line["event"], line["address"]) == ("shop", "worked", "127.0.0.1:1")
