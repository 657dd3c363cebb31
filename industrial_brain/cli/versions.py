"""Commands about versions: models, promote, rollback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from industrial_brain.cli.terminal import brain, err, out, standing, table, written
from industrial_brain.composition import Task
from industrial_brain.domain.errors import BundleError, GateRefusedError, StateError, UnknownIdError
from industrial_brain.domain.forecasts import ModelVersion

if TYPE_CHECKING:
    from models.forecasting.bundle import ForecastBundle

TaskOption = Annotated[
    Task,
    typer.Option(
        help="Whose versions: of all series, of the nowcasts, of detectors (`anomaly`), of the targets, or of a risk."
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(models)
    app.command()(promote)
    app.command()(rollback)


def models(
    version: Annotated[int | None, typer.Argument(help="One version in full; default: list all.")] = None,
    task: TaskOption = Task.SERIES,
) -> None:
    """List the versions, or show one with everything that its run recorded."""
    wired = brain()
    history = wired.versions_of(task).history()
    if version is None:
        if not history:
            err.print(f"No version yet. Run `{task.training}`.")
            return
        if task is Task.NOWCAST:
            out.print(_nowcast_versions(history))
            return
        if task is Task.ANOMALY:
            out.print(_anomaly_versions(history))
            return
        if task is Task.TARGETING:
            out.print(_target_versions(history))
            return
        if task is not Task.SERIES:
            out.print(_risk_versions(history))
            return
        # real and simulated data apart: a figure over both would be about neither
        kinds = [("real", "data.real"), ("simulated", "data.simulated")]
        columns = [f"{what}, {kind}#" for kind, _ in kinds for what in ("MASE", "naive")]
        listing = table("version#", "standing", "vintage", "trained", "series#", *columns)
        for one in history:
            names = [f"{metric}.{key}" for _, key in kinds for metric in ("mase", "naive_mase")]
            figures = [f"{one.metrics[name]:.3f}" if name in one.metrics else "-" for name in names]
            listing.add_row(
                str(one.version),
                standing(one),
                written(one.vintage),
                written(one.created_at),
                one.tags.get("series", "-"),
                *figures,
            )
        out.print(listing)
        return
    found = next((one for one in history if one.version == version), None)
    if found is None:
        raise UnknownIdError(f"There is no version {version}.", f"See the versions with `brain models{_flag(task)}`.")
    facts = table("fact", "value")
    facts.add_row("standing", standing(found))
    facts.add_row("vintage", written(found.vintage))
    facts.add_row("trained", written(found.created_at))
    for key, value in sorted({**found.tags, **{k: f"{v:.4g}" for k, v in found.metrics.items()}}.items()):
        facts.add_row(key, str(value))
    out.print(facts)
    if task is Task.SERIES:
        try:
            out.print(_coverage(wired.bundle(found)))
        except BundleError as error:  # the facts above are the registry's, and stand without it
            err.print(f"What its intervals held can't be read: {error}")


def _coverage(bundle: ForecastBundle) -> Table:
    """What intervals held in the backtest, by frequency, kind of data and lead: the first, the middle and the last."""
    places = ("first", "middle", "last")
    headings = [f"{level}% at the {place} lead#" for level in (80, 95) for place in places]
    shown = table("frequency", "data", "leads#", *headings, title="Of what came, intervals held")
    for freq, fitted in bundle.panels.items():
        for simulated in (False, True):
            cells = []
            for level in (80, 95):
                percent = fitted.coverage.percent(level, simulated=simulated)
                if percent is not None:
                    last = len(percent) - 1
                    cells += [f"{percent[i]:.1f}" if percent[i] >= 0.0 else "-" for i in (0, last // 2, last)]
            if (fitted.simulated == simulated).any():
                shown.add_row(str(freq), "simulated" if simulated else "real", str(last + 1), *cells)
    return shown


def promote(
    version: Annotated[int, typer.Argument(help="The version to make champion.")], task: TaskOption = Task.SERIES
) -> None:
    """Make a version champion, if it passes the gate beside today's champion.

    Running servers pick it up within seconds; the champion of until now becomes `previous`.
    """
    wired = brain()
    registry = wired.versions_of(task)
    found = next((one for one in registry.history() if one.version == version), None)
    if found is None:
        raise UnknownIdError(f"There is no version {version}.", "See the versions with `brain models`.")
    if "champion" in found.aliases:
        out.print(f"Version {version} is champion already.")
        return
    if found.status == "withdrawn":
        raise StateError(f"Version {version} was rolled back.", f"Train a new one with `{task.training}`.")
    before = registry.current()
    verdict = wired.judge(version, task)
    for check in verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    if not verdict.passed:
        raise GateRefusedError(f"Version {version} did not pass the gate.", "The champion stays; see the checks above.")
    if registry.current() != before:
        raise StateError("Another version was promoted meanwhile.", "Run the same command again: it is judged anew.")
    registry.promote(version)
    out.print(f"Version {version} is champion.")


def rollback(task: TaskOption = Task.SERIES) -> None:
    """Make the previous champion champion again; the present one is withdrawn and never served again."""
    restored = brain().versions_of(task).rollback()
    out.print(f"Version {restored.version} is champion again.")


def _nowcast_versions(history: Sequence[ModelVersion]) -> Table:
    """Errors in the replay beside the better naive method's; below 1 is better."""
    listing = table("version#", "standing", "vintage", "trained", "targets#", "RMSE / naive#")
    for one in history:
        figures = [f"{one.metrics[name]:{form}}" if name in one.metrics else "-" for name, form in _NOWCAST_FIGURES]
        listing.add_row(str(one.version), standing(one), written(one.vintage), written(one.created_at), *figures)
    return listing


def _anomaly_versions(history: Sequence[ModelVersion]) -> Table:
    """What the detectors did on rows that were held out."""
    listing = table(
        "version#", "standing", "vintage", "trained", "machines#", "false alarms#", "simulated faults found#"
    )
    for one in history:
        figures = [f"{one.metrics[name]:{form}}" if name in one.metrics else "-" for name, form in _ANOMALY_FIGURES]
        listing.add_row(str(one.version), standing(one), written(one.vintage), written(one.created_at), *figures)
    return listing


_ANOMALY_FIGURES = (("machines", ",.0f"), ("false_alarms", ".1%"), ("found", ".0%"))


def _target_versions(history: Sequence[ModelVersion]) -> Table:
    """Precision at 50 over the windows of the past: ours, in its worst window, of what is nearest to the threshold, by
    chance."""
    figures = ("precision", "precision_worst", "precision_nearest", "chance")
    words = ("precision at 50#", "worst window#", "nearest to threshold#", "chance#")
    listing = table("version#", "standing", "vintage", "trained", "windows#", *words)
    for one in history:
        cells = [f"{one.metrics[name]:.1%}" if name in one.metrics else "-" for name in figures]
        windows = f"{one.metrics.get('windows', 0.0):.0f}"
        listing.add_row(str(one.version), standing(one), written(one.vintage), written(one.created_at), windows, *cells)
    return listing


_NOWCAST_FIGURES = (("targets", ",.0f"), ("rmse_ratio", ".3f"))


def _risk_versions(history: Sequence[ModelVersion]) -> Table:
    """Figures on cases that no fit had seen."""
    names = ("cases", "harmed", "roc_auc", "pr_auc", "brier", "ece")
    listing = table("version#", "standing", "trained", "cases#", "of harm#", "AUC#", "PR AUC#", "Brier#", "ECE#")
    for one in history:
        figures = [f"{one.metrics[name]:{',.0f' if name in names[:2] else '.4f'}}" for name in names]
        listing.add_row(str(one.version), standing(one), written(one.created_at), *figures)
    return listing


def _flag(task: Task) -> str:
    return f" --task {task}" if task is not Task.SERIES else ""
