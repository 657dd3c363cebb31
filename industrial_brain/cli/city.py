"""Commands about the city and its data: init, simulate city, import, indicators."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from industrial_brain.cli.reports import print_import, print_profile
from industrial_brain.cli.terminal import brain, err, moment, now, out, progress_bar, table, waiting
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.indicators import Source
from industrial_brain.domain.periods import Frequency


def add_to(app: typer.Typer) -> None:
    app.command()(init)
    importing = typer.Typer(help="Bring in your own data.", no_args_is_help=True)
    importing.command("indicators")(import_indicators)
    importing.command("chain")(import_chain)
    app.add_typer(importing, name="import")
    app.command()(indicators)


def init(
    profile: Annotated[
        list[Path] | None, typer.Option(help="City profile to load: a folder of CSV and TOML files. Can be repeated.")
    ] = None,
) -> None:
    """Make the database, or bring it up to date; load city profiles into it.

    Safe to repeat: what is already there stays, and counts as duplicate.

    Example: `brain init --profile examples/small-city`
    """
    from industrial_brain.storage.profile import load_profile

    wired = brain()
    with waiting("Preparing the database"):
        wired.initialise()
    for folder in profile or []:
        with progress_bar(f"Loading {folder.name}") as progress:
            report = load_profile(
                folder,
                catalogue=wired.catalogue,
                observations=wired.observations,
                chain=wired.chain,
                now=wired.clock(),
                progress=progress,
            )
        print_profile(report)
    counts = wired.catalogue.counts()
    out.print("The database has " + ", ".join(f"{count:,} {kind}" for kind, count in counts.items()) + ".")


def simulate_city(
    folder: Annotated[Path, typer.Argument(help="Folder to write the city profile to; it must not hold one yet.")],
    seed: Annotated[int, typer.Option(help="Equal seeds write equal cities.")] = 20260101,
    last_month: Annotated[
        str | None, typer.Option(help="Last month of the history, as YYYY-MM; default: the last full month.")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="A few districts instead of all 38.")] = False,
) -> None:
    """Write a simulated Chongqing as a city profile: real names and codes, made-up numbers, known ground truth.

    Load it with `brain init --profile FOLDER`. Every value says that it is simulated; the generating process is
    described in docs/reference/simulator.md.
    """
    from industrial_brain.simulation.city import FULL, SMALL, write_city

    with progress_bar("Simulating the city", "indicators") as progress:
        summary = write_city(
            folder,
            seed=seed,
            last_month=last_month or last_full_month(now()),
            size=SMALL if small else FULL,
            progress=progress,
        )
    out.print(
        f"Wrote a simulated city to {folder}: {summary.series:,} series with {summary.observations:,} observations, "
        f"{summary.regions:,} regions, {summary.enterprises:,} enterprises, {summary.sites:,} sites.",
        soft_wrap=True,
    )


def import_indicators(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet: long (unique_id, ds, y) or wide.")],
    freq: Annotated[
        Frequency | None, typer.Option(help="Frequency of new series; default: read off their dates.")
    ] = None,
    unit: Annotated[str, typer.Option(help="Unit of new series, in UCUM.")] = "1",
    encoding: Annotated[
        str | None, typer.Option(help="Encoding of a CSV; default: found out (UTF-8, GBK, ...).")
    ] = None,
    known_at: Annotated[
        str | None, typer.Option(help="When the values became known, where the file does not say; default: now.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Name of the source; default: the file's name.")] = None,
    licence: Annotated[str, typer.Option(help="Licence of the data.")] = "unknown",
    simulated: Annotated[bool, typer.Option("--simulated", help="The values are made up; say so everywhere.")] = False,
    declare: Annotated[
        bool, typer.Option("--declare/--no-declare", help="Add series that are new, or reject their rows.")
    ] = True,
    rejects: Annotated[Path | None, typer.Option(help="CSV file to write every rejected row to.")] = None,
) -> None:
    """Import observations, and say what became of every row.

    Revised values are kept beside the ones they revise. Repeating an import changes nothing. Ids written
    `indicator:region[:cluster]` with codes that the city knows are the city's series; other ids are series of their own.

    Example: `brain import indicators examples/indicators-long.csv --rejects rejected.csv`
    """
    from industrial_brain.storage.indicator_files import import_indicators as run

    wired = brain()
    with progress_bar(f"Importing {file.name}") as progress:
        report = run(
            file,
            catalogue=wired.catalogue,
            observations=wired.observations,
            source=Source(source or file.name, licence, simulated=simulated),
            known_at=moment(known_at) if known_at else wired.clock(),
            frequency=freq,
            unit=unit,
            encoding=encoding,
            declare=declare,
            now=wired.clock(),
            progress=progress,
            rejects=rejects,
        )
    print_import(report)
    if report.accepted + report.revised + report.duplicate == 0:
        raise InputError(
            f"{file.name} brought nothing: " + ("every row was rejected." if report.rejected else "it has no rows."),
            "The reasons are above." if report.rejected else "Was it cut off?",
        )


def import_chain(
    file: Annotated[
        Path,
        typer.Argument(help="CSV with the columns supplier, customer and, where wanted, weight, source, simulated."),
    ],
    source: Annotated[str | None, typer.Option(help="Name of the source; default: the file's name.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="The links are made up; say so everywhere.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Forget all links that are known already.")] = False,
) -> None:
    """Import a production chain: which cluster supplies which. A link that is known already gets the file's weight.

    Example: `brain import chain links.csv --source "survey of 2026"`
    """
    from industrial_brain.storage.files.chain import read_chain
    from industrial_brain.storage.listing import all_clusters

    wired = brain()
    if not file.is_file():
        raise InputError(f"There is no file {file}.", "Name a CSV file.")
    links = read_chain(file, all_clusters(wired.catalogue), source=source or file.name, simulated=simulated)
    if not links:
        raise InputError(f"{file.name} brought nothing: it has no rows.", "Was it cut off?")
    wired.chain.put_links(links, replace=replace)
    out.print(f"{len(links):,} links from {file.name}; the chain has {len(wired.chain.links()):,}.", soft_wrap=True)
    err.print("Targets see them from the next version on: `brain train targeting`.")


def indicators(
    search: Annotated[str, typer.Argument(help="Part of an id or a name; nothing lists all.")] = "",
    region: Annotated[str | None, typer.Option(help="Only this region (code).")] = None,
    cluster: Annotated[str | None, typer.Option(help="Only this cluster (code).")] = None,
    freq: Annotated[Frequency | None, typer.Option(help="Only this frequency.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to print.")] = 20,
) -> None:
    """List the series that can be forecast.

    Example: `brain indicators gas --region 500103`
    """
    page = brain().catalogue.list_series(
        search=search or None, region=region, cluster=cluster, frequency=freq, limit=limit
    )
    if not page.items:
        err.print("No series matches. `brain indicators` lists all; `brain init --profile DIR` loads a city.")
        return
    listing = table("id", "name", "unit", "freq", "source")
    for info in page.items:
        listing.add_row(info.id, info.name, info.unit, info.frequency, "simulated" if info.simulated else "real")
    out.print(listing)
    if page.total > len(page.items):
        err.print(f"{len(page.items)} of {page.total:,}; narrow the search, or raise --limit.")


def last_full_month(today: dt.datetime) -> str:
    """The month before this moment's, as YYYY-MM."""
    return f"{today.replace(day=1) - dt.timedelta(days=1):%Y-%m}"
