"""How much an Arrow IPC stream would become in memory, told before it does: its buffers may be compressed inside."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pyarrow as pa

from industrial_brain.domain.errors import TooLargeError
from serving.telemetry.draft import require_few

# tables and fields of Arrow's Message.fbs; a FlatBuffers table points to its vtable, which has an offset a field
_DICTIONARY_BATCH, _RECORD_BATCH = 2, 3
_HEADER_TYPE, _HEADER = 1, 2
_DICTIONARY_DATA = 1
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3


def require_modest(stream: bytes, most_bytes: int) -> None:
    """Refuse a stream that has more rows than a request may bring, or that opens to more bytes.

    Raises:
        TooLargeError: as said. pyarrow's errors: it is not Arrow IPC. ValueError: its metadata points outside.
    """
    rows = size = 0
    for message in _messages(stream):
        metadata = message.metadata.to_pybytes()
        try:
            batch = _batch(metadata)
            if batch is None:
                continue
            length = _scalar(metadata, batch, _LENGTH, "<q") or 0
            opened = sum(_opened_lengths(metadata, batch, message.body))
        except struct.error as error:
            raise ValueError("its metadata points outside") from error
        rows += length
        size += opened
        require_few(max(rows, length))
        if size > most_bytes:
            raise TooLargeError(
                f"The body is longer than {most_bytes:,} bytes, opened.", "Split it into several requests."
            )


def _messages(stream: bytes) -> Iterator[pa.Message]:
    reader = pa.ipc.MessageReader.open_stream(pa.BufferReader(stream))
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _opened_lengths(metadata: bytes, batch: int, body: pa.Buffer | None) -> Iterator[int]:
    at = _field(metadata, batch, _BUFFERS)
    if at is None or body is None:
        return
    at += struct.unpack_from("<I", metadata, at)[0]
    compressed = _field(metadata, batch, _COMPRESSION) is not None
    content = memoryview(body)
    for k in range(struct.unpack_from("<I", metadata, at)[0]):
        offset, length = struct.unpack_from("<qq", metadata, at + 4 + 16 * k)
        if compressed and length >= 8:
            opened = struct.unpack_from("<q", content, offset)[0]  # -1: this one is as it is
            yield length if opened < 0 else opened
        else:
            yield length


def _batch(metadata: bytes) -> int | None:
    """Where the record batch of a message is described, or None for a message of another kind."""
    message = struct.unpack_from("<I", metadata, 0)[0]
    kind = _scalar(metadata, message, _HEADER_TYPE, "<B")
    if kind not in (_DICTIONARY_BATCH, _RECORD_BATCH):
        return None
    batch = _table(metadata, message, _HEADER)
    return _table(metadata, batch, _DICTIONARY_DATA) if kind == _DICTIONARY_BATCH else batch


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Where a field of a table is, or None where it is left out."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    if vtable < 0 or 4 + 2 * number >= struct.unpack_from("<H", metadata, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", metadata, vtable + 4 + 2 * number)[0]
    return table + offset if offset else None


def _scalar(metadata: bytes, table: int, number: int, form: str) -> int | None:
    at = _field(metadata, table, number)
    return None if at is None else int(struct.unpack_from(form, metadata, at)[0])


def _table(metadata: bytes, table: int, number: int) -> int:
    at = _field(metadata, table, number)
    if at is None:
        raise ValueError("its metadata lacks a part")
    return at + int(struct.unpack_from("<I", metadata, at)[0])
