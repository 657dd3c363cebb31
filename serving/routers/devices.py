"""Devices: listed, shown, declared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request

from industrial_brain.domain.devices import DeviceId, checked
from industrial_brain.domain.errors import UnknownIdError
from industrial_brain.domain.telemetry import Declaration
from serving.anomalies import sites_of
from serving.bodies import StrictJsonRoute
from serving.deps import KeyDep, each_parameter_once
from serving.devices import DeviceDesk, require_operator
from serving.pages import page_after, page_out
from serving.routers.common import problems
from serving.schemas_devices import DeviceIn, DeviceInFull, DevicePage, DevicesQuery, MetricIn, SiteQuery
from serving.telemetry.reception import site_of

router = APIRouter(prefix="/v1", tags=["devices"], responses=problems(), dependencies=[Depends(each_parameter_once)])


async def _desk(request: Request) -> DeviceDesk:
    desk: DeviceDesk = request.app.state.devices
    return desk


DeskDep = Annotated[DeviceDesk, Depends(_desk)]
_NAME = {"min_length": 1, "max_length": 255, "pattern": r"^[^\x00-\x1f\x7f/]*$"}
DevicePath = Annotated[str, Path(alias="id", **_NAME)]
MetricPath = Annotated[str, Path(alias="metric", **_NAME)]


@router.get("/devices")
def devices(desk: DeskDep, key: KeyDep, query: Annotated[DevicesQuery, Query()]) -> DevicePage:
    """Devices that have sent readings, in order of first sight; with `declared`, those that were declared, by site and id.

    A factory's key sees those of its own sites.
    """
    sites = sites_of(key)
    if query.site is not None:
        sites = (query.site,) if sites is None or query.site in sites else ()
    return page_out("devices", query, desk.page(query, sites, page_after("devices", query)), DevicePage)


@router.get("/devices/{id}", responses=problems(404))
def device(desk: DeskDep, key: KeyDep, device_id: DevicePath, query: Annotated[SiteQuery, Query()]) -> DeviceInFull:
    """One device with its metrics, and what was declared of them."""
    sites = sites_of(key)
    if query.site is not None and sites is not None and query.site not in sites:
        raise UnknownIdError("There is no device of this id at this site.", "GET /v1/devices lists them.")
    return desk.in_full(DeviceId(site_of(key, query.site, "site"), device_id))


def declare_device(
    desk: DeskDep, key: KeyDep, device_id: DevicePath, query: Annotated[SiteQuery, Query()], asked: DeviceIn
) -> DeviceInFull:
    """Say what is known of a device, before its first reading or after; it replaces what was said before."""
    require_operator(key)
    return desk.declare(checked(Declaration(site_of(key, query.site, "site"), device_id, **asked.model_dump())))


def declare_metric(
    desk: DeskDep,
    key: KeyDep,
    device_id: DevicePath,
    metric: MetricPath,
    query: Annotated[SiteQuery, Query()],
    asked: MetricIn,
) -> DeviceInFull:
    """Say what is known of a metric of a device: its unit, its physical limits, its rhythm, whether it counts."""
    require_operator(key)
    site = site_of(key, query.site, "site")
    return desk.declare(checked(Declaration(site, device_id, metric, **asked.model_dump())))


for path, route in (("/devices/{id}", declare_device), ("/devices/{id}/metrics/{metric}", declare_metric)):
    router.add_api_route(
        path, route, methods=["PUT"], responses=problems(400, 408, 415), route_class_override=StrictJsonRoute
    )
