"""The city: its regions in three tiers, its manufacturing clusters, its enterprises and sites."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """Level of government of a region."""

    MUNICIPALITY = "municipality"
    DISTRICT = "district"  # a district or a county
    TOWN = "town"  # a subdistrict, town or township
    EXTERNAL = "external"  # a place outside the city, kept for comparison


#: the tier that a region's parent must have; the municipality and external regions have no parent
PARENT_TIER = {Tier.DISTRICT: Tier.MUNICIPALITY, Tier.TOWN: Tier.DISTRICT}


@dataclass(frozen=True, slots=True)
class Region:
    """A place with a government.

    Attributes:
        code: GB/T 2260 code: 6 digits for the municipality and its districts, 9 for towns; free for external regions.
        name: the local name.
        name_en: the name in Latin letters.
        tier: level of government.
        parent: code of the region that contains this one, or None at the top.
        longitude, latitude: WGS 84 degrees of a label point, or None.
        simulated: whether the place itself was made up.
    """

    code: str
    name: str
    name_en: str
    tier: Tier
    parent: str | None = None
    longitude: float | None = None
    latitude: float | None = None
    simulated: bool = False


class ClusterClass(StrEnum):
    """The four classes of Chongqing's "33618" modern manufacturing cluster system (3 + 3 + 6 + 18 clusters)."""

    LEADING = "leading"
    PILLAR = "pillar"
    SPECIALTY = "specialty"
    RISING = "rising"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A manufacturing cluster; codes run from C01 to C30 in the 33618 system."""

    code: str
    name: str
    name_en: str
    cluster_class: ClusterClass


class Sector(StrEnum):
    """The six fields of city governance that indicators belong to."""

    PARTY_BUILDING = "party_building"
    GOVERNMENT = "government"
    ECONOMY = "economy"
    SOCIETY = "society"
    CULTURE = "culture"
    LAW = "law"


@dataclass(frozen=True, slots=True)
class Enterprise:
    """A firm of a cluster in a region. `employees` is a head count."""

    id: str
    name: str
    region: str
    cluster: str
    employees: int
    simulated: bool = False


class SiteKind(StrEnum):
    FACTORY = "factory"
    GAS_STATION = "gas_station"
    GAS_SERVICE_POINT = "gas_service_point"


@dataclass(frozen=True, slots=True)
class Site:
    """A physical place: a factory, a gas filling station, or a service point that belongs to a station.

    Attributes:
        enterprise: id of the enterprise that runs it, or None.
        parent: id of the site that it belongs to (a service point's station), or None.
        longitude, latitude: WGS 84 degrees, or None.
    """

    id: str
    name: str
    kind: SiteKind
    region: str
    enterprise: str | None = None
    parent: str | None = None
    longitude: float | None = None
    latitude: float | None = None
    simulated: bool = False
