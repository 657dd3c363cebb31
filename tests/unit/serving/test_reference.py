"""The reference page names what there is, and no more."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi.testclient import TestClient

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "http-api.md").read_text(encoding="utf-8")


def test_the_reference_page_names_every_address_and_no_other(planner: TestClient) -> None:
    described = planner.get("/openapi.json").json()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", PAGE, flags=re.MULTILINE)) == routes


def test_the_reference_page_names_every_figure_of_ours(planner: TestClient) -> None:
    figures = re.findall(r"^# TYPE (brain_\w+) ", planner.get("/metrics").text, flags=re.MULTILINE)
    named = re.findall(r"`(brain_\w+)`", PAGE)
    assert sorted({figure for figure in figures if not figure.endswith("_created")}) == sorted(named)


def test_the_reference_page_names_every_parameter(planner: TestClient) -> None:
    described = planner.get("/openapi.json").json()["paths"]
    names = {
        one["name"]
        for methods in described.values()
        for operation in methods.values()
        for one in operation.get("parameters", [])
    }
    assert {name for name in names - {"id", "version"} if f"`{name}`" not in PAGE} == set()
