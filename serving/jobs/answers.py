"""Jobs and their results in the shapes in which they are sent."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

from industrial_brain.domain.jobs import Job, JobState
from industrial_brain.domain.periods import Frequency
from serving.jobs.results import Records
from serving.jobs.schemas import BacktestOut, JobOut


def job_out(job: Job, errors: Any, now: dt.datetime) -> JobOut:
    return JobOut.model_validate(_facts(job, errors, now))


def backtest_out(job: Job, errors: Any, summary: Any, now: dt.datetime) -> BacktestOut:
    scores = summary["scores"] if job.state is JobState.DONE else None
    return BacktestOut.model_validate({**_facts(job, errors, now), "scores": scores})


def forecasts_page(records: list[bytes], token: str | None, total: int) -> bytes:
    """A page of `JobForecastsOut`; records are copied as they lie on the disk."""
    lists: dict[str, list[bytes]] = {"forecasts": [], "failed": []}
    for record in records:
        kind, _, rest = record[2:].partition(b'":')  # {"KIND":{...}}
        lists[kind.decode()].append(rest[:-1])
    parts = [f'"{kind}":['.encode() + b",".join(found) + b"]" for kind, found in lists.items()]
    return b"{" + b",".join(parts) + f',"next_page_token":{json.dumps(token)},"total":{total}}}'.encode()


def as_csv(records: Records) -> Iterator[str]:
    """All forecasts, a row a series and period: `unique_id, ds, mean`, and `qP` a quantile. What failed has no row."""
    text = io.StringIO()
    rows = csv.writer(text)
    header: list[str] = []
    for names, table in _tables(records):
        if not header:
            header = names
            rows.writerow(header)
        rows.writerows(table)
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def as_parquet(records: Records) -> bytes:
    """The same as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    writer = None
    for names, rows in _tables(records):
        table = pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
        writer = writer or pq.ParquetWriter(sink, table.schema)
        writer.write_table(table)
    if writer is None:
        pq.write_table(pa.table({"unique_id": [], "ds": [], "mean": []}), sink)
    else:
        writer.close()
    return bytes(sink.getvalue())


def _tables(records: Records) -> Iterator[tuple[list[str], list[list[object]]]]:
    """Column names, and the rows of some hundred series at a time."""
    names: list[str] = []
    rows: list[list[object]] = []
    for number, record in enumerate(records, start=1):
        found = json.loads(record).get("forecasts")
        if found is not None:
            names = ["unique_id", "ds", "mean", *(f"q{key}" for key in found["quantiles"])]
            freq = Frequency(found["freq"])
            first = freq.ordinal_of_label(found["start"])
            quantiles = list(found["quantiles"].values())
            rows += [
                [found["series"], freq.label(first + step), mean, *(q[step] for q in quantiles)]
                for step, mean in enumerate(found["mean"])
            ]
        if rows and number % 200 == 0:
            yield names, rows
            rows = []
    if rows:
        yield names, rows


def _facts(job: Job, errors: Any, now: dt.datetime) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "ended_at": job.ended_at,
        "expires_at": job.expires_at,
        "attempts": job.attempts,
        "progress": _progress(job, now),
        "counts": job.counts,
        "reason": job.reason or None,
        "errors": errors,
    }


def _progress(job: Job, now: dt.datetime) -> dict[str, Any]:
    rate = eta = None
    if job.started_at is not None:
        seconds = ((job.ended_at or now) - job.started_at).total_seconds()
        if job.done > job.resumed and seconds > 0:
            rate = (job.done - job.resumed) / seconds
    if rate is not None and job.total is not None and job.state is JobState.RUNNING:
        eta = (job.total - job.done) / rate
    return {"done": job.done, "total": job.total, "per_second": rate, "eta_seconds": eta}
