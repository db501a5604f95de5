"""What builds images: docker, podman or buildah, behind the few verbs that are needed here.

docker and podman keep images in their own store. buildah gets a store of its own in the cache, and runs in a mount
namespace of its own: however it ends, no mount is left on the host.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.cache import cache_directory
from local.errors import LocalError, ToolMissingError
from local.images.archives import read_directory, share, write_archive
from local.images.recipe import CHECKOUT, DOCKERFILE, target

_BUILD_DEADLINE = 45 * 60
_ASK_DEADLINE = 60
_MOVE_DEADLINE = 20 * 60
_SHOWN_LINES = 25
_UV_SETTINGS = ("/etc/uv/uv.toml", "~/.config/uv/uv.toml")


class ImageError(LocalError):
    """An image could not be built, pushed or written; the message carries the tool's last words."""


class Engine:
    """docker, and what has docker's command line."""

    name = "docker"
    _NAMES = "{{.Repository}}:{{.Tag}}"

    def has(self, reference: str) -> bool:
        """Tell whether its store holds an image."""
        return self._answers("image", "inspect", reference)

    def build(self, service: str, reference: str, starts_from: Mapping[str, str]) -> None:
        """Build a service's image; `starts_from` are the Dockerfile's arguments that name images."""
        arguments = [f"--build-arg={name}={value}" for name, value in (*starts_from.items(), ("SERVICE", service))]
        stage = ["--target", target(service), "--file", str(DOCKERFILE), "--tag", reference]
        self._run("build", *self._build_options(), *stage, *arguments, *_secrets(), ".", within=_BUILD_DEADLINE)

    def tag(self, reference: str, other: str) -> None:
        """Give an image another name."""
        self._run("tag", reference, other)

    def push(self, reference: str) -> None:
        """Send an image to its registry."""
        self._run("push", reference, within=_MOVE_DEADLINE)

    def load(self, archive: Path) -> None:
        """Take the images of an archive into the store."""
        self._run("load", "--input", str(archive), within=_MOVE_DEADLINE)

    def save(self, references: Sequence[str], archive: Path) -> None:
        """Write images into one archive."""
        archive.parent.mkdir(parents=True, exist_ok=True)
        draft = archive.with_suffix(".draft")
        self._run("save", *self._several(), "--output", str(draft), *references, within=_MOVE_DEADLINE)
        draft.replace(archive)

    def remove(self, reference: str) -> None:
        """Take an image out of the store."""
        self._run("rmi", reference)

    def forget_dangling(self) -> None:
        """Remove images without a name; for engines whose store is others', too, that is theirs to do."""

    def names(self) -> list[str]:
        """Answer the names of the images in the store."""
        return self._run("images", "--format", self._NAMES).split()

    def _build_options(self) -> list[str]:
        return ["--build-arg=SOURCE_DATE_EPOCH=0"]

    def _several(self) -> list[str]:
        return []

    def _command(self) -> list[str]:
        return [self.name]

    def _answers(self, *arguments: str) -> bool:
        try:
            self._run(*arguments)
        except ImageError:
            return False
        return True

    def _run(self, *arguments: str, within: float = _ASK_DEADLINE) -> str:
        command = [*self._command(), *arguments]
        try:
            done = subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                cwd=CHECKOUT,
                env={**os.environ, **self._environment()},
                timeout=within,
            )
        except subprocess.TimeoutExpired:
            raise ImageError(f"{self.name} {arguments[0]} did not end within {within:.0f} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:]
            raise ImageError("\n".join([f"{self.name} {arguments[0]} failed:", *said]))
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}  # an attestation has a time in it


class Podman(Engine):
    """podman, which builds as buildah does."""

    name = "podman"

    def _build_options(self) -> list[str]:
        return ["--timestamp=0", "--layers", "--identity-label=false", "--format=oci"]

    def _several(self) -> list[str]:
        return ["--multi-image-archive"]


class Buildah(Podman):
    """buildah without a daemon: its images and its cache of downloads are in the cache directory."""

    name = "buildah"
    _NAMES = "{{.Name}}:{{.Tag}}"

    def has(self, reference: str) -> bool:
        """Tell whether its store holds an image."""
        return self._answers("inspect", "--type=image", "--format={{.FromImageID}}", reference)

    def load(self, archive: Path) -> None:
        """Take the image of an archive with a single one into the store."""
        self._run("pull", "--quiet", f"docker-archive:{archive}", within=_MOVE_DEADLINE)

    def forget_dangling(self) -> None:
        """Remove images without a name."""
        self._run("rmi", "--prune", "--force", within=_MOVE_DEADLINE)

    def save(self, references: Sequence[str], archive: Path) -> None:
        """Write images into one archive, each shared layer once, and uncompressed: it is read on this host."""
        write_archive(archive, [read_directory(each, self._exported(each)) for each in references])

    def identity(self, reference: str) -> str:
        """Answer the digest of an image's configuration, which tells all its layers."""
        return self._run("inspect", "--type=image", "--format={{.FromImageID}}", reference).strip()

    def _exported(self, reference: str) -> Path:
        """Answer the folder of an image's blobs, taken out of the store once. What images share is on the disk once."""
        folder = self._folder("exported") / self.identity(reference)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=self._folder("temporary")) as draft:
                self._run("push", "--quiet", "-D", reference, f"dir:{draft}/image", within=_MOVE_DEADLINE)
                share(Path(draft, "image"), self._folder("blobs"))
                Path(draft, "image").rename(folder)
        return folder

    def _build_options(self) -> list[str]:
        # RUN needs no namespaces of its own here: nothing foreign runs in it but installers of locked packages.
        return [*super()._build_options(), "--pull=false", "--isolation=chroot", "--network=host"]

    def _command(self) -> list[str]:
        places = ["--root", str(self._folder("store")), "--runroot", str(self._folder("run"))]
        return ["unshare", "--mount", "--", self.name, *places]

    def _environment(self) -> dict[str, str]:
        return {"TMPDIR": str(self._folder("temporary"))}  # where it keeps what RUN --mount=type=cache keeps

    @staticmethod
    def _folder(name: str) -> Path:
        folder = store_directory() / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def store_directory() -> Path:
    """Answer where images are kept that no engine of the host keeps."""
    return cache_directory() / "images"


def _secrets() -> list[str]:
    """Answer what the host's own clients are set up with, where it is."""
    settings = (os.environ.get("UV_CONFIG_FILE", ""), *_UV_SETTINGS)
    given = {"certificates": (os.environ.get("SSL_CERT_FILE", ""),), "uv.toml": settings}
    found = {name: next((path for path in map(_file, paths) if path), None) for name, paths in given.items()}
    return [f"--secret=id={name},src={path}" for name, path in found.items() if path]


def _file(path: str) -> Path | None:
    expanded = Path(path).expanduser()
    return expanded if path and expanded.is_file() else None


ENGINES: Mapping[str, type[Engine]] = {"docker": Engine, "podman": Podman, "buildah": Buildah}


def engine(name: str | None = None) -> Engine:
    """Answer the engine of that name, or the first that works here; raise ToolMissingError where there is none."""
    if name is not None:
        if shutil.which(name) is None:
            raise ToolMissingError(f"{name} is missing on this host")
        return ENGINES[name]()
    for each in ENGINES:
        if shutil.which(each) and (each != "docker" or docker_answers()):
            return ENGINES[each]()
    raise ToolMissingError("images are built with docker, podman or buildah. To get one: apt-get install buildah")


def docker_answers() -> bool:
    """Tell whether docker's daemon answers; its client alone builds nothing."""
    try:
        asked = subprocess.run(["docker", "info"], check=False, capture_output=True, timeout=_ASK_DEADLINE)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
