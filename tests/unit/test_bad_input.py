"""Awkward series through the three doors: an ad-hoc request, a file, a trained version. What is promised holds at each."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from industrial_brain.cli.adhoc import fitted_file
from industrial_brain.domain.errors import FileFormatError, InputError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.indicators import SeriesInfo
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.storage.files.periods import read_periods
from models.forecasting.bundle import ForecastBundle
from serving import adhoc
from serving.problems import HttpError
from tests.awkward import AWKWARD_SERIES, Awkward
from tests.fakes.checkpoints import FakeCheckpoints
from tests.fakes.registry import FakeRegistry
from tests.panels import seasonal_panel, walk_panel
from training.executors import InProcess
from training.pipeline import Provenance, train_forecasting

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
MONTHLY = Frequency.MONTHLY
HORIZON = MONTHLY.longest_horizon  # longer than every history here
QUANTILES = ["0.025", "0.1", "0.5", "0.9", "0.975"]

#: ordinary series beside the awkward ones, as in a request of a user: a third of what is sent makes trouble
COMPANY = {f"ordinary {i}": y for i, y in enumerate([*seasonal_panel(45), *walk_panel(45)])}

#: widest interval, in spreads of the believable values, times the root of the periods ahead
WIDEST = 25.0

Answers = dict[str, Forecast | Failed]


def _all_values() -> dict[str, list[float]]:
    return {name: y.tolist() for name, y in COMPANY.items()} | {n: a.y.tolist() for n, a in AWKWARD_SERIES.items()}


def _months(count: int) -> list[str]:
    return [MONTHLY.label(600 + i) for i in range(count)]


def _read(answer: bytes) -> Answers:
    found = json.loads(answer)
    plain = {
        one["series"]: Forecast(
            one["series"],
            MONTHLY,
            one["unit"],
            one["start"],
            tuple(one["mean"]),
            one["quantiles"],
            one["method"],
            one["fallback"],
            tuple(one["notes"]),
            NOW,
            one["simulated"],
            one["weights"],
        )
        for one in found["forecasts"]
    }
    return plain | {one["series"]: Failed(one["series"], one["reason"]) for one in found["failed"]}


def _by_request(_: Path) -> Answers:
    rows = [
        {"unique_id": name, "ds": ds, "y": None if np.isnan(y) else y}
        for name, values in _all_values().items()
        for ds, y in zip(_months(len(values)), values, strict=True)
    ]
    body = json.dumps({"freq": "M", "horizon": HORIZON, "rows": rows}).encode()
    return _read(adhoc.answer(body, NOW, read_periods))


def _by_file(folder: Path) -> Answers:
    file = folder / "awkward.csv"
    with file.open("w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["unique_id", "ds", "y"])
        for name, values in _all_values().items():
            rows.writerows([name, ds, y] for ds, y in zip(_months(len(values)), values, strict=True) if not np.isnan(y))
    with fitted_file(file, MONTHLY, NOW) as fitted:
        answers = {one.series: one for one in fitted.forecast([], HORIZON, [80, 95])}
    # a file without a row for a series does not name it
    return answers | {"no value": Failed("no value", "There is no observation: it is not in the file.")}


def _by_version(folder: Path) -> Answers:
    values = _all_values()
    registry = FakeRegistry(folder / "registry", lambda: NOW)
    train_forecasting(
        panels=[Panel.of(list(values.values()), ids=list(values), start=[600] * len(values))],
        infos={name: SeriesInfo(name, MONTHLY, "1", name) for name in values},
        vintage=NOW,
        provenance=Provenance(seed=0, code="", git_sha="", lock_hash=""),
        executor=InProcess(),
        checkpoints=FakeCheckpoints(),
        registry=registry,
    )
    bundle = ForecastBundle.read(registry.load(1))
    return {one.series: one for one in bundle.forecast(list(values), HORIZON)}


DOORS: dict[str, Callable[[Path], Answers]] = {"request": _by_request, "file": _by_file, "version": _by_version}


@pytest.fixture(scope="module", params=DOORS)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    yield DOORS[request.param](tmp_path_factory.mktemp(request.param))


def _answer(answers: Answers, name: str) -> tuple[Forecast, np.ndarray[Any, Any]]:
    found = answers[name]
    assert isinstance(found, Forecast), found
    return found, np.array([found.quantiles[key] for key in QUANTILES])


@pytest.mark.parametrize("name", AWKWARD_SERIES)
def test_a_series_gets_the_treatment_that_is_stated(answers: Answers, name: str) -> None:
    expected, found = AWKWARD_SERIES[name], answers[name]
    if isinstance(found, Failed):
        assert (expected.outcome, expected.says in found.reason) == ("failed", True), found
        return
    words = [found.fallback or "", *found.notes]
    assert expected.outcome == ("fallback" if found.fallback else "answered"), words
    assert any(expected.says in line for line in words), words


ANSWERED = {name: one for name, one in AWKWARD_SERIES.items() if one.outcome != "failed"}


@pytest.mark.parametrize("name", ANSWERED)
def test_numbers_are_finite_and_quantiles_in_order(answers: Answers, name: str) -> None:
    found, quantiles = _answer(answers, name)
    assert len(found.mean) == HORIZON
    assert np.isfinite(found.mean).all()
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=0) >= 0.0).all()


@pytest.mark.parametrize(("name", "series"), ANSWERED.items())
def test_an_interval_has_a_width_and_none_that_nobody_would_believe(
    answers: Answers, name: str, series: Awkward
) -> None:
    _, quantiles = _answer(answers, name)
    width = quantiles[-1] - quantiles[0]
    assert (width > 0.0).all() or series.flat
    if series.flat:  # what never moved may be believed to stay, or to move by what its neighbours do
        assert (width <= WIDEST * max(abs(np.nanmedian(series.y)), 1.0)).all()
    else:
        assert (width <= WIDEST * series.believed * np.sqrt(np.arange(1, HORIZON + 1))).all(), width / series.believed


@pytest.mark.parametrize("name", ["1 value", "5 values", "6 values", "one season"])
def test_a_horizon_longer_than_the_history_goes_on_from_its_end(answers: Answers, name: str) -> None:
    found, _ = _answer(answers, name)
    assert found.start == MONTHLY.label(600 + len(AWKWARD_SERIES[name].y))


def test_company_hardly_moves_the_mean_of_an_ordinary_series() -> None:
    """Members that learn from the whole partition may lean on it a little."""

    def ask(values: dict[str, list[float]]) -> Answers:
        sizes, y = [len(one) for one in values.values()], [v for one in values.values() for v in one]
        body = {"freq": "M", "sizes": sizes, "y": [None if np.isnan(v) else v for v in y]}
        return _read(adhoc.answer(json.dumps(body).encode(), NOW, read_periods))

    usual = {"ordinary": AWKWARD_SERIES["ordinary"].y.tolist()}
    alone, together = ask(usual)["0"], ask(usual | _all_values())["0"]
    assert isinstance(alone, Forecast)
    assert isinstance(together, Forecast)
    np.testing.assert_allclose(together.mean, alone.mean, atol=2.0)  # two standard deviations of its noise


def test_two_hundred_series_of_different_lengths_are_each_answered_or_named() -> None:
    rng = np.random.default_rng(1)
    sizes = list(range(200))
    y = np.round(50.0 + rng.normal(0.0, 5.0, sum(sizes)), 2).tolist()
    found = _read(adhoc.answer(json.dumps({"freq": "M", "sizes": sizes, "y": y}).encode(), NOW, read_periods))
    assert len(found) == 200
    assert [name for name, one in found.items() if isinstance(one, Failed)] == ["0"]


def test_decreasing_dates_are_put_in_order(tmp_path: Path) -> None:
    y = AWKWARD_SERIES["ordinary"].y.tolist()
    rows = [f"a,{ds},{value}" for ds, value in zip(_months(60), y, strict=True)]
    means = []
    for number, lines in enumerate((rows, rows[::-1])):
        file = tmp_path / f"{number}.csv"
        file.write_text("\n".join(["unique_id,ds,y", *lines]))
        with fitted_file(file, None, NOW) as fitted:
            (one,) = fitted.forecast([], 3, [80])
        assert isinstance(one, Forecast)
        means.append(one.mean)
    assert means[0] == means[1]


def test_a_series_that_is_given_twice_is_one_and_contradictions_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"a,{ds},{10 + i % 5}" for i, ds in enumerate(_months(24))]
    file = tmp_path / "twice.csv"
    file.write_text("\n".join(["unique_id,ds,y", *rows, *rows, f"a,{_months(24)[3]},99"]))
    with fitted_file(file, None, NOW) as fitted:
        assert fitted.bundle.series == ("a",)
    assert "conflicting_duplicate" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_a_file_is_read_in_the_encoding_that_it_has(tmp_path: Path, encoding: str) -> None:
    lines = [f"渝中区工业产值,{ds},{10 + i % 5}" for i, ds in enumerate(_months(24))]
    file = tmp_path / "names.csv"
    file.write_text("\n".join(["unique_id,ds,y", *lines]), encoding=encoding)
    with fitted_file(file, None, NOW) as fitted:
        assert fitted.bundle.series == ("渝中区工业产值",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02\x03" * 50, ""),
        (b"unique_id,ds,y\n", "no value"),
        (b"unique_id,ds,y\na,2020-01,nan\na,2020-02,\n", "no value"),
        (b"unique_id,ds,y\na,2020-13,1\na,yesterday,2\n", "no value"),
        (b"PAR1 and then nothing", ""),
    ],
)
def test_a_file_that_says_nothing_is_refused_with_a_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(content)
    with pytest.raises((FileFormatError, InputError)) as raised, fitted_file(file, None, NOW):
        pass
    assert says in raised.value.message
    assert raised.value.next_step


def test_a_file_that_was_cut_off_is_forecast_as_far_as_it_goes(tmp_path: Path) -> None:
    text = "\n".join(["unique_id,ds,y", *(f"a,{ds},{10 + i % 5}" for i, ds in enumerate(_months(24)))])
    file = tmp_path / "cut.csv"
    file.write_text(text[: text.rindex(",")])  # the last row has lost its value
    with fitted_file(file, None, NOW) as fitted:
        (one,) = fitted.forecast([], 1, [80])
    assert isinstance(one, Forecast)
    assert one.start == _months(24)[-1]


@pytest.mark.parametrize("cut", [1, 20, 200, -1])
def test_half_a_request_is_refused_as_no_json(cut: int) -> None:
    body = json.dumps({"freq": "M", "sizes": [60], "y": AWKWARD_SERIES["ordinary"].y.tolist()}).encode()
    with pytest.raises(HttpError) as raised:
        adhoc.answer(body[:cut], NOW, read_periods)
    assert raised.value.status_code == 400
