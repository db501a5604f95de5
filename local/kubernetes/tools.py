"""The upstream programs of a cluster and its clients: built once into the cache, at the versions of go/go.mod.

They come in sets, so that who needs helm alone does not wait for Kubernetes. `python -m local.kubernetes.tools helm …`
runs one; `--path NAME` prints where it is; `--all` builds every set.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.cache import cache_directory, obtain
from local.errors import LocalError, ToolMissingError
from local.kubernetes import golang
from local.progress import Report, to_terminal

_USAGE = "usage: python -m local.kubernetes.tools [--path] NAME [ARGUMENT…] | --all"


@dataclass(frozen=True, slots=True)
class Program:
    """One binary: the Go package it is built from, and the further names it goes by."""

    name: str
    package: str
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolSet:
    """Programs that are built together; `on_host` says that the host's own ones may stand in where Go is missing."""

    name: str
    programs: tuple[Program, ...]
    on_host: bool = False
    sources: tuple[str, ...] = field(default=("go.mod", "go.sum"))

    def names(self) -> Iterable[str]:
        """Yield every name that a program of the set goes by."""
        for program in self.programs:
            yield from (program.name, *program.links)


_KUBERNETES = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
SETS = (
    ToolSet(
        "clients",
        (
            Program("helm", "helm.sh/helm/v3/cmd/helm"),
            Program("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
            Program("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ),
        on_host=True,
    ),
    ToolSet(
        "node",
        (Program("node", "./node", links=("etcd", *_KUBERNETES)),),
        sources=("go.mod", "go.sum", "node/main.go"),
    ),
    ToolSet(
        "addons",
        (
            Program("coredns", "./coredns"),
            Program("contour", "github.com/projectcontour/contour/cmd/contour"),
            Program("policies", "./policies"),
            Program("volumes", "./volumes"),
        ),
        sources=("go.mod", "go.sum", "coredns/main.go", "policies/main.go", "policies/rules.go", "volumes/main.go"),
    ),
)


def tool(name: str, report: Report) -> Path:
    """Answer a program by its name, built at first use.

    Raises ToolMissingError where it must be built and Go is missing, FetchFailedError where the build fails.
    """
    chosen = next((each for each in SETS if name in each.names()), None)
    if chosen is None:
        known = ", ".join(sorted(known for each in SETS for known in each.names()))
        raise ToolMissingError(f"there is no tool {name}; there are: {known}")
    try:
        return folder(chosen, report) / name
    except ToolMissingError:
        own = shutil.which(name) if chosen.on_host else None
        if own is None:
            raise
        return Path(own)


def folder(chosen: ToolSet, report: Report) -> Path:
    """Answer the cached folder of a set's programs."""
    key = f"kubernetes-{chosen.name}-{golang.module_version('k8s.io/kubernetes')}-{_digest(chosen)}"
    if not (cache_directory() / key).is_dir():
        golang.require_go()

    def build(into: Path) -> None:
        for program in chosen.programs:
            golang.build(program.package, into / program.name, stamps(), report)
            for link in program.links:
                (into / link).symlink_to(program.name)

    return obtain(key, build, report)


def _digest(chosen: ToolSet) -> str:
    seen = hashlib.sha256(repr((chosen.programs, sorted(stamps().items()))).encode())
    for source in chosen.sources:
        seen.update((golang.MODULE / source).read_bytes())
    return seen.hexdigest()[:8]


def stamps() -> Mapping[str, str]:
    """Answer what upstream's release builds tell their programs about themselves."""
    kubernetes, helm = golang.module_version("k8s.io/kubernetes"), golang.module_version("helm.sh/helm/v3")
    major, minor, _ = kubernetes.removeprefix("v").split(".")
    base = "k8s.io/component-base/version"
    told = {f"{base}.gitVersion": kubernetes, f"{base}.gitMajor": major, f"{base}.gitMinor": minor}
    told |= {f"k8s.io/client-go/pkg/version.{part}": text for part, text in (("gitVersion", kubernetes),)}
    told |= {f"{base}.gitTreeState": "clean", f"{base}.gitCommit": "0" * 40}
    told |= {"helm.sh/helm/v3/internal/version.version": helm}
    # Which Kubernetes charts are rendered for where there is no cluster to ask.
    for package in ("chartutil", "lint/rules"):
        told |= {f"helm.sh/helm/v3/pkg/{package}.k8sVersion{part}": text for part, text in _parts(major, minor)}
    return told


def _parts(major: str, minor: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("Major", major), ("Minor", minor)


def main(arguments: list[str]) -> int:
    """Run a tool in place of this process, or say where it is."""
    match arguments:
        case ["--all"]:
            for each in SETS:
                to_terminal(str(folder(each, to_terminal)))
        case ["--path", name]:
            to_terminal(str(tool(name, _to_errors)))
        case [name, *rest] if not name.startswith("-"):
            program = tool(name, _to_errors)
            os.execv(program, [name, *rest])  # noqa: S606 (no shell is wanted: it is this process from here on)
        case _:
            to_terminal(_USAGE)
            return 2
    return 0


def _to_errors(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except LocalError as error:
        sys.exit(str(error))
