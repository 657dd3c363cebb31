"""Commands about risks: train, tell."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from industrial_brain.cli.terminal import brain, out, progress_bar, standing, table, waiting
from industrial_brain.domain.risks import Outlook, RiskTask

if TYPE_CHECKING:
    from training.risk.pipeline import RiskReport

#: cases whose reasons are printed; --json has all
_EXPLAINED = 3

_OUTLOOKS = {
    Outlook.HARM: "harm",
    Outlook.NO_HARM: "no harm",
    Outlook.UNKNOWN: "don't know",
    Outlook.NEITHER: "unlike any known case",
}


def add_to(app: typer.Typer) -> None:
    app.command()(risks)


def train_risk(
    task: Annotated[RiskTask, typer.Option(help="Whose risk: enterprises', the gas network's, or clusters'.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of cases whose end is known; default: the shipped or simulated ones of the task."),
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: BRAIN_RAY_ADDRESS, or this machine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that draws.")] = 0,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Make the version champion if it passes the gate.")
    ] = True,
) -> None:
    """Learn a risk from cases whose end is known, register a version, judge it beside the champion, promote it if it passes.

    Example: `brain train risk --task enterprise`

    Example: `brain train risk --task gas --data my_incidents`
    """
    wired = brain()
    with waiting("Reading the cases"):
        cases = wired.risk_cases(task, data)
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Searching", "fits") as progress:
            report = wired.train_risk(executor, task, cases, seed=seed, promote=promote, progress=progress)
    print_report(report)


def risks(
    task: Annotated[RiskTask, typer.Option(help="Whose risk: enterprises', the gas network's, or clusters'.")],
    file: Annotated[
        Path | None, typer.Option("--csv", help="Cases to tell of, CSV or Parquet; default: those of the task.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of cases whose end is known, as for training, in the place of --csv.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many are shown, the worst first.")] = 10,
    level: Annotated[float, typer.Option(help="Percent of cases of each kind whose outlook holds the truth.")] = 90.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Where harm is likely, how sure that is, and why: the worst cases first, by the task's champion.

    Example: `brain risks --task enterprise --csv firms.csv --top 5`
    """
    wired = brain()
    with waiting("Looking at the cases"):
        found = wired.risks(task, file, data, level=level, top=top)
    if as_json:
        out.print_json(json.dumps(found.as_json()))
        return
    if found.simulated:
        out.print("Simulated cases: these numbers say nothing about a real city.", style="yellow")
    shown = table("case", "grade", "probability#", f"outlook ({level:g}%)")
    for name, answer in found.worst:
        shown.add_row(name, str(answer.grade), f"{answer.prob:.2%}", _OUTLOOKS[answer.outlook])
    out.print(shown)
    counts = ", ".join(f"{count:,} {grade}" for grade, count in found.counts.items())
    out.print(
        f"{found.total:,} cases: {counts}. By version {found.version.version} of {found.version.name}.", soft_wrap=True
    )
    if found.learnt_from:
        out.print("These cases were learnt from: each is told by fits that had not seen it.", soft_wrap=True)
    for name, answer in found.worst[:_EXPLAINED]:
        out.print(f"{name}:", style="bold")
        for reason in answer.reasons:
            out.print(f"  {reason.words}", soft_wrap=True)


def print_report(report: RiskReport) -> None:
    """What a run did: figures on unseen folds, weights, the gate's verdict."""
    if report.bundle.simulated:
        out.print("Simulated cases: these figures say nothing about a real city.", style="yellow")
    figures = table("cases#", "of harm#", "AUC#", "PR AUC#", "Brier#", "ECE#", "its bound#")
    m = report.metrics
    figures.add_row(
        f"{m['cases']:,.0f}",
        f"{m['harmed']:,.0f}",
        *(f"{m[name]:.4f}" for name in ("roc_auc", "pr_auc", "brier", "ece", "ece_bound")),
    )
    out.print(figures)
    shares = ", ".join(f"{name} {weight:.2f}" for name, weight in report.weights.items())
    out.print(f"On folds that no fit had seen. Weights: {shares}.", soft_wrap=True)
    for note in report.bundle.notes:
        out.print(f"Note: {note}", style="yellow", soft_wrap=True)
    for check in report.verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    out.print(f"Cases: {report.bundle.source}.", soft_wrap=True)
    out.print(f"Version {report.version.version} of {report.version.name} is {standing(report.version)}.")
