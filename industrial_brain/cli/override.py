"""Commands about overrides: a planner's word against a forecast, and what it was worth."""

from __future__ import annotations

import datetime as dt
import getpass
import json
import math
from typing import Annotated, Any

import typer

from industrial_brain.cli.terminal import brain, err, moment, now, number, out, plural, table, written
from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.overrides import Override, OverrideState
from industrial_brain.domain.overriding import LONGEST_REASON, OverrideRequest, read_expiry
from industrial_brain.domain.value_added import Actual, ValueAdded


def add_to(app: typer.Typer) -> None:
    override = typer.Typer(help="A planner's word against a forecast, and what it was worth.", no_args_is_help=True)
    override.command("add")(add)
    override.command("list")(list_overrides)
    override.command("show")(show)
    override.command("withdraw")(withdraw)
    override.command("value-added")(value_added)
    app.add_typer(override, name="override")


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsOf = Annotated[str | None, typer.Option(help="As things stood then: a date, or an RFC 3339 moment.")]
Author = Annotated[str | None, typer.Option(help="Whose word it is; default: who is logged in.")]


def add(
    series: Annotated[str, typer.Argument(help="A series id; see `brain indicators`.")],
    start: Annotated[str, typer.Option(help="First period: 2026-05, 2026Q2, 2026-05-17.")],
    reason: Annotated[str, typer.Option(help="What the forecast does not know.")],
    expires: Annotated[str, typer.Option(help="A period, at whose end it expires, or an RFC 3339 moment.")],
    value: Annotated[
        list[float] | None, typer.Option(help="What the series shall be; repeat it for the periods that follow.")
    ] = None,
    plus: Annotated[float | None, typer.Option("--add", help="Add this to the forecast instead.")] = None,
    times: Annotated[float | None, typer.Option("--multiply", help="Multiply the forecast by this instead.")] = None,
    periods: Annotated[int | None, typer.Option(help="With --add and --multiply: over so many periods.")] = None,
    author: Author = None,
) -> None:
    """Hold a series at other values than its forecast; what it adds up with moves along.

    Example: `brain override add output:990000 --start 2026-05 --multiply 0.9 --reason "A strike at the port" --expires 2026-06`
    """
    from industrial_brain.storage.files.periods import read_periods
    from serving.overriding import place_override

    given = sum(option is not None for option in (value or None, plus, times))
    if given != 1:
        raise InputError("Say what the series shall be in one way.", "Give --value, --add or --multiply.")
    if periods is not None and (value or periods < 1):
        raise InputError("--periods goes with --add and --multiply, and is 1 or more.", "Repeat --value instead.")
    if len(reason) > LONGEST_REASON:
        raise InputError(f"A reason has {LONGEST_REASON:,} characters at most.", "Shorten it.")
    if not all(map(math.isfinite, (*(value or ()), plus or 0.0, times or 0.0))):
        raise InputError("NaN and infinity are no values.", "Give finite numbers.")
    wired = brain()
    info = wired.catalogue.series([series]).get(series)
    if info is None:
        raise UnknownIdError(f"There is no series '{series}'.", "Find ids with `brain indicators SEARCH`.")
    ordinals, good = read_periods(info.frequency, [start])
    if not good[0]:
        raise InputError(f"'{start}' is no {info.frequency.noun} of {series}.", "Write its start, such as 2026-05-01.")
    version = wired.version_for(None)
    asked = OverrideRequest(
        series=series,
        start=int(ordinals[0]),
        values=tuple(value) if value else None,
        add=plus,
        multiply=times,
        periods=periods or 1,
        reason=reason,
        expires_at=read_expiry(expires, info.frequency, read_periods),
    )
    made = place_override(
        asked,
        info,
        wired.updated_bundle(version, None),
        version,
        observations=wired.observations,
        overrides=wired.overrides,
        author=author or getpass.getuser(),
        now=now(),
    )
    _print(made, now())
    err.print(f"Forecasts follow it from now on; `brain override withdraw {made.id}` takes it back.", soft_wrap=True)


def list_overrides(
    series: Annotated[str | None, typer.Option(help="Of this series.")] = None,
    author: Annotated[str | None, typer.Option(help="By this author.")] = None,
    state: Annotated[OverrideState | None, typer.Option(help="In this state.")] = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(help="Newest ones listed.", min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List overrides, newest first."""
    known = moment(as_of) if as_of else now()
    page = brain().overrides.list_overrides(known, series=series, author=author, state=state, limit=limit)
    if as_json:
        out.print_json(json.dumps([_plain(one, known) for one in page.items]))
        return
    if not page.items:
        err.print("No override. Make one with `brain override add`.")
        return
    listing = table("id", "series", "from", "periods#", "first#", "instead of#", "state", "author", "expires")
    for one in page.items:
        listing.add_row(
            one.id,
            one.series,
            one.freq.label(one.start),
            str(len(one.values)),
            number(one.values[0]),
            number(one.statistical.mean[0]),
            one.state(known),
            one.author,
            written(one.expires_at),
        )
    out.print(listing)
    if page.total > len(page.items):
        err.print(f"{plural(page.total - len(page.items), 'older one')} not shown; see --limit.")


def show(
    override: Annotated[str, typer.Argument(help="An id; see `brain override list`.")],
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Show an override beside the forecast that it replaced, and its score once the actual has come."""
    from serving.overriding import scores_of

    wired = brain()
    known = moment(as_of) if as_of else now()
    found = wired.overrides.get(override, known)
    scores = scores_of(found, wired.observations, known)
    if as_json:
        told = {
            actual: {"periods": s.periods, "statistical_mae": s.statistical_mae, "override_mae": s.override_mae}
            for actual, s in scores.items()
        }
        out.print_json(json.dumps({**_plain(found, known), "scores": told}))
        return
    _print(found, known)
    for actual, one in scores.items():
        relative = "" if one.relative is None else f" ({one.relative:+.1%})"
        out.print(
            f"By the actual as {'first published' if actual is Actual.FIRST else 'known latest'}, over "
            f"{plural(one.periods, 'period')}: the override was off by {number(one.override_mae)}, the statistical forecast by "
            f"{number(one.statistical_mae)}; value added {number(one.value_added)}{relative}.",
            soft_wrap=True,
        )


def withdraw(
    override: Annotated[str, typer.Argument(help="An id; see `brain override list`.")], author: Author = None
) -> None:
    """Take an override back: forecasts no longer follow it. It stays on record."""
    found = brain().overrides.withdraw(override, author or getpass.getuser(), now())
    out.print(f"Override {found.id} of {found.series} was withdrawn at {written(found.withdrawn_at)}.")


def value_added(
    actual: Annotated[
        Actual, typer.Option(help="Actuals as first published, or as known latest with all revisions.")
    ] = Actual.FIRST,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Say how much closer to the actual overrides came than the forecasts that they replaced: by author, sector, direction."""
    from serving.overriding import report_value_added

    wired = brain()
    found = report_value_added(
        wired.overrides,
        wired.observations,
        wired.catalogue,
        actual=actual,
        as_of=moment(as_of) if as_of else now(),
    )
    groups = {"author": found.by_author, "sector": found.by_sector, "direction": found.by_direction}
    if as_json:
        told = {name: [_group(one) for one in ours] for name, ours in groups.items()}
        out.print_json(json.dumps({"actual": actual, "all": _group(found.all), **told}))
        return
    if found.all.count == 0:
        err.print("No override has met an actual yet.")
        return
    listing = table("by", "group", "overrides#", "better#", "worse#", "points#", "relative#", "p#", "verdict")
    for name, ours in {"": [found.all], **groups}.items():
        for one in ours:
            listing.add_row(
                name,
                one.group,
                str(one.count),
                str(one.better),
                str(one.worse),
                "-" if one.points is None else f"{one.points:+.2f}",
                "-" if one.relative is None else f"{one.relative:+.1%}",
                f"{one.p_value:.3f}",
                one.verdict,
            )
    out.print(listing)
    out.print("Points are percent of the actual, above zero where the override came closer; p is of the sign test.")


def _print(one: Override, known: dt.datetime) -> None:
    out.print(f"Override {one.id} of {one.series}, {one.state(known)}", style="bold", soft_wrap=True)
    out.print(
        f"By {one.author} at {written(one.created_at)}, until {written(one.expires_at)}: {one.reason}", soft_wrap=True
    )
    if one.withdrawn_at is not None:
        out.print(f"Withdrawn by {one.withdrawn_by} at {written(one.withdrawn_at)}.")
    shown = table("period", "override#", "forecast#", "10%#", "90%#")
    kept = one.statistical
    for step, cells in enumerate(zip(one.values, kept.mean, kept.low, kept.high, strict=True)):
        shown.add_row(one.freq.label(one.start + step), *(number(cell) for cell in cells))
    out.print(shown)
    out.print(f"The forecast is of version {kept.version}, on what was known at {written(kept.vintage)}.")


def _plain(one: Override, known: dt.datetime) -> dict[str, Any]:
    return {
        "id": one.id,
        "series": one.series,
        "start": one.freq.label(one.start),
        "values": one.values,
        "change": one.change,
        "author": one.author,
        "reason": one.reason,
        "created_at": one.created_at.isoformat(),
        "expires_at": one.expires_at.isoformat(),
        "state": one.state(known),
        "withdrawn_at": None if one.withdrawn_at is None else one.withdrawn_at.isoformat(),
        "withdrawn_by": one.withdrawn_by,
        "statistical": {
            "mean": one.statistical.mean,
            "low": one.statistical.low,
            "high": one.statistical.high,
            "version": one.statistical.version,
            "vintage": one.statistical.vintage.isoformat(),
        },
    }


def _group(one: ValueAdded) -> dict[str, Any]:
    return {
        "group": one.group,
        "count": one.count,
        "better": one.better,
        "worse": one.worse,
        "points": one.points,
        "relative": one.relative,
        "p_value": one.p_value,
        "verdict": one.verdict,
    }
