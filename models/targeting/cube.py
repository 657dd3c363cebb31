"""The table that targeting learns from: regions x activities, year by year."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from features.specialisation import location_quotient
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats


@dataclass(frozen=True, slots=True)
class ActivityCube:
    """Values of `T` years, oldest first. Nothing is filled in here: a pair without a row is 0 to whoever builds the cube.

    Attributes:
        values: float64 (T, regions, activities), finite, not negative, in any unit that adds up.
        years: T numbers, rising; they need not follow each other.
        distance: kilometres between regions, (regions, regions), or None.
        supplies: how much activity i supplies to j, (activities, activities), in any unit, or None.
        extra: further knowledge by name, each (T, regions, activities) and NaN where there is none: `forecast_growth` (a
            year, log points, as it was forecast in that year) and `risk` (0 to 1, high is bad).
    """

    values: Floats
    years: tuple[int, ...]
    regions: tuple[str, ...]
    activities: tuple[str, ...]
    distance: Floats | None = None
    supplies: Floats | None = None
    extra: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (len(self.years), len(self.regions), len(self.activities))
        if self.values.shape != shape:
            raise ValueError(f"{self.values.shape} values for {shape}")
        if not np.isfinite(self.values).all() or (self.values < 0.0).any():
            raise InputError("An activity has a value that is negative or no number.", "Correct the data.")
        if any(later <= earlier for earlier, later in zip(self.years, self.years[1:], strict=False)):
            raise InputError("The years of the data don't rise.", "Give each year once, oldest first.")
        if shape[0] == 0 or self.values[-1].sum() <= 0.0:
            raise InputError("The newest year of the data sums to zero.", "Leave it out, or bring its values.")
        if shape[1] < 3 or shape[2] < 3:
            raise InputError(
                f"There are {shape[1]} regions and {shape[2]} activities; nothing can be compared among fewer than three.",
                "Bring more of them.",
            )

    @classmethod
    def of_rows(
        cls, region: ArrayLike, activity: ArrayLike, year: ArrayLike, value: ArrayLike
    ) -> tuple[ActivityCube, int]:
        """A cube from long rows, and how many of its cells had no row and are taken for 0. Regions and activities are sorted.

        Raises:
            InputError: a row is repeated, or a value is missing, negative or infinite.
        """
        regions, r = np.unique(np.asarray(region, dtype=np.str_), return_inverse=True)
        activities, a = np.unique(np.asarray(activity, dtype=np.str_), return_inverse=True)
        years, t = np.unique(np.asarray(year, dtype=np.int64), return_inverse=True)
        shape = (len(years), len(regions), len(activities))
        place = np.ravel_multi_index((t, r, a), shape) if len(t) else np.empty(0, dtype=np.int64)
        if len(np.unique(place)) < len(place):
            ordered = np.sort(place)
            twice = np.unravel_index(int(ordered[:-1][ordered[1:] == ordered[:-1]][0]), shape)
            raise InputError(
                f"{regions[twice[1]]}, {activities[twice[2]]} has two values for {years[twice[0]]}.",
                "Keep one of them.",
            )
        values = np.zeros(shape)
        values.flat[place] = np.asarray(value, dtype=np.float64)
        names = tuple(regions.tolist()), tuple(activities.tolist())
        return cls(values, tuple(years.tolist()), *names), int(values.size - len(place))

    @property
    def quotients(self) -> Floats:
        """Location quotients of every year, the shape of `values`."""
        return location_quotient(self.values)

    def until(self, year: int) -> ActivityCube:
        """What was known at the end of a year. Raises InputError where the data begin later."""
        known = sum(one <= year for one in self.years)
        if not known:
            raise InputError(f"The data begin in {self.years[0]}, after {year}.", "Ask for a later year.")
        return replace(
            self,
            values=self.values[:known],
            years=self.years[:known],
            extra={name: array[:known] for name, array in self.extra.items()},
        )
