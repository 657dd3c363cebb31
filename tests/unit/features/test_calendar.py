"""The calendar as columns: working days, kinds of days, the moving festival. Facts are checked against published ones."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from features.calendar import (
    DAY_COLUMNS,
    PERIOD_COLUMNS,
    calendar_columns,
    days_in,
    trading_days,
    working_days,
    year_fraction,
)
from features.countries import country_calendar
from features.spring_festival import festival_days, festival_shares, lunar_new_years
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.periods import Frequency, Ordinals


def _days(first: str, after: str) -> Ordinals:
    return np.arange(first, after, dtype="datetime64[D]").astype(np.int64)


def _months(year: int) -> Ordinals:
    first = Frequency.MONTHLY.ordinal(dt.datetime(year, 1, 1, tzinfo=dt.UTC))
    return np.arange(first, first + 12)


def test_working_days_of_2025_in_china_are_the_published_248() -> None:
    months = working_days(country_calendar("CN"), Frequency.MONTHLY, _months(2025))
    assert months.sum() == 248
    assert months[0] == 19 and months[9] == 18  # the Spring Festival in January, the National Day in October


def test_a_make_up_workday_is_worked_and_a_substituted_day_is_not() -> None:
    calendar = country_calendar("CN")
    sunday, friday = _days("2026-01-04", "2026-01-05"), _days("2026-01-02", "2026-01-03")
    assert calendar.is_worked(sunday).tolist() == [1]
    assert calendar.is_worked(friday).tolist() == [0]
    columns = calendar_columns(calendar, Frequency.DAILY, np.concatenate([sunday, friday]))
    assert columns[0, DAY_COLUMNS.index("make-up workday")] == 1.0
    assert columns[1, DAY_COLUMNS.index("holiday")] == 1.0


def test_the_friday_after_ascension_day_is_a_bridge_in_france() -> None:
    columns = calendar_columns(country_calendar("FR"), Frequency.DAILY, _days("2025-05-28", "2025-05-31"))
    assert columns[:, DAY_COLUMNS.index("bridge")].tolist() == [0.0, 0.0, 1.0]
    assert columns[:, DAY_COLUMNS.index("before a day off")].tolist() == [1.0, 0.0, 0.0]


def test_trading_days_count_every_weekday_of_a_month() -> None:
    months = _months(2024)
    counted = trading_days(Frequency.MONTHLY, months)
    for month, row in zip(months, counted, strict=True):
        first = np.datetime64(int(month), "M").astype("datetime64[D]").astype(int)
        after = np.datetime64(int(month) + 1, "M").astype("datetime64[D]").astype(int)
        assert row.tolist() == [float(sum((d + 3) % 7 == w for d in range(first, after))) for w in range(7)]
    assert np.array_equal(counted.sum(axis=1), days_in(Frequency.MONTHLY, months))
    assert counted[1].sum() == 29.0  # a leap year


def test_the_festivals_windows_are_shared_out_whole_among_the_periods() -> None:
    for freq in (Frequency.WEEKLY, Frequency.MONTHLY, Frequency.QUARTERLY):
        ordinals = np.arange(
            freq.ordinal(dt.datetime(2019, 12, 1, tzinfo=dt.UTC)), freq.ordinal(dt.datetime(2020, 6, 1, tzinfo=dt.UTC))
        )
        assert np.allclose(festival_shares(lunar_new_years(), freq, ordinals).sum(axis=0), 1.0)


def test_the_festival_moves_from_february_into_january() -> None:
    core = PERIOD_COLUMNS.index("Spring Festival +0 to +6")
    calendar = country_calendar("CN")
    late, early = (calendar_columns(calendar, Frequency.MONTHLY, _months(year))[:2, core] for year in (2026, 2025))
    assert late.tolist() == [0.0, 1.0]
    assert early[0] == pytest.approx(3 / 7) and early[1] == pytest.approx(4 / 7)


def test_daily_weights_of_the_festival_add_up_to_one_inside_it_and_nothing_outside() -> None:
    weights = festival_days(lunar_new_years(), _days("2026-01-01", "2026-04-01"))
    inside = weights[np.flatnonzero(_days("2026-01-01", "2026-04-01") == _days("2026-02-17", "2026-02-18")[0])[0]]
    assert inside.sum() == 1.0 and inside.max() == 1.0
    assert not weights[0].any() and not weights[-1].any()


def test_the_festival_table_is_what_the_package_of_holidays_says() -> None:
    calendar = country_calendar("CN")
    assert np.isin(lunar_new_years(), calendar.holidays).all()
    # the lunar new year's day is always followed by two more days off
    assert np.isin(lunar_new_years() + 2, calendar.holidays).mean() > 0.9


def test_a_country_without_the_festival_has_none_of_its_effect() -> None:
    columns = calendar_columns(country_calendar("FR"), Frequency.MONTHLY, _months(2025))
    assert not columns[:, 2:].any()


def test_an_unknown_country_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'XX'"):
        country_calendar("XX")


def test_hours_and_steps_have_no_calendar_columns() -> None:
    with pytest.raises(ValueError, match="no calendar"):
        calendar_columns(country_calendar("CN"), Frequency.HOURLY, np.arange(3))


def test_the_year_fraction_rises_through_a_year() -> None:
    fractions = year_fraction(Frequency.MONTHLY, _months(2023))
    assert (np.diff(fractions) > 0).all() and 0.0 < fractions[0] < 0.1 and 0.9 < fractions[-1] < 1.0
