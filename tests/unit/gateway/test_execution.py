"""The short way through plain objects answers what graphql-core's own way answers, right or wrong."""

from datetime import UTC, datetime
from enum import Enum
from typing import Any, cast

import strawberry
from graphql import ExecutionResult, execute, parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.schema.config import StrawberryConfig

from services.gateway import execution
from services.gateway.execution import PlainExecutor
from services.gateway.types import TIME, Time

MOMENT = Time(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@strawberry.type
class Part:
    name: str
    weight: float
    note: str | None


@strawberry.type
class Thing:
    id: int
    name: str
    price: float
    sold: bool
    colour: Colour
    made_at: Time
    parts: list[Part]
    main_part: Part | None

    @strawberry.field
    def shouted(self) -> str:
        """Answers what has a resolver, and so is not plain."""
        return self.name.upper()


def thing(**changes: Any) -> Thing:
    parts = [Part(name="lid", weight=0.5, note=None), Part(name="pot", weight=2.0, note="heavy")]
    values: dict[str, Any] = {
        "id": 7, "name": "kettle", "price": 19.99, "sold": False, "colour": Colour.BLUE, "made_at": MOMENT,
        "parts": parts, "main_part": parts[0],
    }  # fmt: skip
    return Thing(**(values | changes))


@strawberry.type
class Query:
    @strawberry.field
    async def things(self) -> list[Thing]:
        return list(cast("list[Thing]", self))  # the root value is what a test gives

    @strawberry.field
    async def first(self) -> Thing | None:
        return cast("list[Thing]", self)[0]


SCHEMA = strawberry.Schema(Query, config=StrawberryConfig(scalar_map={Time: TIME}))
PLAIN = ("id", "name", "price", "sold", "colour", "madeAt", "__typename", "another: name")
PARTS = ("name", "weight", "note", "__typename", "w: weight")

selections = st.builds(
    lambda fields, parts, main, extra: " ".join(
        [
            *fields,
            "parts { " + " ".join(parts) + " }",
            *(["mainPart { " + " ".join(main) + " }"] if main else []),
            extra,
        ]
    ),
    st.lists(st.sampled_from(PLAIN), unique=True),
    st.lists(st.sampled_from(PARTS), min_size=1, unique=True),
    st.lists(st.sampled_from(PARTS), unique=True),
    st.sampled_from(
        ("", "shouted", "...on Thing { id parts { note } }", "name @skip(if: $yes)", "sold @include(if: $no)", "...F")
    ),
)
broken = st.sampled_from(
    [
        {},
        {"name": None},
        {"name": 5},
        {"id": 2**40},
        {"price": float("nan")},
        {"price": 3},
        {"colour": "red"},
        {"colour": "green"},
        {"made_at": None},
        {"parts": None},
        {"parts": (Part(name="lid", weight=1, note=None),)},
        {"parts": [None]},
        {"main_part": None},
        {"main_part": Part(name=None, weight=1.0, note=None)},  # type: ignore[arg-type] # what a fault would give
    ]
)


async def run(query: str, root: list[Any], executor: Any) -> tuple[Any, list[Any]]:
    """Answers the data, and each error as a client sees it."""
    schema = SCHEMA._schema
    document = parse(query)
    assert not validate(schema, document)
    result = execute(
        schema, document, root, variable_values={"yes": True, "no": False}, executor_class=executor, context_value=None
    )
    if not isinstance(result, ExecutionResult):
        result = await result
    return result.data, [error.formatted for error in result.errors or ()]


@settings(max_examples=300, deadline=None)
@given(selection=selections, changes=st.lists(broken, min_size=1, max_size=3))
async def test_both_ways_answer_alike(selection: str, changes: list[dict[str, Any]]) -> None:
    """Whatever is selected, and whatever the values are, data and errors are those of the long way."""
    for root in ("things", "first"):
        fields = "name @skip(if: $yes) id @include(if: $no) sold"
        query = f"query($yes: Boolean!, $no: Boolean!) {{ a: {root} {{ {selection} }} b: {root} {{ {fields} }} }}"
        if "...F" in selection:
            query += " fragment F on Thing { colour parts { name } }"
        values = [thing(**change) for change in changes]
        assert await run(query, values, PlainExecutor) == await run(query, values, SCHEMA.execution_context_class)


async def test_plain_objects_take_the_short_way() -> None:
    """A list of plain objects is completed without asking graphql-core for any of their fields."""
    taken: list[str] = []

    class Watched(PlainExecutor):
        def execute_field(self, parent_type: Any, *rest: Any) -> Any:
            taken.append(parent_type.name)
            return super().execute_field(parent_type, *rest)

    query = "{ things { id price madeAt colour parts { name } } }"
    data, errors = await run(query, [thing(), thing()], Watched)
    assert not errors
    assert data["things"][1] == {
        "id": 7, "price": 19.99, "madeAt": "2026-01-02T03:04:05Z", "colour": "BLUE",
        "parts": [{"name": "lid"}, {"name": "pot"}],
    }  # fmt: skip
    assert taken == ["Query"]


async def test_a_selection_is_generated_once() -> None:
    """Requests of the same selection share one function, whichever document they came in."""
    query = "{ things { name id } }"
    await run(query, [thing()], PlainExecutor)
    before = execution._complete_by.cache_info().misses
    await run(query.replace("things", "other: things"), [thing()], PlainExecutor)
    assert execution._complete_by.cache_info().misses == before
