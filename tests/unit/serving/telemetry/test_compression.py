"""Compressed bodies."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pytest

from industrial_brain.domain.errors import MalformedError, TooLargeError
from serving.telemetry.compression import opened

TEXT = b"m,device=a f=1 1\n" * 50


def packed(encoding: str, content: bytes = TEXT) -> bytes:
    return gzip.compress(content) if encoding == "gzip" else bytes(pa.compress(content, "zstd", asbytes=True))


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_what_was_packed_is_opened(encoding: str) -> None:
    assert opened(packed(encoding), encoding.upper(), 10_000) == TEXT
    assert opened(packed(encoding, b""), encoding, 10_000) == b""


@pytest.mark.parametrize("encoding", ["", "identity", " IDENTITY "])
def test_a_plain_body_stays_as_it_is(encoding: str) -> None:
    assert opened(TEXT, encoding, len(TEXT)) == TEXT
    with pytest.raises(TooLargeError):
        opened(TEXT, encoding, len(TEXT) - 1)


def test_a_gzip_body_of_two_members_is_one_body() -> None:
    assert opened(packed("gzip", b"a") + packed("gzip", b"b"), "gzip", 10) == b"ab"


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_that_is_cut_off_is_refused_wherever_it_was_cut(encoding: str) -> None:
    whole = packed(encoding)
    for cut in range(len(whole)):
        with pytest.raises(MalformedError):
            opened(whole[:cut], encoding, 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("more", [b"x", b"\0", b"garbage behind the end", b"\x1f\x8b"])
def test_garbage_behind_the_end_is_refused(encoding: str, more: bytes) -> None:
    with pytest.raises(MalformedError):
        opened(packed(encoding) + more, encoding, 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_damaged_body_is_refused(encoding: str) -> None:
    for content in (b"nonsense", packed("zstd" if encoding == "gzip" else "gzip"), b"\x1f\x8bxxxxxxxxxxxx"):
        with pytest.raises(MalformedError):
            opened(content, encoding, 10_000)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_refused_at_the_limit(encoding: str) -> None:
    bomb = packed(encoding, bytes(50_000_000))
    with pytest.raises(TooLargeError):
        opened(bomb, encoding, 1_000_000)
    assert len(opened(packed(encoding, bytes(1_000_000)), encoding, 1_000_000)) == 1_000_000


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "x"])
def test_another_encoding_is_not_spoken(encoding: str) -> None:
    with pytest.raises(LookupError):
        opened(TEXT, encoding, 10_000)
