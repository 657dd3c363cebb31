"""From a request's body to a receipt: read, opened, decoded in a thread of its own, handed to the intake."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Annotated

import anyio.to_thread
from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.errors import InputError, PermissionDeniedError
from industrial_brain.domain.telemetry import BackPressureError, Intake, Receipt, Submission
from serving.problems import Fault, FieldsError, HttpError
from serving.telemetry.compression import opened

#: bodies that are decoded at once: most of the work lets other threads run, and what does not would not gain by a third
_AT_ONCE = 2

#: seconds after which what is under way has usually been taken in
_RETRY_SECONDS = 1.0

#: characters of a site's name
_LONGEST_SITE = 200


class Reception:
    """Takes in bodies of readings, as many at once as memory allows.

    Args:
        most_bytes: longest body, as it is sent and as it is when it is opened.
        most_held: bytes of bodies under way, at most.
        screen: what is done to a submission before it is handed in.
    """

    def __init__(
        self,
        intake: Intake,
        most_bytes: int,
        most_held: int,
        screen: Callable[[Submission], Submission] = lambda submission: submission,
    ) -> None:
        self._screen = screen
        self.most_bytes = most_bytes
        self._intake = intake
        self._most_held = most_held
        self._held = 0
        self._turns = anyio.CapacityLimiter(_AT_ONCE)

    async def take(self, request: Request, decode: Callable[[bytes], Submission]) -> Receipt:
        """Read the body of a request, decode it and hand it in.

        Raises:
            BackPressureError: too many bodies are under way, or the intake says so.
            UnavailableError: the intake can't take anything in.
            HttpError, MalformedError, TooLargeError, InputError: as the body is. Nothing was taken of it then.
        """
        async with self._body(request) as body:
            encoding = request.headers.get("content-encoding", "")
            submission = await anyio.to_thread.run_sync(
                partial(self._decoded, body, encoding, decode), limiter=self._turns
            )
            if len(submission):
                receipt = await self._intake.submit(submission)
            else:
                receipt = Receipt(rejected=len(submission.errors), errors=submission.errors)
        return replace(receipt, rejected=receipt.rejected + submission.unnamed)

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """The body, counted among those under way while the block runs."""
        parts: list[bytes] = []
        mine = 0
        try:
            async for part in request.stream():
                parts.append(part)
                mine += len(part)
                self._held += len(part)
                if self._held > self._most_held:
                    raise BackPressureError(
                        "As many readings are under way as this server holds.",
                        "Send the same request again after the time that Retry-After names.",
                        _RETRY_SECONDS,
                    )
            yield b"".join(parts)
        except ClientDisconnect as error:
            raise HTTPException(400) from error
        finally:
            self._held -= mine

    def _decoded(self, body: bytes, encoding: str, decode: Callable[[bytes], Submission]) -> Submission:
        try:
            content = opened(body, encoding, self.most_bytes)
        except LookupError as error:
            raise HttpError(
                415, "unsupported-encoding", str(error.args[0]), "Send the body as it is, or as gzip or zstd."
            ) from error
        return self._screen(decode(content))


def site_of(key: ApiKey, asked: str | None, parameter: str) -> str:
    """The site that a request writes to: the one that it names, or the only one of a factory's key.

    Raises:
        PermissionDeniedError: a site of somebody else. FieldsError: none is named, and which is meant can't be known.
    """
    if asked is not None and key.role is Role.FACTORY and asked not in key.sites:
        raise PermissionDeniedError("The key does not speak for this site.", "Name a site that the key was made for.")
    if asked is not None:
        if not asked or len(asked) > _LONGEST_SITE or not asked.isprintable():
            raise _site_error(parameter, "It is no name of a site.")
        return asked
    if len(key.sites) != 1:
        raise _site_error(parameter, "It is required: the key speaks for more than one site.")
    return key.sites[0]


def _site_error(parameter: str, detail: str) -> InputError:
    return FieldsError(
        "Which site the readings are of is not clear.",
        f"Add ?{parameter}=SITE.",
        [Fault("query", f"/{parameter}", detail)],
    )


async def _reception(request: Request) -> Reception:
    found: Reception = request.app.state.reception
    return found


ReceptionDep = Annotated[Reception, Depends(_reception)]
