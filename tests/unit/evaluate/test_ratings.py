"""Reading a file of interactions, and what is said about one that cannot be used."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluate import ratings
from tests.evaluate.errors import EvaluationError


def _file(folder: Path, text: str) -> Path:
    path = folder / "data.csv"
    path.write_text(text)
    return path


def test_published_form(tmp_path: Path) -> None:
    """Tabs, types behind a colon and the names of published data sets are understood."""
    read = ratings.read(
        _file(tmp_path, "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\tb\t3\t10\n7\ta\t5\t5\n")
    )
    assert (read.account_count, read.product_count, len(read)) == (1, 2, 2)
    assert sorted(read.weights.tolist()) == [3, 5]
    assert read.times is not None
    assert sorted(read.times.tolist()) == [5, 10]


def test_least_form(tmp_path: Path) -> None:
    """Account and product are enough: every pair then weighs 1, and there are no times."""
    read = ratings.read(_file(tmp_path, "product,account\nlamp,anna\nvase,ben\n"))
    assert read.weights.tolist() == [1, 1]
    assert read.times is None
    assert read.accounts.dtype == np.int32


def test_pairs_are_added_up(tmp_path: Path) -> None:
    """Several lines of one pair are one, with the sum of their weights and the newest of their times."""
    text = "account,product,weight,time\nanna,lamp,1,2026-01-01T00:00:00Z\nanna,lamp,2.5,2026-01-02T00:00:00Z\n"
    read = ratings.read(_file(tmp_path, text))
    assert read.weights.tolist() == [3.5]
    assert read.times is not None
    assert read.times.tolist() == [1767312000]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no table"),
        ("account,product\n", "no line below its header"),
        ("1,2\n3,4\n", "no column account and no column product; its first line is 1, 2"),
        ("account,product\nanna,lamp\n,vase\n", "line 3: account is empty"),
        ("account,product,weight\nanna,lamp,2\nben,vase,much\n", "line 3: a weight is a number above 0, not 'much'"),
        ("account,product,weight\nanna,lamp,0\n", "line 2: a weight is a number above 0, not '0'"),
        ("account,product,weight\nanna,lamp,inf\n", "line 2: a weight"),
        ("account,product,time\nanna,lamp,yesterday\n", "line 2: a time is"),
        ("account,product,time\nanna,lamp,5\nben,lamp,2026-01-01\n", "line 3: a time is"),
        ("account,product\nanna,lamp,3\nben,vase,4,5\n", "no table"),
    ],
)
def test_unusable_files(tmp_path: Path, text: str, said: str) -> None:
    """A file that cannot be used is refused with the line and what should be there."""
    with pytest.raises(EvaluationError, match=said):
        ratings.read(_file(tmp_path, text))


def test_missing_and_binary_files(tmp_path: Path) -> None:
    """A file that is not there, and one that is no text, are errors of one line as well."""
    with pytest.raises(EvaluationError, match="No such file"):
        ratings.read(tmp_path / "absent.csv")
    (tmp_path / "data").write_bytes(b"\xff\xfe\x00account")
    with pytest.raises(EvaluationError, match="no table of text"):
        ratings.read(tmp_path / "data")


def test_too_long_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound on the lines, so that the memory has one."""
    monkeypatch.setattr(ratings, "MOST_LINES", 1)
    with pytest.raises(EvaluationError, match="more than 1 lines"):
        ratings.read(_file(tmp_path, "account,product\nanna,lamp\nben,vase\n"))
