"""The answer to a question for a nowcast: gather what was known at some moments, then compute. Two halves, so that the second
can run in another process."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from industrial_brain.domain.errors import InputError, UnknownIdError
from industrial_brain.domain.nowcasts import Evolution, News, Nowcast, NowcastModelName, NowcastPeriod, Tense
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.nowcast.bundle import NowcastBundle, probabilities
from models.nowcast.fitted import FittedNowcast, View
from models.nowcast.news import explain
from models.nowcast.table import MonthTable, future_dated, month_table

#: values of some series as they were known at a moment
Reader = Callable[[dt.datetime, Sequence[str]], list[Panel]]

#: how far back the news goes, where nobody says
NEWS_DAYS = 28

#: days between two points of the evolution
_EVERY = 7


@dataclass(frozen=True, slots=True)
class Known:
    """What was known at a moment; `late` names the series with values of the future, which are left out."""

    as_of: dt.datetime
    month: int
    table: MonthTable
    late: tuple[str, ...]

    def fingerprint(self) -> str:
        """SHA-256 of the values."""
        digest = hashlib.sha256("\n".join(self.table.ids).encode())
        digest.update(np.array([self.table.start, self.month]).tobytes())
        digest.update(np.ascontiguousarray(self.table.values).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that an answer needs.

    Attributes:
        now, then: the versions that answer at the two moments, with their names.
        today, before: what was known at them.
        path: what was known in between and earlier, oldest first, for the evolution; may be empty.
        period: label of the period asked about; None is the running one, or the first without a value if that is later.
        probabilities: of the quantiles.
    """

    now: FittedNowcast
    now_name: NowcastModelName
    then: FittedNowcast
    then_name: NowcastModelName
    today: Known
    before: Known
    path: tuple[Known, ...]
    period: str | None
    probabilities: tuple[float, ...]
    notes: tuple[str, ...] = ()


def known_at(read: Reader, as_of: dt.datetime, series: Sequence[str], known: Sequence[str]) -> Known:
    """Read the store once. Series that are not in `known`, the store's ids, are columns without a value."""
    month = Frequency.MONTHLY.ordinal(as_of)
    there = set(known)
    panels = read(as_of, [name for name in series if name in there])
    return Known(as_of, month, month_table(panels, series, month), tuple(future_dated(panels, month)))


def series_of(*models: FittedNowcast) -> list[str]:
    """Every series that these models look at."""
    return sorted({name for model in models for name in model.layout.ids})


def moments_of_path(fitted: FittedNowcast, as_of: dt.datetime) -> list[dt.datetime]:
    """Every week back from `as_of`, as long as the running period is the running or the next one; oldest first."""
    month = Frequency.MONTHLY.ordinal(as_of)
    first = fitted.period_of(month) - 2 * fitted.step + 1  # the first month of the period before
    start = dt.datetime.fromisoformat(Frequency.MONTHLY.label(first)).replace(tzinfo=dt.UTC)
    weeks = int((as_of - start) / dt.timedelta(days=_EVERY))
    return [as_of - dt.timedelta(days=_EVERY * k) for k in range(weeks, 0, -1)]


def current(fitted: FittedNowcast, today: Known, probabilities: Sequence[float]) -> tuple[NowcastPeriod, ...]:
    """The numbers alone, of every period that can be told of.

    Raises:
        InputError: the target has no value, or has stopped.
    """
    view = fitted.view(today.table, today.month)
    return tuple(view.answer(period, probabilities) for period in view.periods())


def running(fitted: FittedNowcast, today: Known, probabilities: Sequence[float]) -> NowcastPeriod:
    """The number of the running period; of the newest one that has none yet, if a running one has.

    Raises:
        InputError: the target has no value, or has stopped.
    """
    periods = current(fitted, today, probabilities)
    return next((one for one in periods if one.tense is not Tense.BACK), periods[-1])


#: a version that answers, and its name
Answering = tuple[NowcastBundle, NowcastModelName]

#: what was known of some series at a moment
KnownAt = Callable[[dt.datetime, Sequence[str]], Known]

#: said where the parameters of today stand in for those of then
NO_VERSION_THEN = "No version had been trained by then: today's parameters are used on both sides of the news."


def ask(
    known: KnownAt,
    target: str,
    now: Answering,
    then: Answering | None,
    as_of: dt.datetime,
    since: dt.datetime,
    *,
    period: str | None,
    levels: Sequence[float],
    path: bool = True,
) -> Question:
    """Gather what an answer needs.

    Args:
        now, then: the versions of both moments; where none answered then, or not for this target, today's does.
        path: whether to read what the evolution needs; without it, only the two moments are read.

    Raises:
        UnknownIdError: it is no target of the version.
        InputError: it could not be fitted, or `since` is not before `as_of`.
        LevelError: a level can't be answered.
    """
    if since >= as_of:
        raise InputError(
            "News is since an earlier moment.", "Give one before the moment asked about.", pointer="/compare_to"
        )
    wanted = tuple(probabilities(levels))
    fitted = _target(now[0], target)
    notes: tuple[str, ...] = ()
    if then is None:
        notes, then = (NO_VERSION_THEN,), now
    elif target not in then[0].targets or then[1].version == now[1].version:
        then = now
    earlier = fitted if then is now else then[0].targets[target]
    series = series_of(fitted, earlier)
    moments = moments_of_path(fitted, as_of) if path else []
    return Question(
        now=fitted,
        now_name=now[1],
        then=earlier,
        then_name=then[1],
        today=known(as_of, series),
        before=known(since, series),
        path=tuple(known(moment, series) for moment in moments),
        period=period,
        probabilities=wanted,
        notes=notes,
    )


def _target(bundle: NowcastBundle, target: str) -> FittedNowcast:
    fitted = bundle.targets.get(target)
    if fitted is not None:
        return fitted
    failed = next((one for one in bundle.failures() if one.series == target), None)
    if failed is not None:
        raise InputError(f"'{target}' could not be fitted: {failed.reason}", pointer="/target")
    raise UnknownIdError(
        f"There is no nowcast of '{target}'.",
        "List the targets with `brain nowcast` or GET /v1/nowcasts.",
        pointer="/target",
    )


def answer(question: Question) -> Nowcast:
    """The number, its way, and the news since `before`.

    Raises:
        InputError: the target has stopped, or the period asked about is none that can be told of.
    """
    fitted, today = question.now, question.today
    view = fitted.view(today.table, today.month)
    periods = view.periods()
    period = _chosen(question, view, periods)
    told = {p: view.answer(p, question.probabilities) for p in periods}
    asked = told.get(period) or view.answer(period, question.probabilities)
    change = explain(question.then, fitted, question.before.table, today.table, today.month, period)
    stopped = [*view.stopped(), *(f"{name} has values of the future: they are left out." for name in today.late)]
    known = [*question.notes, *fitted.notes]
    return Nowcast(
        target=fitted.target,
        freq=fitted.freq,
        unit=fitted.unit,
        period=asked.period,
        mean=asked.mean,
        quantiles=asked.quantiles,
        periods=tuple(told.values()),
        last_period=fitted.label(view.last),
        last_value=view.unlogged(float(view.levels[view.row(view.last)])),
        history=tuple(_evolution(question, period, asked)),
        compare_to=question.before.as_of,
        before=change.before,
        news=tuple(sorted(change.news, key=_size, reverse=True)),
        vintage=today.as_of,
        simulated=fitted.simulated,
        model=question.now_name,
        model_before=question.then_name,
        notes=tuple(dict.fromkeys([*known, *stopped])),
    )


def _chosen(question: Question, view: View, periods: Sequence[int]) -> int:
    fitted = question.now
    if question.period is None:
        return max(fitted.period_of(view.month), periods[0])
    try:
        period = fitted.period_of_label(question.period)
    except ValueError as error:
        raise InputError(
            f"'{question.period}' is not the start of a {fitted.freq.noun}.",
            f"Write it like {fitted.label(periods[0])}.",
            pointer="/period",
        ) from error
    if period not in periods:
        raise InputError(
            f"The {fitted.freq.noun} of {question.period} can't be nowcast as of {question.today.as_of:%Y-%m-%d}.",
            f"Ask for one from {fitted.label(periods[0])} to {fitted.label(periods[-1])}.",
            pointer="/period",
        )
    return period


def _evolution(question: Question, period: int, asked: NowcastPeriod) -> list[Evolution]:
    """What the present version's parameters made of each moment's data; weeks without news are not computed again."""
    fitted = question.now
    found: list[Evolution] = []
    before: tuple[str, Evolution] | None = None
    for known in question.path:
        mark = known.fingerprint()
        if before is not None and before[0] == mark:
            point = replace(before[1], as_of=known.as_of)
        else:
            try:
                view = fitted.view(known.table, known.month)
                if period not in view.periods():
                    continue
            except InputError:  # too little was known
                continue
            point = _point(known.as_of, view.answer(period, question.probabilities))
        found.append(point)
        before = mark, point
    return [*found, _point(question.today.as_of, asked)]


def _point(as_of: dt.datetime, told: NowcastPeriod) -> Evolution:
    edges = sorted(told.quantiles, key=float)
    return Evolution(as_of, told.mean, told.quantiles[edges[0]], told.quantiles[edges[-1]])


def _size(part: News) -> float:
    return abs(part.impact)
