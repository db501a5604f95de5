"""betterproto2 dataclasses in the code, protobuf's own runtime (upb) for the bytes.

betterproto2 writes and reads messages in pure Python, some twenty times slower than upb, the C runtime under Google's
`protobuf` package. So the first time a message class is met, two functions are generated for it from its fields: one
copies a dataclass into a upb message, the other copies a upb message into a dataclass; upb does the bytes. The
functions are straight-line source: a chain of closures takes a third longer.

What comes back is what betterproto2 would have read: proto3 `optional` fields and absent sub-messages are None, enums
are open (an unknown number survives), unknown fields are kept in `_unknown_fields` of the message they were in. A
`google.protobuf.Timestamp` is an aware datetime in UTC. It is narrower than the wire: digits below a microsecond are
cut, unknown fields inside the timestamp are dropped, and a time that the Timestamp specification rules out is refused.
"""

import functools
import importlib
import keyword
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import betterproto2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf import message as protobuf
from google.protobuf.unknown_fields import UnknownFieldSet

import protos.gen
from protos.gen.message_pool import default_message_pool

M = TypeVar("M", bound=betterproto2.Message)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# The first and the last second that a Timestamp may tell of, as seconds from the epoch.
_FIRST: Final = -62_135_596_800
_LAST: Final = 253_402_300_799
_TYPE_URL: Final = "type.googleapis.com/"
_TIMESTAMP: Final = timestamp_pb2.Timestamp.DESCRIPTOR.full_name
# What upb and datetime raise for a value that does not fit its field; AttributeError is a message of another class.
_REFUSALS: Final = (TypeError, ValueError, AttributeError, OverflowError, protobuf.DecodeError)


class DecodeError(ValueError):
    """The bytes are not a message of the class that was asked for."""


class EncodeError(ValueError):
    """A field holds what its protobuf type cannot; `field` is the path to it, such as `products[3].price.currency`."""

    def __init__(self, message_name: str, field: str) -> None:
        super().__init__(f"{message_name}: {field} does not fit its type.")
        self.field = field


def encode(message: betterproto2.Message) -> bytes:
    """Answers the message on the wire, byte for byte as protobuf's own runtime writes it.

    Raises EncodeError when a field's value does not fit: a number out of range, a lone surrogate in a text, another
    type, a datetime without a time zone, two fields of one oneof.
    """
    converter = _converter(type(message))
    target = converter.upb_class()
    try:
        converter.write(message, target)
    except _REFUSALS as error:
        raise EncodeError(converter.full_name, _culprit(message)) from error
    return cast("bytes", target.SerializeToString())


def decode(cls: type[M], data: bytes) -> M:
    """Answers the message in `data`; raises DecodeError when it is not one of class `cls`."""
    converter = _converter(cls)
    try:
        return cast("M", converter.read(converter.upb_class.FromString(data)))
    except (protobuf.DecodeError, OverflowError, _TimeOutOfRangeError) as error:
        raise DecodeError(f"This is not a {converter.full_name}.") from error


def full_name(cls: type[betterproto2.Message]) -> str:
    """Answers the name the .proto gives the message, such as `ecommerce.events.v1.ProductCreated`."""
    return default_message_pool.type_to_url[cls].removeprefix(_TYPE_URL)


def message_class(name: str) -> type[betterproto2.Message]:
    """Answers the dataclass for a message's full name; raises LookupError when no .proto of ours has it.

    The name may come from outside: it never makes anything be imported but the generated modules.
    """
    package = _package_of(name)
    if package is None:
        raise LookupError(f"No message is called {name!r}.")
    importlib.import_module(f"protos.gen.{package}")
    return default_message_pool.url_to_type[_TYPE_URL + name]


def _load_descriptors() -> list[descriptor_pb2.FileDescriptorProto]:
    """Puts our .proto files into protobuf's default pool, where server reflection finds them too."""
    path = Path(protos.gen.__file__).parent / "descriptors.binpb"
    files = list(descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file)
    for file in files:
        descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
    return files


_FILES: Final = _load_descriptors()
_PACKAGES: Final = frozenset(file.package for file in _FILES)


def _package_of(name: str) -> str | None:
    try:
        package = descriptor_pool.Default().FindMessageTypeByName(name).file.package
    except (KeyError, TypeError):  # TypeError: a name with a lone surrogate is no string to upb
        return None
    return package if package in _PACKAGES else None


class _TimeOutOfRangeError(Exception):
    """A Timestamp outside the years 1 to 9999, or whose nanoseconds are not a fraction of a second."""


class _Members(dict[int, betterproto2.Enum]):
    """An enum's members by number; a number without one becomes an unnamed member, which is not kept."""

    def __init__(self, cls: type[betterproto2.Enum]) -> None:
        super().__init__((member.value, member) for member in cls)
        self._cls = cls

    def __missing__(self, number: int) -> betterproto2.Enum:
        return self._cls(number)


@dataclass(frozen=True, slots=True)
class _Field:
    """One field, under its names on both sides; `kind` is scalar, enum, message or time."""

    name: str
    wire_name: str
    kind: str
    repeated: bool
    # Whether absent and default are told apart, and the oneof (of the .proto, not of `optional`) it belongs to.
    presence: bool
    oneof: str | None
    # The name that the class of the value, or what builds on it, has in the generated functions.
    type_name: str


@dataclass(frozen=True, slots=True)
class _Converter:
    """The generated functions of one message class."""

    full_name: str
    upb_class: Any
    fields: tuple[_Field, ...]
    write: Callable[[Any, Any], None]
    read: Callable[[Any], Any]


# The globals of all generated functions, so that those of a message find those of its sub-messages.
_GENERATED: Final[dict[str, Any]] = {"new": object.__new__}
_converters: Final[dict[type, _Converter]] = {}
_building: Final = threading.RLock()


def _converter(cls: type[betterproto2.Message]) -> _Converter:
    try:
        return _converters[cls]
    except KeyError:
        with _building:
            return _converters.get(cls) or _build(cls)


def _build(cls: type[betterproto2.Message]) -> _Converter:
    """Generates the functions of a class and of every class below it; the class counts as built only when all are."""
    built: dict[type, _Converter] = {}
    waiting = [cls]
    while waiting:
        current = waiting.pop()
        if current in built or current in _converters:
            continue
        built[current], below = _generate(current)
        waiting += below
    _converters.update(built)
    return built[cls]


def _generate(cls: type[betterproto2.Message]) -> tuple[_Converter, list[type[betterproto2.Message]]]:
    name = full_name(cls)
    descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    upb_class = message_factory.GetMessageClass(descriptor)
    below: list[type[betterproto2.Message]] = []
    plan = tuple(_plan(cls, descriptor, below))
    key = _key(name)
    _GENERATED[f"cls_{key}"] = cls
    source = "\n".join([*_writer_source(f"write_{key}", plan), *_reader_source(key, plan)])
    # The source is made of field names that protoc has accepted as identifiers, and of nothing else.
    exec(compile(source, f"<codec of {name}>", "exec"), _GENERATED)  # noqa: S102
    return _Converter(name, upb_class, plan, _GENERATED[f"write_{key}"], _GENERATED[f"read_{key}"]), below


def _key(name: str) -> str:
    return name.replace(".", "__")


def _plan(
    cls: type[betterproto2.Message], descriptor: Any, below: list[type[betterproto2.Message]]
) -> Iterator[_Field]:
    """Answers a class's fields, and adds the message classes they need to `below`."""
    for name, meta in _metadata(cls).meta_by_field_name.items():
        wire = descriptor.fields_by_number[meta.number]
        if keyword.iskeyword(wire.name):
            raise NotImplementedError(
                f"{full_name(cls)}: no converter for a field called {wire.name!r} is written yet."
            )
        kind, type_name = "scalar", ""
        if wire.message_type is not None:
            kind, type_name = _message_kind(cls, name, wire, below)
        elif wire.enum_type is not None:
            kind, type_name = "enum", f"enum_{_key(wire.enum_type.full_name)}"
            _GENERATED[type_name] = _Members(cast("type[betterproto2.Enum]", _class_of(cls, name)))
        oneof = meta.group and wire.containing_oneof.name
        presence = wire.has_presence and kind in ("scalar", "enum")
        yield _Field(name, wire.name, kind, bool(meta.repeated), presence, oneof, type_name)


def _message_kind(
    cls: type[betterproto2.Message], field: str, wire: Any, below: list[type[betterproto2.Message]]
) -> tuple[str, str]:
    target = wire.message_type
    if target.full_name == _TIMESTAMP:
        return "time", ""
    if target.GetOptions().map_entry or _metadata(cls).meta_by_field_name[field].unwrap:
        raise NotImplementedError(f"{full_name(cls)}.{field}: no converter for {target.full_name} is written yet.")
    below.append(cast("type[betterproto2.Message]", _class_of(cls, field)))
    return "message", _key(target.full_name)


def _class_of(cls: type[betterproto2.Message], field: str) -> type:
    return cast("type", _metadata(cls).cls_by_field[field])


def _metadata(cls: type[betterproto2.Message]) -> Any:
    return cast("Any", cls)._betterproto  # noqa: SLF001 # the library has no public way to a message's fields


# Generated source. In it `o` is the dataclass, `m` the upb message, `v` a value and `s` a sub-message on the wire. ---


def _writer_source(name: str, plan: tuple[_Field, ...]) -> Iterator[str]:
    yield f"def {name}(o, m):"
    for field in plan:
        yield from (f"    {line}" for line in _write(field))
    yield "    if o._unknown_fields:"
    yield "        m.MergeFromString(o._unknown_fields)"


def _write(field: _Field) -> list[str]:
    wire = f"m.{field.wire_name}"
    value = f"o.{field.name}"
    if field.repeated:
        if field.kind in ("scalar", "enum"):
            return [f"{wire}.extend({value})"]
        return [f"add = {wire}.add", f"for v in {value}:", *_indented(["s = add()", *_write_into(field)])]
    if field.kind in ("message", "time"):
        filled = [f"s = {wire}", *_write_into(field)]
    elif field.presence:
        filled = [f"{wire} = v"]
    else:
        return [f"{wire} = {value}"]
    if field.oneof:
        filled = [f"if m.WhichOneof({field.oneof!r}): raise ValueError", *filled]
    return [f"v = {value}", "if v is not None:", *_indented(filled)]


def _write_into(field: _Field) -> list[str]:
    if field.kind == "time":
        return [
            "d = v - epoch",
            "t = d.days * 86400 + d.seconds",
            "if not first <= t <= last: raise ValueError",
            "s.seconds = t",
            "s.nanos = d.microseconds * 1000",
        ]
    return [
        f"if v.__class__ is not cls_{field.type_name}: raise TypeError",
        # A message whose fields all have their defaults is still there.
        "s.SetInParent()",
        f"write_{field.type_name}(v, s)",
    ]


def _reader_source(key: str, plan: tuple[_Field, ...]) -> Iterator[str]:
    yield f"def read_{key}(m):"
    yield f"    o = new(cls_{key})"
    for field in plan:
        yield f"    o.{field.name} = {_read(field)}"
    yield "    o._unknown_fields = unknown(m) if len(unknown_fields(m)) else b''"
    yield "    return o"


def _read(field: _Field) -> str:
    wire = f"m.{field.wire_name}"
    convert = {"scalar": "{}", "enum": f"{field.type_name}[{{}}]", "message": f"read_{field.type_name}({{}})"}
    one = convert.get(field.kind, "time({})")
    if field.repeated:
        return f"list({wire})" if field.kind == "scalar" else f"[{one.format('v')} for v in {wire}]"
    if field.presence or field.kind in ("message", "time"):
        return f"{one.format(wire)} if m.HasField({field.wire_name!r}) else None"
    return one.format(wire)


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _read_time(stamp: Any) -> datetime:
    nanos = stamp.nanos
    if not 0 <= nanos < 1_000_000_000:
        raise _TimeOutOfRangeError
    return _EPOCH + timedelta(0, stamp.seconds, nanos // 1000)


def _take_unknown(source: Any) -> bytes:
    """Answers the unknown fields as they came, by emptying the message of everything else: it is not used again."""
    for field, _ in source.ListFields():
        source.ClearField(field.name)
    return cast("bytes", source.SerializeToString())


_GENERATED.update(
    {
        "epoch": _EPOCH,
        "first": _FIRST,
        "last": _LAST,
        "time": _read_time,
        "unknown": _take_unknown,
        "unknown_fields": UnknownFieldSet,
    }
)


def _culprit(message: betterproto2.Message) -> str:
    """Names the field that cannot be written, by writing each on its own; only for the error's message."""
    converter = _converter(type(message))
    for field in converter.fields:
        try:
            _writer_of(type(message), field)(message, converter.upb_class())
        except _REFUSALS:
            return _culprit_within(message, field)
    return "_unknown_fields" if message._unknown_fields else "oneof"  # noqa: SLF001 # part of the format, see above


def _culprit_within(message: betterproto2.Message, field: _Field) -> str:
    value = getattr(message, field.name)
    values = enumerate(value) if isinstance(value, list) else [(None, value)]
    for position, one in values:
        path = field.name if position is None else f"{field.name}[{position}]"
        if not isinstance(one, betterproto2.Message) or type(one) is not _class_of(type(message), field.name):
            continue
        try:
            encode(one)
        except EncodeError as error:
            return f"{path}.{error.field}"
    return field.name


@functools.lru_cache(maxsize=1000)
def _writer_of(cls: type[betterproto2.Message], field: _Field) -> Callable[[Any, Any], None]:
    """Answers a function that writes this one field."""
    names = dict(_GENERATED)
    lines = ["def write(o, m):", *_indented(_write(field))]
    exec(compile("\n".join(lines), f"<codec of {full_name(cls)}.{field.name}>", "exec"), names)  # noqa: S102
    return cast("Callable[[Any, Any], None]", names["write"])
