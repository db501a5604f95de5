"""Random messages of any class, made twice from the same values: as our dataclass and as protobuf's own object.

The second way uses protobuf's public API and the descriptors alone, never services/codec.py.
"""

import functools
import math
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import betterproto2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st

from protos.gen.message_pool import default_message_pool

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Sub-messages of sub-messages beyond this are left out.
DEPTH = 2

_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-(2**31), 2**31 - 1),
}
# Every script, NUL, and what is beyond the Basic Multilingual Plane; no lone surrogates, which no UTF-8 has.
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_OTHERS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_FLOAT: st.one_of(st.just(-0.0), st.floats(width=32)),
    FieldDescriptor.TYPE_DOUBLE: st.one_of(st.just(-0.0), st.floats()),
    FieldDescriptor.TYPE_STRING: TEXTS,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=12),
}
ZONES = st.one_of(
    st.just(UTC), st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))
)


@dataclass(frozen=True)
class Value:
    """A message before it is either runtime's: what each field has by number, and the unknown fields as bytes."""

    name: str
    fields: dict[int, Any]
    unknown: bytes


FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC)
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


MOMENTS = st.one_of(
    st.sampled_from([EPOCH, EPOCH - timedelta(microseconds=1), FIRST_MOMENT, LAST_MOMENT]),
    st.datetimes(timezones=ZONES).filter(lambda moment: FIRST_MOMENT <= moment <= LAST_MOMENT),
)


def varint(number: int) -> bytes:
    """Writes a number of up to 64 bits as protobuf does."""
    number &= 2**64 - 1
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def record(number: int, wire_type: int, body: bytes) -> bytes:
    """Writes one field: its tag and what follows."""
    return varint(number << 3 | wire_type) + body


@functools.cache
def bodies(number: int, *, groups: bool = True) -> st.SearchStrategy[bytes]:
    """Makes fields with this number, of every wire type; those long out of use (groups) only if asked for."""
    group = st.integers(0, 100).map(lambda n: record(number, 3, record(7, 0, varint(n))) + varint(number << 3 | 4))
    return st.one_of(
        *([group] if groups else []),
        st.integers(0, 2**64 - 1).map(lambda n: record(number, 0, varint(n))),
        # Longer than it need be, which is allowed and has to come back as it was.
        st.integers(0, 127).map(lambda n: record(number, 0, bytes([n | 0x80, 0x80, 0x00]))),
        st.binary(min_size=8, max_size=8).map(lambda body: record(number, 1, body)),
        st.binary(max_size=20).map(lambda body: record(number, 2, varint(len(body)) + body)),
        st.binary(min_size=4, max_size=4).map(lambda body: record(number, 5, body)),
    )


def descriptor_of(name: str) -> Descriptor:
    return descriptor_pool.Default().FindMessageTypeByName(name)


@functools.cache
def unknown_fields(name: str, *, groups: bool = True) -> st.SearchStrategy[bytes]:
    """Makes fields that the message does not have."""
    known = descriptor_of(name).fields_by_number
    numbers = [number for number in (*range(1, 70), 19_000, 2**29 - 2, 2**29 - 1) if number not in known]
    return st.lists(st.sampled_from(numbers).flatmap(lambda n: bodies(n, groups=groups)), max_size=2).map(b"".join)


@functools.cache
def values(name: str, depth: int = 0, *, groups: bool = True) -> st.SearchStrategy[Value]:
    """Makes messages of the class called `name`: any field absent, at its default, or at its extremes."""
    fields = {field.number: _field(field, depth, groups=groups) for field in descriptor_of(name).fields}
    some = st.fixed_dictionaries({}, optional=fields).map(lambda content: _with_one_of_each_oneof(name, content))
    return st.builds(Value, st.just(name), some, unknown_fields(name, groups=groups))


def _field(field: FieldDescriptor, depth: int, *, groups: bool) -> st.SearchStrategy[Any]:
    if field.is_repeated:
        return st.lists(_one(field, depth, groups=groups), max_size=2 if depth < DEPTH else 0)
    return _one(field, depth, groups=groups)


def _one(field: FieldDescriptor, depth: int, *, groups: bool) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        name = field.message_type.full_name
        if name == "google.protobuf.Timestamp":
            return MOMENTS
        return values(name, depth + 1, groups=groups) if depth < DEPTH else st.just(Value(name, {}, b""))
    if field.cpp_type in _RANGES:
        low, high = _RANGES[field.cpp_type]
        return st.one_of(st.sampled_from([0, 1, low, high]), st.integers(low, high))
    return _OTHERS[field.type]


def _with_one_of_each_oneof(name: str, content: dict[int, Any]) -> dict[int, Any]:
    for oneof in descriptor_of(name).oneofs:
        present = [field.number for field in oneof.fields if field.number in content]
        for number in present[1:]:
            del content[number]
    return content


def as_dataclass(value: Value) -> betterproto2.Message:
    """Makes our dataclass of it."""
    cls = default_message_pool.url_to_type[f"type.googleapis.com/{value.name}"]
    meta: Any = cls._betterproto  # type: ignore[arg-type] # the library's own types
    made = cls()
    for number, content in value.fields.items():
        name = meta.field_name_by_number[number]
        enum = meta.cls_by_field[name] if meta.meta_by_field_name[name].proto_type == "enum" else None
        setattr(made, name, _for_dataclass(content, enum))
    made._unknown_fields = value.unknown
    return made


def _for_dataclass(content: Any, enum: Any) -> Any:
    if isinstance(content, list):
        return [_for_dataclass(one, enum) for one in content]
    if isinstance(content, Value):
        return as_dataclass(content)
    return content if enum is None else enum(content)


def as_protobuf(value: Value) -> Message:
    """Makes protobuf's own object of it."""
    made = upb_class(value.name)()
    for number, content in value.fields.items():
        field = made.DESCRIPTOR.fields_by_number[number]
        if field.message_type is None:
            _set_scalar(made, field, content)
        elif isinstance(content, list):
            getattr(made, field.name).extend(_for_protobuf(one) for one in content)
        else:
            getattr(made, field.name).CopyFrom(_for_protobuf(content))
            getattr(made, field.name).SetInParent()
    made.MergeFromString(value.unknown)
    return made


def _set_scalar(made: Message, field: Any, content: Any) -> None:
    if isinstance(content, list):
        getattr(made, field.name).extend(content)
    else:
        setattr(made, field.name, content)


def _for_protobuf(content: Any) -> Message:
    if isinstance(content, Value):
        return as_protobuf(content)
    made = upb_class("google.protobuf.Timestamp")()
    made.FromDatetime(content)  # type: ignore[attr-defined] # a well-known type's own method
    return made


def upb_class(name: str) -> type[Message]:
    return message_factory.GetMessageClass(descriptor_of(name))


@functools.cache
def wire(name: str, depth: int = 0) -> st.SearchStrategy[bytes]:
    """Makes bytes that look like the message: its fields in any order and number, some of another wire type."""
    known = [_wire_field(field, depth) for field in descriptor_of(name).fields]
    return st.lists(st.one_of(*known, unknown_fields(name)), max_size=6).map(b"".join)


def _wire_field(field: FieldDescriptor, depth: int) -> st.SearchStrategy[bytes]:
    number = field.number
    if field.message_type is None or depth >= DEPTH:
        return bodies(number)
    inner = wire(field.message_type.full_name, depth + 1)
    return st.one_of(inner.map(lambda body: record(number, 2, varint(len(body)) + body)), bodies(number))


def same(left: Any, right: Any) -> bool:
    """Whether two of our messages are the same in type, every field (NaN is itself, -0.0 is not 0.0) and unknowns."""
    if type(left) is not type(right):
        return False
    if isinstance(left, betterproto2.Message):
        names = left._betterproto.meta_by_field_name  # type: ignore[arg-type] # the library's own types
        fields = all(same(getattr(left, name), getattr(right, name)) for name in names)
        return fields and left._unknown_fields == right._unknown_fields
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, float):
        return struct.pack("d", left) == struct.pack("d", right) or (math.isnan(left) and math.isnan(right))
    return bool(left == right)


def cut_times(message: Message) -> Message:
    """Takes from every timestamp what a datetime cannot hold: digits below a microsecond, unknown fields."""
    for field, content in message.ListFields():
        for one in content if field.is_repeated else [content]:
            if not isinstance(one, Message):
                continue
            if one.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
                one.nanos -= one.nanos % 1000  # type: ignore[attr-defined] # made at run time
                one.DiscardUnknownFields()
            else:
                cut_times(one)
    return message
