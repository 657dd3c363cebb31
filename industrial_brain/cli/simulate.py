"""Commands that make things up, and say so: a city, and the telemetry of its factories and gas stations."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from industrial_brain.cli.city import simulate_city
from industrial_brain.cli.terminal import err, now, out, progress_bar, table
from industrial_brain.domain.errors import BrainError, InputError

if TYPE_CHECKING:
    from industrial_brain.cli.feeding import Pace, Tally
    from industrial_brain.simulation.labels import Agreement
    from industrial_brain.simulation.plant import Plant

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

_Server = Annotated[str | None, typer.Option(help="Address of a running server, such as http://127.0.0.1:8000.")]
_Key = Annotated[str, typer.Option(envvar="BRAIN_KEY", help="API key; better in BRAIN_KEY than on the command line.")]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Make things up, and say so: simulated cities, telemetry.", no_args_is_help=True)
    group.command("city")(simulate_city)
    group.command("telemetry")(telemetry)
    group.command("score")(score)
    app.add_typer(group, name="simulate")


def telemetry(
    server: _Server = None,
    key: _Key = "",
    devices: Annotated[int, typer.Option(help="How many devices, gateways included.")] = 50,
    sites: Annotated[int, typer.Option(help="Factories and gas stations that they are spread over.")] = 2,
    minutes: Annotated[float, typer.Option(help="Span of simulated time.")] = 1440.0,
    every: Annotated[float, typer.Option(help="Seconds between two readings of a sensor.")] = 60.0,
    live: Annotated[float, typer.Option(help="Send the last so many minutes as they come, in real time.")] = 0.0,
    speedup: Annotated[float | None, typer.Option(help="Simulated seconds a second, over the whole span.")] = None,
    rate: Annotated[float | None, typer.Option(help="Readings a second, at most.")] = None,
    faults: Annotated[int, typer.Option(help="Faults to plant, at most one a device.")] = 11,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only faults of this kind; can be repeated. docs/reference/simulator.md.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="JSON file for the ground truth: what was planted where.")] = None,
    declarations: Annotated[
        Path | None,
        typer.Option(help="CSV file for what an operator would declare: classes, gateways, limits, counters."),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write readings to this .csv or .parquet file; no server needed.")
    ] = None,
    shape: Annotated[str, typer.Option("--format", help="Body of the requests: arrow, columns or rows.")] = "arrow",
    seed: Annotated[int, typer.Option(help="Equal seeds make equal telemetry, for equal times.")] = 20260101,
) -> None:
    """Post simulated telemetry, with labelled faults in it, to a running server.

    By default a day that ends now, as fast as the server takes it. Sites and devices are named `sim-...`. The key must be
    allowed to write to them: `brain keys create simulator --role factory --site sim-F0001 --site sim-G001`.

    Example: `brain simulate telemetry --server http://127.0.0.1:8000 --labels labels.json`
    """
    from industrial_brain.cli.feeding import Format, Pace
    from industrial_brain.simulation.faults import Kind
    from industrial_brain.simulation.labels import truth_of, write_declarations, write_truth
    from industrial_brain.simulation.plant import Plant

    if (server is None) == (out_file is None):
        raise InputError("Telemetry goes to a server or to a file.", "Give --server URL, or --out FILE.")
    if shape not in set(Format):
        raise InputError(f"'{shape}' is not a format.", f"Choose one of {', '.join(Format)}.")
    unknown = sorted(set(kind or ()) - set(Kind))
    if unknown:
        raise InputError(f"'{unknown[0]}' is not a kind of fault.", f"Choose among {', '.join(Kind)}.")
    pace = Pace(_whole_seconds(now()), live, speedup, rate)
    plant = Plant.of(
        seed=seed,
        devices=devices,
        sites=sites,
        start=pace.start(minutes),
        minutes=minutes,
        every=every,
        faults=faults,
        kinds=tuple(Kind(one) for one in kind or Kind),
    )
    if labels is not None:
        truth = truth_of(plant, history_until=pace.history_until(plant))
        write_truth(labels, truth)  # before anything is sent: a file that can't be written is told now
    if declarations is not None:
        write_declarations(declarations, plant)
    if out_file is not None:
        _write(plant, out_file)
    elif server is not None:
        _post(plant, server, key, pace, Format(shape), labels)


def score(
    labels: Annotated[Path, typer.Argument(help="Ground truth, as `brain simulate telemetry --labels` wrote it.")],
    server: _Server = None,
    key: _Key = "",
) -> None:
    """Compare the anomalies that a server has found with the faults that were planted: precision, recall, delay.

    Example: `brain simulate score labels.json --server http://127.0.0.1:8000`
    """
    from industrial_brain.cli.episodes import episodes_of
    from industrial_brain.simulation.labels import agreement, read_truth
    from serving.sending import TelemetryServer

    truth = read_truth(labels)
    if server is None:
        raise InputError("Whose anomalies?", "Give --server URL.")
    _print_agreement(agreement(truth, episodes_of(TelemetryServer(server, key), truth)))


def _post(plant: Plant, server: str, key: str, pace: Pace, shape: str, labels: Path | None) -> None:
    from industrial_brain.cli.feeding import CONNECTIONS, Format, Tally, feed
    from industrial_brain.simulation.labels import truth_of, write_truth
    from serving.sending import TelemetryServer

    reached = TelemetryServer(server, key, connections=CONNECTIONS)
    tally = Tally()
    begun = now()

    def told(error: BrainError, seconds: float) -> None:
        err.print(f"{error.message} Again in {seconds:.1f} s.", soft_wrap=True)

    try:
        with progress_bar("Posting simulated telemetry", "readings") as progress:
            feed(plant, reached, pace, Format(shape), tally=tally, progress=progress, told=told)
    finally:
        if labels is not None:
            write_truth(labels, truth_of(plant, tally.until or plant.start, pace.history_until(plant)))
        if tally.sent:
            _print_tally(plant, tally, (now() - begun).total_seconds())


def _print_tally(plant: Plant, tally: Tally, seconds: float) -> None:
    out.print(
        f"Simulated: {len(plant.devices):,} devices at {len(plant.sites)} sites, {plant.channels:,} sensors, "
        f"{len(plant.faults)} faults planted. Sent {tally.sent:,} readings in {seconds:.1f} s: {tally.accepted:,} accepted "
        f"({tally.late:,} of them late), {tally.duplicate:,} duplicate, {tally.rejected:,} rejected.",
        soft_wrap=True,
    )
    for code, detail in tally.reasons.items():
        err.print(f"rejected, {code}: {detail}", soft_wrap=True)


def _write(plant: Plant, file: Path) -> None:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from industrial_brain.cli.feeding import table_of_readings
    from industrial_brain.simulation.telemetry import blocks

    if file.suffix not in (".csv", ".parquet"):
        raise InputError(f"'{file}' is neither .csv nor .parquet.", "Name the file by one of these.")
    parts = []
    with progress_bar("Simulating telemetry", "readings") as progress:
        for block in blocks(plant):
            for readings in block:
                made = table_of_readings(plant, readings).add_column(0, "site", pa.repeat(readings.site, len(readings)))
                parts.append(made.append_column("simulated", pa.repeat(True, len(readings))).unify_dictionaries())
            progress(sum(map(len, parts)), None)
    readings_table = pa.concat_tables(parts)
    try:
        if file.suffix == ".csv":
            pyarrow.csv.write_csv(readings_table, file)
        else:
            pyarrow.parquet.write_table(readings_table, file)
    except OSError as error:
        raise InputError(f"'{file}' can't be written: {error}.", "Name another file.") from error
    out.print(f"Wrote {len(readings_table):,} simulated readings to {file}.", soft_wrap=True)


def _print_agreement(found: Agreement) -> None:
    listing = table("fault", "planted#", "found#", "delay (min)#", "seen as")
    for kind in found.kinds:
        delay = "-" if kind.delay is None else f"{kind.delay / 60:.1f}"
        hidden = (f"{kind.hidden} not to be found in a history",) if kind.hidden else ()
        listing.add_row(
            kind.kind,
            str(kind.planted + kind.hidden),
            str(kind.found),
            delay,
            ", ".join((*kind.causes, *hidden)) or "-",
        )
    out.print(listing)
    precision = "-" if found.precision is None else f"{found.precision:.0%}"
    recall = "-" if found.recall is None else f"{found.recall:.0%}"
    out.print(
        f"Simulated faults: {found.found} of {found.planted} found (recall {recall}); {found.right} of {found.episodes} "
        f"episodes belong to one (precision {precision}); {found.false_per_device_day:.3f} false episodes a device and day.",
        soft_wrap=True,
    )
    if found.hidden:
        out.print(f"Not to be found in a history, and not counted: {found.hidden} silences.", soft_wrap=True)


def _whole_seconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(seconds=1) * 1_000_000
