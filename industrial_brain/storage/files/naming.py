"""Which series an id in a file means, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from industrial_brain.domain.city import Cluster, Region
from industrial_brain.domain.covariates import Knowledge
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.indicators import Indicator, SeriesInfo, SeriesKey
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue
from industrial_brain.storage.files.periods import Ambiguous, Written, infer_frequency
from industrial_brain.storage.files.report import Reason
from industrial_brain.storage.listing import all_clusters, all_regions

#: characters in an id; longer ones are pasted text
LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """An id whose rows can't be stored."""

    reason: Reason
    detail: str


class SeriesNames:
    """Resolves ids, remembering each for the length of one file.

    Args:
        frequency: of free series; None infers it from their dates.
        unit: of free series.
        declare: whether free series may be added.
    """

    def __init__(self, catalogue: Catalogue, *, frequency: Frequency | None, unit: str, declare: bool) -> None:
        self._catalogue = catalogue
        self._frequency = frequency
        self._unit = unit
        self._declare = declare
        self._indicators = catalogue.indicators()
        self._regions = all_regions(catalogue)
        self._clusters = all_clusters(catalogue)
        self._known: dict[str, SeriesInfo | Refused] = {}
        #: indicators whose values are decided beforehand, as another indicator's declaration says
        self.decided: Set[str] = {
            use.indicator
            for indicator in self._indicators.values()
            for use in indicator.covariates
            if use.knowledge is Knowledge.KNOWN_AHEAD
        }

    def resolve(self, dates: Mapping[str, Callable[[], Iterable[Written]]]) -> list[SeriesInfo | Refused]:
        """What each id means. `dates` gives, when asked, the dates of the id's rows at hand."""
        new = [name for name in dates if name not in self._known]
        stored = self._catalogue.series([name for name in new if name])
        for name in new:
            self._known[name] = self._checked(stored[name]) if name in stored else self._new(name, dates[name])
        return [self._known[name] for name in dates]

    def _checked(self, info: SeriesInfo) -> SeriesInfo | Refused:
        if info.indicator is None and self._frequency not in (None, info.frequency):
            return Refused(Reason.MIXED_FREQUENCY, f"the series is stored with one value a {info.frequency.noun}")
        return info

    def _new(self, name: str, dates: Callable[[], Iterable[Written]]) -> SeriesInfo | Refused:
        if len(name) > LONGEST_ID:
            return Refused(Reason.TOO_LONG_ID, f"{len(name)} characters; at most {LONGEST_ID}")
        if not name or not name.isprintable():
            return Refused(Reason.UNKNOWN_SERIES, "an id is made of printable characters, at least one")
        return self._of_the_city(name) or self._free(name, dates)

    def _of_the_city(self, name: str) -> SeriesInfo | Refused | None:
        """The city's series of this name; None for a name of another kind; refused where only some of its codes are known,
        since that is a slip of the pen in a city's series and not a series of its own."""
        try:
            key = SeriesKey.parse(name)
        except InputError:
            return None  # another shape: a free series
        indicator, region = self._indicators.get(key.indicator), self._regions.get(key.region)
        cluster = self._clusters.get(key.cluster) if key.cluster else None
        if indicator is not None and region is not None and (cluster is not None or key.cluster is None):
            return city_series(indicator, region, cluster)
        if indicator is None and region is None:
            return None
        parts = (
            ("indicator", key.indicator, indicator),
            ("region", key.region, region),
            ("cluster", key.cluster, cluster),
        )
        unknown = [f"{kind} '{code}'" for kind, code, found in parts if code and found is None]
        return Refused(Reason.UNKNOWN_SERIES, f"there is no {' and no '.join(unknown)}")

    def _free(self, name: str, dates: Callable[[], Iterable[Written]]) -> SeriesInfo | Refused:
        if not self._declare:
            return Refused(Reason.UNKNOWN_SERIES, "no indicator, region and cluster of these codes are known")
        match self._frequency or infer_frequency(dates()):
            case Frequency() as frequency:
                return SeriesInfo(id=name, frequency=frequency, unit=self._unit, name=name)
            case Ambiguous.MIXED:
                return Refused(Reason.MIXED_FREQUENCY, "the dates of this series are written for two frequencies")
            case _:
                return Refused(Reason.UNKNOWN_FREQUENCY, "its dates don't tell the frequency: say it with --freq")


def city_series(indicator: Indicator, region: Region, cluster: Cluster | None) -> SeriesInfo:
    """The series of an indicator at a place, with the facts that follow from these."""
    places = [region.name, *([cluster.name] if cluster else [])]
    return SeriesInfo(
        id=str(SeriesKey(indicator.code, region.code, cluster.code if cluster else None)),
        frequency=indicator.frequency,
        unit=indicator.unit,
        name=" · ".join([indicator.name, *places]),
        indicator=indicator.code,
        region=region.code,
        tier=region.tier,
        cluster=cluster.code if cluster else None,
        sector=indicator.sector,
        aggregation=indicator.aggregation,
        nonnegative=indicator.nonnegative,
    )
