"""What takes longer than a request may: forecast jobs and backtests."""

from __future__ import annotations

import json
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import FileResponse, StreamingResponse

from industrial_brain.domain.access import ApiKey
from industrial_brain.domain.jobs import JobKind
from industrial_brain.domain.protocols import Page
from serving.adhoc import JOB, panel_of, require_horizon
from serving.bodies import StrictJsonRoute
from serving.deps import KeyDep, Services, ServicesDep, each_parameter_once, no_parameters
from serving.forecasting import require_known
from serving.jobs.answers import as_csv, as_parquet, backtest_out, forecasts_page, job_out
from serving.jobs.desk import Body, JobDesk, JobsDep
from serving.jobs.results import Records
from serving.jobs.schemas import (
    BacktestOut,
    BacktestsIn,
    JobColumns,
    JobForecastsIn,
    JobForecastsOut,
    JobForecastsQuery,
    JobOut,
    JobPage,
    JobRows,
    JobSizes,
    RemarkPage,
    SeriesScoresPage,
)
from serving.jobs.work import FORECASTS, REMARKS, SERIES, read_forecast_request, require_series
from serving.pages import issue_token, page_after, page_out, whole_number
from serving.routers.common import IdempotencyKey, problems
from serving.schemas import Paging

router = APIRouter(prefix="/v1", tags=["jobs"], responses=problems())

#: of the routes that take a body
_bodies = APIRouter(route_class=StrictJsonRoute)

FORECAST_JOBS_PATH = "/v1/forecast-jobs"

#: the shapes of a forecast job's request, which is read where the job is done
JOB_SHAPES = (JobForecastsIn, JobRows, JobColumns, JobSizes)

_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"oneOf": [{"$ref": f"#/components/schemas/{shape.__name__}"} for shape in JOB_SHAPES]}
        }
    },
}

#: bodies up to here are checked before the job is taken; longer ones where it is done
_CHECKED = 262_144

#: seconds after which a look at a new job may be worth it
_RETRY_AFTER = "2"

_once, _none = Depends(each_parameter_once), Depends(no_parameters)
JobId = Annotated[str, Path(alias="id", max_length=64)]
_ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"model": JobOut, "description": "The job, at `Location`."}}


@_bodies.post(
    FORECAST_JOBS_PATH.removeprefix(router.prefix),
    status_code=202,
    response_model=JobOut,
    responses=problems(400, 408, 415, 429) | _ACCEPTED,
    openapi_extra={"requestBody": _BODY},
    dependencies=[_none],
)
async def add_forecast_job(
    request: Request,
    services: ServicesDep,
    jobs: JobsDep,
    key: KeyDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Forecasts of many series: stored ones by `series` or `filter`, or thousands that come with the request.

    The body goes to the disk as it comes. Small ones are checked at once; what is wrong with a long one is said by the job.
    """
    body = await jobs.receive(request.stream())

    def add() -> JobOut:
        _check(body, services)
        job = jobs.add(JobKind.FORECAST, key, body, idempotency_key)
        return job_out(job, jobs.errors(job), services.clock())

    found = await anyio.to_thread.run_sync(add)
    response.headers["Location"] = f"{FORECAST_JOBS_PATH}/{found.id}"
    response.headers["Retry-After"] = _RETRY_AFTER
    return found


@router.get("/forecast-jobs", dependencies=[_once])
def forecast_jobs(services: ServicesDep, jobs: JobsDep, key: KeyDep, query: Annotated[Paging, Query()]) -> JobPage:
    """Your jobs, newest first; an administrator sees everyone's."""
    return _page("forecast-jobs", JobKind.FORECAST, services, jobs, key, query)


@router.get(
    "/forecast-jobs/{id}/forecasts",
    dependencies=[_once],
    response_model=JobForecastsOut,
    responses=problems(404, 409) | {200: {"content": {"text/csv": {}, "application/vnd.apache.parquet": {}}}},
)
def job_forecasts(jobs: JobsDep, key: KeyDep, job_id: JobId, query: Annotated[JobForecastsQuery, Query()]) -> Response:
    """What the job found, in the order of the series, once it is done."""
    job = jobs.done(JobKind.FORECAST, key, job_id)
    records = jobs.records(job, FORECASTS)
    if query.format == "csv":
        return StreamingResponse(as_csv(records), media_type="text/csv; charset=utf-8")
    if query.format == "parquet":
        return FileResponse(as_parquet(records), media_type="application/vnd.apache.parquet")
    listing = f"forecast-jobs/{job_id}"
    after = page_after(listing, query)
    first = 0 if after is None else whole_number(after)
    found = records.read(first, query.page_size)
    end = first + len(found)
    token = issue_token(listing, query, str(end)) if end < job.done else None
    return Response(forecasts_page(found, token, job.done), media_type="application/json")


@router.post("/forecast-jobs/{id}:cancel", dependencies=[_none], responses=problems(404))
def cancel_forecast_job(services: ServicesDep, jobs: JobsDep, key: KeyDep, job_id: JobId) -> JobOut:
    """Cancel a job; one that has ended stays as it is."""
    return job_out(jobs.cancel(JobKind.FORECAST, key, job_id), [], services.clock())


@router.get("/forecast-jobs/{id}", dependencies=[_none], responses=problems(404))
def forecast_job(services: ServicesDep, jobs: JobsDep, key: KeyDep, job_id: JobId) -> JobOut:
    """A job: its state, and how far it is."""
    job = jobs.get(JobKind.FORECAST, key, job_id)
    return job_out(job, jobs.errors(job), services.clock())


@_bodies.post(
    "/backtests",
    status_code=202,
    response_model=JobOut,
    responses=problems(400, 408, 415, 429) | _ACCEPTED,
    dependencies=[_none],
)
def add_backtest(
    services: ServicesDep,
    jobs: JobsDep,
    key: KeyDep,
    question: BacktestsIn,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """The track record at past origins, on what was known at each; see `brain backtest`."""
    now = services.clock()
    question.require_past(now)
    require_series(question, services.catalogue)
    body = jobs.put(question.model_dump_json(exclude_unset=True).encode())
    job = jobs.add(JobKind.BACKTEST, key, body, idempotency_key)
    response.headers["Location"] = f"/v1/backtests/{job.id}"
    response.headers["Retry-After"] = _RETRY_AFTER
    return job_out(job, jobs.errors(job), now)


@router.get("/backtests", dependencies=[_once])
def backtests(services: ServicesDep, jobs: JobsDep, key: KeyDep, query: Annotated[Paging, Query()]) -> JobPage:
    """Your backtests, newest first; an administrator sees everyone's."""
    return _page("backtests", JobKind.BACKTEST, services, jobs, key, query)


@router.get("/backtests/{id}/series", dependencies=[_once], responses=problems(404, 409))
def backtest_series(jobs: JobsDep, key: KeyDep, job_id: JobId, query: Annotated[Paging, Query()]) -> SeriesScoresPage:
    """Figures of each series at each origin, where `by_series` asked for them."""
    job = jobs.done(JobKind.BACKTEST, key, job_id)
    listing = f"backtests/{job_id}/series"
    return page_out(listing, query, _stretch(jobs.records(job, SERIES), listing, query), SeriesScoresPage)


@router.get("/backtests/{id}/remarks", dependencies=[_once], responses=problems(404, 409))
def backtest_remarks(jobs: JobsDep, key: KeyDep, job_id: JobId, query: Annotated[Paging, Query()]) -> RemarkPage:
    """Failures and fallbacks, by name and origin."""
    job = jobs.done(JobKind.BACKTEST, key, job_id)
    listing = f"backtests/{job_id}/remarks"
    return page_out(listing, query, _stretch(jobs.records(job, REMARKS), listing, query), RemarkPage)


@router.post("/backtests/{id}:cancel", dependencies=[_none], responses=problems(404))
def cancel_backtest(services: ServicesDep, jobs: JobsDep, key: KeyDep, job_id: JobId) -> JobOut:
    """Cancel a backtest; one that has ended stays as it is."""
    return job_out(jobs.cancel(JobKind.BACKTEST, key, job_id), [], services.clock())


@router.get("/backtests/{id}", dependencies=[_none], responses=problems(404))
def backtest(services: ServicesDep, jobs: JobsDep, key: KeyDep, job_id: JobId) -> BacktestOut:
    """A backtest: its state, and, once it is done, its figures by slice."""
    job = jobs.get(JobKind.BACKTEST, key, job_id)
    return backtest_out(job, jobs.errors(job), jobs.summary(job), services.clock())


router.include_router(_bodies)


def _check(body: Body, services: Services) -> None:
    """Raises, for a body that is short enough, what the job would."""
    if body.size > _CHECKED:
        return
    try:
        question = read_forecast_request(body.file.read_bytes())
        if isinstance(question, JobForecastsIn):
            require_known(services.catalogue, question.series)
        else:
            panel_of(question, services.read_periods, JOB)
            require_horizon(question.freq, question.horizon)
    except BaseException:
        body.discard()
        raise


def _page(listing: str, kind: JobKind, services: Services, jobs: JobDesk, key: ApiKey, query: Paging) -> JobPage:
    now = services.clock()
    page = jobs.page(kind, key, page_after(listing, query), query.page_size)
    shown = tuple(job_out(job, jobs.errors(job), now) for job in page.items)
    return page_out(listing, query, Page(shown, page.next_after, page.total), JobPage)


def _stretch(records: Records, listing: str, query: Paging) -> Page[Any]:
    after = page_after(listing, query)
    first = 0 if after is None else whole_number(after)
    found = tuple(json.loads(record) for record in records.read(first, query.page_size))
    end, total = first + len(found), len(records)
    return Page(found, str(end) if end < total else None, total)
