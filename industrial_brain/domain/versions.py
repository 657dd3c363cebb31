"""Which version answers a question about the past."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from industrial_brain.domain.errors import NoModelError
from industrial_brain.domain.forecasts import ModelVersion

#: statuses of versions that may answer; refused and withdrawn ones never do
ANSWERING = frozenset({"served", "candidate"})


def version_as_of(history: Sequence[ModelVersion], moment: dt.datetime) -> ModelVersion:
    """The newest version by vintage, of those that may answer, whose vintage is not after `moment`.

    Raises:
        NoModelError: there is none; it says from when on there is one.
    """
    answering = [version for version in history if version.status in ANSWERING]
    known = [version for version in answering if version.vintage <= moment]
    if known:
        return max(known, key=lambda version: (version.vintage, version.version))
    train = f"Train one with `brain train forecasting --as-of {moment:%Y-%m-%d}`"
    if not answering:
        raise NoModelError("Nothing has been trained yet.", f"{train}.")
    oldest = min(version.vintage for version in answering)
    raise NoModelError(
        f"No version had been trained on what was known at {moment:%Y-%m-%d}; the oldest has the vintage {oldest:%Y-%m-%d}.",
        f"{train}, or ask for a later moment.",
    )
