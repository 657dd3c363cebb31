"""The bundle: all nowcasts of one version, as arrays and one text file. Never a pickle.

    manifest.json         schema, vintage, provenance, targets with their layout, failures
    nowcast-N.npz         the arrays of the manifest's N-th target

A model is rebuilt from these and statsmodels: no object of statsmodels' is kept.
"""

from __future__ import annotations

import datetime as dt
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from zipfile import BadZipFile

import numpy as np

from industrial_brain.domain.errors import BrainError, BundleError, HorizonError, LevelError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import HIGHEST_LEVEL
from models.nowcast.factor_model import Estimate, Layout
from models.nowcast.fitted import STEPS, FittedNowcast, Record
from models.nowcast.table import MonthTable
from models.nowcast.transform import Scaling

SCHEMA = 2

AREA = "nowcast"

_DAMAGE = (OSError, EOFError, LookupError, ValueError, TypeError, AttributeError, BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class NowcastBundle:
    """All targets of one version. Immutable, and safe to share between threads.

    Attributes:
        vintage: the moment up to which data was known (UTC).
        targets: by the id of their series.
        failed: declared targets that could not be fitted, and why.
        provenance: what the training run recorded of itself.
    """

    vintage: dt.datetime
    targets: Mapping[str, FittedNowcast]
    failed: tuple[Failed, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> Self:
        """Itself: a nowcast reads what is known at each question, and keeps no state of its own."""
        return self

    def failures(self) -> Iterator[Failed]:
        yield from self.failed

    def forecast(
        self, series: Sequence[str], horizon: int | None = None, levels: Sequence[float] = (80, 95)
    ) -> list[Forecast | Failed]:
        """Nowcasts on the data that the version was trained on: `horizon` periods from the first unpublished one.

        The same question as a forecasting bundle answers, so that both are served alike.

        Args:
            horizon: 1 to the periods that can be told of (see `FittedNowcast.view`); all of them, without one.
            levels: central intervals in percent, above 0 and up to 99.

        Raises:
            HorizonError, LevelError: nothing is answered then.
        """
        wanted = probabilities(levels)
        if horizon is not None and horizon < 1:
            raise HorizonError(f"A horizon of {horizon} can't be answered.", "Ask for 1 or more.", pointer="/horizon")
        return [self._forecast(name, horizon, wanted) for name in series]

    def _forecast(self, name: str, horizon: int | None, wanted: Sequence[float]) -> Forecast | Failed:
        fitted = self.targets.get(name)
        if fitted is None:
            known = next((failed for failed in self.failed if failed.series == name), None)
            return known or Failed(name, f"{name} is no target of this version.")
        try:
            view = fitted.view(fitted.table, fitted.month)
            periods = view.periods()[:horizon]
            answers = [view.answer(period, wanted) for period in periods]
        except BrainError as error:
            return Failed(name, str(error))
        return Forecast(
            series=name,
            freq=fitted.freq,
            unit=fitted.unit,
            start=answers[0].period,
            mean=tuple(one.mean for one in answers),
            quantiles={key: tuple(one.quantiles[key] for one in answers) for key in answers[0].quantiles},
            method="dynamic factor model",
            fallback=None,
            notes=fitted.notes,
            vintage=self.vintage,
            simulated=fitted.simulated,
        )

    def write(self, folder: Path) -> None:
        """Write the bundle's files into a folder, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        for number, fitted in enumerate(self.targets.values()):
            np.savez_compressed(folder / f"nowcast-{number}.npz", allow_pickle=False, **_to_arrays(fitted))
        manifest = {
            "schema": SCHEMA,
            "area": AREA,
            "vintage": self.vintage.isoformat(),
            "provenance": dict(self.provenance),
            "targets": [_facts(fitted) for fitted in self.targets.values()],
            "failed": [{"series": one.series, "reason": one.reason} for one in self.failed],
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what `write` wrote.

        Raises:
            BundleError: no bundle of nowcasts, or one that this code can't read.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BundleError(f"{folder} does not hold a bundle: {error}.", "Train a new version.") from error
        known = isinstance(manifest, dict) and (manifest.get("area"), manifest.get("schema")) == (AREA, SCHEMA)
        if not known:
            raise BundleError(
                f"{folder} does not hold a bundle of nowcasts of schema {SCHEMA}.",
                "Use the release that trained it, or train a new version.",
            )
        try:
            targets = {}
            for number, facts in enumerate(manifest["targets"]):
                with (
                    (folder / f"nowcast-{number}.npz").open("rb") as file,
                    np.load(file, allow_pickle=False) as archive,
                ):
                    targets[facts["target"]] = _from_arrays(facts, archive)
            return cls(
                vintage=dt.datetime.fromisoformat(manifest["vintage"]),
                targets=targets,
                failed=tuple(Failed(one["series"], one["reason"]) for one in manifest["failed"]),
                provenance=dict(manifest["provenance"]),
            )
        except _DAMAGE as error:
            raise BundleError(
                f"The bundle in {folder} is damaged: {type(error).__name__}: {error}.", "Train a new version."
            ) from error


def probabilities(levels: Sequence[float]) -> list[float]:
    """The probabilities of central intervals in percent, and the median. Raises LevelError."""
    for place, level in enumerate(levels):
        if not 0.0 < level <= HIGHEST_LEVEL:
            raise LevelError(
                f"{level:g} is not a level that can be answered.",
                f"Levels are percentages above 0 and up to {HIGHEST_LEVEL:g}, for instance 80 and 95.",
                pointer=f"/levels/{place}",
            )
    tails = {round((1.0 - level / 100.0) / 2.0, 6) for level in levels}
    return sorted(tails | {0.5} | {round(1.0 - tail, 6) for tail in tails})


def _facts(fitted: FittedNowcast) -> dict[str, Any]:
    return {
        "target": fitted.target,
        "frequency": str(fitted.freq),
        "unit": fitted.unit,
        "simulated": fitted.simulated,
        "monthly": fitted.layout.monthly,
        "blocks": {name: list(ids) for name, ids in fitted.layout.blocks.items()},
        "factor_order": fitted.layout.order,
        "converged": fitted.estimate.converged,
        "iterations": fitted.estimate.iterations,
        "month": fitted.month,
        "notes": list(fitted.notes),
    }


def _to_arrays(fitted: FittedNowcast) -> dict[str, Any]:
    table = fitted.table
    return {
        "ids": np.array(fitted.layout.ids, dtype=np.str_),
        "params": fitted.estimate.params,
        "spread": fitted.spread,
        "table/quarterly": table.quarterly,
        "table/start": np.array(table.start),
        "table/values": table.values,
        **{f"scaling/{one.name}": getattr(fitted.scaling, one.name) for one in fields(Scaling)},
        **{f"record/{one.name}": getattr(fitted.record, one.name) for one in fields(Record)},
    }


def _from_arrays(facts: Mapping[str, Any], archive: Mapping[str, Any]) -> FittedNowcast:
    ids = tuple(archive["ids"].tolist())
    spread = archive["spread"]
    if spread.shape != (STEPS,):
        raise ValueError(f"intervals are calibrated for {spread.shape} steps, not {STEPS}")
    return FittedNowcast(
        target=facts["target"],
        freq=Frequency(facts["frequency"]),
        unit=facts["unit"],
        simulated=facts["simulated"],
        layout=Layout(
            ids, facts["monthly"], {name: tuple(some) for name, some in facts["blocks"].items()}, facts["factor_order"]
        ),
        scaling=Scaling(**{one.name: archive[f"scaling/{one.name}"] for one in fields(Scaling)}),
        estimate=Estimate(archive["params"], facts["converged"], facts["iterations"]),
        table=MonthTable(ids, archive["table/quarterly"], int(archive["table/start"]), archive["table/values"]),
        month=facts["month"],
        spread=spread,
        record=Record(**{one.name: archive[f"record/{one.name}"] for one in fields(Record)}),
        notes=tuple(facts["notes"]),
    )
