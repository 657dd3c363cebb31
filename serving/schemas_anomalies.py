"""The shapes of anomalies. Unknown fields are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from industrial_brain.domain.anomalies import EpisodeState, Kind, Label, Severity
from serving.schemas import In, Moment, MomentIn, Out, PageOut, Paging, Text
from serving.schemas_telemetry import ColumnsIn, ItemErrorOut, ReadingIn

CauseName = Literal["level", "rate", "stuck", "limit", "silent", "clock", "pattern", "shift"]
LONGEST_NOTE = 2000

Note = Annotated[str, Field(max_length=LONGEST_NOTE, pattern=r"^[^\x00]*$")]


class AnomaliesQuery(Paging):
    site: Text | None = None
    device: Text | None = None
    cause: CauseName | None = Field(default=None, description="At the peak.")
    severity: Severity | None = None
    state: EpisodeState | None = None
    label: Label | None = None
    start: MomentIn | None = Field(default=None, description="Only those that had not ended before.")
    end: MomentIn | None = Field(default=None, description="Only those that had begun before.")
    parent: Text | None = Field(
        default=None, description="Those that this anomaly took in; unless given, those that stand for themselves."
    )


class StreamQuery(In):
    site: Text | None = None


class AckIn(In):
    note: Note = ""


class LabelIn(In):
    label: Label
    note: Note = ""


class PeakOut(Out):
    at: Moment
    metric: str
    unit: str = Field(description="UCUM; empty where none was named.")
    value: float | None = Field(description="Null where a value means nothing, as of silence.")
    expected: float | None
    p: float = Field(description="How often a device that is well shows something as odd.")


class AnomalyOut(Out):
    id: str
    site: str
    device: str | None = Field(description="Null for an outage of the whole site.")
    kind: Kind = Field(description="At most one anomaly of a device and kind is open.")
    cause: CauseName = Field(description="At the peak.")
    severity: Severity
    state: EpisodeState
    reason: str = Field(description="In words.")
    start: Moment
    end: Moment | None = Field(description="Null while it is open.")
    last_point: Moment
    peak: PeakOut
    points: int = Field(description="Readings that belong to it.")
    sensor_count: int
    device_count: int = Field(description="More than one for a gateway or site with what is behind it.")
    detector: str = Field(description="What judged the peak, with its version.")
    shard: str
    first_seq: int = Field(description="Place in the shard's ingest sequence at which it began.")
    last_seq: int
    parent: str | None = Field(description="The anomaly that took this one in.")
    acknowledged_by: str | None
    acknowledged_at: Moment | None
    label: Label | None
    labelled_by: str | None
    labelled_at: Moment | None
    revision: int = Field(description="Rises with every change of any anomaly.")


class SensorOut(Out):
    device: str
    metric: str
    unit: str
    cause: CauseName
    at: Moment = Field(description="When it deviated most.")
    value: float | None
    expected: float | None
    p: float
    share: float | None = Field(description="Of the device's deviation, 0 to 1, where a model tells.")
    points: int
    silent: bool = Field(description="Still silent, in an anomaly of silence.")


class WordOut(Out):
    label: Label | None = Field(description="Null for an acknowledgement.")
    note: str
    author: str
    at: Moment


class AnomalyDetail(AnomalyOut):
    sensors: list[SensorOut] = Field(description="Those that contribute most first; 1,000 at most.")
    words: list[WordOut] = Field(description="What people said of it, oldest first.")
    readings: str | None = Field(description="Address of the readings around it, of the device's metric at the peak.")


class AnomalyPage(PageOut[AnomalyOut]):
    pass


class DifferenceOut(Out):
    field: str
    stored: str = Field(description="Empty where nothing is.")
    found: str


class ReplayOut(Out):
    anomaly: str
    equal: bool = Field(description="Found again with all its sensors, to the byte.")
    after: int = Field(description="Place in the ingest sequence of the snapshot that it began from; 0: from nothing.")
    until: int
    readings: int = Field(description="Scored on the way.")
    differences: list[DifferenceOut]


class ScoreIn(In):
    """Readings to score, of devices of one's own, and older ones that the detector may learn from first."""

    readings: list[ReadingIn] | ColumnsIn
    history: list[ReadingIn] | ColumnsIn | None = Field(default=None, description="Older than every one of `readings`.")
    alarms_per_day: float | None = Field(
        default=None, gt=0, description="Of these readings; the server's own budget unless given."
    )


class ScoresOut(Out):
    """By reading, in the order of the request; null where a reading was not judged."""

    index: list[int] = Field(description="Position of each reading in the request.")
    p: list[float | None]
    score: list[float | None] = Field(description="0 to 1, high is anomalous.")
    expected: list[float | None]
    cause: list[CauseName | None] = Field(description="Of the smallest p; null for a channel that is still new.")
    alarm: list[bool]


class ScoredAnomalyOut(Out):
    device: str | None
    kind: Kind
    cause: CauseName
    severity: Severity
    state: EpisodeState = Field(description="When the readings end.")
    reason: str
    start: Moment
    end: Moment | None
    last_point: Moment
    peak: PeakOut
    points: int
    sensor_count: int
    device_count: int
    sensors: list[SensorOut]


class ScoreOut(Out):
    detector: str
    level: float = Field(description="The p-value of an alarm when the readings ended.")
    silence_judged: bool = Field(description="False where the readings span so much time that gaps were not looked at.")
    scores: ScoresOut
    anomalies: list[ScoredAnomalyOut] = Field(
        description="That reach into the readings, the one that began first first."
    )
    rejected: int
    errors: list[ItemErrorOut] = Field(description="Why readings were rejected: the first 1,000 of them.")
