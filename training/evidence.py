"""What is known of an ensemble's members at an origin: their past errors, and how their forecasts differ now."""

from __future__ import annotations

import numpy as np

from features.present import mean_of_present, median_of_present
from industrial_brain.domain.panel import Floats
from training.weighing import relative_errors

#: names of the columns; errors and claims are logarithms relative to the median member's
EVIDENCE = (
    "origins",
    "mean_error",
    "newest_error",
    "best_error",
    "worst_error",
    "error_spread",
    "distance",
    "direction",
    "claim",
    "claim_one_step",
    "disagreement",
    "members",
)


def evidence(mae: Floats, mean: Floats, scale: Floats, unit: Floats) -> Floats:
    """A row for every member of every series: float64 (n, members, len(EVIDENCE)), NaN for what is not known.

    Nothing of it changes with the unit of a series, or with the company in which it was fitted.

    Args:
        mae: float64 (n, origins, members), errors at past origins; NaN where there is none.
        mean, scale: float64 (n, members, horizon), what the members say now; NaN for a member that says nothing, or is not to
            be heard.
        unit: float64 (n,), what distances are measured in: the MASE scale of what is known now.
    """
    relative = relative_errors(mae).transpose(0, 2, 1)
    count = np.isfinite(relative).sum(axis=2)
    average = mean_of_present(relative)
    middle = median_of_present(mean.transpose(0, 2, 1))
    apart = (mean - middle[:, None, :]) / unit[:, None, None]
    distance = mean_of_present(np.abs(apart))
    heard = np.isfinite(distance)
    spread = np.sqrt(mean_of_present((relative - average[:, :, None]) ** 2))
    per_series = (mean_of_present(distance), heard.sum(axis=1).astype(np.float64))
    columns = (
        count.astype(np.float64),
        average,
        relative[:, :, -1] if relative.shape[2] else np.full(average.shape, np.nan),
        _extreme(relative, lowest=True),
        _extreme(relative, lowest=False),
        np.where(count > 1, spread, np.nan),
        distance,
        mean_of_present(apart),
        _claims(mean_of_present(scale), heard),
        _claims(scale[:, :, 0], heard),
        *(np.broadcast_to(one[:, None], distance.shape) for one in per_series),
    )
    table = np.stack(columns, axis=2)
    return np.where(np.isfinite(table), table, np.nan)


def _extreme(relative: Floats, *, lowest: bool) -> Floats:
    beyond = np.inf if lowest else -np.inf
    known = np.where(np.isfinite(relative), relative, beyond)
    return np.asarray(known.min(axis=2, initial=np.inf) if lowest else known.max(axis=2, initial=-np.inf))


def _claims(scale: Floats, heard: np.typing.NDArray[np.bool_]) -> Floats:
    """Logarithms of the standard deviations that members claim, less the median member's."""
    with np.errstate(divide="ignore", invalid="ignore"):
        claim = np.log(np.where(heard, scale, np.nan))
        return np.asarray(claim - median_of_present(claim)[:, None])
