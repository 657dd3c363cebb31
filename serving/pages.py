"""Pages of a listing, and the tokens that continue it: bound to the listing and its filters, opaque, not secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any, TypeVar

from pydantic import BaseModel

from industrial_brain.domain.errors import PageTokenError
from industrial_brain.domain.protocols import Page
from serving.schemas import PageOut, Paging

P = TypeVar("P", bound=PageOut[Any])

#: what a listing is asked beside its filters; a caller may change the page size on the way
_PAGING = {"page_size", "page_token"}
_DIGEST_BYTES = 8


def page_after(listing: str, query: Paging) -> str | None:
    """Where the page that `query` asks for begins: behind the code or id returned; at the start for None.

    Raises:
        PageTokenError: as `read_token`.
    """
    return None if query.page_token is None else read_token(query.page_token, listing, query)


def page_out(listing: str, query: Paging, page: Page[Any], shape: type[P]) -> P:
    """A page in the shape in which it is sent."""
    token = None if page.next_after is None else issue_token(listing, query, page.next_after)
    return shape.model_validate({"items": page.items, "next_page_token": token, "total": page.total})


def issue_token(listing: str, query: BaseModel, after: str) -> str:
    """A token that continues `listing`, filtered as `query` says, behind `after`."""
    return base64.urlsafe_b64encode(_digest(listing, query, after) + after.encode()).decode().rstrip("=")


def read_token(token: str, listing: str, query: BaseModel) -> str:
    """The `after` that a token holds.

    Raises:
        PageTokenError: it was not issued here, or for another listing or other filters.
    """
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        after = raw[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError) as error:
        raise _refusal() from error
    if raw[:_DIGEST_BYTES] != _digest(listing, query, after) or not after.isprintable():
        raise _refusal()
    return after


def whole_number(after: str) -> int:
    """The number that an `after` was made of. Raises PageTokenError for a token that somebody forged."""
    if not re.fullmatch(r"-?\d{1,15}", after):
        raise _refusal()
    return int(after)


def _digest(listing: str, query: BaseModel, after: str) -> bytes:
    text = "\n".join([listing, query.model_dump_json(exclude=_PAGING), after])
    return hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]


def _refusal() -> PageTokenError:
    return PageTokenError(
        "The page token does not belong to this listing with these filters.",
        "Send `next_page_token` back as it came, with the same filters, or leave it out to begin again.",
    )
