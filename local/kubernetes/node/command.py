"""The command line of the node."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic

from local.exits import exit_code
from local.kubernetes.node.host import Node
from local.progress import to_terminal as say


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answer the exit code."""
    options = _parser().parse_args(arguments)
    act: Callable[[Node, argparse.Namespace], int] = options.act
    return exit_code(lambda: act(Node(options.state, say), options))


def up(node: Node, _: argparse.Namespace) -> int:
    """Start the node, or find it running; answers when it is ready."""
    began = monotonic()
    node.up()
    say(f"The node is ready at {node.address} after {monotonic() - began:.1f} s; KUBECONFIG={node.kubeconfig}")
    return 0


def down(node: Node, _: argparse.Namespace) -> int:
    """End the node and remove everything that it made, the cluster's data included."""
    say("The node is gone" if node.down() else "Nothing runs")
    return 0


def status(node: Node, _: argparse.Namespace) -> int:
    """Show the node's daemons; the exit code is 1 when nothing runs or the node is not ready."""
    found = node.status()
    if found is None:
        say("Nothing runs")
        return 1
    for daemon in found.daemons:
        serves = "serves" if daemon["serves"] else "DOWN"
        say(f"  {daemon['name']:<26}{serves:<8}started {daemon['starts']} times")
    say(f"The node at {found.address} is {'ready' if found.ready else 'not ready'}; KUBECONFIG={node.kubeconfig}")
    return 0 if found.ready else 1


def kubeconfig(node: Node, _: argparse.Namespace) -> int:
    """Print the path of the administrator's kubeconfig file."""
    say(f"{node.kubeconfig}" if node.address else "")
    return 0


def address(node: Node, _: argparse.Namespace) -> int:
    """Print the address where Ingresses answer."""
    say(node.address)
    return 0


def load(node: Node, options: argparse.Namespace) -> int:
    """Import images from archives."""
    node.load(*options.archive)
    return 0


def restart(node: Node, options: argparse.Namespace) -> int:
    """Restart one daemon, and wait until it serves again."""
    began = monotonic()
    node.restart(options.daemon, kill=options.kill)
    say(f"{options.daemon} serves again after {monotonic() - began:.1f} s")
    return 0


def kill_containers(node: Node, _: argparse.Namespace) -> int:
    """Kill all processes of all containers; the kubelet brings them back."""
    say(f"{node.kill_containers()} processes killed")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.kubernetes.node", description="A single-node Kubernetes cluster on this host."
    )
    parser.add_argument("--state", type=_folder, help="where its state is (default: $ECOMMERCE_STATE or .data/cluster)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for act in (up, down, status, kubeconfig, address, load, restart, kill_containers):
        command = commands.add_parser(act.__name__.replace("_", "-"), help=act.__doc__)
        command.set_defaults(act=act)
        if act is load:
            command.add_argument("archive", type=_folder, nargs="+")
        if act is restart:
            command.add_argument("daemon")
            command.add_argument("--kill", action="store_true", help="by SIGKILL")
    return parser


def _folder(text: str) -> Path:
    return Path(text).absolute()
