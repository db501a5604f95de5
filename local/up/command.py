"""The command line behind `make up`, `make down` and `make cluster-status`."""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from local.cache import locked
from local.exits import exit_code
from local.progress import to_terminal as say
from local.up import images, installing, preflight, waiting
from local.up.clusters import Cluster, Given, Where, chosen, made_here
from local.up.installing import SYSTEM, Manifest
from local.up.programs import Helm, Kubectl, program

READY_WITHIN = 900.0  # seconds; a first start pulls images and is on slow disks


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answer the exit code."""
    options = _parser().parse_args(arguments)
    act: Callable[[argparse.Namespace], int] = options.act
    return exit_code(
        lambda: act(options), "Interrupted. `make up` goes on from here; `make down` removes what was made"
    )


def up(options: argparse.Namespace) -> int:
    """Bring the platform up and wait until it is Ready."""
    manifest, began = Manifest.read(options.platform), monotonic()
    cluster = chosen(options.kubeconfig)
    _warn_of_environment(options.kubeconfig)
    preflight.check(cluster, options.registry)
    with locked("make-up"):
        return _up(cluster, manifest, options, began)


def _up(cluster: Cluster, manifest: Manifest, options: argparse.Namespace, began: float) -> int:
    with _stage("Images"):
        built = images.build(cluster, options.registry, say)
    with _stage("Cluster"):
        where = cluster.start(say)
        kubectl = Kubectl(program("kubectl", say), where.kubeconfig)
        cluster.prepare(kubectl, say)
    with _stage("Images into the cluster"):
        images.deliver(cluster, built, say)
    with _stage("Operator"):
        installing.install_operator(
            Helm(program("helm", say), kubectl), kubectl, images.operator_values(built, options.registry)
        )
    say(f"Platform {manifest.name} in the namespace {manifest.namespace}")
    installing.apply_platform(kubectl, manifest)
    resource = waiting.until_ready(kubectl, manifest.name, manifest.namespace, say, options.ready_within)
    say(f"Up in {monotonic() - began:.0f} s")
    say(addresses(where, kubectl, resource))
    return 0


@contextmanager
def _stage(name: str) -> Iterator[None]:
    say(name)
    began = monotonic()
    yield
    say(f"  {name}: {monotonic() - began:.0f} s")


def addresses(where: Where, kubectl: Kubectl, resource: Mapping[str, Any]) -> str:
    """Answer the lines that tell a person how to use the platform."""
    name, namespace = resource["metadata"]["name"], resource["metadata"]["namespace"]
    graphql = _graphql(where, resource)
    forward = f"kubectl -n {namespace} port-forward service/{name}-gateway 8080 (then http://127.0.0.1:8080/graphql)"
    email = resource.get("spec", {}).get("administrator", {}).get("email", "")
    password = (
        f"kubectl -n {namespace} get secret {name}-administrator -o go-template='{{{{.data.password | base64decode}}}}'"
    )
    rows = {
        "GraphQL": graphql or f"its ingress has no address; {forward}",
        "Playground": graphql.replace("/graphql", "/playground"),
        "Administrator": email,
        "  the password": password if email else "",
        "kubectl": f"export KUBECONFIG={where.kubeconfig}{_path(kubectl)}",
        "  the platform": f"kubectl -n {namespace} get ecp {name}",
        "  the operator": f"kubectl -n {SYSTEM} logs deployment/{installing.OPERATOR}",
    }
    return "\n".join(f"  {title:<16}{text}" for title, text in rows.items() if text)


def _graphql(where: Where, resource: Mapping[str, Any]) -> str:
    """Answer where GraphQL is: on this host's cluster the address seen from this host, elsewhere the platform's own."""
    url: str = resource.get("status", {}).get("url", "")
    host = resource.get("spec", {}).get("ingress", {}).get("host", "")
    if not where.ingress:
        return url
    base = where.ingress + "/graphql"
    return f"{base} (with the header `Host: {host}`)" if host else base


def _path(kubectl: Kubectl) -> str:
    """Answer what makes a kubectl that was built here the shell's own; nothing where it is on PATH already."""
    folders = os.environ.get("PATH", "").split(os.pathsep)
    return "" if str(kubectl.path.parent) in folders else f" PATH={kubectl.path.parent}:$PATH"


def down(options: argparse.Namespace) -> int:
    """Remove what `up` made: the cluster as a whole, or from a given one the platform, and with --everything all."""
    with locked("make-up"):
        if options.kubeconfig is not None:
            return _down_given(options)
        removed = [cluster.remove(say) for cluster in made_here()]
    say("The cluster and all its data are gone" if any(removed) else "Nothing runs")
    return 0


def _down_given(options: argparse.Namespace) -> int:
    manifest, where = Manifest.read(options.platform), Given(options.kubeconfig).where()
    kubectl = Kubectl(program("kubectl", say), where.kubeconfig)
    if not installing.remove_platform(kubectl, manifest, say):
        say(f"  there is no platform {manifest.name} in {manifest.namespace}")
    if options.everything:
        installing.remove_operator(Helm(program("helm", say), kubectl), kubectl, manifest, say)
    else:
        say(f"  the operator ({SYSTEM}) and the definition stay; EVERYTHING=yes removes them and the namespaces too")
    return 0


def status(options: argparse.Namespace) -> int:
    """Show the clusters that run and the platforms in them; the exit code is 1 where one is not Ready."""
    clusters = [Given(options.kubeconfig)] if options.kubeconfig else list(made_here())
    ready = True
    for cluster, where in ((each, each.where()) for each in clusters):
        if where is None:
            continue
        say(f"{type(cluster).__name__}: KUBECONFIG={where.kubeconfig} {where.ingress}")
        ready = _show(Kubectl(program("kubectl", say), where.kubeconfig)) and ready
    if not any(each.where() for each in clusters):
        say("Nothing runs: `make up` starts it")
    return 0 if ready else 1


def _show(kubectl: Kubectl) -> bool:
    found = kubectl.get("ecommerceplatforms", "--all-namespaces")["items"]
    for each in found:
        ready = waiting.condition(each)
        metadata, lines = each["metadata"], waiting.lines(each).items()
        said = f"{ready.get('reason', 'not seen yet')}: {ready.get('message', '')}"
        say(f"  {metadata['namespace']}/{metadata['name']}: {said}")
        for name, line in lines:
            say(
                f"    {name:<15}{'ready' if line.ready else 'NOT READY':<11}{line.reason:<20}{line.message}"[
                    :160
                ].rstrip()
            )
    return all(waiting.is_ready(each) for each in found)


def _warn_of_environment(given: Path | None) -> None:
    theirs = os.environ.get("KUBECONFIG")
    if theirs and given is None:
        say(f"KUBECONFIG of the environment is not used; for that cluster say: make up KUBECONFIG={theirs} REGISTRY=…")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.up", description="The platform on Kubernetes.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for act in (up, down, status):
        command = commands.add_parser(act.__name__, help=act.__doc__)
        command.set_defaults(act=act)
        command.add_argument("--kubeconfig", type=_file, help="an existing cluster; else one is made on this host")
        command.add_argument("--platform", type=Path, default=installing.EXAMPLE, help="the EcommercePlatform's file")
        if act is up:
            command.add_argument("--registry", default="", help="where images are pushed for an existing cluster")
            command.add_argument("--ready-within", type=float, default=READY_WITHIN, metavar="SECONDS")
        if act is down:
            command.add_argument("--everything", action="store_true", help="from an existing cluster, the operator too")
    return parser


def _file(text: str) -> Path:
    return Path(text).expanduser().absolute()
