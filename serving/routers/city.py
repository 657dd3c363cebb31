"""The city's places and its clusters."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from serving.deps import ServicesDep, each_parameter_once
from serving.pages import page_after, page_out
from serving.routers.common import problems
from serving.schemas import ClusterPage, ClustersQuery, RegionPage, RegionsQuery

router = APIRouter(prefix="/v1", tags=["city"], dependencies=[Depends(each_parameter_once)], responses=problems())


@router.get("/regions")
def regions(services: ServicesDep, query: Annotated[RegionsQuery, Query()]) -> RegionPage:
    """Regions in order of their code."""
    page = services.catalogue.list_regions(
        tier=query.tier,
        parent=query.parent,
        search=query.q,
        after=page_after("regions", query),
        limit=query.page_size,
    )
    return page_out("regions", query, page, RegionPage)


@router.get("/clusters")
def clusters(services: ServicesDep, query: Annotated[ClustersQuery, Query()]) -> ClusterPage:
    """Manufacturing clusters in order of their code."""
    page = services.catalogue.list_clusters(
        cluster_class=query.cluster_class,
        search=query.q,
        after=page_after("clusters", query),
        limit=query.page_size,
    )
    return page_out("clusters", query, page, ClusterPage)
