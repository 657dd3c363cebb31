"""Where the lake's tables are: a folder of this machine, or a bucket of an object store that many machines share."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from industrial_brain.domain.errors import InputError, UnavailableError

_BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(/[^/?#@]+)*)/?")
#: seconds until a store that says nothing is given up, and attempts; whoever needs it asks again later
_CONNECT, _ANSWER, _SILENCE, _ATTEMPTS = 5, 20, 10, 3
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
#: what stores and their clients say, and what it means
_REASONS = (
    (r"NoSuchBucket|NO_SUCH_BUCKET", "there is no such bucket", "Make it, or correct BRAIN_LAKE_URI."),
    (
        r"latest/api/token|meta-?data/iam|[Cc]redential",
        "no credentials were found",
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|InvalidToken|ExpiredToken|ACCESS_DENIED|INVALID_ACCESS"
        r"|SIGNATURE|403 Forbidden|401 Unauthorized",
        "the store refuses these credentials ({})",
        "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and the rights on the bucket: list, get, put, delete.",
    ),
    (
        r"error sending request|NETWORK_CONNECTION|[Tt]ime(d )?out|dns error|curlCode",
        "the store can't be reached",
        "Check AWS_ENDPOINT_URL, AWS_REGION and the network.",
    ),
)


class Place(Protocol):
    """Where one table is. Names are relative to it, with `/`."""

    @property
    def uri(self) -> str:
        """For delta-rs."""

    @property
    def options(self) -> dict[str, str] | None:
        """For delta-rs, how it is reached."""

    def prepare(self) -> None:
        """Before a writer opens the table: make room for it, and mend what a power cut left."""

    def write(self, name: str, fill: Callable[[IO[bytes]], None]) -> int:
        """Write a file as a whole: durable when this returns. Its size in bytes.

        Raises:
            OSError: it can't be written; nothing of the file stays.
        """

    def keep_names(self, names: Iterable[str]) -> None:
        """Make the names of these files durable, too."""

    def keep_log(self) -> None:
        """Make the newest commits durable."""

    def parquet(self, name: str, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
        """Open a file to read parts of it; a footer that is known is not read again."""

    def fail(self, error: Exception) -> NoReturn:
        """Say what went wrong here, and what to do. Raises UnavailableError."""


def place_at(uri: str, table: str) -> Place:
    """The place of a table.

    Args:
        uri: of the lake: a folder, or `s3://BUCKET/PREFIX`.

    Raises:
        InputError: the address is neither.
    """
    if "://" not in uri:
        return Folder(Path(uri) / table)
    found = _BUCKET.fullmatch(uri)
    if found is None:
        raise InputError("BRAIN_LAKE_URI is neither a folder nor an object store.", "Write it as s3://BUCKET/PREFIX.")
    return Bucket(found["bucket"], f"{found['prefix']}/{table}".strip("/"), os.environ)


class Folder:
    """A folder of a disk. Files, their names and the log are synchronised by us: delta-rs does not."""

    options = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def uri(self) -> str:
        return str(self._folder)

    def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for file in self._commits()[-1:]:
            if not _is_whole(file):  # what it told is still in the inbox
                file.rename(file.with_suffix(".broken"))

    def write(self, name: str, fill: Callable[[IO[bytes]], None]) -> int:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("wb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path.stat().st_size

    def keep_names(self, names: Iterable[str]) -> None:
        folders = {(self._folder / name).parent for name in names}
        for folder in folders:
            sync_folder(folder)
        if folders:
            sync_folder(self._folder)

    def keep_log(self) -> None:
        for file in self._commits()[-2:]:
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(self._folder / "_delta_log")

    def parquet(self, name: str, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return pq.ParquetFile(self._folder / name, metadata=metadata, memory_map=True)

    def fail(self, error: Exception) -> NoReturn:
        raise UnavailableError(
            f"The lake in {self._folder} can't be used: {error}.", "Check its disk, and BRAIN_LAKE_URI."
        ) from error

    def _commits(self) -> list[Path]:
        return sorted((self._folder / "_delta_log").glob("*.json"))


class Bucket:
    """A prefix of an S3 bucket. What the store has answered is durable and whole, so there is nothing to synchronise or mend;
    a commit is a put on the condition that its version is not there yet (`If-None-Match`), which the store has to know.

    Args:
        environ: holds `AWS_ENDPOINT_URL` and `AWS_REGION`, if they are set; credentials are looked up by the clients.
    """

    def __init__(self, bucket: str, prefix: str, environ: Mapping[str, str]) -> None:
        self._key = f"{bucket}/{prefix}"
        self._endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        self._region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._secrets = tuple(environ[name] for name in _SECRETS if environ.get(name))

    @property
    def uri(self) -> str:
        return f"s3://{self._key}"

    @cached_property
    def options(self) -> dict[str, str]:
        options = {
            "aws_region": self._region,
            "aws_conditional_put": "etag",
            "connect_timeout": f"{_CONNECT}s",
            "timeout": f"{_ANSWER}s",
            "retry_timeout": f"{_ANSWER}s",
            "max_retries": str(_ATTEMPTS - 1),
        }
        if self._endpoint:
            options["aws_endpoint_url"] = self._endpoint
            options["aws_allow_http"] = str(self._endpoint.startswith("http://")).lower()
        return options

    def prepare(self) -> None:
        """Nothing: a bucket has no folders."""

    def write(self, name: str, fill: Callable[[IO[bytes]], None]) -> int:
        whole = pa.BufferOutputStream()  # a stream that is closed by an error would leave what it has
        fill(whole)
        content = whole.getvalue()
        with self._files.open_output_stream(f"{self._key}/{name}") as stream:
            stream.write(content)
        return int(content.size)

    def keep_names(self, names: Iterable[str]) -> None:
        """Nothing: an object is its name."""

    def keep_log(self) -> None:
        """Nothing: a put that was answered is durable."""

    def parquet(self, name: str, metadata: pq.FileMetaData | None = None) -> pq.ParquetFile:
        return pq.ParquetFile(f"{self._key}/{name}", metadata=metadata, filesystem=self._files, pre_buffer=True)

    def fail(self, error: Exception) -> NoReturn:
        text = str(error)
        for pattern, reason, remedy in _REASONS:
            found = re.search(pattern, text)
            if found:
                message = f"The lake in {self.uri} can't be used: {reason.format(found[0])}."
                raise UnavailableError(message, remedy) from None  # a store repeats what was signed, tokens among it
        plain = " ".join(re.sub(r"\x1b\[\d*m|↳", "", text).split())
        for secret in self._secrets:
            plain = plain.replace(secret, "...")
        raise UnavailableError(
            f"The lake in {self.uri} can't be used: {plain[:400]}.", "Check the store, and BRAIN_LAKE_URI."
        ) from None

    @cached_property
    def _files(self) -> Any:
        return fs.S3FileSystem(
            region=self._region,
            endpoint_override=self._endpoint,
            connect_timeout=_CONNECT,
            request_timeout=_SILENCE,  # without a byte
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
            allow_delayed_open=True,  # a small file is one request
        )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(commit: Path) -> bool:
    """Whether a power cut left no part of a commit away."""
    try:
        return all(json.loads(line) for line in commit.read_text().splitlines()) and commit.stat().st_size > 0
    except ValueError:
        return False
