"""Loading a city profile: a folder of plain files that describe a city and bring its observations."""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from industrial_brain.domain.errors import FileFormatError, ProfileError
from industrial_brain.domain.indicators import Source
from industrial_brain.domain.protocols import Catalogue, ObservationStore, Progress, no_progress
from industrial_brain.domain.targeting import ChainStore
from industrial_brain.storage.files.chain import read_chain
from industrial_brain.storage.files.nowcasts import read_nowcasts
from industrial_brain.storage.files.profile_tables import CityTables, read_tables
from industrial_brain.storage.files.report import ImportReport
from industrial_brain.storage.files.rows import read_table
from industrial_brain.storage.indicator_files import import_indicators
from industrial_brain.storage.listing import all_clusters
from industrial_brain.storage.moments import to_microseconds


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """What a profile brought.

    Attributes:
        time_zone: IANA name.
        known_at: when observations became known that don't say it themselves.
        records: rows of each table file: regions, clusters, indicators, enterprises, sites, chain links; and nowcasts declared.
        imports: one report for each file of observations.
    """

    name: str
    time_zone: str
    source: Source
    known_at: dt.datetime
    records: Mapping[str, int]
    imports: tuple[ImportReport, ...]


def load_profile(
    directory: Path,
    *,
    catalogue: Catalogue,
    observations: ObservationStore,
    now: dt.datetime,
    chain: ChainStore | None = None,
    progress: Progress = no_progress,
) -> ProfileReport:
    """Check a whole profile, then store it. Loading the same one again changes nothing; a second one adds to a first.

    Codes may be those of the profile or of what is stored already. Rows of observations are checked as they are
    imported, and reported like those of any file (`ProfileReport.imports`).

    Args:
        now: the clock, and the moment of knowledge where neither file nor profile gives one.
        chain: where the profile's chain is put; without one it is checked, and not kept.
        progress: of the files of observations, one after the other.

    Raises:
        ProfileError: the profile contradicts itself; names file and line. Nothing is written.
        FileFormatError: a file of observations is no table. Nothing is written.
    """
    header = _read_header(directory, now)
    _refuse_strangers(directory)
    files = sorted(path for path in directory.iterdir() if _is_observations(path))
    for path in files:
        _check_layout(path)
    tables = read_tables(directory, catalogue, simulated=header.source.simulated)
    nowcasts = read_nowcasts(directory / "profile.toml", header.nowcasts, tables, catalogue)
    links = read_chain(
        directory / "chain.csv",
        {*all_clusters(catalogue), *tables.clusters},
        source=header.source.name,
        simulated=header.source.simulated,
    )
    _put(catalogue, tables)
    if chain is not None:
        chain.put_links(links)
    catalogue.put_nowcasts(nowcasts)
    imports = tuple(
        import_indicators(
            path,
            catalogue=catalogue,
            observations=observations,
            source=header.source,
            known_at=header.known_at,
            declare=False,
            now=now,
            progress=progress,
        )
        for path in files
    )
    records = {
        "regions": len(tables.regions),
        "clusters": len(tables.clusters),
        "indicators": len(tables.indicators),
        "enterprises": len(tables.enterprises),
        "sites": len(tables.sites),
        "nowcasts": len(nowcasts),
    }
    if links:
        records["chain links"] = len(links)
    return ProfileReport(header.name, header.time_zone, header.source, header.known_at, records, imports)


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    time_zone: str
    source: Source
    known_at: dt.datetime
    nowcasts: object


def _read_header(directory: Path, now: dt.datetime) -> _Header:
    path = directory / "profile.toml"
    if not directory.is_dir():
        raise ProfileError(f"{directory} is not a folder.", "Name the folder that holds profile.toml.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ProfileError(f"{directory} holds no profile.toml.", "Every profile needs one.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path} is not TOML: {error}.") from error
    source = content.get("source")
    if not isinstance(source, dict):
        raise ProfileError(f"{path} has no table [source].", "Say where the values come from.")
    _allow(path, content, {"name", "time_zone", "source", "nowcast"})
    _allow(path, source, {"name", "licence", "url", "simulated", "known_at"})
    return _Header(
        name=_value(path, content, "name", str),
        time_zone=_time_zone(path, _value(path, content, "time_zone", str)),
        source=Source(
            name=_value(path, source, "name", str),
            licence=_value(path, source, "licence", str),
            url=_value(path, source, "url", str, ""),
            simulated=_value(path, source, "simulated", bool),
        ),
        known_at=_known_at(path, source, now),
        nowcasts=content.get("nowcast", []),
    )


def _allow(path: Path, table: Mapping[str, object], keys: set[str]) -> None:
    unknown = next((key for key in table if key not in keys), None)
    if unknown is not None:
        raise ProfileError(f"{path} has the unknown key '{unknown}'.", f"Known are {', '.join(sorted(keys))}.")


def _value(path: Path, table: Mapping[str, Any], key: str, kind: type, default: object = None) -> Any:
    value = table.get(key, default)
    if not isinstance(value, kind):
        raise ProfileError(f"{path} needs '{key}' as a {'text' if kind is str else 'true or false'}.")
    return value


def _time_zone(path: Path, name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ProfileError(f"{path}: '{name}' is not a time zone.", "Write it like Asia/Shanghai.") from error


def _known_at(path: Path, source: Mapping[str, object], now: dt.datetime) -> dt.datetime:
    moment = source.get("known_at", now)
    if not isinstance(moment, dt.datetime) or moment.tzinfo is None:
        raise ProfileError(f"{path}: known_at is no moment with an offset.", "Write it like 2026-01-01T00:00:00Z.")
    if to_microseconds(moment) > to_microseconds(now):
        raise ProfileError(f"{path}: known_at has not come yet.", "Give a moment that has passed.")
    return moment


_TABLES = {"regions.csv", "clusters.csv", "indicators.csv", "enterprises.csv", "sites.csv", "chain.csv"}


def _is_observations(path: Path) -> bool:
    return path.name.startswith("observations") and path.suffix in (".csv", ".parquet")


def _refuse_strangers(directory: Path) -> None:
    # a misspelt regions.csv would otherwise be left out in silence
    for path in sorted(directory.iterdir()):
        if path.suffix in (".csv", ".parquet") and path.name not in _TABLES and not _is_observations(path):
            raise ProfileError(
                f"{path} is not a file of a profile.",
                f"Known are {', '.join(sorted(_TABLES))}, observations*.csv and observations*.parquet.",
            )


def _check_layout(path: Path) -> None:
    try:
        layout = read_table(path, encoding=None, is_period=lambda _: False, progress=no_progress).layout
    except FileFormatError as error:
        raise ProfileError(error.message, error.next_step) from error
    if layout != "long":
        raise ProfileError(f"{path} is not long.", "Observations of a profile have the columns unique_id, ds, y.")


def _put(catalogue: Catalogue, tables: CityTables) -> None:
    catalogue.put_regions(tables.regions.values())
    catalogue.put_clusters(tables.clusters.values())
    catalogue.put_indicators(tables.indicators.values())
    catalogue.put_enterprises(tables.enterprises.values())
    catalogue.put_sites(tables.sites.values())
