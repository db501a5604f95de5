"""MovieLens 100k (Harper and Konstan 2015): 100,000 ratings of 1,682 films by 943 people, each with 20 or more.

The wheel of recbole carries it. It is downloaded once into the cache and held to its checksum; only the file with the
ratings is unpacked, and nothing of the wheel is installed or run.
"""

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Final

from local.cache import obtain
from local.progress import Report
from local.tools import require
from tests.evaluate.errors import EvaluationError

WHEEL: Final = "recbole-1.2.1-py3-none-any.whl"
SHA256: Final = "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407"
_INSIDE: Final = "recbole/dataset_example/ml-100k/ml-100k.inter"
# Two megabytes; a slow line needs half a minute.
_SECONDS: Final = 300


def path(report: Report) -> Path:
    """Answers the file with the ratings, fetched at first use; raises EvaluationError or a LocalError."""
    return obtain("movielens-100k", _fetch, report) / Path(_INSIDE).name


def _fetch(folder: Path) -> None:
    wheel = folder / WHEEL
    _download(folder)
    unpack(wheel, folder)
    wheel.unlink()


def _download(folder: Path) -> None:
    """Downloads by pip, since uv itself keeps no wheel as it is."""
    pip = [require("uv"), "tool", "run", "--quiet", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), "recbole==1.2.1"]
    try:
        subprocess.run([*pip, "download", *wanted], check=True, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise EvaluationError(f"{WHEEL} did not arrive within {_SECONDS} s.") from None
    except subprocess.CalledProcessError as error:
        raise EvaluationError(f"{WHEEL} could not be downloaded:\n{error.stderr[-2000:]}") from None


def unpack(wheel: Path, folder: Path, sha256: str = SHA256) -> None:
    """Writes the ratings of a wheel into a folder; raises EvaluationError for one that is not the very wheel."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != sha256:
        raise EvaluationError(f"{wheel.name} has the checksum {found}, not {sha256}: it is not used.")
    with zipfile.ZipFile(wheel) as archive:
        (folder / Path(_INSIDE).name).write_bytes(archive.read(_INSIDE))
