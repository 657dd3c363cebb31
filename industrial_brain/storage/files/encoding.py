"""Which encoding a text file is in: found in one pass over its bytes, before a row of it is read."""

from __future__ import annotations

import codecs
from pathlib import Path

from industrial_brain.domain.errors import FileFormatError, InputError

#: bytes looked at at a time
_BLOCK = 1 << 20

#: UTF-32's mark begins with UTF-16's, so it comes first
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY = ((b"PK\x03\x04", "a spreadsheet or a zip archive"), (b"\x1f\x8b", "a gzip archive"), (b"PAR1", "Parquet"))


def detect_encoding(path: Path, encoding: str | None = None) -> str:
    """The Python codec that decodes all of `path`: by its byte order mark, else UTF-8, else GB18030 (GBK is part of it).

    Nothing is guessed from letter frequencies, and no byte is ever replaced. GB18030 gives a meaning to most bytes,
    so a file in yet another encoding can pass as Chinese text: name its `encoding`.

    Args:
        encoding: what the user says; then the file must be in it.

    Raises:
        FileFormatError: the file is empty, binary, or in none of these; names the first byte at fault.
        InputError: no codec has that name.
    """
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise FileFormatError(f"{path} is empty.", "Check how it was exported.")
    for magic, kind in _BINARY:
        if head.startswith(magic):
            raise FileFormatError(f"{path} is {kind}, not text.", "Save it as CSV (UTF-8), or name it *.parquet.")
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None)
    chosen = _codec(encoding) if encoding is not None else marked
    if chosen is not None:
        offset = _first_fault(path, "utf-8" if chosen == "utf-8-sig" else chosen)  # the mark itself is UTF-8
        if offset is not None:
            raise FileFormatError(
                f"Byte {offset} of {path} is not {chosen.removesuffix('-sig')}.", "Export the file again, as UTF-8."
            )
        return chosen
    offset = _first_fault(path, "utf-8")
    if offset is None:
        return "utf-8"
    if _first_fault(path, "gb18030") is None:
        return "gb18030"
    raise FileFormatError(
        f"Byte {offset} of {path} is not UTF-8, and the file is not GB18030 either.", "Name the file's encoding."
    )


def _codec(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise InputError(f"No encoding is called '{encoding}'.", "Use utf-8, utf-16, gb18030, big5, ...") from error
    return "utf-8-sig" if name == "utf-8" else name  # also where a byte order mark precedes the text


def _first_fault(path: Path, encoding: str) -> int | None:
    """Offset of the first byte that does not decode, or None. NUL bytes are a fault of the file in any encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    wide = encoding.startswith(("utf-16", "utf-32"))
    offset = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if not wide and (nul := block.find(b"\0")) >= 0:
                raise FileFormatError(
                    f"Byte {offset + nul} of {path} is NUL: this is not text.", "Export the file as CSV in UTF-8."
                )
            pending = len(decoder.getstate()[0])
            try:
                text = decoder.decode(block)
            except UnicodeDecodeError as error:
                return offset - pending + error.start
            if wide and "\0" in text:
                raise FileFormatError(f"{path} holds NUL characters: this is not text.", "Export the file as CSV.")
            offset += len(block)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return offset - len(error.object) + error.start
    return None
