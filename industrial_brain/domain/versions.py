"""Which version answers a question about the past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from industrial_brain.domain.errors import NoModelError
from industrial_brain.domain.forecasts import ModelVersion


def version_as_of(
    history: Sequence[ModelVersion], moment: dt.datetime, training: str = "brain train forecasting"
) -> ModelVersion:
    """The newest version by vintage, of those that may answer, whose vintage is not after `moment`.

    Champions of now and then may answer, and versions trained afterwards for a vintage of the past. A refused or withdrawn
    version never does, nor one that nobody has promoted.

    Args:
        training: the command that trains one, for the message.

    Raises:
        NoModelError: there is none; it says from when on there is one.
    """
    answering = [version for version in history if version.status in ("served", "historical")]
    known = [version for version in answering if version.vintage <= moment]
    if known:
        return max(known, key=lambda version: (version.vintage, version.version))
    train = f"Train one with `{training} --as-of {moment:%Y-%m-%d}`"
    if not answering:
        raise NoModelError("Nothing has been trained yet.", f"{train}.")
    oldest = min(version.vintage for version in answering)
    raise NoModelError(
        f"No version had been trained on what was known at {_utc(moment)}; the oldest has the vintage {_utc(oldest)}.",
        f"{train}, or ask for a later moment.",
    )


def _utc(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
