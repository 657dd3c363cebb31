"""Commands about anomalies: read them, say what they were, follow them."""

from __future__ import annotations

import dataclasses
import getpass
import json
import time
from typing import Annotated

import typer
from rich.style import Style

from industrial_brain.cli.chart import draw_readings
from industrial_brain.cli.terminal import brain, err, moment, now, number, out, plural, table, waiting
from industrial_brain.domain.anomalies import (
    WHOLE_SITE,
    Episode,
    EpisodeFilter,
    EpisodeState,
    EpisodeWord,
    Label,
    Sensor,
    Severity,
)
from industrial_brain.domain.episode_words import duration, micros_of, moment_of, probability, quantity, tell
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Cause

_COLOURS = {
    Severity.RED: Style(color="red", bold=True),
    Severity.ORANGE: Style(color="dark_orange"),
    Severity.YELLOW: Style(color="yellow"),
    Severity.BLUE: Style(color="blue"),
}

_LONGEST_NOTE = 2_000

#: sensors that `show` lists
_LISTED = 20

#: seconds between two looks of `watch`, and changes that one look takes at most
_POLL = 0.5
_PAGE = 500


def add_to(app: typer.Typer) -> None:
    anomalies = typer.Typer(help="What is wrong with devices, in words, and what you say of it.", no_args_is_help=True)
    anomalies.command("list")(list_anomalies)
    anomalies.command("show")(show)
    anomalies.command("ack")(ack)
    anomalies.command("label")(label)
    anomalies.command("replay")(replay)
    anomalies.command("watch")(watch)
    app.add_typer(anomalies, name="anomalies")


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Site = Annotated[str | None, typer.Option(help="Of this site.")]
Author = Annotated[str | None, typer.Option(help="Whose word it is; default: who is logged in.")]
Note = Annotated[str, typer.Option(help="What there is to say.")]
Name = Annotated[str, typer.Argument(metavar="ANOMALY", help="An id; see `brain anomalies list`.")]


def list_anomalies(
    site: Site = None,
    device: Annotated[str | None, typer.Option(help="Of this device.")] = None,
    cause: Annotated[
        str | None, typer.Option(help="level, rate, stuck, limit, silent, clock, pattern or shift, at the peak.")
    ] = None,
    severity: Annotated[Severity | None, typer.Option(help="Of this severity.")] = None,
    state: Annotated[EpisodeState | None, typer.Option(help="Open or closed ones.")] = None,
    given: Annotated[Label | None, typer.Option("--label", help="With this label.")] = None,
    start: Annotated[str | None, typer.Option(help="Only those that had not ended before: an RFC 3339 moment.")] = None,
    end: Annotated[str | None, typer.Option(help="Only those that had begun before: an RFC 3339 moment.")] = None,
    limit: Annotated[int, typer.Option(help="Newest ones listed.", min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List anomalies, the one that began last first, with the reason of each."""
    chosen = EpisodeFilter(
        site=site,
        device=device,
        cause=None if cause is None else _cause(cause),
        severity=severity,
        state=state,
        label=given,
        start=None if start is None else micros_of(moment(start)),
        end=None if end is None else micros_of(moment(end)),
    )
    page = brain().episodes.list_episodes(chosen, limit=limit)
    if as_json:
        from serving.anomalies import shown

        out.print_json(json.dumps([shown(one).model_dump(mode="json") for one in page.items]))
        return
    if not page.items:
        err.print("No anomaly.")
        return
    listing = table("id", "began", "severity", "state", "site", "device", "why", "label")
    for one in page.items:
        listing.add_row(
            one.id,
            f"{moment_of(one.start):%Y-%m-%d %H:%M}",
            one.severity,
            _state(one),
            one.site,
            _device(one),
            tell(one),
            one.label or "",
            style=_COLOURS[one.severity] if one.state is EpisodeState.OPEN else None,
        )
    out.print(listing)
    if page.total > len(page.items):
        err.print(f"{plural(page.total - len(page.items), 'older one')} not shown; see --limit.")


def show(
    anomaly: Name,
    chart: Annotated[
        bool | None, typer.Option("--chart/--no-chart", help="Draw the readings around it; default: in a terminal.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show an anomaly: why it is one, which sensors it shows in, what was said of it."""
    store = brain().episodes
    found = store.get(anomaly)
    sensors, words = store.sensors(found.id), store.words(found.id)
    if as_json:
        from serving.anomalies import shown_in_full

        out.print_json(shown_in_full(found, sensors, words).model_dump_json())
        return
    out.print(f"{found.severity} ", style=_COLOURS[found.severity], end="")
    out.print(f"{_device(found)} at {found.site}, {_state(found)}", style="bold", soft_wrap=True)
    out.print(f"{tell(found, sensors)}.", soft_wrap=True)
    lasted = duration((found.end - found.start) / MICROS_PER_SECOND)
    out.print(
        f"From {moment_of(found.start):%Y-%m-%d %H:%M:%S} to {moment_of(found.end):%Y-%m-%d %H:%M:%S} UTC ({lasted}), "
        f"{plural(found.points, 'reading')}; found by {found.detector}, batches {found.first_seq} to {found.last_seq} of "
        f"shard {found.shard}.",
        soft_wrap=True,
    )
    if found.parent is not None:
        out.print(f"It is part of {found.parent}.")
    if out.is_terminal if chart is None else chart:
        _draw(found, sensors)
    _print_sensors(found, sensors)
    for word in words:
        said = "acknowledged it" if word.label is None else f"called it {word.label}"
        note = f": {word.note}" if word.note else ""
        out.print(f"{moment_of(word.at):%Y-%m-%d %H:%M} {word.author} {said}{note}", soft_wrap=True)


def ack(anomaly: Name, note: Note = "", author: Author = None) -> None:
    """Say that somebody looks after an anomaly."""
    found = brain().episodes.say(anomaly, _word(None, note, author))
    out.print(f"{found.id} is acknowledged by {found.acknowledged_by}.")


def label(
    anomaly: Name,
    given: Annotated[Label, typer.Argument(metavar="LABEL", help="true, false or maintenance.")],
    note: Note = "",
    author: Author = None,
) -> None:
    """Say what an anomaly was. The last label counts, and feeds retraining; earlier ones are kept."""
    found = brain().episodes.say(anomaly, _word(given, note, author))
    out.print(f"{found.id} is labelled {found.label} by {found.labelled_by}.")


def replay(anomaly: Name, as_json: Json = False) -> None:
    """Find an anomaly again, from a snapshot and the readings of then; say whether it is equal, or what differs."""
    with waiting("Scoring the readings of then"):
        found = brain().replay(anomaly)
    if as_json:
        out.print_json(json.dumps({**dataclasses.asdict(found), "equal": found.equal}))
    else:
        span = f"{plural(found.readings, 'reading')}, batches {found.after + 1:,} to {found.until:,}"
        out.print(f"{found.episode}: {'equal' if found.equal else 'not equal'} ({span}).", soft_wrap=True)
        for one in found.differences:
            out.print(f"  {one.field}: stored {one.stored or '-'}, found {one.found or '-'}", soft_wrap=True)
    if not found.equal:
        raise typer.Exit(1)


def watch(
    site: Site = None,
    since: Annotated[int | None, typer.Option(help="Go on behind this revision; default: from now on.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so long; default: never.")] = None,
    as_json: Json = False,
) -> None:
    """Print each change of an anomaly as it happens, until told to stop."""
    store = brain().episodes
    seen = store.revision() if since is None else since
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        changed = store.changed_since(seen, None if site is None else [site], _PAGE)
        for one in changed:
            seen = one.revision
            _print_change(one, as_json)
        if until is not None and time.monotonic() >= until and len(changed) < _PAGE:
            return
        if len(changed) < _PAGE:
            time.sleep(_POLL)


def _draw(episode: Episode, sensors: list[Sensor]) -> None:
    """The readings of the sensor that deviated most: an hour before and after, or as long as it lasted."""
    shown = [one for one in sensors if one.metric == episode.metric and one.device == episode.device][:1] or sensors[:1]
    around = max(episode.end - episode.start, 3_600 * MICROS_PER_SECOND)
    for sensor in shown:
        history = brain().equipment.history([sensor.channel], episode.start - around, episode.end + around)
        if not len(history.ts):
            err.print("Its readings are not kept any more.")
            return
        out.print(draw_readings(history.ts, history.value, episode.start, episode.end, out.width))
        out.print(
            f"{sensor.metric} of {sensor.device}, {sensor.unit or 'no unit'}; expected {quantity(sensor.expected, '')}."
        )


def _print_change(one: Episode, as_json: bool) -> None:
    if as_json:
        from serving.anomalies import shown

        print(json.dumps({"change": one.change, **shown(one).model_dump(mode="json")}), flush=True)
        return
    out.print(f"{moment_of(one.last_at):%H:%M:%S} {one.change:<12} ", end="")
    out.print(f"{one.severity:<6} ", style=_COLOURS[one.severity], end="")
    out.print(f"{_device(one)} at {one.site}: {tell(one)} [{one.id}]", soft_wrap=True)


def _print_sensors(episode: Episode, sensors: list[Sensor]) -> None:
    if episode.cause is Cause.SILENT:
        silent = [one.device for one in sensors if one.active]
        if episode.device_count > 1 and silent:
            names = list(dict.fromkeys(silent))
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            out.print(f"Still silent: {', '.join(names[:_LISTED])}{more}.", soft_wrap=True)
        return
    listing = table("sensor", "cause", "at", "came#", "expected#", "p#", "share#", "readings#")
    for one in sensors[:_LISTED]:
        listing.add_row(
            one.metric,
            one.cause.name.lower(),
            f"{moment_of(one.at):%H:%M:%S}",
            quantity(one.value, one.unit),
            number(one.expected) if one.expected == one.expected else "?",
            probability(one.p),
            f"{one.share:.0%}" if one.share == one.share else "",
            str(one.points),
        )
    out.print(listing)
    if episode.sensor_count > _LISTED:
        out.print(f"{episode.sensor_count - _LISTED} more sensors: see --json.")


def _word(given: Label | None, note: str, author: str | None) -> EpisodeWord:
    if len(note) > _LONGEST_NOTE or "\0" in note:
        raise InputError(f"A note has {_LONGEST_NOTE:,} characters at most, and no zero byte.", "Shorten it.")
    return EpisodeWord(given, note.strip(), author or getpass.getuser(), micros_of(now()))


def _cause(text: str) -> Cause:
    found = Cause.__members__.get(text.upper(), Cause.NONE)
    if found is Cause.NONE:
        names = ", ".join(one.name.lower() for one in Cause if one is not Cause.NONE)
        raise InputError(f"'{text}' is no cause.", f"Choose one of {names}.")
    return found


def _device(one: Episode) -> str:
    return "the whole site" if one.device == WHOLE_SITE else one.device


def _state(one: Episode) -> str:
    return f"{one.state}, acknowledged" if one.acknowledged_by and one.state is EpisodeState.OPEN else one.state
