"""The command `why`: a forecast taken apart, on one page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from industrial_brain.cli.terminal import brain, moment, number, out, table, written
from industrial_brain.domain.explanations import Explanation, StepErrors
from industrial_brain.domain.forecasts import ModelVersion

#: horizons whose past errors are shown, at most
_STEPS = 6

_BARS = "▁▂▃▄▅▆▇█"


def add_to(app: typer.Typer) -> None:
    app.command()(why)


def why(
    series: Annotated[str, typer.Argument(help="A series id; see `brain indicators`.")],
    horizon: Annotated[int | None, typer.Option(help="Periods ahead; default: as for `brain forecast`.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Explain what was answered then: a date, or an RFC 3339 moment.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers.")] = False,
) -> None:
    """Say why a forecast is what it is: its parts, the models behind it, past errors, and what is odd in the data.

    Example: `brain why CEU0500000001:US --horizon 12`
    """
    wired = brain()
    found, version = wired.why(series, horizon, moment(as_of) if as_of else None)
    if as_json:
        model = {"name": version.name, "version": version.version}
        out.print_json(json.dumps({**asdict(found), "model": model, "vintage": found.vintage.isoformat()}))
        return
    name = wired.catalogue.series([series])[series].name
    _print(found, version, name)


def _print(found: Explanation, version: ModelVersion, name: str) -> None:
    out.print(f"{found.series}: {name}, in {found.unit}", style="bold", soft_wrap=True)
    if found.simulated:
        out.print("Simulated data: these numbers say nothing about a real city.", style="yellow")
    out.print(f"By version {version.version} of {version.name}, on what was known at {written(found.vintage)}.")
    for line in found.words:
        out.print(f"- {line}", soft_wrap=True)
    for line in ([f"Fallback: {found.fallback}"] if found.fallback else []) + [f"Note: {n}" for n in found.notes]:
        out.print(line, style="yellow", soft_wrap=True)
    _print_parts(found)
    _print_shapes(found)
    _print_members(found)
    _print_errors(found)
    _print_flags(found)


def _print_parts(found: Explanation) -> None:
    parts = table("period", "forecast#", *(f"{part}#" for part in found.parts), title="\nWhat it is made of")
    first = found.freq.ordinal_of_label(found.start)
    for step, mean in enumerate(found.mean):
        cells = [number(values[step]) for values in found.parts.values()]
        parts.add_row(found.freq.label(first + step), number(mean), *cells)
    out.print(parts)


def _print_shapes(found: Explanation) -> None:
    """A line a part: its shape over the recent past, and over the forecast."""
    names = [*found.history.parts, *(part for part in found.parts if part not in found.history.parts)]
    shapes = table("part", f"since {found.history.start}", "forecast", "low#", "high#")
    for part in names:
        past = found.history.parts.get(part, ())
        ahead = found.parts.get(part, ())
        known = [value for value in (*past, *ahead) if value is not None]
        if not known:
            continue
        low, high = min(known), max(known)
        shapes.add_row(part, _spark(past, low, high), _spark(ahead, low, high), number(low), number(high))
    out.print(shapes)


def _spark(values: Sequence[float | None], low: float, high: float) -> str:
    width = (high - low) or 1.0
    top = len(_BARS) - 1
    return "".join(" " if value is None else _BARS[round((value - low) / width * top)] for value in values[-60:])


def _print_members(found: Explanation) -> None:
    members = table("model", "weight#", "first#", "last#", "MASE at past origins#", "why", title="\nWho made it")
    for one in found.members:
        tried = " ".join("-" if mase is None else f"{mase:.2f}" for mase in one.mase)
        members.add_row(one.name, f"{one.weight:.0%}", number(one.mean[0]), number(one.mean[-1]), tried, one.why)
    out.print(members)


def _print_errors(found: Explanation) -> None:
    if not found.past_errors:
        return
    errors = table("ahead#", "tried#", "typical#", "mean#", "worst#", "in", title="\nHow wrong it was before")
    step = max(1, -(-len(found.past_errors) // _STEPS))
    shown = list(found.past_errors[step - 1 :: step])
    for one in sorted({found.past_errors[0], *shown, found.past_errors[-1]}, key=lambda one: one.horizon):
        errors.add_row(str(one.horizon), str(one.count), *_cells(one), one.worst_period)
    out.print(errors)
    out.print("Errors are actual less forecast: above zero, the forecast was too low.")
    if found.similar:
        alike = table("series that behave alike", "MASE#", "ahead#", "typical#", "worst#")
        for other in found.similar:
            alike.add_row(
                other.series,
                "-" if other.mase is None else f"{other.mase:.2f}",
                str(other.horizon),
                _share(other.relative_typical, ""),
                _share(other.relative_worst, "+"),
            )
        out.print(alike)


def _cells(one: StepErrors) -> list[str]:
    if one.relative_typical is None:
        return [number(one.typical), number(one.bias), number(one.worst)]
    return [_share(one.relative_typical, ""), _share(one.relative_bias, "+"), _share(one.relative_worst, "+")]


def _share(value: float | None, sign: str) -> str:
    return "-" if value is None else f"{value:{sign}.1%}"


def _print_flags(found: Explanation) -> None:
    if not found.flags:
        out.print("\nNothing odd was found in the data.")
        return
    flags = table("what", "period", "in words", title="\nWhat is odd in the data")
    for flag in found.flags:
        flags.add_row(flag.kind, flag.period, flag.words)
    out.print(flags)
