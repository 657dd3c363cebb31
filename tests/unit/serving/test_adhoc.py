"""Series that come with the question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import httpx
import pytest
from fastapi.testclient import TestClient

from industrial_brain.domain.access import Role
from industrial_brain.domain.errors import UnavailableError
from serving.app import create_app
from serving.schemas import ADHOC_SERIES
from tests.fakes.city import SmallCity
from tests.fakes.worker import InlineWorker

P = ParamSpec("P")
T = TypeVar("T")

MONTHS = [f"{2022 + m // 12}-{m % 12 + 1:02}" for m in range(48)]
VALUES = [100.0 + m + 10 * (m % 12 == 0) for m in range(48)]


def _ask(client: TestClient, **question: Any) -> httpx.Response:
    answer: httpx.Response = client.post("/v1/forecasts:adhoc", json=question)
    return answer


def _rows(*rows: tuple[str, Any, Any]) -> list[dict[str, Any]]:
    return [dict(zip(("unique_id", "ds", "y"), row, strict=True)) for row in rows]


def _faults(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    assert all(error["in"] == "body" for error in answer.json()["errors"])
    return [error["pointer"] for error in answer.json()["errors"]]


def test_an_answer_has_the_shape_of_any_forecast_and_names_no_version(planner: TestClient) -> None:
    columns = {"unique_id": ["mine"] * 48, "ds": MONTHS, "y": VALUES}
    (one,) = _ask(planner, freq="M", horizon=2, levels=[80], **columns).json()["forecasts"]
    assert (one["series"], one["freq"], one["start"]) == ("mine", "M", "2026-01-01")
    assert one["model"] == {"name": "ad-hoc", "version": None}
    assert (one["vintage"], one["simulated"], one["fallback"]) == ("2026-03-01T00:00:00Z", False, None)
    assert [len(one["quantiles"][key]) for key in ("0.1", "0.5", "0.9")] == [2, 2, 2]
    assert one["mean"][0] == pytest.approx(158.0, abs=5.0)  # the trend goes on, and January stands out


def test_rows_in_any_order_columns_and_sizes_get_the_same_numbers(planner: TestClient) -> None:
    shuffled = [("mine", *pair) for pair in zip(MONTHS, VALUES, strict=True)][::-1]
    answers = [
        _ask(planner, freq="M", rows=_rows(*shuffled)),
        _ask(planner, freq="M", unique_id=["mine"] * 48, ds=MONTHS, y=VALUES),
        _ask(planner, freq="M", sizes=[48], y=VALUES),
    ]
    rows, columns, sizes = (answer.json()["forecasts"][0] for answer in answers)
    assert rows == columns
    assert len(rows["mean"]) == 12
    assert (sizes["series"], sizes["freq"], sizes["start"]) == ("0", "O", "48")
    assert sizes["mean"] == pytest.approx(rows["mean"])


def test_series_come_in_the_order_in_which_they_first_appear(planner: TestClient) -> None:
    rows = _rows(*((name, 2000 + year, year) for year in range(8) for name in ("b", "a")))
    answer = _ask(planner, freq="Y", rows=rows).json()
    assert [(one["series"], one["start"]) for one in answer["forecasts"]] == [("b", "2008-01-01"), ("a", "2008-01-01")]


def test_a_season_of_ones_own_is_used(planner: TestClient) -> None:
    y = [float(step % 5) for step in range(60)]
    (one,) = _ask(planner, freq="O", season=5, horizon=5, sizes=[60], y=y).json()["forecasts"]
    assert one["mean"] == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0], abs=0.2)


def test_a_gap_stays_a_gap_and_a_note_says_so(planner: TestClient) -> None:
    columns = {"unique_id": ["mine"] * 46, "ds": MONTHS[:20] + MONTHS[22:], "y": VALUES[:20] + VALUES[22:]}
    (one,) = _ask(planner, freq="M", **columns).json()["forecasts"]
    assert [note for note in one["notes"] if note.startswith("2 of 48 periods have no value")]
    assert one["start"] == "2026-01-01"


def test_a_null_is_no_value_so_the_forecast_starts_behind_the_last_value(planner: TestClient) -> None:
    columns = {"unique_id": ["mine"] * 48, "ds": MONTHS, "y": [*VALUES[:46], None, None]}
    (one,) = _ask(planner, freq="M", **columns).json()["forecasts"]
    assert one["start"] == "2025-11-01"
    assert one["notes"] == []


def test_a_series_without_a_value_fails_by_name_and_the_others_are_answered(planner: TestClient) -> None:
    answer = _ask(planner, freq="Y", sizes=[2, 0, 6], y=[None, None, 1, 2, 3, 4, 5, 6]).json()
    assert [one["series"] for one in answer["failed"]] == ["0", "1"]
    assert [one["series"] for one in answer["forecasts"]] == ["2"]


def test_an_equal_duplicate_is_ignored(planner: TestClient) -> None:
    rows = _rows(*(("a", year, year) for year in range(2000, 2008)))
    once, twice = (_ask(planner, freq="Y", rows=given).json() for given in (rows, rows + rows[:3]))
    assert once == twice


def test_duplicates_that_differ_are_refused_with_a_pointer_to_the_later_one(planner: TestClient) -> None:
    rows = _rows(("a", "2020", 1), ("b", "2020", 7), ("a", "2021", 2), ("a", "2020-01-01", 3))
    assert _faults(_ask(planner, freq="Y", rows=rows)) == ["/rows/3/ds"]


@pytest.mark.parametrize(
    ("question", "pointers"),
    [
        (
            {"rows": _rows(("a", "2020-13", 1), ("a", "01/02/2020", 1), ("a", "2020-01", 1))},
            ["/rows/0/ds", "/rows/1/ds"],
        ),
        ({"unique_id": ["a"], "ds": ["2020-01-15"], "y": [1]}, ["/ds/0"]),
        ({"unique_id": ["a"], "ds": ["2020"], "y": [1]}, ["/ds/0"]),
        ({"unique_id": ["a"], "ds": ["2020-01"], "y": [1, 2]}, ["/y"]),
        ({"unique_id": ["a"], "ds": [], "y": [1]}, ["/ds"]),
        ({"rows": _rows(("a", "2020-01", "1"))}, ["/rows/0/y"]),
        ({"rows": _rows(("a", "2020-01", True))}, ["/rows/0/y"]),
        ({"rows": _rows((" \x00", "2020-01", 1))}, ["/rows/0/unique_id"]),
        ({"rows": _rows(("a", True, 1))}, ["/rows/0/ds"]),
        ({"rows": [{"unique_id": "a", "ds": "2020-01"}]}, ["/rows/0/y"]),
        ({"rows": []}, ["/rows"]),
        ({"rows": _rows(("a", "2020-01", 1)), "y": [1]}, ["/y"]),
        ({"sizes": [2], "y": [1]}, ["/sizes"]),
        ({"sizes": [-1, 2], "y": [1]}, ["/sizes/0"]),
        ({"sizes": [1] * (ADHOC_SERIES + 1), "y": [1]}, ["/sizes"]),
        ({"sizes": [1], "y": [10**400]}, ["/y/0"]),
        ({"sizes": [1], "y": [1], "horizn": 3}, ["/horizn"]),
        ({"sizes": [1], "y": [1], "horizon": 61}, ["/horizon"]),
        ({"sizes": [1], "y": [1], "season": 0}, ["/season"]),
        ({"sizes": [1], "y": [1], "levels": [100]}, ["/levels/0"]),
        ({"sizes": [1], "y": [1], "freq": "month"}, ["/freq"]),
        ({}, ["/unique_id", "/ds", "/y"]),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_pointer(
    planner: TestClient, question: dict[str, Any], pointers: list[str]
) -> None:
    assert _faults(_ask(planner, **{"freq": "M", **question})) == pointers


def test_a_number_too_big_to_be_finite_is_refused_and_nan_is_no_json(planner: TestClient) -> None:
    def post(value: str) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        body = f'{{"freq": "Y", "sizes": [1], "y": [{value}]}}'
        answer: httpx.Response = planner.post("/v1/forecasts:adhoc", content=body, headers=headers)
        return answer

    assert _faults(post("1e999")) == ["/y/0"]
    assert (post("NaN").status_code, post("Infinity").status_code, post("[").status_code) == (400, 400, 400)


def test_a_body_that_is_not_an_object_is_refused(planner: TestClient) -> None:
    assert planner.post("/v1/forecasts:adhoc", json=[1]).status_code == 422
    assert planner.post("/v1/forecasts:adhoc", content=b"{}").status_code == 415


def test_more_series_or_more_periods_than_the_limit_are_refused_with_a_next_step(planner: TestClient) -> None:
    many = _ask(planner, freq="Y", rows=_rows(*((str(i), 2020, 1) for i in range(ADHOC_SERIES + 1))))
    assert (many.status_code, "may hold 200" in many.json()["detail"]) == (422, True)
    wide = _ask(planner, freq="O", rows=_rows(("a", 0, 1), ("a", 5_000_000, 1)))
    assert (wide.status_code, "may span 200,000" in wide.json()["detail"]) == (422, True)
    assert wide.json()["next_step"]


def test_only_ad_hoc_bodies_may_be_long(planner: TestClient) -> None:
    padding = " " * 20_000  # the small city's limit is half of it
    assert _ask(planner, freq="Y", sizes=[1], y=[1], note=padding).status_code == 422
    assert planner.post("/v1/forecasts", json={"series": [padding]}).status_code == 413


class BusyWorker(InlineWorker):
    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        raise UnavailableError("Too many requests of this kind are waiting already.", "Send the request again later.")


def test_a_busy_worker_answers_503_and_says_when_to_come_back(city: SmallCity) -> None:
    headers = {"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}
    with TestClient(create_app(replace(city.services(), worker=BusyWorker())), headers=headers) as client:
        answer = _ask(client, freq="Y", sizes=[1], y=[1])
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_covariates_come_in_rows_or_columns_and_those_behind_the_last_value_are_known_ahead(
    planner: TestClient,
) -> None:
    warmth = [15.0 - 10.0 * ((m % 12) in (0, 1, 2, 11)) + (7 * m % 5) for m in range(51)]
    dates = [f"{2022 + m // 12}-{m % 12 + 1:02}" for m in range(51)]
    y = [200.0 - 4.0 * warmth[m] + 0.3 * (3 * m % 7) for m in range(48)] + [None] * 3
    columns = {"unique_id": ["mine"] * 51, "ds": dates, "y": y, "x": {"warmth": warmth}}
    (told,) = _ask(planner, freq="M", horizon=3, **columns).json()["forecasts"]
    rows = [
        {"unique_id": "mine", "ds": day, "y": value, "x": {"warmth": warm}}
        for day, value, warm in zip(dates, y, warmth, strict=True)
    ]
    assert _ask(planner, freq="M", horizon=3, rows=rows).json()["forecasts"] == [told]
    assert told["start"] == "2026-01-01" and "regression" in told["weights"]
    colder = columns | {"x": {"warmth": [*warmth[:48], *(warm - 4.0 for warm in warmth[48:])]}}
    (cold,) = _ask(planner, freq="M", horizon=3, country="CN", **colder).json()["forecasts"]
    assert all(after > before for before, after in zip(told["mean"], cold["mean"], strict=True))


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"x": {"warmth": [1.0]}}, "/x/warmth"),
        ({"x": {"warmth": ["warm"] * 48}}, "/x/warmth/0"),
        ({"x": {}}, "/x"),
        ({"country": "China"}, "/country"),
        ({"x": {f"c{k}": [1.0] * 48 for k in range(11)}}, "/x"),
    ],
)
def test_covariates_that_can_t_be_are_refused_by_their_place(
    planner: TestClient, change: dict[str, Any], pointer: str
) -> None:
    answer = _ask(planner, freq="M", unique_id=["mine"] * 48, ds=MONTHS, y=VALUES, **change)
    assert _faults(answer)[0] == pointer


def test_covariates_that_no_model_reads_are_refused(planner: TestClient) -> None:
    hours = [f"2025-01-01T{hour:02}:00" for hour in range(24)]
    answer = _ask(planner, freq="H", unique_id=["mine"] * 24, ds=hours, y=[1.0] * 24, x={"warmth": [1.0] * 24})
    assert answer.status_code == 422 and "hour" in answer.json()["detail"]
