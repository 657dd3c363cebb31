from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from industrial_brain.domain.errors import NothingToTrainError
from industrial_brain.domain.forecasts import Failed, Trained
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Floats, Panel
from tests.panels import seasonal_panel
from training.executors import InProcess
from training.vintages import Scores, VintageBacktest, backtest_vintages

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
THEN = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


def _backtest(then: Panel, now: Panel) -> VintageBacktest:
    """One origin, at which `then` was known, scored on `now`."""
    infos = {name: SeriesInfo(name, now.freq, "1", name) for name in now.ids}
    return backtest_vintages([THEN], lambda at: [now] if at == NOW else [then], infos, now=NOW, executor=InProcess())


def _all(result: VintageBacktest) -> Scores:
    return next(scores for scores in result.scores if scores.slice == "")


def _revised(panel: Panel, by: float) -> Panel:
    """The panel with its last year before the final one revised."""
    values: Floats = panel.values.reshape(len(panel), -1).copy()
    values[:, -24:-12] *= by
    return Panel.of(list(values))


def test_an_origin_is_forecast_from_what_was_known_then_and_scored_on_what_is_known_now() -> None:
    now = seasonal_panel(n=8, months=96)
    honest = _all(_backtest(now.without_last(12), now))
    misled = _all(_backtest(_revised(now, 1.5).without_last(12), now))
    assert honest.scored == 8
    assert honest.mase < honest.naive_mase
    assert misled.mase > 3.0 * honest.mase  # the wrong values of then can't be undone by knowing better now


def test_every_step_ahead_is_scored_by_itself() -> None:
    now = seasonal_panel(n=8, months=96)
    result = _backtest(now.without_last(12), now)
    steps = [scores for scores in result.scores if scores.slice.startswith("step.M.")]
    assert [scores.slice for scores in steps] == [f"step.M.{step}" for step in range(1, 13)]
    assert all(scores.scored == 8 for scores in steps)
    np.testing.assert_allclose(np.mean([scores.mase for scores in steps]), _all(result).mase)


def test_what_has_not_come_yet_is_not_scored() -> None:
    now = seasonal_panel(n=4, months=96)
    result = _backtest(now.without_last(5), now)
    scored = {scores.slice: scores.scored for scores in result.scores}
    assert scored["step.M.5"] == 4
    assert scored["step.M.6"] == 0
    assert np.isnan(next(scores.mase for scores in result.scores if scores.slice == "step.M.6"))


def test_failures_and_fallbacks_of_each_origin_are_named() -> None:
    now = Panel.of([np.arange(40.0), [3.0, 4.0, 5.0], [np.nan, 1.0]], ids=["long", "short", "new"])
    then = Panel.of([np.arange(30.0), [3.0, 4.0], [np.nan]], ids=["long", "short", "new"])
    remarks = dict(zip(("first", "second"), _backtest(then, now).remarks, strict=True))
    assert {type(outcome) for _, outcome in remarks.values()} == {Failed, Trained}
    assert {outcome.series for _, outcome in remarks.values()} == {"short", "new"}


def test_an_origin_before_all_knowledge_is_refused() -> None:
    with pytest.raises(NothingToTrainError, match="2025-01-01"):
        backtest_vintages([THEN], lambda at: [], {}, now=NOW, executor=InProcess())
