"""The webhooks of tests/wire, and how they are spoiled."""

import json
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

_FOLDER: Final = Path(__file__).parents[3] / "wire"

# Any JSON, also where it makes no sense.
anything: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def names(provider: str) -> list[str]:
    """Answers the types of events that there are."""
    return sorted(path.stem for path in (_FOLDER / provider).glob("*.json"))


def event(provider: str, name: str) -> dict[str, Any]:
    """Answers an event as an object."""
    told: dict[str, Any] = json.loads((_FOLDER / provider / f"{name}.json").read_bytes())
    return told


def places(told: Any, way: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Answers the way to every value of an object."""
    inner = (
        [place for name, one in told.items() for place in places(one, (*way, name))] if isinstance(told, dict) else []
    )
    return [way, *inner] if way else inner


def spoiled(told: dict[str, Any], place: tuple[str, ...], value: Any) -> bytes:
    """Answers the event with another value at a place."""
    inner: dict[str, Any] = told
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return json.dumps(told).encode()
