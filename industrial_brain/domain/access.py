"""Who may do what: API keys and their roles."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    PLANNER = "planner"
    FACTORY = "factory"
    SCIENTIST = "scientist"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the service remembers it: never its secret, only that secret's SHA-256 (which stays in the store).

    Attributes:
        id: short public name, printed in lists and logs.
        sites: the sites that a factory key speaks for; empty for the other roles.
    """

    id: str
    name: str
    role: Role
    sites: tuple[str, ...]
    created_at: dt.datetime
    revoked_at: dt.datetime | None = None
