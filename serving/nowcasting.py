"""Answers about nowcasts: read what was known, compute in the worker, and keep the answer while nothing new is known."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, replace

from pydantic_core import to_json

from industrial_brain.domain.errors import InputError, NoModelError, UnknownIdError
from industrial_brain.domain.forecasts import Failed
from industrial_brain.domain.nowcasts import Nowcast, NowcastModelName, NowcastPeriod
from models.nowcast.answer import (
    NEWS_DAYS,
    Answering,
    Known,
    Question,
    answer,
    ask,
    known_at,
    moments_of_path,
    running,
    series_of,
)
from models.nowcast.bundle import NowcastBundle
from models.nowcast.fitted import FittedNowcast
from serving.deps import Services
from serving.live import LiveModels, Loaded
from serving.problems import Fault, FieldsError
from serving.schemas import NowcastIn

#: answers that are kept
_KEPT = 256

#: quantiles in the listing
_LISTED = (0.1, 0.5, 0.9)

Key = tuple[object, ...]


class NowcastDesk:
    """Answers questions; one a server.

    An answer is kept under the versions, the days and the values that it stands on: a value that comes in makes a new one.
    """

    def __init__(self, services: Services, live: LiveModels[NowcastBundle]) -> None:
        self._services = services
        self._live = live
        self._answers: OrderedDict[Key, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def listing(self) -> bytes:
        """Every target with its current number, as the JSON of `NowcastsOut`.

        Raises:
            NoModelError: no version has been promoted yet.
            UnavailableError: the work was not done in time.
        """
        loaded = self._live.current()
        now = self._services.clock()
        items: list[bytes] = []
        failed = list(loaded.model.failures())
        for fitted in loaded.model.targets.values():
            today = self._known(now, series_of(fitted))
            key = ("listing", loaded.version.version, now.date(), fitted.target, today.fingerprint())
            try:
                items.append(self._kept(key) or self._keep(key, self._summary(loaded, fitted, today)))
            except InputError as error:
                failed.append(Failed(fitted.target, str(error)))
        return b'{"nowcasts":[' + b",".join(items) + b'],"failed":' + to_json(failed) + b"}"

    def answer(self, asked: NowcastIn) -> bytes:
        """One target's number, its evolution and its news, as the JSON of `NowcastOut`.

        Raises:
            FieldsError: it is no target of the version.
            NoModelError: no version answers (as of that moment).
            InputError: the target has stopped, or could not be fitted; or the moments make no sense.
            UnavailableError: the work was not done in time.
        """
        clock = self._services.clock()
        as_of = asked.as_of or clock
        if as_of > clock:
            raise InputError("Nothing is known yet as of then.", "Give a moment that has passed.", pointer="/as_of")
        since = asked.compare_to or as_of - dt.timedelta(days=NEWS_DAYS)
        now = _answering(self._live.current() if asked.as_of is None else self._live.as_of(as_of))
        try:
            then = _answering(self._live.as_of(since))
        except NoModelError:
            then = None
        try:
            question = ask(
                self._known, asked.target, now, then, as_of, since, period=asked.period, levels=asked.levels, path=False
            )
        except UnknownIdError as error:  # it stands in the body, not in the address
            fault = Fault("body", "/target", error.message)
            raise FieldsError(error.message, error.next_step, [fault], slug=error.slug) from error
        key = _key(question, asked.target)
        kept = self._kept(key)
        if kept is not None:
            return kept
        series = series_of(question.now, question.then)
        path = tuple(self._known(moment, series) for moment in moments_of_path(question.now, as_of))
        return self._keep(key, self._services.nowcast_worker.run(answer_in_json, question, path))

    def _summary(self, loaded: Loaded[NowcastBundle], fitted: FittedNowcast, today: Known) -> bytes:
        told = self._services.nowcast_worker.run(running, fitted, today, _LISTED)
        return to_json(_listed(_answering(loaded)[1], fitted, today, told))

    def _known(self, as_of: dt.datetime, series: Sequence[str]) -> Known:
        there = self._services.catalogue.series(series)
        return known_at(self._services.observations.read_panels, as_of, series, tuple(there))

    def _kept(self, key: Key) -> bytes | None:
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def _keep(self, key: Key, made: bytes) -> bytes:
        with self._lock:
            self._answers[key] = made
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
        return made


def answer_in_json(question: Question, path: tuple[Known, ...]) -> bytes:
    """In the worker: the answer as JSON."""
    return to_json(nowcast_record(answer(replace(question, path=path))))


def nowcast_record(told: Nowcast) -> dict[str, object]:
    """The fields of `NowcastOut`."""
    return {
        **{name: value for name, value in asdict(told).items() if name not in ("model", "model_before")},
        "totals": totals(told),
        "model": {"name": told.model.name, "version": told.model.version},
        "model_before": {"name": told.model_before.name, "version": told.model_before.version},
    }


def totals(told: Nowcast) -> dict[str, float]:
    """The impacts by kind; they add up to the move."""
    found: dict[str, float] = {}
    for part in told.news:
        found[part.kind.value] = found.get(part.kind.value, 0.0) + part.impact
    return found


def _answering(loaded: Loaded[NowcastBundle]) -> Answering:
    version = loaded.version
    return loaded.model, NowcastModelName(version.name, version.version, version.vintage)


def _key(question: Question, target: str) -> Key:
    moments = question.today, question.before
    return (
        *(question.now_name.version, question.then_name.version, target, question.period, question.probabilities),
        *((known.as_of.date(), known.fingerprint()) for known in moments),
        *question.notes,
    )


def _listed(model: NowcastModelName, fitted: FittedNowcast, today: Known, told: NowcastPeriod) -> dict[str, object]:
    return {
        "target": fitted.target,
        "freq": fitted.freq,
        "unit": fitted.unit,
        "period": told.period,
        "mean": told.mean,
        "quantiles": told.quantiles,
        "vintage": today.as_of,
        "simulated": fitted.simulated,
        "model": {"name": model.name, "version": model.version},
    }
