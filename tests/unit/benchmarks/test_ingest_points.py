"""The points of the ingest benchmark."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ingest_points import METRIC, MINUTE_MS, Format, Points, body_of, site_name, value_of
from industrial_brain.domain.telemetry import Submission
from serving.telemetry.arrow import decode_arrow
from serving.telemetry.columnar import decode_json
from serving.telemetry.lines import decode_lines

POINTS = Points(devices=1_000, batch=7, start_ms=1_769_846_400_000)


def decoded(form: Format, body: bytes) -> Submission:
    match form:
        case Format.LINE:
            return decode_lines(body, "F", 0)
        case Format.ARROW:
            return decode_arrow(body, "F", 1_000_000)
        case _:
            return decode_json(body, "F")


@pytest.mark.parametrize("form", list(Format))
def test_every_format_says_the_same(form: Format) -> None:
    _, devices, ms = POINTS.request(200)
    found = decoded(form, body_of(form, devices, ms))
    assert [found.device[row] for row in range(len(found))] == [f"d{device:08}" for device in devices.tolist()]
    assert {found.metric[row] for row in range(len(found))} == {METRIC}
    assert found.ts.tolist() == (ms * 1_000).tolist()
    assert found.value.tolist() == (value_of(devices, ms) / 1000).tolist()
    assert found.errors == ()


def test_each_device_sends_once_a_minute_and_belongs_to_one_site() -> None:
    seen: dict[int, list[int]] = {}
    sites: dict[int, set[int]] = {}
    for number in range(2 * POINTS.requests_a_minute):
        site, devices, ms = POINTS.request(number)
        for device, moment in zip(devices.tolist(), ms.tolist(), strict=True):
            seen.setdefault(device, []).append(moment)
            sites.setdefault(device, set()).add(site)
    assert sorted(seen) == list(range(1_000))
    assert all(np.diff(moments).tolist() == [MINUTE_MS] for moments in seen.values())
    assert all(len(found) == 1 for found in sites.values())
    assert site_name(3) == "F003"
