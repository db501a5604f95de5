"""`python -m local.images build|push|load|list|prune`.

build   builds what is not built yet and prints the images' names
push    builds, and sends services and operator to the registry that --registry names
load    builds with buildah, without any registry, and brings what is missing into this host's cluster
list    prints what each image is called now, and whether it is built
prune   removes what no image of now needs; the next build begins with more to do
"""

import argparse
from collections.abc import Sequence
from time import monotonic

from local.errors import LocalError
from local.exits import exit_code
from local.images.building import Built, build, kept_names, push
from local.images.carriers import REGISTRY
from local.images.engines import ENGINES, engine
from local.images.pruning import prune
from local.images.recipe import EVERYTHING
from local.kubernetes.node import Node
from local.progress import to_terminal


def main() -> int:
    """Do what the command line asks for; answer the exit status."""
    options = _parser().parse_args()
    return exit_code(lambda: _COMMANDS[options.command](options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.images", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which images (all): {', '.join(EVERYTHING)}")
    parser.add_argument("--tool", choices=ENGINES, help="what builds (the first that works here)")
    parser.add_argument("--registry", default=REGISTRY, help="what names begin with (%(default)s)")
    parser.add_argument("--tag", default="", help="how to call them, instead of by a digest of what goes in")
    parser.add_argument("--stand-ins", action="store_true", help="ask no registry; make the datastores' images, too")
    return parser


def _build(options: argparse.Namespace) -> None:
    print("\n".join(_built(options, stand_ins=options.stand_ins).references))


def _push(options: argparse.Namespace) -> None:
    push(_built(options, stand_ins=options.stand_ins), to_terminal)


def _load(options: argparse.Namespace) -> None:
    options.tool = "buildah"
    load(_built(options, stand_ins=True), Node(report=to_terminal))


def load(built: Built, node: Node) -> None:
    """Bring the archives that hold an image which the node has not; each once."""
    there = set(node.images())
    missing = dict.fromkeys(path for reference, path in built.archives.items() if reference not in there)
    for archive in missing:
        began = monotonic()
        node.load(archive)
        to_terminal(f"  {archive.name:<36} loaded  {monotonic() - began:5.1f} s")


def _list(options: argparse.Namespace) -> None:
    chosen = engine(options.tool)
    kept = kept_names(chosen, to_terminal, stand_ins=options.stand_ins, names=_names(options))
    for reference in kept.values():
        print(f"{reference:<64} {'built' if chosen.has(reference) else '-'}")


def _prune(options: argparse.Namespace) -> None:
    prune(engine(options.tool), to_terminal)


def _built(options: argparse.Namespace, *, stand_ins: bool) -> Built:
    return build(
        to_terminal,
        registry=options.registry,
        tool=options.tool,
        stand_ins=stand_ins,
        tag=options.tag,
        names=_names(options),
    )


def _names(options: argparse.Namespace) -> Sequence[str]:
    unknown = [name for name in options.names if name not in EVERYTHING]
    if unknown:
        raise LocalError(f"there is no image {', '.join(unknown)}; there are {', '.join(EVERYTHING)}")
    return options.names or EVERYTHING


_COMMANDS = {"build": _build, "push": _push, "load": _load, "list": _list, "prune": _prune}
