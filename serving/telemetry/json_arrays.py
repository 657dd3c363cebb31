"""JSON arrays taken apart, so that long ones are decoded piece by piece.

msgspec decodes without letting other threads run. A million readings in one call would hold up every other request for a
second; so a compiled pass, which holds up nobody, finds the elements, and msgspec is given some thousand at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import MalformedError
from serving.telemetry.draft import MOST_READINGS, require_few
from serving.telemetry.scanning import scan_array

T = TypeVar("T")

#: bytes that are decoded in one go: about a millisecond of it
_PIECE = 1 << 17

_SEND_JSON = "Send one JSON document as RFC 8259 has it, in UTF-8."


@dataclass(frozen=True, slots=True)
class JsonArray:
    """The elements of an array inside a body.

    Attributes:
        edges: element `i` lies between the bytes `edges[i]` and `edges[i + 1]`, both left out.
        names: how many names stand at the top of each element, where it is an object.
    """

    body: bytes
    edges: npt.NDArray[np.int64]
    names: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def element(self, at: int) -> bytes:
        return self.body[self.edges[at] + 1 : self.edges[at + 1]]

    def pieces(self) -> Iterator[tuple[range, bytes]]:
        """Arrays of some elements each, in order, with the positions of those."""
        first = 0
        while first < len(self):
            last = int(np.searchsorted(self.edges, self.edges[first] + _PIECE, side="right")) - 1
            last = min(max(last, first + 1), len(self))
            yield range(first, last), b"[" + self.body[self.edges[first] + 1 : self.edges[last]] + b"]"
            first = last


def array_in(body: bytes) -> JsonArray:
    """Take an array apart: `body` is one, or what was cut out of a body. What stands behind it is refused.

    Raises:
        MalformedError: the array never ends, or something follows it. TooLargeError: it has too many elements.
    """
    start = len(body) - len(body.lstrip())
    data = np.frombuffer(body, np.uint8)
    room = min(body.count(b","), MOST_READINGS) + 2
    edges, names = np.empty(room, np.int64), np.empty(room, np.int64)
    count = scan_array(data, start, edges, names)
    if count == -1:
        raise MalformedError("The body is cut off: a JSON array in it never ends.", _SEND_JSON)
    require_few(MOST_READINGS + 1 if count == -2 else count)
    if body[edges[count] + 1 :].strip():
        raise MalformedError(f"Behind byte {edges[count]} of the JSON there is more than one document.", _SEND_JSON)
    if count == 1 and not body[start + 1 : edges[1]].strip():
        count = 0
    return JsonArray(body, edges[: count + 1], names[:count])


def decode_all(array: JsonArray, decoder: msgspec.json.Decoder[list[T]]) -> list[T]:
    """The elements, all of one shape. Raises MalformedError, and msgspec.ValidationError for another shape."""
    found: list[T] = []
    for _, piece in array.pieces():
        some = decode_piece(piece, decoder)
        found += some
    return found


def decode_piece(piece: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode some JSON. Raises MalformedError where it is none, and msgspec.ValidationError where it has another shape."""
    try:
        return decoder.decode(piece)
    except msgspec.ValidationError:
        raise
    except UnicodeError as error:
        raise MalformedError("The body is not UTF-8.", _SEND_JSON) from error
    except (msgspec.DecodeError, RecursionError) as error:
        said = str(error).partition(" (byte")[0].removeprefix("JSON is malformed: ")
        raise MalformedError(f"The body is not JSON: {said}.", _SEND_JSON) from error
