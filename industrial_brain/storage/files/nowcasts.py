"""The nowcasts that a profile declares: tables `[[nowcast]]` of profile.toml, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from industrial_brain.domain.errors import InputError, ProfileError
from industrial_brain.domain.indicators import Indicator, SeriesKey
from industrial_brain.domain.nowcasts import NowcastTarget, Transformation
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import Catalogue
from industrial_brain.storage.files.profile_tables import CityTables
from industrial_brain.storage.listing import all_clusters, all_regions

_KEYS = ("target", "indicators", "most_related", "transformations", "blocks", "factor_order")

_TARGETS = (Frequency.QUARTERLY, Frequency.MONTHLY)
_INDICATORS = (*_TARGETS, Frequency.WEEKLY, Frequency.DAILY, Frequency.HOURLY)

#: lags that a factor may have; months hold no more
_ORDERS = range(1, 5)


def read_nowcasts(path: Path, given: object, tables: CityTables, catalogue: Catalogue) -> list[NowcastTarget]:
    """The declarations, checked against the profile's own codes and those that are stored.

    Args:
        path: for messages.
        given: what TOML has under `nowcast`.

    Raises:
        ProfileError: the first contradiction, by the place of its table.
    """
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise ProfileError(f"{path}: nowcasts are written as tables [[nowcast]].", f"Correct {path}.")
    known = _Known(
        catalogue.indicators() | dict(tables.indicators),
        {*all_regions(catalogue), *tables.regions},
        {*all_clusters(catalogue), *tables.clusters},
    )
    found: dict[str, NowcastTarget] = {}
    for number, facts in enumerate(given, 1):
        reader = _Reader(path, number, facts, known)
        target = reader.target()
        if target.series in found:
            reader.refuse(f"'{target.series}' is declared twice")
        found[target.series] = target
    return list(found.values())


class _Known:
    """Codes that a series may be made of."""

    def __init__(self, indicators: Mapping[str, Indicator], regions: set[str], clusters: set[str]) -> None:
        self.indicators, self.regions, self.clusters = indicators, regions, clusters


class _Reader:
    """One table, and errors that say which."""

    def __init__(self, path: Path, number: int, facts: Mapping[str, Any], known: _Known) -> None:
        self._path, self._number, self._facts, self._known = path, number, facts, known

    def refuse(self, problem: str) -> NoReturn:
        raise ProfileError(f"{self._path.name}, nowcast {self._number}: {problem}.", f"Correct {self._path}.")

    def target(self) -> NowcastTarget:
        unknown = next((key for key in self._facts if key not in _KEYS), None)
        if unknown is not None:
            self.refuse(f"the key '{unknown}' is none of {', '.join(_KEYS)}")
        series = self._series(self._facts.get("target"), _TARGETS)
        indicators = self._several("indicators", self._facts.get("indicators"))
        if series in indicators:
            self.refuse("the target is no indicator of itself")
        return NowcastTarget(
            series=series,
            indicators=indicators,
            most_related=self._number_of("most_related", range(1, 1001), None),
            transformations=self._transformations({series, *indicators}),
            blocks=self._blocks(set(indicators)),
            factor_order=self._number_of("factor_order", _ORDERS, 1) or 1,
        )

    def _several(self, key: str, given: object) -> tuple[str, ...]:
        if not isinstance(given, list) or not given:
            self.refuse(f"{key} is a list of series, and not empty")
        series = tuple(self._series(one, _INDICATORS) for one in given)
        twice = next((one for one in series if series.count(one) > 1), None)
        if twice is not None:
            self.refuse(f"'{twice}' stands twice in {key}")
        return series

    def _series(self, given: object, allowed: Sequence[Frequency]) -> str:
        if not isinstance(given, str):
            self.refuse("a series is written as text, indicator:region")
        try:
            key = SeriesKey.parse(given)
        except InputError as error:
            self.refuse(error.message.rstrip("."))
        indicator = self._known.indicators.get(key.indicator)
        if indicator is None:
            self.refuse(f"indicator '{key.indicator}' of '{given}' does not exist")
        if key.region not in self._known.regions:
            self.refuse(f"region '{key.region}' of '{given}' does not exist")
        if key.cluster is not None and key.cluster not in self._known.clusters:
            self.refuse(f"cluster '{key.cluster}' of '{given}' does not exist")
        if indicator.frequency not in allowed:
            nouns = ", ".join(one.noun for one in allowed)
            self.refuse(f"'{given}' has a value a {indicator.frequency.noun}, and here one a {nouns} is of use")
        return given

    def _number_of(self, key: str, allowed: range, default: int | None) -> int | None:
        given = self._facts.get(key, default)
        if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given not in allowed):
            self.refuse(f"{key} is a whole number from {allowed.start} to {allowed.stop - 1}")
        return given

    def _transformations(self, known: set[str]) -> dict[str, Transformation]:
        given = self._facts.get("transformations", {})
        if not isinstance(given, dict):
            self.refuse("transformations is a table of series and codes")
        found = {}
        for name, code in given.items():
            if name not in known:
                self.refuse(f"'{name}' in transformations is neither the target nor an indicator")
            if isinstance(code, bool) or code not in set(Transformation):
                self.refuse(f"the transformation of '{name}' is a code from 1 to 7")
            found[name] = Transformation(code)
        return found

    def _blocks(self, known: set[str]) -> dict[str, tuple[str, ...]]:
        given = self._facts.get("blocks", {})
        if not isinstance(given, dict):
            self.refuse("blocks is a table of names and lists of series")
        found = {}
        for name, some in given.items():
            found[name] = self._several(f"block '{name}'", some)
            stranger = next((one for one in found[name] if one not in known), None)
            if stranger is not None:
                self.refuse(f"'{stranger}' in block '{name}' is no indicator")
            if name == "common":
                self.refuse("the name 'common' is that of the factor of all series")
        return found
