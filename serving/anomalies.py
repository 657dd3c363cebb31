"""Episodes as the API shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from urllib.parse import quote, urlencode

from industrial_brain.domain.access import ApiKey, Role
from industrial_brain.domain.anomalies import WHOLE_SITE, Episode, EpisodeState, EpisodeWord, Sensor
from industrial_brain.domain.episode_words import moment_of, tell
from industrial_brain.domain.telemetry import MICROS_PER_SECOND
from serving.schemas_anomalies import AnomalyDetail, AnomalyOut, PeakOut, SensorOut, WordOut

#: what is shown of the readings around an episode: as long again before and after, and so many seconds at least
_LEAST_AROUND = 3_600


def sites_of(key: ApiKey) -> tuple[str, ...] | None:
    """The sites whose telemetry a key may see; None for all."""
    return key.sites if key.role is Role.FACTORY else None


def shown(episode: Episode, sensors: Sequence[Sensor] = ()) -> AnomalyOut:
    """An episode as lists and streams show it."""
    return AnomalyOut(
        id=episode.id,
        site=episode.site,
        device=None if episode.device == WHOLE_SITE else episode.device,
        kind=episode.kind,
        cause=episode.cause.name.lower(),  # type: ignore[arg-type]  # the literal's words are the enumeration's names
        severity=episode.severity,
        state=episode.state,
        reason=tell(episode, sensors),
        start=moment_of(episode.start),
        end=None if episode.state is EpisodeState.OPEN else moment_of(episode.end),
        last_point=moment_of(episode.end),
        peak=PeakOut(
            at=moment_of(episode.at),
            metric=episode.metric,
            unit=episode.unit,
            value=_number(episode.value),
            expected=_number(episode.expected),
            p=episode.p,
        ),
        points=episode.points,
        sensor_count=episode.sensor_count,
        device_count=episode.device_count,
        detector=episode.detector,
        shard=episode.shard,
        first_seq=episode.first_seq,
        last_seq=episode.last_seq,
        parent=episode.parent,
        acknowledged_by=episode.acknowledged_by,
        acknowledged_at=None if episode.acknowledged_at is None else moment_of(episode.acknowledged_at),
        label=episode.label,
        labelled_by=episode.labelled_by,
        labelled_at=None if episode.labelled_at is None else moment_of(episode.labelled_at),
        revision=episode.revision,
    )


def shown_in_full(episode: Episode, sensors: Sequence[Sensor], words: Sequence[EpisodeWord]) -> AnomalyDetail:
    """An episode with what it is made of."""
    return AnomalyDetail(
        **shown(episode, sensors).model_dump(),
        sensors=[shown_sensor(one) for one in sensors],
        words=[WordOut(label=one.label, note=one.note, author=one.author, at=moment_of(one.at)) for one in words],
        readings=_readings(episode),
    )


def shown_sensor(sensor: Sensor) -> SensorOut:
    """A sensor's part in an episode."""
    return SensorOut(
        device=sensor.device,
        metric=sensor.metric,
        unit=sensor.unit,
        cause=sensor.cause.name.lower(),  # type: ignore[arg-type]  # as above
        at=moment_of(sensor.at),
        value=_number(sensor.value),
        expected=_number(sensor.expected),
        p=sensor.p,
        share=_number(sensor.share),
        points=sensor.points,
        silent=sensor.active and math.isnan(sensor.value),
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _readings(episode: Episode) -> str | None:
    if episode.device == WHOLE_SITE:
        return None
    around = max(episode.end - episode.start, _LEAST_AROUND * MICROS_PER_SECOND)
    query = {
        "site": episode.site,
        "metric": episode.metric,
        "start": _written(episode.start - around),
        "end": _written(episode.end + around),
    }
    return f"/v1/devices/{quote(episode.device, safe='')}/readings?{urlencode(query)}"


def _written(micros: int) -> str:
    return moment_of(micros).isoformat(timespec="seconds").replace("+00:00", "Z")
