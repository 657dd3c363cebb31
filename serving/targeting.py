"""Answers about investment targets, as the API and the command line give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from industrial_brain.domain.city import Cluster, Enterprise, Region
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.protocols import Catalogue
from industrial_brain.domain.targeting import ChainLink
from industrial_brain.storage.listing import all_clusters, all_regions
from models.targeting.bundle import TargetBundle
from models.targeting.chain_map import ChainMap, Stand, chain_map, concentration
from models.targeting.evidence import Case, cases, path, reasons, shown
from models.targeting.ranking import Objective, Question, Ranking, leaving, objectives_of, rank
from models.targeting.record import in_words

#: reasons given for each pair of a ranking, and for one that is looked at
_FEW_REASONS, _REASONS = 4, 10

#: cases that entered which are told, and enterprises that are named
_TOLD, _NAMED = 8, 10


@dataclass(frozen=True, slots=True)
class Names:
    """What codes are called."""

    regions: Mapping[str, Region]
    clusters: Mapping[str, Cluster]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Names:
        return cls(all_regions(catalogue), all_clusters(catalogue))

    def region(self, code: str) -> str:
        return self.regions[code].name if code in self.regions else code

    def cluster(self, code: str) -> str:
        return self.clusters[code].name if code in self.clusters else code

    def facts(self, region: str, cluster: str) -> dict[str, str]:
        """The id of a target, its codes and their names."""
        return {
            "id": f"{region}:{cluster}",
            "region": region,
            "region_name": self.region(region),
            "cluster": cluster,
            "cluster_name": self.cluster(cluster),
        }


def ranking_record(
    bundle: TargetBundle, version: ModelVersion, question: Question, top: int, names: Names
) -> dict[str, Any]:
    """The first `top` of a ranking, with reasons, and the record of the past beside it. Raises as `rank`."""
    found = rank(bundle, question)
    horizon = bundle.require_horizon(question.horizon)
    shown_rows = min(top, len(found))
    why = reasons(
        bundle, horizon, found.region[:shown_rows].tolist(), found.activity[:shown_rows].tolist(), _FEW_REASONS
    )
    weights = {one: weight for one, weight in question.weights.items() if weight > 0.0}
    total = sum(weights.values())
    targets = []
    for place in range(shown_rows):
        row, column = int(found.region[place]), int(found.activity[place])
        facts = names.facts(bundle.cube.regions[row], bundle.cube.activities[column])
        targets.append(
            {
                **facts,
                **_standing(found, place),
                **_probability(bundle, horizon, row, column),
                "objectives": {
                    one: None if one is Objective.PROBABILITY and not bundle.has_probability else _finite(value[place])
                    for one, value in found.values.items()
                },
                "reasons": [asdict(one) for one in why[place]],
            }
        )
    return {
        **_about(bundle, version, horizon),
        "among": question.among,
        "weights": {one: weight / total for one, weight in weights.items()},
        "candidates": len(found),
        "targets": targets,
        "front": [
            f"{bundle.cube.regions[found.region[at]]}:{bundle.cube.activities[found.activity[at]]}"
            for at in np.flatnonzero(found.front)[:top]
        ],
        "sensitivity": [asdict(one) for one in found.sensitivity],
        "backtest": backtest_record(bundle, question, horizon),
        "notes": [*found.notes, *bundle.notes],
    }


def backtest_record(bundle: TargetBundle, question: Question, horizon: int) -> dict[str, Any]:
    """How the probabilities did on windows of the past, and what that says of this question."""
    notes = ["It is about the probability alone, of all regions and clusters below the threshold."]
    weighed = [one for one, weight in question.weights.items() if weight > 0.0 and one is not Objective.PROBABILITY]
    if weighed:
        notes.append(f"How {', '.join(weighed)} turned out has not been tried.")
    if question.among == "above":
        notes.append("What is kept has not been tried.")
    if horizon != bundle.horizon:
        notes.append(f"It was tried {bundle.horizon} years ahead.")
    return {
        "words": in_words(bundle.windows),
        "horizon": bundle.horizon,
        "windows": [{**one.to_json(), "chance": _finite(one.chance)} for one in bundle.windows],
        "notes": notes,
    }


def target_record(
    bundle: TargetBundle,
    version: ModelVersion,
    target: str,
    horizon: int | None,
    names: Names,
    enterprises: Mapping[str, Enterprise],
    links: list[ChainLink],
) -> dict[str, Any]:
    """Everything that is known of one pair. Raises InputError, UnknownIdError, HorizonError."""
    asked = bundle.require_horizon(horizon)
    row, column = bundle.place(target)
    region, cluster = bundle.cube.regions[row], bundle.cube.activities[column]
    compared = cases(bundle, asked, row, column)
    entered = [one for one in compared if one.entered]
    stands = stands_of(bundle, region)
    missing = _missing_links(cluster, links, stands, names)
    makers = _candidates(region, cluster, enterprises, links, names)
    return {
        **_about(bundle, version, asked),
        "simulated": bundle.simulated or any(one["simulated"] for one in (*missing, *makers)),
        **names.facts(region, cluster),
        **_probability(bundle, asked, row, column),
        "by_horizon": [
            {"horizon": years, **_probability(bundle, years, row, column)} for years in range(1, bundle.horizon + 1)
        ],
        "objectives": {one: _finite(value) for one, value in objectives_of(bundle, asked, row, column).items()},
        "history": [
            {"year": year, "value": value, "quotient": _finite(q)} for year, value, q in path(bundle, row, column)
        ],
        "reasons": [asdict(one) for one in reasons(bundle, asked, [row], [column], _REASONS)[0]],
        "measures": shown(bundle.history.measures(bundle.cube.years[-1]).columns[row, column]),
        "peers": {
            "compared": len(compared),
            "entered": len(entered),
            "cases": [_case(one, names) for one in entered[:_TOLD]],
        },
        "missing_links": missing,
        "enterprises": makers,
        "risks": _risks(bundle, asked, row, column, entered),
        "notes": list(bundle.notes),
    }


def chain_record(
    links: list[ChainLink],
    names: Names,
    enterprises: Mapping[str, Enterprise],
    bundle: TargetBundle | None,
    region: str | None,
) -> dict[str, Any]:
    """The chain of a region, or of the whole city. Raises InputError for a region that nobody knows."""
    if region is not None and region not in names.regions:
        raise InputError(f"There is no region '{region}'.", "GET /v1/regions lists them.", pointer="/region")
    firms = [one for one in enterprises.values() if region is None or one.region == region]
    stands = {} if bundle is None else stands_of(bundle, region)
    where: dict[str, set[str]] = {}
    if region is None:
        for one in firms:
            where.setdefault(one.cluster, set()).add(one.region)
        if bundle is not None:
            for row, column in np.argwhere(bundle.cube.values[-1] > 0.0):
                where.setdefault(bundle.cube.activities[column], set()).add(bundle.cube.regions[row])
    found = chain_map(links, names.clusters, firms, stands, where)
    return {
        "region": region,
        "region_name": None if region is None else names.region(region),
        "simulated": any(one.simulated for one in links) or (bundle is not None and bundle.simulated),
        "year": None if bundle is None else bundle.cube.years[-1],
        **_chain(found, names),
    }


def stands_of(bundle: TargetBundle, region: str | None) -> dict[str, Stand]:
    """How each cluster stood in a region (in the city, without one) in the last year; a region without values has none."""
    cube = bundle.cube
    now = cube.values[-1]
    if region is not None and region not in cube.regions:
        return {code: Stand(concentration=concentration(now[:, k])) for k, code in enumerate(cube.activities)}
    row = None if region is None else cube.regions.index(region)
    return {
        code: Stand(
            value=float(now[:, k].sum() if row is None else now[row, k]),
            quotient=None if row is None else _finite(bundle.quotient[row, k]),
            concentration=concentration(now[:, k]),
        )
        for k, code in enumerate(cube.activities)
    }


def ordinal(number: int) -> str:
    """
    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 22, 113)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd', '113th']
    """
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _about(bundle: TargetBundle, version: ModelVersion, horizon: int) -> dict[str, Any]:
    return {
        "model": {"name": version.name, "version": version.version, "vintage": version.vintage},
        "indicator": bundle.indicator,
        "unit": bundle.unit,
        "simulated": bundle.simulated,
        "year": bundle.cube.years[-1],
        "horizon": horizon,
    }


def _standing(found: Ranking, place: int) -> dict[str, Any]:
    rank_now = place + 1
    low, high = (None if of is None else int(of[place]) for of in (found.low, found.high))
    moved = (None if of is None else int(of[place]) for of in (found.moved_low, found.moved_high))
    words = ordinal(rank_now)
    if low is not None and high is not None:
        words += f", between {ordinal(low)} and {ordinal(high)}"
    return {
        "rank": rank_now,
        "rank_low": low,
        "rank_high": high,
        "rank_words": words,
        **dict(zip(("moved_low", "moved_high"), moved, strict=True)),
        "front": bool(found.front[place]),
        "score": float(found.score[place]),
    }


def _probability(bundle: TargetBundle, horizon: int, row: int, column: int) -> dict[str, Any]:
    """The quotient now, and how likely the pair stands above after the horizon."""
    quotient = _finite(bundle.quotient[row, column])
    if quotient is None:
        return {
            "quotient": None,
            "probability": None,
            "probability_low": None,
            "probability_high": None,
            "growth": None,
        }
    low, high = (_finite(bound) for bound in bundle.interval(horizon, row, column))
    return {
        "quotient": quotient,
        "probability": float(bundle.above[horizon - 1, row, column]) if bundle.has_probability else None,
        "probability_low": low,
        "probability_high": high,
        "growth": _finite(bundle.growth[horizon - 1, row, column]),
    }


def _case(one: Case, names: Names) -> dict[str, Any]:
    return {
        **names.facts(one.region, one.activity),
        "start": one.start,
        "end": one.end,
        "quotient_before": one.before,
        "quotient_after": one.after,
        "stands_today": one.stayed,
        "had": one.had,
    }


def _missing_links(
    cluster: str, links: list[ChainLink], stands: Mapping[str, Stand], names: Names
) -> list[dict[str, Any]]:
    """The cluster's suppliers and customers, the heaviest first, that the region has no value of."""
    found = []
    for side in ("supplier", "customer"):
        mine = [one for one in links if cluster == (one.customer if side == "supplier" else one.supplier)]
        total = sum(one.weight for one in mine)
        for one in mine:
            code = one.supplier if side == "supplier" else one.customer
            if not (stands.get(code, Stand()).value or 0.0) > 0.0:
                found.append(
                    {
                        "side": side,
                        "cluster": code,
                        "cluster_name": names.cluster(code),
                        "share": one.weight / total,
                        "source": one.source,
                        "simulated": one.simulated,
                    }
                )
    return sorted(found, key=lambda one: (-one["share"], one["side"], one["cluster"]))


def _candidates(
    region: str, cluster: str, enterprises: Mapping[str, Enterprise], links: list[ChainLink], names: Names
) -> list[dict[str, Any]]:
    """Who could make it: the cluster's enterprises here, then those of its neighbours in the chain here, then its own
    elsewhere; the largest first."""
    beside = {one.supplier for one in links if one.customer == cluster}
    beside |= {one.customer for one in links if one.supplier == cluster}
    here = [one for one in enterprises.values() if one.region == region]
    elsewhere = [one for one in enterprises.values() if one.region != region]
    kinds = (
        ("of the cluster, here", [one for one in here if one.cluster == cluster]),
        ("next to it in the chain, here", [one for one in here if one.cluster in beside]),
        ("of the cluster, elsewhere", [one for one in elsewhere if one.cluster == cluster]),
    )
    found: list[dict[str, Any]] = []
    for why, some in kinds:
        found += [
            {
                "id": one.id,
                "name": one.name,
                "region": one.region,
                "region_name": names.region(one.region),
                "cluster": one.cluster,
                "employees": one.employees,
                "why": why,
                "simulated": one.simulated,
            }
            for one in sorted(some, key=lambda one: (-one.employees, one.id))[:_NAMED]
        ]
    return found


def _risks(bundle: TargetBundle, horizon: int, row: int, column: int, entered: list[Case]) -> list[dict[str, Any]]:
    now: Floats = bundle.cube.values[-1]
    below = bundle.quotient[row, column] < 1.0
    risk = float(leaving(bundle, horizon)[column] if below else 1.0 - bundle.above[horizon - 1, row, column])
    scope = (
        "regions that stand above the threshold in this cluster are expected to fall below"
        if below
        else "it falls below"
    )
    found: list[dict[str, Any]] = []
    if bundle.has_probability:
        words = f"{risk:.0%}: how many {scope} within {horizon} years."
        if not below:
            words = f"{risk:.0%}: how likely it falls below the threshold within {horizon} years."
        found.append({"risk": "exit", "value": risk, "words": words})
    share = concentration(now[:, column])
    if share is not None:
        alike = 1.0 / share
        words = f"The cluster is as concentrated as if {alike:.1f} regions had it in equal parts."
        found.append({"risk": "concentration", "value": share, "words": words})
    if entered:
        back = sum(one.stayed is False for one in entered)
        words = f"{back} of {len(entered)} like pairs that entered stand below the threshold again."
        found.append({"risk": "reversal", "value": back / len(entered), "words": words})
    return found


def _chain(found: ChainMap, names: Names) -> dict[str, Any]:
    return {
        "nodes": [
            {
                "cluster": node.cluster.code,
                "name": node.cluster.name,
                "class": node.cluster.cluster_class,
                "present": node.present,
                **asdict(node.stand),
                "suppliers": node.suppliers,
                "customers": node.customers,
                "enterprises": [
                    {"id": one.id, "name": one.name, "region": one.region, "employees": one.employees}
                    for one in node.enterprises[:_NAMED]
                ],
                "enterprise_count": len(node.enterprises),
                "employees": node.employees,
                "largest": node.largest,
                "gap": node.gap,
            }
            for node in found.nodes
        ],
        "links": [asdict(one) for one in found.links],
        "gaps": [{"cluster": code, "name": names.cluster(code)} for code in found.gaps],
        "single_points": [asdict(one) for one in found.single_points],
    }


def _finite(value: float | np.floating[Any]) -> float | None:
    return float(value) if np.isfinite(value) else None
