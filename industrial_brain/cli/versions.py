"""Commands about versions: models, promote, rollback."""

from __future__ import annotations

from typing import Annotated

import typer

from industrial_brain.cli.forecasting import standing
from industrial_brain.cli.terminal import brain, err, out, table, written
from industrial_brain.domain.errors import GateRefusedError, StateError, UnknownIdError


def add_to(app: typer.Typer) -> None:
    app.command()(models)
    app.command()(promote)
    app.command()(rollback)


def models(
    version: Annotated[int | None, typer.Argument(help="One version in full; default: list all.")] = None,
) -> None:
    """List the versions, or show one with everything that its run recorded."""
    history = brain().registry.history()
    if version is None:
        if not history:
            err.print("No version yet. Run `brain train forecasting`.")
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
        raise UnknownIdError(f"There is no version {version}.", "See the versions with `brain models`.")
    facts = table("fact", "value")
    facts.add_row("standing", standing(found))
    facts.add_row("vintage", written(found.vintage))
    facts.add_row("trained", written(found.created_at))
    for key, value in sorted({**found.tags, **{k: f"{v:.4g}" for k, v in found.metrics.items()}}.items()):
        facts.add_row(key, str(value))
    out.print(facts)


def promote(version: Annotated[int, typer.Argument(help="The version to make champion.")]) -> None:
    """Make a version champion, if it passes the gate beside today's champion.

    Running servers pick it up within seconds; the champion of until now becomes `previous`.
    """
    wired = brain()
    found = next((one for one in wired.registry.history() if one.version == version), None)
    if found is None:
        raise UnknownIdError(f"There is no version {version}.", "See the versions with `brain models`.")
    if "champion" in found.aliases:
        out.print(f"Version {version} is champion already.")
        return
    if found.status == "withdrawn":
        raise StateError(f"Version {version} was rolled back.", "Train a new one with `brain train forecasting`.")
    before = wired.registry.current()
    verdict = wired.judge(version)
    for check in verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    if not verdict.passed:
        raise GateRefusedError(f"Version {version} did not pass the gate.", "The champion stays; see the checks above.")
    if wired.registry.current() != before:
        raise StateError("Another version was promoted meanwhile.", "Run the same command again: it is judged anew.")
    wired.registry.promote(version)
    out.print(f"Version {version} is champion.")


def rollback() -> None:
    """Make the previous champion champion again; the present one is withdrawn and never served again."""
    restored = brain().registry.rollback()
    out.print(f"Version {restored.version} is champion again.")
