"""A profile folder on disk: small tables as CSV, observations through pyarrow, the truth beside them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from industrial_brain.domain.city import Cluster, Enterprise, Region, Site
from industrial_brain.domain.indicators import Indicator, write_covariates
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.targeting import ChainLink
from industrial_brain.simulation.calendar import SPRING_FESTIVAL, Timeline
from industrial_brain.simulation.events import SHOCK_DECAY, Event
from industrial_brain.simulation.places import CITY, Places
from industrial_brain.simulation.presence import Presence
from industrial_brain.simulation.process import World
from industrial_brain.simulation.publication import Rows

Cell = str | float | bool | None

_PROFILE = """\
# Written by the city simulator: seed {seed}, history of ten years up to {last_month}. Every value is made up.
name = "重庆（模拟） Chongqing (simulated)"
time_zone = "Asia/Shanghai"

[source]
name = "Industrial Brain city simulator"
licence = "CC0-1.0"
simulated = true

[[nowcast]]
target = "gdp:{city}"
indicators = [
{indicators}
]
most_related = 15
"""

#: the city's indicators that may tell of its quarterly product: months, weeks, days, and a quarter that is out as late
_TELLING = (
    "output",
    "electricity",
    "employment",
    "gas_piped",
    "gas_piped_daily",
    "gas_bottled",
    "investment",
    "retail_sales",
    "exports",
    "freight",
    "floor_space_sold",
    "new_enterprises",
    "producer_prices",
    "budget_revenue",
    "online_permits",
    "tourism_revenue",
    "cinema_tickets",
    "hotline_requests",
    "vegetable_price",
    "income",
)

_TRUTH = """\
# Ground truth of a simulated city

What the simulator did on purpose, so that a forecast or a detector can be marked against it. The loader ignores this
folder. The process is described in docs/reference/simulator.md.

- `events.csv`: `id, kind, target, frequency, first, last, size, known_at, corrected_at`. `target` is a series, or a pattern
  whose `*` stands for anything; parents feel an event through their children. `first` and `last` are the starts of the
  first and last period affected.

| kind | size | what happened |
|---|---|---|
| shock | log points | log values move by size, and by {decay} of the month before in each following month |
| level_break | log points | log values move by size from `first` on |
| trend_break | log points a year | log values gain size a year from `first` on, a part of it in `first` already |
| outlier | log points | one genuine extreme value: parents have it too |
| missing | | the rows do not exist, though parents count them |
| late | days | the values became known at `known_at`, so many days after the usual day of the last of them |
| revised_error | factor | a typing error, known at `known_at`, corrected at `corrected_at`; parents never had it |

- `drivers.csv`: by day, the temperature (°C), the Spring Festival's weight, the city's common factor (log points) and
  each cluster's (`C01`, ...).
- `moves.csv`: `region, cluster, month, move, cause`: clusters that came to a district, or began to decline there.
- `odds.csv`: `year_from, region, cluster, present, relatedness, chain, probability`: for the twelve months from `year_from` on,
  how likely it was that the cluster came, or began to decline where it was present.
- Spring Festival days used: {festivals}.
"""


def write_profile(folder: Path, *, seed: int, last_month: str) -> None:
    telling = "\n".join(f'  "{code}:{CITY.code}",' for code in _TELLING)
    text = _PROFILE.format(seed=seed, last_month=last_month, city=CITY.code, indicators=telling)
    (folder / "profile.toml").write_text(text, encoding="utf-8", newline="\n")


def write_catalogue(
    folder: Path,
    regions: Iterable[Region],
    clusters: Iterable[Cluster],
    indicators: Iterable[Indicator],
    enterprises: Iterable[Enterprise],
    sites: Iterable[Site],
    links: Iterable[ChainLink],
) -> None:
    """The six tables of a profile."""
    _write(
        folder / "chain.csv",
        "supplier,customer,weight,source,simulated",
        ((one.supplier, one.customer, one.weight, one.source, one.simulated) for one in links),
    )
    _write(
        folder / "regions.csv",
        "code,name,name_en,tier,parent,longitude,latitude,simulated",
        ((r.code, r.name, r.name_en, r.tier, r.parent, r.longitude, r.latitude, r.simulated) for r in regions),
    )
    _write(
        folder / "clusters.csv",
        "code,name,name_en,class",
        ((c.code, c.name, c.name_en, c.cluster_class) for c in clusters),
    )
    _write(
        folder / "indicators.csv",
        "code,name,name_en,unit,frequency,sector,aggregation,weight,numerator,denominator,nonnegative,covariates",
        (
            (
                i.code,
                i.name,
                i.name_en,
                i.unit,
                i.frequency,
                i.sector,
                i.aggregation,
                i.weight,
                i.numerator,
                i.denominator,
                i.nonnegative,
                write_covariates(i.covariates),
            )
            for i in indicators
        ),
    )
    _write(
        folder / "enterprises.csv",
        "id,name,region,cluster,employees,simulated",
        ((e.id, e.name, e.region, e.cluster, e.employees, e.simulated) for e in enterprises),
    )
    _write(
        folder / "sites.csv",
        "id,name,kind,region,enterprise,parent,longitude,latitude,simulated",
        ((s.id, s.name, s.kind, s.region, s.enterprise, s.parent, s.longitude, s.latitude, s.simulated) for s in sites),
    )


def write_truth(folder: Path, events: Sequence[Event], timelines: Mapping[Frequency, Timeline], world: World) -> None:
    truth = folder / "truth"
    truth.mkdir()
    _write(
        truth / "events.csv",
        "id,kind,target,frequency,first,last,size,known_at,corrected_at",
        (
            (
                e.id,
                e.kind,
                e.target,
                e.frequency,
                timelines[e.frequency].label(e.first),
                timelines[e.frequency].label(e.last),
                e.size or None,
                _moment(e.known_at),
                _moment(e.corrected_at),
            )
            for e in events
        ),
    )
    clusters = [f"C{k:02d}" for k in range(1, len(world.cluster_factors) + 1)]
    columns = [world.temperature, world.festival, world.city_factor, *world.cluster_factors]
    table = np.round(np.stack(columns, axis=1), 4).tolist()
    _write(
        truth / "drivers.csv",
        ",".join(["ds", "temperature", "spring_festival", "city_factor", *clusters]),
        ((str(day), *row) for day, row in zip(world.history.days, table, strict=True)),
    )
    used = {int(str(day)[:4]) for day in world.history.days.astype("datetime64[Y]")}
    festivals = ", ".join(str(SPRING_FESTIVAL[year]) for year in sorted(used))
    text = _TRUTH.format(decay=SHOCK_DECAY, festivals=festivals)
    (truth / "README.md").write_text(text, encoding="utf-8", newline="\n")


def write_presence(folder: Path, places: Places, presence: Presence, timeline: Timeline) -> None:
    """Who came and who declined, and how likely that was."""
    _write(
        folder / "truth" / "moves.csv",
        "region,cluster,month,move,cause",
        (
            (
                places.districts[move.pair[0]].code,
                places.clusters[move.pair[1]].code,
                timeline.label(move.month),
                "came" if move.came else "declined",
                move.cause,
            )
            for move in presence.moves
        ),
    )
    _write(
        folder / "truth" / "odds.csv",
        "year_from,region,cluster,present,relatedness,chain,probability",
        (
            (
                timeline.label(odds.month),
                district.code,
                cluster.code,
                bool(odds.present[row, column]),
                *(round(float(t[row, column]), 5) for t in (odds.relatedness, odds.chain, odds.probability)),
            )
            for odds in presence.odds
            for row, district in enumerate(places.districts)
            for column, cluster in enumerate(places.clusters)
        ),
    )


class ObservationFiles:
    """`observations-monthly.csv` and its kind, one file a frequency, open while indicators come in."""

    _HEADER = b"unique_id,ds,y,known_at,simulated\n"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Frequency, BinaryIO] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self._files.values():
            file.close()

    def write(self, rows: Rows) -> None:
        """Append the rows of one indicator, each marked as simulated."""
        table = pa.table(
            {
                "unique_id": _repeated(np.array(rows.ids), rows.series),
                "ds": _repeated(np.datetime_as_string(rows.timeline.starts), rows.periods),
                # a quotient of two exact doubles is the double nearest to the decimal: it prints as that decimal
                "y": pa.array(rows.units / 10.0**rows.spec.decimals),
                "known_at": _moments(rows),
                "simulated": pa.repeat(True, len(rows.units)),
            }
        )
        pa.csv.write_csv(
            table, self._file(rows.timeline.frequency), pa.csv.WriteOptions(include_header=False, quoting_style="none")
        )

    def _file(self, frequency: Frequency) -> BinaryIO:
        if frequency not in self._files:
            path = self._folder / f"observations-{frequency.name.lower()}.csv"
            self._files[frequency] = path.open("wb")
            self._files[frequency].write(self._HEADER)
        return self._files[frequency]


def _repeated(texts: npt.NDArray[np.str_], positions: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(texts.tolist(), pa.string()).take(pa.array(positions))


def _moments(rows: Rows) -> pa.Array:
    distinct, position = np.unique(rows.known_at, return_inverse=True)
    return _repeated(np.datetime_as_string(distinct, timezone="UTC"), position)


def _moment(moment: np.datetime64 | None) -> str | None:
    return None if moment is None else f"{moment}Z"


def _write(path: Path, header: str, rows: Iterable[Sequence[Cell]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header.split(","))
        table.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Cell) -> Cell:
    """Booleans as `true` and `false`, nothing as an empty cell."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
