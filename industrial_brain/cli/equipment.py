"""Training of equipment's detectors."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from industrial_brain.cli.terminal import brain, err, moment, now, out, progress_bar, standing, table, waiting
from industrial_brain.composition import Task
from industrial_brain.domain.forecasts import Failed

if TYPE_CHECKING:
    from training.anomaly_pipeline import AnomalyReport

#: failed machines that are named
_NAMED = 10


def add_to(train: typer.Typer) -> None:
    train.command("anomaly")(train_anomaly)


def train_anomaly(
    equipment: Annotated[
        str | None,
        typer.Option("--class", help="Class of equipment, such as `pump`; the others are carried over. Default: all."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Train on readings up to then: a date, or an RFC 3339 moment. Default: now.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: BRAIN_RAY_ADDRESS, or this machine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that draws.")] = 0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Train though neither data nor code have changed.")] = False,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Make the version champion if it passes the gate.")
    ] = True,
) -> None:
    """Fit detectors for machines of a class, from the last 28 days of their readings; register, judge, promote them.

    Rows that operators labelled as faults or maintenance are not learnt from. A failed run changes nothing.

    Example: `brain train anomaly --class pump`
    """
    wired = brain()
    vintage = moment(as_of) if as_of else None
    if as_of == f"{now():%Y-%m-%d}":
        vintage = now()  # a date means its end, and today's has not come
    wired.require_database()  # before Ray is started for nothing
    with waiting("Looking for news"):
        champion = wired.versions_of(Task.ANOMALY).current()
        fresh = champion is None or vintage is not None or anyway or wired.has_anomaly_news(champion, equipment)
    if champion is not None and not fresh:
        out.print(f"Version {champion.version} was trained on just this data, by just this code: nothing to train.")
        err.print("Train all the same with --anyway.")
        return
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Fitting", "machines") as progress:
            report = wired.train_anomalies(
                executor, equipment=equipment, as_of=vintage, seed=seed, promote=promote, progress=progress
            )
    print_anomaly_report(report)


def print_anomaly_report(report: AnomalyReport) -> None:
    """What a run did: each class, the gate's verdict, failures by name."""
    figures = table("class", "machines#", "sensors#", "grid#", "false alarms#", "simulated faults found#")
    for name, one in report.bundle.classes.items():
        false, found = (report.metrics.get(f"{key}.{name}") for key in ("false_alarms", "found"))
        figures.add_row(
            name,
            str(len(one.equipment.detectors)),
            str(len(one.equipment.sensors)),
            f"{one.step // 1_000_000} s",
            "-" if false is None else f"{false:.1%}",
            "-" if found is None else f"{found:.0%}",
        )
    out.print(figures)
    failed = [outcome for outcome in report.outcomes if isinstance(outcome, Failed)]
    for outcome in failed[:_NAMED]:
        out.print(f"Failed: {outcome.series}: {outcome.reason}", soft_wrap=True)
    if len(failed) > _NAMED:
        out.print(f"... and {len(failed) - _NAMED} more; outcomes.csv of the run has all.")
    for check in report.verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    out.print(f"Version {report.version.version} of {report.version.name} is {standing(report.version)}.")
