"""The command from a file to the table."""

import random
from pathlib import Path

import pytest

from tests.evaluate.__main__ import main


def _two_tastes(folder: Path) -> Path:
    """Thirty accounts that like most of one half of twenty products."""
    dice = random.Random(7)
    lines = ["account,product,weight,time"]
    for account in range(30):
        products = [number + 10 * (account % 2) for number in dice.sample(range(10), 7)]
        lines += [f"a{account},p{number},{dice.randint(1, 5)},{dice.randint(0, 9999)}" for number in products]
    path = folder / "shop.csv"
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("further", [(), ("--in-time",)])
def test_a_file_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str], further: tuple[str, ...]) -> None:
    """Two clear tastes are told far better by the service than by what is popular; nothing published is shown."""
    assert main(["--data", str(_two_tastes(tmp_path)), "--seeds", "1", *further]) == 0
    output = capsys.readouterr().out
    assert "210 interactions of 30 accounts with 20 products" in output
    rows = {line.split("|")[1].strip(): line.split("|")[4] for line in output.splitlines() if line.startswith("| ")}
    assert set(rows) == {"at 10", "popularity", "item-kNN", "the service (ALS)"}
    ndcg = {name: float(cell.split()[0]) for name, cell in rows.items() if name != "at 10"}
    assert ndcg["the service (ALS)"] > 1.2 * ndcg["popularity"]


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that cannot be used ends the command with one line and status 1."""
    (tmp_path / "bad.csv").write_text("1,2,3\n")
    assert main(["--data", str(tmp_path / "bad.csv")]) == 1
    errors = capsys.readouterr().err
    assert "no column account" in errors
    assert errors.count("\n") == 1
