"""The command line behind `make dev`, `make dev-down`, `make status` and `make clean-data`."""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from local import running
from local.datastores import Layout
from local.errors import LocalError
from local.exits import exit_code
from local.platform import USUAL_PORTS, Platform
from local.ports import holder
from local.processes import Process
from local.progress import to_terminal as say
from local.service_process import CHECKOUT
from local.supervision import Supervisor
from local.topology import INSTANCES, NAMES
from local.trees import signal_tree, tree

_DATA = ("elasticsearch", "kafka", "logs", "postgres", "secrets")
_DOWN_WITHIN = 120.0  # the services' and the datastores' grace periods, one after the other, and some air


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answer the exit code."""
    options = _parser().parse_args(arguments)
    act: Callable[[argparse.Namespace], int] = options.act
    return exit_code(lambda: act(options))


def up(options: argparse.Namespace) -> int:
    """Run the platform in the foreground until Ctrl-C, SIGTERM or `down`."""
    ports = {**USUAL_PORTS, **dict(options.port)}
    overrides = {name: {"LOG_FORMAT": "console"} for name in NAMES}
    platform = Platform(Layout(options.data, ports), instances=options.only, overrides=overrides, report=say)
    record = running.Record(os.getpid(), platform.graphql_url, platform.layout.ports, tuple(options.only))
    with running.hold(options.data, record):
        platform.check()
        say("Starting")
        platform.datastores.fetch()
        return asyncio.run(_foreground(platform))


async def _foreground(platform: Platform) -> int:
    """Run until the first signal, then end everything; a second signal kills what is still ending."""
    work = asyncio.ensure_future(_start_and_watch(platform, monotonic()))
    asked = asyncio.Event()
    _on_signal(asked.set)
    end = asyncio.create_task(asked.wait())
    await asyncio.wait({work, end}, return_when=asyncio.FIRST_COMPLETED)
    if end.done():
        say("Stopping; the data stays")
        _on_signal(lambda: _kill_all(platform))
        work.cancel()
    end.cancel()
    with suppress(asyncio.CancelledError):
        await work
    return 0


def _on_signal(act: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, act)


def _kill_all(platform: Platform) -> None:
    for process in platform.processes:
        if process.running:
            signal_tree(tree(process.pid), signal.SIGKILL)


async def _start_and_watch(platform: Platform, began: float) -> None:
    try:
        await platform.start()
        say(f"Up in {monotonic() - began:.0f} s")
        say(_addresses(platform))
        supervisor = Supervisor(say)
        await asyncio.gather(*(supervisor.watch(process) for process in platform.processes))
        await asyncio.Event().wait()
    finally:
        await platform.stop()


def _addresses(platform: Platform) -> str:
    gateway = platform.graphql_url.removesuffix("/graphql")
    stores, folder = platform.datastores, platform.layout.folder
    postgres = platform.layout.ports["postgres"]
    rows = {
        "GraphQL": platform.graphql_url,
        "Playground": f"{gateway}/playground",
        "Webhook": f"http://127.0.0.1:{platform.layout.ports['payment-http']}/webhook/payment",
        "Administrator": f"{platform.administrator_email}, password in {platform.administrator_password_file}",
        "PostgreSQL": f"127.0.0.1:{postgres}, user postgres, password in {folder / 'postgres/password'}",
        "Kafka": stores.kafka.bootstrap_servers,
        "Elasticsearch": stores.elasticsearch.url,
        "Logs": platform.layout.logs,
    }
    return "\n".join([*(f"  {name:<15}{value}" for name, value in rows.items()), "Ctrl-C ends it; the data stays."])


def down(options: argparse.Namespace) -> int:
    """End a running `up`, and wait until it is gone."""
    try:
        pid = running.end(options.data, _DOWN_WITHIN)
    except TimeoutError:
        raise LocalError(f"the platform did not end within {_DOWN_WITHIN:.0f} s") from None
    say("Nothing runs" if pid is None else f"Ended the platform with pid {pid}; its data stays in {options.data}")
    return 0


def clean_data(options: argparse.Namespace) -> int:
    """Forget the data, the secrets and the logs; refuses while the platform runs."""
    with running.hold(options.data):
        for name in _DATA:
            shutil.rmtree(options.data / name, ignore_errors=True)
    say(f"{options.data} is empty")
    return 0


def status(options: argparse.Namespace) -> int:
    """Show each process, where it listens and whether it serves; the exit code is 1 when one does not."""
    record = running.read(options.data)
    if record is None:
        say("Nothing runs")
        return 0
    platform = Platform(Layout(options.data, record.ports), instances=record.instances)
    platform.describe()
    say(f"The platform runs with pid {record.pid}: {record.graphql_url}")
    return 0 if asyncio.run(_show(platform)) else 1


def run(options: argparse.Namespace) -> int:
    """Run another command of a service beside the running platform, such as `run product reindex`."""
    record = running.read(options.data)
    if record is None:
        raise LocalError("Nothing runs: start it with `make dev`")
    platform = Platform(Layout(options.data, record.ports), instances=record.instances)
    # Commands that are no service's own, such as deadletters, need no more than the product service has.
    given = platform.environment(options.module if options.module in record.instances else "product")
    # The service's own process has the port for metrics.
    environment = {**os.environ, **given, "METRICS_PORT": "0", "LOG_FORMAT": "console"}
    command = [sys.executable, "-m", f"services.{options.module}", *options.arguments]
    return subprocess.run(command, check=False, cwd=CHECKOUT, env=environment).returncode


async def _show(platform: Platform) -> bool:
    """Print a line for each process; answer whether all serve."""
    serving = await asyncio.gather(*(_serves(process) for process in platform.processes))
    for process, serves in zip(platform.processes, serving, strict=True):
        ports = platform.layout.ports
        port = ports[process.name] if process.name in ports else ports[f"{process.name}-metrics"]
        say(f"  {process.name:<21}{'serves' if serves else 'DOWN':<8}127.0.0.1:{port:<7}{holder(port) or ''}"[:120])
    return all(serving)


async def _serves(process: Process) -> bool:
    with suppress(OSError, TimeoutError, EOFError):
        return await asyncio.wait_for(process.ready(), timeout=5)
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description="The platform as processes on this host.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for act in (up, down, clean_data, status, run):
        command = commands.add_parser(act.__name__.replace("_", "-"), help=act.__doc__)
        command.set_defaults(act=act)
        command.add_argument("--data", type=_folder, default=CHECKOUT / ".data", help="the data directory")
        if act is up:
            command.add_argument("--only", nargs="+", default=INSTANCES, metavar="NAME", help="run these only")
            command.add_argument("--port", type=_port, action="append", default=[], metavar="NAME=NUMBER")
        if act is run:
            command.add_argument("module", choices=(*NAMES, "deadletters"))
            command.add_argument("arguments", nargs=argparse.REMAINDER)
    return parser


def _folder(text: str) -> Path:
    return Path(text).absolute()


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if name not in USUAL_PORTS:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(USUAL_PORTS)}")
    return name, int(number)
