"""Stored readings of a device."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from serving.deps import KeyDep, ServicesDep, each_parameter_once
from serving.readings import latest, readings
from serving.routers.common import problems
from serving.schemas_readings import LatestPage, Name, OfDevice, ReadingsOut, ReadingsQuery

router = APIRouter(
    prefix="/v1/devices", tags=["telemetry"], responses=problems(404), dependencies=[Depends(each_parameter_once)]
)

#: ids may hold slashes
DeviceInPath = Annotated[Name, Path(alias="id")]


@router.get("/{id:path}/readings")
def device_readings(
    services: ServicesDep, key: KeyDep, device: DeviceInPath, query: Annotated[ReadingsQuery, Query()]
) -> ReadingsOut:
    """Readings of a metric, oldest first, those of a moment ago included; thinned out where there are too many."""
    return readings(services, key, device, query)


@router.get("/{id:path}/latest")
def device_latest(
    services: ServicesDep, key: KeyDep, device: DeviceInPath, query: Annotated[OfDevice, Query()]
) -> LatestPage:
    """The newest reading of each metric by event time: a late one does not change it."""
    return latest(services, key, device, query.site)
