"""The command line that every service has: `python -m services.<name> <command>`.

A composition root lists its commands and says what each is made of. What they all do is here: settings are read, logs
and traces started, and a fault that whoever typed the line can mend (a setting, a host that does not answer, a port
that is taken) is one line and exit status 1 instead of a traceback.
"""

import argparse
import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_settings import BaseSettings

from services import runtime, telemetry
from services.errors import EcommerceError

if TYPE_CHECKING:
    # For processes without a database this is not even installed.
    from sqlalchemy import MetaData

    from services.database import DatabaseSettings

S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class Command:
    """What one word of the command line does; `flags` are handed to `action` by name as True or False."""

    name: str
    action: Callable[..., None]
    # What --help says of each: the name `keep_old` is --keep-old on the command line.
    flags: Mapping[str, str] = field(default_factory=dict)


def main(name: str, about: str | None, *commands: Command, mendable: tuple[type[Exception], ...] = ()) -> None:
    """Does what the command line of `python -m services.<name>` asks for; `about` is told by --help, line by line.

    Ends the program with one line and status 1 for our own errors, those of the operating system and `mendable` ones.
    """
    chosen = vars(_parser(name, about, commands).parse_args())
    command = next(command for command in commands if command.name == chosen["command"])
    explained: tuple[type[Exception], ...] = (EcommerceError, OSError, *mendable)
    try:
        command.action(**{flag: chosen[flag] for flag in command.flags})
    except explained as error:
        raise SystemExit(f"{name}: {error}") from None


def run(name: str, settings: type[S], work: Callable[[S], Coroutine[Any, Any, None]], *, metrics: bool = True) -> None:
    """Reads the settings, starts telemetry under `name`, and returns when `work` has ended.

    `metrics` is False for commands that end by themselves (see telemetry.start).
    """
    read = runtime.read_settings(settings, name)
    telemetry.start(name, runtime.read_settings(telemetry.TelemetrySettings, name), metrics=metrics)
    asyncio.run(work(read))


def migrate(name: str, settings: "DatabaseSettings", migrations: Path, metadata: "MetaData") -> None:
    """Brings the service's database to the newest schema (see migration.migrate)."""
    # Here and not above: a process that serves need not load Alembic.
    from services import migration  # noqa: PLC0415

    telemetry.start(name, runtime.read_settings(telemetry.TelemetrySettings, name), metrics=False)
    migration.migrate(settings.database_url.get_secret_value(), migrations, metadata)


def _parser(name: str, about: str | None, commands: tuple[Command, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{name}", description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = parser.add_subparsers(dest="command", required=True)
    for command in commands:
        word = words.add_parser(command.name)
        for flag, told in command.flags.items():
            word.add_argument(f"--{flag.replace('_', '-')}", action="store_true", help=told)
    return parser
