"""Compressed bodies, opened up to a limit: gzip (RFC 1952) and zstd (RFC 8878), whole or not at all."""

from __future__ import annotations

import zlib

import pyarrow as pa

from industrial_brain.domain.errors import MalformedError, TooLargeError

#: zlib's way of saying "gzip, with its header"
_GZIP_WBITS = 31

_SPOKEN = "gzip, zstd"


def opened(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """The body without its content encoding.

    Nothing is taken of a body that is cut off or has garbage behind its end: half a request is none.

    Args:
        encoding: the header `Content-Encoding`; empty or `identity` for none.
        most_bytes: longest body, opened; a bomb is refused before it has grown beyond.

    Raises:
        MalformedError: it is not what the encoding promises. TooLargeError: it is longer than `most_bytes`.
        LookupError: the encoding is not spoken here.
    """
    match encoding.strip().lower():
        case "" | "identity":
            if len(body) > most_bytes:
                raise _too_large(most_bytes)
            return body
        case "gzip" | "x-gzip":
            return _gunzip(body, most_bytes)
        case "zstd":
            return _unzstd(body, most_bytes)
        case _:
            raise LookupError(f"The content encoding '{encoding[:40]}' is not spoken here; {_SPOKEN} are.")


def _gunzip(body: bytes, most_bytes: int) -> bytes:
    parts: list[bytes] = []
    length = 0
    rest = body
    while True:  # a gzip file is one member or more
        member = zlib.decompressobj(_GZIP_WBITS)
        try:
            part = member.decompress(rest, most_bytes + 1 - length)
        except zlib.error as error:
            raise MalformedError("The body is not gzip, or was damaged on its way.", "Send it again.") from error
        parts.append(part)
        length += len(part)
        if length > most_bytes:
            raise _too_large(most_bytes)
        if not member.eof:
            raise MalformedError("The gzip body is cut off; nothing of it was taken.", "Send it again, whole.")
        rest = member.unused_data
        if not rest:
            return b"".join(parts)
        if not rest.startswith(b"\x1f\x8b"):
            raise MalformedError("Behind the end of the gzip body there are more bytes.", "Send the gzip file alone.")


def _unzstd(body: bytes, most_bytes: int) -> bytes:
    if not body:
        raise MalformedError("The zstd body is empty.", "Send it again, whole.")
    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            content: bytes = stream.read(most_bytes + 1)
    except OSError as error:
        raise MalformedError(
            "The body is not zstd, is cut off, or was damaged on its way.", "Send it again."
        ) from error
    if len(content) > most_bytes:
        raise _too_large(most_bytes)
    return content


def _too_large(most_bytes: int) -> TooLargeError:
    return TooLargeError(f"The body is longer than {most_bytes:,} bytes, opened.", "Split it into several requests.")
