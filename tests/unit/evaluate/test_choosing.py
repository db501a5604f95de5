"""The search for hyperparameters."""

from dataclasses import dataclass

from tests.evaluate import choosing


@dataclass(frozen=True)
class _Point:
    x: int = 0
    y: int = 0


def test_finds_the_best() -> None:
    """Each field goes to its best option while the other stays; the score of the answer comes with it."""
    options = {"x": range(10), "y": range(10)}
    found = choosing.best(_Point(), options, lambda point: -abs(point.x - 3) - abs(point.y - 7))
    assert found == (_Point(3, 7), 0)


def test_fields_that_depend_on_each_other() -> None:
    """A second round finds what the first one could not, as the fields depend on each other."""
    options = {"x": range(10), "y": range(10)}
    found, _ = choosing.best(_Point(), options, lambda point: -((point.x - point.y) ** 2) + 2.2 * point.y)
    assert found.x > 1


def test_nothing_is_scored_twice() -> None:
    """A candidate that was scored is known, in later rounds as well."""
    scored: list[_Point] = []

    def score(point: _Point) -> float:
        scored.append(point)
        return point.x + point.y

    choosing.best(_Point(), {"x": range(3), "y": range(3)}, score)
    assert len(scored) == len(set(scored))


def test_equals() -> None:
    """Of equal ones the first stays, so that the answer does not depend on the order of rounds."""
    assert choosing.best(_Point(), {"x": range(5)}, lambda _point: 1.0) == (_Point(), 1.0)
