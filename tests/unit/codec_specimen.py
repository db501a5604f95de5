# ruff: noqa: RUF009 # betterproto2.field makes a description, as dataclasses.field does, and no value
"""A message with every kind of field that protobuf has and our own .proto files happen not to use.

It is what `protoc` would make of this, written out by hand for both runtimes:

    syntax = "proto3";  package specimen.v1;
    enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_ODD = -7; }
    message Leaf { bool flag = 1; }
    message Hollow { optional bool maybe = 2;  Leaf leaf = 3; }
    message Specimen { ... }        every scalar plain, optional and repeated; messages, enums and times; a oneof;
                                    a message inside itself; field numbers out of order and up to the largest
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import betterproto2
from google.protobuf import descriptor_pb2, descriptor_pool

from protos.gen.google.protobuf import Timestamp
from protos.gen.message_pool import default_message_pool
from services import codec  # noqa: F401 # its timestamps come first into the pool

PACKAGE: Final = "specimen.v1"
_Proto = descriptor_pb2.FieldDescriptorProto


class Colour(betterproto2.Enum):
    UNSPECIFIED = 0
    RED = 1
    ODD = -7


@dataclass(eq=False, repr=False)
class Leaf(betterproto2.Message):
    flag: "bool" = betterproto2.field(1, betterproto2.TYPE_BOOL)


@dataclass(eq=False, repr=False)
class Hollow(betterproto2.Message):
    """Has no field that is always written: empty and absent are easily confused."""

    maybe: "bool | None" = betterproto2.field(2, "bool", optional=True)
    leaf: "Leaf | None" = betterproto2.field(3, "message", optional=True)


@dataclass(eq=False, repr=False)
class Specimen(betterproto2.Message):
    a_double: "float" = betterproto2.field(1, "double")
    a_float: "float" = betterproto2.field(2, "float")
    a_int32: "int" = betterproto2.field(3, "int32")
    a_int64: "int" = betterproto2.field(4, "int64")
    a_uint32: "int" = betterproto2.field(5, "uint32")
    a_uint64: "int" = betterproto2.field(6, "uint64")
    a_sint32: "int" = betterproto2.field(7, "sint32")
    a_sint64: "int" = betterproto2.field(8, "sint64")
    a_fixed32: "int" = betterproto2.field(9, "fixed32")
    a_fixed64: "int" = betterproto2.field(10, "fixed64")
    a_sfixed32: "int" = betterproto2.field(11, "sfixed32")
    a_sfixed64: "int" = betterproto2.field(12, "sfixed64")
    a_bool: "bool" = betterproto2.field(13, "bool")
    a_string: "str" = betterproto2.field(14, "string")
    a_bytes: "bytes" = betterproto2.field(15, "bytes")
    maybe_double: "float | None" = betterproto2.field(21, "double", optional=True)
    maybe_uint64: "int | None" = betterproto2.field(22, "uint64", optional=True)
    maybe_string: "str | None" = betterproto2.field(23, "string", optional=True)
    maybe_bytes: "bytes | None" = betterproto2.field(24, "bytes", optional=True)
    maybe_colour: "Colour | None" = betterproto2.field(25, "enum", optional=True)
    # Out of order on purpose: what is written goes by number, not by place.
    doubles: "list[float]" = betterproto2.field(536870911, "double", repeated=True)
    sint64s: "list[int]" = betterproto2.field(42, "sint64", repeated=True)
    strings: "list[str]" = betterproto2.field(43, "string", repeated=True)
    blobs: "list[bytes]" = betterproto2.field(44, "bytes", repeated=True)
    colours: "list[Colour]" = betterproto2.field(45, "enum", repeated=True)
    times: "list[datetime]" = betterproto2.field(46, "message", unwrap=lambda: Timestamp, repeated=True)
    leaves: "list[Leaf]" = betterproto2.field(41, "message", repeated=True)
    colour: "Colour" = betterproto2.field(50, "enum", default_factory=lambda: Colour(0))
    inner: "Specimen | None" = betterproto2.field(51, "message", optional=True)
    hollow: "Hollow | None" = betterproto2.field(52, "message", optional=True)
    choice_int: "int | None" = betterproto2.field(61, "int32", group="choice")
    choice_leaf: "Leaf | None" = betterproto2.field(62, "message", group="choice")
    choice_time: "datetime | None" = betterproto2.field(63, "message", unwrap=lambda: Timestamp, group="choice")


@dataclass(eq=False, repr=False)
class WithMap(betterproto2.Message):
    counts: "dict[str, int]" = betterproto2.field(
        1, betterproto2.TYPE_MAP, map_meta=betterproto2.map_meta("string", "int32")
    )


_TYPES_OF_FIELDS: Final = {
    "leaves": ".specimen.v1.Leaf",
    "choice_leaf": ".specimen.v1.Leaf",
    "leaf": ".specimen.v1.Leaf",
    "hollow": ".specimen.v1.Hollow",
    "inner": ".specimen.v1.Specimen",
    "times": ".google.protobuf.Timestamp",
    "choice_time": ".google.protobuf.Timestamp",
    "maybe_colour": ".specimen.v1.Colour",
    "colours": ".specimen.v1.Colour",
    "colour": ".specimen.v1.Colour",
}


def _describe(cls: type[betterproto2.Message]) -> descriptor_pb2.DescriptorProto:
    """Makes protobuf's description of a class from betterproto2's."""
    described = descriptor_pb2.DescriptorProto(name=cls.__name__)
    fields: dict[str, Any] = cls._betterproto.meta_by_field_name  # type: ignore[arg-type] # the library's own types
    if any(meta.group for meta in fields.values()):
        described.oneof_decl.add(name="choice")
    for name, meta in fields.items():
        field = described.field.add(name=name, number=meta.number)
        field.type = _Proto.Type.Value(f"TYPE_{meta.proto_type.upper()}")
        field.label = _Proto.LABEL_REPEATED if meta.repeated else _Proto.LABEL_OPTIONAL
        if name in _TYPES_OF_FIELDS:
            field.type_name = _TYPES_OF_FIELDS[name]
        if meta.group:
            field.oneof_index = 0
    # The oneofs that stand for proto3's `optional` come after the real ones.
    for field in described.field:
        if fields[field.name].optional and field.type != _Proto.TYPE_MESSAGE:
            field.proto3_optional = True
            field.oneof_index = len(described.oneof_decl)
            described.oneof_decl.add(name=f"_{field.name}")
    return described


def _describe_map() -> descriptor_pb2.DescriptorProto:
    described = descriptor_pb2.DescriptorProto(name="WithMap")
    entry = described.nested_type.add(name="CountsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=_Proto.TYPE_STRING, label=_Proto.LABEL_OPTIONAL)
    entry.field.add(name="value", number=2, type=_Proto.TYPE_INT32, label=_Proto.LABEL_OPTIONAL)
    described.field.add(
        name="counts",
        number=1,
        type=_Proto.TYPE_MESSAGE,
        label=_Proto.LABEL_REPEATED,
        type_name=f".{PACKAGE}.WithMap.CountsEntry",
    )
    return described


def _register() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="specimen.proto", package=PACKAGE, syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    colours = file.enum_type.add(name="Colour")
    for name, number in (("COLOUR_UNSPECIFIED", 0), ("COLOUR_RED", 1), ("COLOUR_ODD", -7)):
        colours.value.add(name=name, number=number)
    file.message_type.extend([_describe(Leaf), _describe(Hollow), _describe(Specimen), _describe_map()])
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    for cls in (Leaf, Hollow, Specimen, WithMap):
        default_message_pool.register_message(PACKAGE, cls.__name__, cls)


_register()
