"""Builds what is not built yet, gives it the tags that a platform wants, and puts it where a cluster can take it.

An image is kept under a digest of all that went into it, so nothing is built twice. A platform has one version for all
its services: that tag is a digest over those of the services (or what the caller wants), and costs no build.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from local.cache import locked
from local.images import standins
from local.images.carriers import REGISTRY, carriers
from local.images.engines import Buildah, Engine, engine, store_directory
from local.images.recipe import EVERYTHING, OPERATOR, content, recipe, version_of
from local.progress import Report

_KEPT_ARCHIVES = 2  # of each kind: this one, and the one before it


@dataclass(frozen=True)
class Built:
    """The images that a cluster needs.

    `version` is the tag of all services, `operator` that of the operator; `references` are the full names of all
    images; `datastores` those that stand in for the official ones; `archives` says in which file an image is, where the
    engine has no store that a cluster could read (one file holds several).
    """

    tool: str
    version: str
    operator: str
    references: tuple[str, ...]
    datastores: Mapping[str, str] = field(default_factory=dict)
    archives: Mapping[str, Path] = field(default_factory=dict)


def build(  # noqa: PLR0913 (each is a choice by itself, and all but the first are said by name)
    report: Report,
    *,
    registry: str = REGISTRY,
    tool: str | None = None,
    stand_ins: bool = False,
    tag: str = "",
    names: Sequence[str] = EVERYTHING,
) -> Built:
    """Build the named images; raise LocalError with the engine's own words where one cannot be built.

    With `stand_ins`, no registry is asked for anything: the images to start from, and those of the datastores, are made
    here. `tag` is what the images are to be called instead of a digest.
    """
    chosen = engine(tool)
    with locked("images"):
        starts_from = carriers(chosen, report) if stand_ins else _public()
        contents = _contents(names, starts_from)
        version = tag or version_of(digest for name, digest in contents.items() if name != OPERATOR)
        references = _references(contents, registry, version, tag)
        _ensure(chosen, contents, references, starts_from, report)
        archives = _archived(chosen, references.values())
        datastores = standins.datastores(report) if stand_ins else {}
        archives |= standins.archived(datastores)
    return Built(
        tool=chosen.name,
        version=version,
        operator=tag or contents.get(OPERATOR, ""),
        references=(*references.values(), *(each.reference for each in datastores.values())),
        datastores={name: each.reference for name, each in datastores.items()},
        archives=archives,
    )


def kept_names(chosen: Engine, report: Report, *, stand_ins: bool, names: Sequence[str] = EVERYTHING) -> dict[str, str]:
    """Answer the name under which the engine keeps each image as the checkout is now, whether it is built or not."""
    contents = _contents(names, carriers(chosen, report) if stand_ins else _public())
    return {name: _kept(name, digest) for name, digest in contents.items()}


def push(built: Built, report: Report) -> None:
    """Send the images of services and operator to the registry that they are named for."""
    chosen = engine(built.tool)
    for reference in built.references:
        if reference not in built.datastores.values():
            began = monotonic()
            chosen.push(reference)
            report(f"  {reference}  pushed  {monotonic() - began:.1f} s")


def _contents(names: Sequence[str], starts_from: Mapping[str, str]) -> dict[str, str]:
    return {name: content(name, _needed(name, starts_from)) for name in names}


def _kept(name: str, digest: str) -> str:
    return f"{REGISTRY}/{name}:{digest}"


def _public() -> Mapping[str, str]:
    return {name: value for name, value in recipe().defaults.items() if name.endswith("_IMAGE")}


def _needed(name: str, starts_from: Mapping[str, str]) -> dict[str, str]:
    """Answer those of the images that a service's own starts from."""
    return {key: value for key, value in starts_from.items() if name == OPERATOR or key != "HELM_IMAGE"}


def _references(contents: Mapping[str, str], registry: str, version: str, tag: str) -> dict[str, str]:
    tags = {name: tag or digest if name == OPERATOR else version for name, digest in contents.items()}
    return {name: f"{registry}/{name}:{tags[name]}" for name in contents}


def _ensure(
    chosen: Engine,
    contents: Mapping[str, str],
    references: Mapping[str, str],
    starts_from: Mapping[str, str],
    report: Report,
) -> None:
    """Have every image in the engine's store under its wanted name."""
    if isinstance(chosen, Buildah) and _archive(references.values()).exists():
        return
    for name, digest in contents.items():
        kept = _kept(name, digest)
        if not chosen.has(kept):
            began = monotonic()
            report(f"  {name:<28} building")
            chosen.build(name, kept, _needed(name, starts_from))
            report(f"  {name:<28} built    {monotonic() - began:5.1f} s")
        if references[name] != kept:
            chosen.tag(kept, references[name])


def _archived(chosen: Engine, references: Iterable[str]) -> dict[str, Path]:
    """Answer the file that holds the images, written where it is not there yet; none for an engine with a daemon."""
    if not isinstance(chosen, Buildah):
        return {}
    wanted = tuple(references)
    archive = _archive(wanted)
    if not archive.exists():
        chosen.save(wanted, archive)
        _forget_all_but(_KEPT_ARCHIVES)
    return dict.fromkeys(wanted, archive)


def _archive(references: Iterable[str]) -> Path:
    return store_directory() / "archives" / f"platform-{version_of(references)}.tar"


def _forget_all_but(count: int) -> None:
    archives = sorted((store_directory() / "archives").glob("platform-*.tar"), key=lambda each: each.stat().st_mtime)
    for old in archives[:-count]:
        old.unlink()
