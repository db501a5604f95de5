"""Completes plain objects all at once instead of field by field.

graphql-core asks for each field of each object whether it has a resolver, whether that answered something to await,
and whom to tell of an error. Most of what this schema answers needs none of it: products, orders and their lines are
dataclasses whose selected fields are attributes. For such a selection one function is generated, which makes the
answer's dictionary from the object, and checks on the way that each value is what the schema promises. Whatever does
not pass (a null where there may be none, a value of another class, an error) is left to graphql-core, which looks at
the same object again and tells what is wrong as it always does.

Generated functions are kept by what is selected, so a document costs the generating once and not once a request.
"""

from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from typing import Any, Final, NamedTuple

from graphql import (
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    is_leaf_type,
    specified_scalar_types,
)
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.field import StrawberryField

# Generated functions kept; one takes a few kilobytes.
MAX_KEPT: Final = 1_000

Complete = Callable[[Any], Any]


class _Member(NamedTuple):
    """One member of the answer: its name there, the object's attribute, and how a value is completed.

    Two members are equal when the same function will do for both.
    """

    name: str
    attribute: str
    kind: str
    nullable: bool
    # The leaf type that coerces the value, the function for an object, or the constant itself.
    by: Any = None


class UnplainError(Exception):
    """The value is not what a plain one would be."""


class PlainExecutor(StrawberryGraphQLCoreExecutionContext):
    """Strawberry's executor, which takes the short way wherever all that is selected of an object is plain."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # By type and selection. A selection is known by its identity, so it has to live as long as the entry.
        self._plain: dict[tuple[str, int], tuple[Any, Complete | None]] = {}

    def complete_object_value(  # noqa: PLR0913, PLR0917 # graphql-core's signature
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        """Completes one object."""
        complete = self._plain_for(return_type, field_details_list)
        if complete is not None:
            try:
                return complete(result)
            except Exception:  # noqa: BLE001, S110 # the long way finds it again, and knows whom to tell
                pass
        return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)

    def complete_list_value(  # noqa: PLR0913, PLR0917 # graphql-core's signature
        self, return_type: Any, field_details_list: Any, info: Any, path: Any, result: Any, position_context: Any
    ) -> Any:
        """Completes a list; of one with an item that is not plain each is completed by itself."""
        item_type = return_type.of_type
        if isinstance(item_type, GraphQLNonNull):
            item_type = item_type.of_type
        if isinstance(item_type, GraphQLObjectType) and result.__class__ is list:
            complete = self._plain_for(item_type, field_details_list)
            if complete is not None:
                try:
                    return [complete(item) for item in result]
                except Exception:  # noqa: BLE001, S110 # as above
                    pass
        return super().complete_list_value(return_type, field_details_list, info, path, result, position_context)

    def _plain_for(self, kind: GraphQLObjectType, selection: Any) -> Complete | None:
        """Answers the function for what is selected of this type, or None where it is not plain."""
        key = (kind.name, id(selection))
        known = self._plain.get(key)
        if known is None:
            known = self._plain[key] = (selection, self._generated(kind, selection))
        return known[1]

    def _generated(self, kind: GraphQLObjectType, selection: Any) -> Complete | None:
        definition = kind.extensions.get("strawberry-definition")
        if definition is None or kind.is_type_of is not None:
            return None
        fields, deferred, *_ = self.collect_subfields(kind, selection)
        members = None if deferred else self._members(kind, fields)
        return None if members is None else _complete_by(definition.origin, members)

    def _members(self, kind: GraphQLObjectType, fields: Any) -> tuple[_Member, ...] | None:
        members = []
        for name, selection in fields.items():
            member = self._member(kind, name, selection)
            if member is None:
                return None
            members.append(member)
        return tuple(members)

    def _member(self, kind: GraphQLObjectType, name: str, selection: Any) -> _Member | None:
        asked = selection[0].node.name.value
        if asked == "__typename":
            return _Member(name, "", "constant", nullable=False, by=kind.name)
        field = kind.fields[asked]
        definition = field.extensions.get("strawberry-definition")
        if not isinstance(definition, StrawberryField) or not definition.is_basic_field or field.args:
            return None
        type_ = field.type
        nullable = not isinstance(type_, GraphQLNonNull)
        of_type: Any = type_.of_type if isinstance(type_, GraphQLNonNull) else type_
        if is_leaf_type(of_type):
            return _Member(name, definition.python_name, _leaf_kind(of_type), nullable, of_type)
        return self._nested(_Member(name, definition.python_name, "object", nullable), of_type, selection)

    def _nested(self, member: _Member, type_: Any, selection: Any) -> _Member | None:
        """Answers the member of an object, or of a list of objects none of which may be null."""
        if isinstance(type_, GraphQLList):
            if not isinstance(type_.of_type, GraphQLNonNull):
                return None
            type_, member = type_.of_type.of_type, member._replace(kind="list")
        if not isinstance(type_, GraphQLObjectType):
            return None
        complete = self._plain_for(type_, selection)
        return None if complete is None else member._replace(by=complete)


def _leaf_kind(type_: Any) -> str:
    """Answers which check is enough for the value to be the answer itself; "leaf" where the type has to coerce it."""
    if isinstance(type_, GraphQLScalarType) and specified_scalar_types.get(type_.name) is type_:
        return type_.name
    return "leaf"


# What a value has to be, to stand in the answer as it is; by the names of GraphQL's own scalars.
_CHECKS: Final = {
    "String": "v.__class__ is str",
    "ID": "v.__class__ is str",
    "Boolean": "v.__class__ is bool",
    "Int": "v.__class__ is int and -2147483648 <= v <= 2147483647",
    "Float": "v.__class__ is float and isfinite(v)",
}


@lru_cache(maxsize=MAX_KEPT)
def _complete_by(origin: type, members: tuple[_Member, ...]) -> Complete:
    """Generates the function that makes the answer's dictionary from an `origin`; it raises for what is not plain."""
    names: dict[str, Any] = {"origin": origin, "isfinite": isfinite, "UnplainError": UnplainError, "leaf": _leaf}
    lines = ["def complete(o):", "    if o.__class__ is not origin: raise UnplainError"]
    for number, member in enumerate(members):
        names[f"by{number}"], names[f"name{number}"] = member.by, member.name
        lines += [f"    {line}" for line in _statements(member, number)]
    lines.append("    return {" + ", ".join(f"name{number}: v{number}" for number in range(len(members))) + "}")
    # Of the source only the attributes come from outside: names of our own dataclasses' fields.
    exec(compile("\n".join(lines), f"<{origin.__name__} as an answer>", "exec"), names)  # noqa: S102
    complete: Complete = names["complete"]
    return complete


def _statements(member: _Member, number: int) -> list[str]:
    value = f"v{number}"
    if member.kind == "constant":
        return [f"{value} = by{number}"]
    by = f"by{number}"
    if member.kind in _CHECKS:
        then = [f"if not ({_CHECKS[member.kind]}): raise UnplainError"]
    else:
        made = {"leaf": f"leaf({by}, v)", "object": f"{by}(v)", "list": f"[{by}(each) for each in v]"}[member.kind]
        checked = ["if v.__class__ is not list: raise UnplainError"] if member.kind == "list" else []
        then = [*checked, f"v = {made}"]
    if member.nullable:
        then = ["if v is not None:", *(f"    {line}" for line in then)]
    return [f"v = o.{member.attribute}", *then, f"{value} = v"]


def _leaf(type_: Any, value: Any) -> Any:
    """Answers what the type makes of the value; null is for `nullable` to let pass."""
    coerced = None if value is None else type_.coerce_output_value(value)
    if coerced is None:
        raise UnplainError
    return coerced
