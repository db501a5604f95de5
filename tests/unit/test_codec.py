"""The codec against protobuf's own runtime, for every message of every .proto file and one with every kind of field."""

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import betterproto2
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import protos.gen
from protos.gen.ecommerce.money.v1 import Money
from protos.gen.ecommerce.order import v1 as order_v1
from protos.gen.ecommerce.product import v1 as product_v1
from services import codec
from tests.unit import codec_strategies as made
from tests.unit.codec_specimen import Colour, Leaf, Specimen, WithMap


def _names() -> list[str]:
    path = Path(protos.gen.__file__).parent / "descriptors.binpb"
    files = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file
    return [f"{file.package}.{message.name}" for file in files for message in file.message_type]


NAMES = _names()
every_message = pytest.mark.parametrize("name", [*NAMES, "specimen.v1.Specimen"])
examples = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SECOND = timedelta(seconds=1)


def _class(name: str) -> type[betterproto2.Message]:
    return Specimen if name == "specimen.v1.Specimen" else codec.message_class(name)


@every_message
@examples
@given(data=st.data())
def test_bytes_are_protobufs_own(name: str, data: st.DataObject) -> None:
    """What we write is byte for byte what protobuf writes for the same values, and reads back as the same message."""
    _class(name)
    value = data.draw(made.values(name))
    ours, theirs = made.as_dataclass(value), made.as_protobuf(value)

    written = codec.encode(ours)

    assert written == theirs.SerializeToString(deterministic=True)
    assert made.same(codec.decode(type(ours), written), _in_utc(ours))


@pytest.mark.parametrize("name", NAMES)
@examples
@given(data=st.data())
def test_betterproto_agrees(name: str, data: st.DataObject) -> None:
    """betterproto2's own bytes are the same, so a message reads the same whoever wrote it."""
    _class(name)
    ours = made.as_dataclass(data.draw(made.values(name, groups=False)))

    written = codec.encode(ours)

    assert written == bytes(ours)
    assert made.same(codec.decode(type(ours), written), type(ours).parse(written))


@every_message
@examples
@given(data=st.data())
def test_foreign_bytes_go_on(name: str, data: st.DataObject) -> None:
    """Fields in any order, repeated, merged, unknown or of a foreign wire type go out as protobuf sends them on."""
    cls = _class(name)
    received = data.draw(made.wire(name))
    try:
        theirs = made.upb_class(name).FromString(received)
    except ProtobufDecodeError:
        with pytest.raises(codec.DecodeError):
            codec.decode(cls, received)
        return

    try:
        ours = codec.decode(cls, received)
    except codec.DecodeError:
        assert _has_impossible_time(theirs)
        return

    assert codec.encode(ours) == made.cut_times(theirs).SerializeToString(deterministic=True)


@every_message
@examples
@given(received=st.binary(max_size=60))
def test_garbage_is_a_decode_error(name: str, received: bytes) -> None:
    """Bytes from anywhere are a message or a DecodeError, and nothing else."""
    try:
        codec.decode(_class(name), received)
    except codec.DecodeError as error:
        assert name in str(error)  # noqa: PT017 # a message is as good an end


def _in_utc(message: Any) -> Any:
    for name in message._betterproto.meta_by_field_name:
        value = getattr(message, name)
        if isinstance(value, list):
            setattr(message, name, [_utc(one) for one in value])
        else:
            setattr(message, name, _utc(value))
    return message


def _utc(value: Any) -> Any:
    if isinstance(value, betterproto2.Message):
        return _in_utc(value)
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _has_impossible_time(message: Any) -> bool:
    if message.DESCRIPTOR.full_name == "google.protobuf.Timestamp":
        in_range = -62_135_596_800 <= message.seconds <= 253_402_300_799
        return not (in_range and 0 <= message.nanos < 10**9)
    below = [
        one
        for field, content in message.ListFields()
        if field.message_type is not None
        for one in (content if field.is_repeated else [content])
    ]
    return any(_has_impossible_time(one) for one in below)


@pytest.mark.parametrize("name", NAMES)
def test_names_lead_to_classes_and_back(name: str) -> None:
    """Every message is found by its full name, and knows it."""
    assert codec.full_name(codec.message_class(name)) == name


@pytest.mark.parametrize(
    "name",
    ["", "os", "ecommerce.events.v1.Nothing", "google.protobuf.Timestamp", "..", "\ud800", "ecommerce.events.v1"],
)
def test_unknown_names_are_lookup_errors(name: str) -> None:
    """A name that no .proto of ours has is a LookupError, and nothing gets imported for it."""
    with pytest.raises(LookupError):
        codec.message_class(name)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (Money(minor_units=2**63), "minor_units"),
        (Money(minor_units=-(2**63) - 1), "minor_units"),
        (Money(minor_units=1.5), "minor_units"),  # type: ignore[arg-type] # wrong on purpose, as all below
        (Money(minor_units="1"), "minor_units"),  # type: ignore[arg-type]
        (Money(minor_units=None), "minor_units"),  # type: ignore[arg-type]
        (Money(currency="\ud800"), "currency"),
        (Money(currency=7), "currency"),  # type: ignore[arg-type]
        (product_v1.UpdateProductRequest(expected_version=2**63), "expected_version"),
        (product_v1.Product(price=product_v1.Product()), "price"),  # type: ignore[arg-type]
        (product_v1.Product(price=Money(currency="\udfff")), "price.currency"),
        (product_v1.Product(created_at=datetime(2026, 1, 1)), "created_at"),  # noqa: DTZ001 # no zone on purpose
        (product_v1.Product(created_at=date(2026, 1, 1)), "created_at"),  # type: ignore[arg-type]
        (product_v1.Product(created_at=datetime.min.replace(tzinfo=timezone(SECOND))), "created_at"),
        (product_v1.Product(created_at=datetime.max.replace(tzinfo=timezone(-SECOND))), "created_at"),
        (product_v1.GetProductsRequest(ids=["a", "\ud800"]), "ids"),
        (product_v1.GetProductsRequest(ids=None), "ids"),  # type: ignore[arg-type]
        (order_v1.GetOrdersForAccountsRequest(account_ids=[1, 2**31]), "account_ids"),
        (order_v1.UpdateOrderStatusRequest(status=2**31), "status"),  # type: ignore[arg-type]
        (
            order_v1.PostOrderResponse(
                order=order_v1.Order(lines=[order_v1.OrderLine(), order_v1.OrderLine(quantity=2**31)])
            ),
            "order.lines[1].quantity",
        ),
        (Specimen(choice_int=0, choice_leaf=Leaf()), "oneof"),
    ],
)
def test_what_does_not_fit_is_named(message: betterproto2.Message, field: str) -> None:
    """A value that its field cannot hold is an EncodeError that names the field and keeps the value to itself."""
    with pytest.raises(codec.EncodeError) as caught:
        codec.encode(message)

    assert caught.value.field == field
    assert str(caught.value) == f"{codec.full_name(type(message))}: {field} does not fit its type."


def test_unknown_fields_that_are_none_are_named() -> None:
    """Bytes put into _unknown_fields that are no fields at all are an EncodeError too."""
    message = Money()
    message._unknown_fields = b"\xff"

    with pytest.raises(codec.EncodeError) as caught:
        codec.encode(message)

    assert caught.value.field == "_unknown_fields"


def test_open_enums() -> None:
    """A number that an enum does not have yet is kept, as a member without a name."""
    received = codec.encode(Specimen(colours=[Colour(0), Colour(99), Colour.ODD]))

    colours = codec.decode(Specimen, received).colours

    assert colours == [Colour.UNSPECIFIED, 99, Colour.ODD]
    assert colours[0] is Colour.UNSPECIFIED
    assert type(colours[1]) is Colour


def test_times_are_cut_to_microseconds() -> None:
    """Nanoseconds below a microsecond are cut, never rounded up into the next second."""
    stamp = made.record(1, 0, made.varint(5)) + made.record(2, 0, made.varint(999_999_999))

    product = codec.decode(product_v1.Product, made.record(7, 2, made.varint(len(stamp)) + stamp))

    assert product.created_at == datetime(1970, 1, 1, 0, 0, 5, 999_999, tzinfo=UTC)
    assert product.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(0, -1), (0, 10**9), (253_402_300_800, 0), (-62_135_596_801, 0), (2**63 - 1, 0), (-(2**63), 0)],
)
def test_impossible_times_are_decode_errors(seconds: int, nanos: int) -> None:
    """A timestamp that its specification rules out is a DecodeError."""
    stamp = made.record(1, 0, made.varint(seconds)) + made.record(2, 0, made.varint(nanos))

    with pytest.raises(codec.DecodeError):
        codec.decode(product_v1.Product, made.record(7, 2, made.varint(len(stamp)) + stamp))


def test_maps_are_refused_when_first_met() -> None:
    """A map field has no converter, and says so by name instead of being lost."""
    with pytest.raises(NotImplementedError, match=r"specimen\.v1\.WithMap\.counts"):
        codec.encode(WithMap())
    with pytest.raises(NotImplementedError, match=r"specimen\.v1\.WithMap\.counts"):
        codec.decode(WithMap, b"")


def test_decoded_messages_are_like_any_other() -> None:
    """A message that was read compares, prints, copies and writes like one that was made."""
    message = product_v1.GetProductsResponse(products=[product_v1.Product(id="1", price=Money(1, "USD"))])

    read = codec.decode(product_v1.GetProductsResponse, codec.encode(message))

    assert read == message
    assert repr(read) == repr(message)
    assert bytes(read) == bytes(message)
    assert vars(read).keys() == vars(message).keys()
