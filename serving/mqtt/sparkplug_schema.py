"""The Sparkplug B payload as a protobuf message: the public schema's field numbers, as far as they are read here.

What is not declared (metadata, extensions) is kept by protobuf as unknown fields, and skipped. Data sets and templates are
declared as bytes: it is enough to see that they are there.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto


class DataType(IntEnum):
    """Types of metrics, by their numbers in the schema."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATETIME = 13
    TEXT = 14
    UUID = 15
    DATASET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19


_NUMBERS = {
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
    "float": _Field.TYPE_FLOAT,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
}

_PACKAGE = "industrial_brain.sparkplug"

#: message -> field -> (number, type); a `*` repeats, a `|` belongs to the one value
_SCHEMA: dict[str, dict[str, tuple[int, str]]] = {
    "PropertyValue": {
        "type": (1, "uint32"),
        "is_null": (2, "bool"),
        "int_value": (3, "uint32|"),
        "long_value": (4, "uint64|"),
        "float_value": (5, "float|"),
        "double_value": (6, "double|"),
        "boolean_value": (7, "bool|"),
        "string_value": (8, "string|"),
    },
    "PropertySet": {"keys": (1, "string*"), "values": (2, "PropertyValue*")},
    "Metric": {
        "name": (1, "string"),
        "alias": (2, "uint64"),
        "timestamp": (3, "uint64"),
        "datatype": (4, "uint32"),
        "is_historical": (5, "bool"),
        "is_transient": (6, "bool"),
        "is_null": (7, "bool"),
        "properties": (9, "PropertySet"),
        "int_value": (10, "uint32|"),
        "long_value": (11, "uint64|"),
        "float_value": (12, "float|"),
        "double_value": (13, "double|"),
        "boolean_value": (14, "bool|"),
        "string_value": (15, "string|"),
        "bytes_value": (16, "bytes|"),
        "dataset_value": (17, "bytes|"),
        "template_value": (18, "bytes|"),
    },
    "Payload": {
        "timestamp": (1, "uint64"),
        "metrics": (2, "Metric*"),
        "seq": (3, "uint64"),
        "uuid": (4, "string"),
        "body": (5, "bytes"),
    },
}


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="industrial_brain/sparkplug.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        if any(kind.endswith("|") for _, kind in fields.values()):
            message.oneof_decl.add(name="value")
        for field, (number, kind) in fields.items():
            plain = kind.rstrip("*|")
            added = message.field.add(name=field, number=number)
            added.label = _Field.LABEL_REPEATED if kind.endswith("*") else _Field.LABEL_OPTIONAL
            if plain in _NUMBERS:
                added.type = _NUMBERS[plain]
            else:
                added.type, added.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{plain}"
            if kind.endswith("|"):
                added.oneof_index = 0
    pool = (
        descriptor_pool.DescriptorPool()
    )  # our own: another library may have put the same schema into the default one
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _SCHEMA}


_CLASSES = _message_classes()

#: a class that protobuf makes; its fields are those of `_SCHEMA`
Payload: Any = _CLASSES["Payload"]
