"""Programs built from published Go modules at the versions of go/go.mod and the checksums of go/go.sum.

The user's own proxies, checksum database and Go caches are honoured; what would change the result is not: flags,
workspaces, another target system. A Go that is too old but not older than 1.21 fetches the wanted one by itself.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Timer
from time import monotonic

from local.errors import FetchFailedError, ToolMissingError
from local.progress import Report

MODULE = Path(__file__).with_name("go")
_FETCHES_NEWER = (1, 21)  # the first Go that understands go.mod's `go 1.x.y` and can bring that toolchain itself
_BUILD_DEADLINE = 3600.0  # seconds; the largest set takes 10 minutes on two busy cores
_ASK_DEADLINE = 600.0  # a newer toolchain may be downloaded while Go is asked for its version
_REPORT_EVERY = 15.0
_SHOWN_LINES = 25
_GRACE = 30.0  # seconds for the compilers under way
# -buildvcs=false: the checkout's own state is no part of upstream programs.
_NEUTRAL = {"CGO_ENABLED": "0", "GO111MODULE": "on", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}
_FOREIGN = {"GOOS", "GOARCH", "GOEXPERIMENT", "GODEBUG", "GOROOT", "GOBIN"}


def wanted_version() -> str:
    """Answer the Go that go.mod asks for, such as `1.26.0`."""
    found = re.search(r"^go (\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise AssertionError("go.mod has a go line")
    return found[1]


def module_version(path: str) -> str:
    """Answer the version that go.mod names for a module, such as `v1.34.4` for `k8s.io/kubernetes`."""
    found = re.search(rf"^\s*{re.escape(path)} (v\S+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise AssertionError(f"go.mod names no {path}")
    return found[1]


def require_go() -> str:
    """Answer the `go` program; raise ToolMissingError where there is none that can build the module."""
    go = shutil.which("go")
    if go is None:
        raise _missing("Go is missing on this host")
    release = re.search(r"go(\d+)\.(\d+)", _ask(go, "version", Path("/")))
    if release is None or (int(release[1]), int(release[2])) < _FETCHES_NEWER:
        raise _missing(f"{go} is too old")
    _ask(go, "env", MODULE, "GOVERSION")
    return go


def _ask(go: str, verb: str, directory: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [go, verb, *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=directory,
            env=environment(os.environ),
            timeout=_ASK_DEADLINE,
        )
    except subprocess.TimeoutExpired:
        raise FetchFailedError(f"`go {verb}` did not answer within {_ASK_DEADLINE:.0f} s") from None
    if done.returncode:
        raise _missing(f"{go} cannot build this: {done.stderr.strip()}")
    return done.stdout


def _missing(what: str) -> ToolMissingError:
    return ToolMissingError(
        f"{what}. Kubernetes and its tools are built by Go {wanted_version()} or newer "
        f"({_FETCHES_NEWER[0]}.{_FETCHES_NEWER[1]} or newer fetches that by itself). "
        "To get it: https://go.dev/doc/install (the golang-go of Debian 12 is too old)"
    )


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """Answer an environment in which Go builds the same everywhere."""
    return {name: text for name, text in of.items() if name not in _FOREIGN} | _NEUTRAL


def module_folder(path: str) -> Path:
    """Answer the folder of a module's published files, downloaded where it is not there yet."""
    go = require_go()
    _run([go, "mod", "download", path], path, lambda _line: None)
    return Path(_ask(go, "list", MODULE, "-m", "-f", "{{.Dir}}", path).strip())


def build(package: str, program: Path, stamps: Mapping[str, str], report: Report, module: Path = MODULE) -> None:
    """Build one program; raise ToolMissingError or, with Go's last words, FetchFailedError.

    `stamps` are values for string variables, by `import/path.name`; `module` is the folder of the go.mod that pins it.
    """
    linking = " ".join(["-s", "-w", *(f"-X {name}={text}" for name, text in sorted(stamps.items()))])
    command = [require_go(), "build", "-v", "-trimpath", "-ldflags", linking, "-o", str(program), package]
    # Beside the program, so that what a killed Go leaves goes with the unfinished folder.
    with tempfile.TemporaryDirectory(prefix=".go-", dir=program.parent) as temporary:
        _run(command, program.name, report, Path(temporary), module)


def _run(
    command: Sequence[str], what: str, report: Report, temporary: Path | None = None, module: Path = MODULE
) -> None:
    """Run Go to its end, telling now and then how far it has come."""
    own = {"GOTMPDIR": str(temporary)} if temporary else {}
    last = deque[str](maxlen=_SHOWN_LINES)
    leash = shutil.which("setpriv")  # with it Go ends also when we are killed
    with subprocess.Popen(
        [leash, "--pdeathsig", "INT", "--", *command] if leash else command,
        cwd=module,
        env=environment(os.environ) | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        expiry = Timer(_BUILD_DEADLINE, _interrupt, [process])
        expiry.start()
        try:
            _follow(process, what, last, report)
        finally:
            expiry.cancel()
            _interrupt(process)
    code = process.returncode
    if code:
        raise FetchFailedError(f"{what} could not be built (Go ended with {code}):\n" + "\n".join(last))


def _interrupt(process: subprocess.Popen[str]) -> None:
    """End Go in the way that lets it remove its temporary files; by force where it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()


def _follow(process: subprocess.Popen[str], what: str, last: deque[str], report: Report) -> None:
    downloaded, compiled, told = 0, 0, monotonic()
    for line in process.stderr or ():
        last.append(line.rstrip())
        downloaded += line.startswith("go: downloading ")
        compiled += not line.startswith(("go: ", "#"))
        if monotonic() - told > _REPORT_EVERY:
            told = monotonic()
            report(f"    {what:<26} {downloaded} modules downloaded, {compiled} packages compiled so far")
    process.wait()
