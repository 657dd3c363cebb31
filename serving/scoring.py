"""Readings that nobody keeps, scored by the live detector: from the bytes of a request to those of its answer.

One function, because it runs in a process of its own, as ad-hoc forecasts do.
"""

from __future__ import annotations

import msgspec
import numpy as np

from industrial_brain.domain.errors import InputError, MalformedError
from industrial_brain.domain.telemetry import Cause, ChannelName, ItemError, Submission
from models.anomaly.decisions import FLEET, LiveDecider, Policy
from models.anomaly.fleet import LiveFleet
from serving.anomalies import shown, shown_sensor
from serving.problems import HttpError
from serving.schemas_anomalies import ScoredAnomalyOut, ScoreOut, ScoresOut
from serving.telemetry.columnar import decode_json
from streaming.scratch import Readings, score_readings
from streaming.watch import Watch

#: readings of one request, its history included
MOST_READINGS = 100_000

#: name of the one site that a request's devices are of, where an answer has to have one
_SITE = "scratch"


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    readings: msgspec.Raw
    history: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    alarms_per_day: float | msgspec.UnsetType = msgspec.UNSET


def score_body(body: bytes, alarms_per_day: float) -> bytes:
    """The answer to a request, in JSON.

    Args:
        alarms_per_day: the budget, unless the request brings its own.

    Raises:
        InputError: not a request of this shape; with a pointer where it is one field. HttpError: not JSON.
    """
    asked = _read(body)
    budget = alarms_per_day if isinstance(asked.alarms_per_day, msgspec.UnsetType) else asked.alarms_per_day
    policy = Policy(alarms_a_day=budget)
    submission = _decoded(asked.readings, "/readings")
    before = _decoded(asked.history, "/history") if isinstance(asked.history, msgspec.Raw) else None
    if len(submission) + (len(before) if before else 0) > MOST_READINGS:
        raise InputError(
            f"A request is scored with {MOST_READINGS:,} readings at most, its history included.",
            "Send fewer, or take them in with POST /v1/telemetry.",
            pointer="/readings",
        )
    keys: dict[tuple[str, str], int] = {}
    units: dict[int, str] = {}
    history = _readings(before, keys, units)
    readings = _readings(submission, keys, units)
    names = [ChannelName(key, _SITE, device, metric, units[key]) for (device, metric), key in keys.items()]

    watch = Watch(LiveFleet(max(len(names), 1)), LiveDecider(policy))
    found = score_readings(watch, names, history, readings)
    judged = found.cause != Cause.NONE
    out = ScoreOut(
        detector=FLEET,
        level=found.level,
        silence_judged=found.silence,
        scores=ScoresOut(
            index=submission.index.tolist(),
            p=[float(p) if good else None for p, good in zip(found.p, judged, strict=True)],
            score=[float(score) if good else None for score, good in zip(found.score, judged, strict=True)],
            expected=[
                float(one) if good and np.isfinite(one) else None
                for one, good in zip(found.expected, judged, strict=True)
            ],
            cause=[Cause(int(one)).name.lower() if one else None for one in found.cause],  # type: ignore[misc]
            alarm=found.alarm.tolist(),
        ),
        anomalies=[
            ScoredAnomalyOut(
                **shown(episode, sensors).model_dump(include=set(ScoredAnomalyOut.model_fields)),
                sensors=[shown_sensor(one) for one in sensors],
            )
            for episode, sensors in found.episodes
        ],
        rejected=len(submission.errors) + submission.unnamed,
        errors=[_error(one) for one in submission.errors],  # type: ignore[misc]
    )
    return out.model_dump_json().encode()


def _read(body: bytes) -> _Body:
    try:
        return msgspec.json.decode(body, type=_Body)
    except msgspec.ValidationError as error:
        raise InputError(
            f"The body has another shape: {error}.",
            "Send {'readings': ..., 'history': ...}, each as rows or as columns; see /openapi.json.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HttpError(
            400, "malformed-json", f"The body is not JSON: {error}.", "Send one JSON document in UTF-8."
        ) from error


def _decoded(part: msgspec.Raw, pointer: str) -> Submission:
    try:
        return decode_json(bytes(part), _SITE)
    except MalformedError:
        raise
    except InputError as error:
        raise InputError(error.message, error.next_step, pointer=pointer + (error.pointer or "")) from error


def _readings(submission: Submission | None, keys: dict[tuple[str, str], int], units: dict[int, str]) -> Readings:
    if submission is None:
        return Readings(np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.uint8))
    channel = np.empty(len(submission), np.int32)
    for row in range(len(submission)):
        key = keys.setdefault((submission.device[row], submission.metric[row]), len(keys))
        channel[row] = key
        if not units.get(key):
            units[key] = submission.unit[row]
    return Readings(channel, submission.ts, submission.value, submission.quality)


def _error(error: ItemError) -> dict[str, object]:
    return {"index": error.index, "code": error.code, "detail": error.detail}
