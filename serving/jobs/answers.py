"""Jobs and their results in the shapes in which they are sent."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from industrial_brain.domain.jobs import Job, JobState
from industrial_brain.domain.periods import Frequency
from serving.jobs.results import Records
from serving.jobs.schemas import BacktestOut, JobOut

#: columns of every table of forecasts; those of them that are text
_COLUMNS, _TEXTS = ["unique_id", "ds", "mean"], ("unique_id", "ds")

#: the table as a file, in the job's folder
PARQUET = "forecasts.parquet"


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
    """All forecasts, a row a series and period: `unique_id, ds, mean`, and `qP` a quantile. What failed has no row.

    Where all failed, the columns are named all the same, without quantiles: no forecast says which there would be.
    """
    text = io.StringIO()
    rows = csv.writer(text)
    headed = False
    for names, table in chain(_tables(records), [(_COLUMNS, [])]):
        if not headed:
            rows.writerow(names)
            headed = True
        rows.writerows(table)
        if found := text.getvalue():
            yield found
        text.seek(0)
        text.truncate()


def as_parquet(records: Records) -> Path:
    """The same as a Parquet file, which is written beside the records when it is asked for first."""
    file = records.folder / PARQUET
    if file.exists():
        return file
    with NamedTemporaryFile(dir=records.folder, prefix=PARQUET, delete=False) as unfinished:
        try:
            _write_parquet(records, unfinished)
        except BaseException:
            Path(unfinished.name).unlink()
            raise
    Path(unfinished.name).replace(file)
    return file


def _write_parquet(records: Records, sink: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for names, rows in chain(_tables(records), [(_COLUMNS, [])]):
        if writer is None:
            kinds = [pa.string() if name in _TEXTS else pa.float64() for name in names]
            writer = pq.ParquetWriter(sink, pa.schema(zip(names, kinds, strict=True)))
        if rows:
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
            writer.write_table(pa.table(columns, schema=writer.schema))
    if writer is not None:
        writer.close()


def _tables(records: Records) -> Iterator[tuple[list[str], list[list[object]]]]:
    """Column names, and the rows of some hundred series at a time."""
    names: list[str] = []
    rows: list[list[object]] = []
    for number, record in enumerate(records, start=1):
        found = json.loads(record).get("forecasts")
        if found is not None:
            names = [*_COLUMNS, *(f"q{key}" for key in found["quantiles"])]
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
