"""The benchmarks' command line: what does not go together is refused."""

import pytest

from tests.bench import command_line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["steps", "--shop=large"], ("SIZE=large", "BENCH=steps")),
        (["recommender", "--shop=small"], ("SIZE=small", "BENCH=recommender")),
        (["steps", "--against=HEAD"], ("AGAINST", "BENCH=steps")),
        (["--shop=large", "--against=HEAD"], ("AGAINST", "SIZE=large")),
        (["--shop=large", "--parts"], ("PARTS", "SIZE=large")),
        (["recommender", "--only=login"], ("ONLY", "BENCH=recommender")),
        (["--size=0.5"], ("--size", "BENCH=recommender")),
        (["--seconds=0"], ("--seconds", "at least 1")),
        (["--shop=huge"], ("--shop", "huge")),
    ],
)
def test_refused(arguments: list[str], named: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Each is refused by a message that names both, and nothing is run."""
    with pytest.raises(SystemExit) as ended:
        command_line.read(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert all(name in said for name in named)


def test_allowed() -> None:
    """What goes together is read as it was given."""
    found = command_line.read(["--shop=small", "--against=v1", "--parts", "--only=login", "--seconds=2"])
    assert (found.what, found.shop, found.against, found.parts) == ("platform", "small", "v1", True)
    assert (found.only, found.seconds) == ("login", 2)


@pytest.mark.parametrize(
    ("arguments", "seconds"),
    [([], 4), (["--shop=large"], 8), (["steps"], 8), (["recommender"], 8), (["steps", "--seconds=3"], 3)],
)
def test_seconds(arguments: list[str], seconds: int) -> None:
    """Each benchmark has its own length of a run, which the command line may change."""
    assert command_line.read(arguments).seconds == seconds
