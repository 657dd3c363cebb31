"""A small city behind the HTTP door, all of it in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.exceptions import StarletteDeprecationWarning

from industrial_brain.domain.access import Role
from serving.app import create_app
from tests.fakes.city import SmallCity

with warnings.catch_warnings():  # it asks, once, for another HTTP library than the one we have
    warnings.simplefilter("ignore", StarletteDeprecationWarning)
    from fastapi.testclient import TestClient


@pytest.fixture
def city(tmp_path: Path) -> SmallCity:
    """Three regions, two clusters, four series, and a champion that knows three of them."""
    city = SmallCity(tmp_path)
    city.release("2026-01-15", {"output:500000": 100.0, "output:500103": 40.0, "output:500103:C01": 7.0})
    return city


@pytest.fixture
def anonymous(city: SmallCity) -> Iterator[TestClient]:
    """A client without a key, of an app that has started and loaded its champion."""
    with TestClient(create_app(city.services())) as client:
        yield client


@pytest.fixture
def planner(anonymous: TestClient, city: SmallCity) -> TestClient:
    """The same client with a planner's key."""
    anonymous.headers["Authorization"] = f"Bearer {city.secrets[Role.PLANNER]}"
    return anonymous


@pytest.fixture
def city_without_versions(tmp_path: Path) -> Iterator[TestClient]:
    """A planner's client where nothing was ever trained."""
    city = SmallCity(tmp_path)
    with TestClient(
        create_app(city.services()), headers={"Authorization": f"Bearer {city.secrets[Role.PLANNER]}"}
    ) as client:
        yield client
