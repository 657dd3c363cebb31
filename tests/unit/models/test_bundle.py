from __future__ import annotations

import contextlib
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from industrial_brain.domain.errors import BundleError, HorizonError, LevelError
from industrial_brain.domain.forecasts import Failed, Forecast
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from models.forecasting.bundle import ForecastBundle
from tests.panels import seasonal_panel
from training.pipeline import fit_panels


@pytest.fixture(scope="module")
def bundle() -> ForecastBundle:
    yearly = Panel.of([np.arange(20.0), []], ids=["y", "none"], freq=Frequency.YEARLY, start=[30, 30])
    return fit_panels([seasonal_panel(n=3), yearly])


def _forecast(answer: Forecast | Failed) -> Forecast:
    assert isinstance(answer, Forecast), answer
    return answer


def test_answers_come_in_the_order_asked_each_at_its_own_frequency(bundle: ForecastBundle) -> None:
    answers = bundle.forecast(["y", "2", "unheard of", "0", "none"])
    assert [a.series for a in answers] == ["y", "2", "unheard of", "0", "none"]
    yearly, monthly = _forecast(answers[0]), _forecast(answers[1])
    assert (yearly.freq, yearly.start, len(yearly.mean)) == (Frequency.YEARLY, "2020-01-01", 3)
    assert (monthly.freq, monthly.start, len(monthly.mean)) == (Frequency.MONTHLY, "1976-01-01", 12)
    assert isinstance(answers[2], Failed)
    assert answers[4] == Failed("none", "There is no observation.")


def test_levels_become_the_quantiles_of_their_ends_and_the_median(bundle: ForecastBundle) -> None:
    (answer,) = bundle.forecast(["0"], 2, [80, 95, 33.33])
    assert list(_forecast(answer).quantiles) == ["0.025", "0.1", "0.33335", "0.5", "0.66665", "0.9", "0.975"]


def test_quantiles_never_cross(bundle: ForecastBundle) -> None:
    (answer,) = bundle.forecast(["1"], 60, [1, 50, 80, 95, 99])
    table = np.array(list(_forecast(answer).quantiles.values()))
    assert (np.diff(table, axis=0) >= 0).all()


@pytest.mark.parametrize("horizon", [0, -1, 61, 10**9])
def test_an_absurd_horizon_is_refused_with_the_range(bundle: ForecastBundle, horizon: int) -> None:
    with pytest.raises(HorizonError, match="1 to 60 months"):
        bundle.forecast(["0"], horizon)


@pytest.mark.parametrize("level", [0, -5, 100, 99.5, float("nan"), float("inf"), 80.00001])
def test_a_level_that_can_t_be_answered_is_refused_by_its_place(bundle: ForecastBundle, level: float) -> None:
    with pytest.raises(LevelError) as caught:
        bundle.forecast(["0"], 1, [80, level])
    assert caught.value.pointer == "/levels/1"


def test_a_written_bundle_reads_back_equal(bundle: ForecastBundle, tmp_path: Path) -> None:
    bundle.write(tmp_path)
    again = ForecastBundle.read(tmp_path)
    assert again.forecast(bundle.series, 5) == bundle.forecast(bundle.series, 5)
    assert list(again.failures()) == list(bundle.failures())


def test_a_bundle_holds_no_pickle(bundle: ForecastBundle, tmp_path: Path) -> None:
    bundle.write(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz", ".json"}
    for path in tmp_path.glob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            assert all(archive[name].dtype != object for name in archive.files)


def test_an_unreadable_bundle_is_named_so(bundle: ForecastBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="does not hold"):
        ForecastBundle.read(tmp_path)
    bundle.write(tmp_path)
    whole = (tmp_path / "M.npz").read_bytes()
    for damaged in (whole[:500], b"", b"no archive"):
        (tmp_path / "M.npz").write_bytes(damaged)
        with pytest.raises(BundleError, match="damaged"):
            ForecastBundle.read(tmp_path)
    for at in range(0, len(whole), max(1, len(whole) // 150)):  # a flipped byte is noticed, or it did not matter
        (tmp_path / "M.npz").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(BundleError):
            ForecastBundle.read(tmp_path)
    (tmp_path / "M.npz").write_bytes(whole)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    missing = {key: value for key, value in manifest.items() if key != "provenance"}
    contents: tuple[object, ...] = ([], manifest | {"frequencies": None}, missing)
    for broken in contents:
        (tmp_path / "manifest.json").write_text(json.dumps(broken))
        with pytest.raises(BundleError):
            ForecastBundle.read(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"schema": 99}))
    with pytest.raises(BundleError, match="schema 99"):
        ForecastBundle.read(tmp_path)


def test_the_vintage_is_kept_to_the_microsecond(tmp_path: Path) -> None:
    vintage = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    ForecastBundle(vintage, {}).write(tmp_path)
    assert ForecastBundle.read(tmp_path).vintage == vintage
