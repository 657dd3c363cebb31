"""A small version of a risk."""

from __future__ import annotations

import datetime as dt
from functools import cache

from industrial_brain.domain.risks import RiskTask
from models.risk.bundle import RiskBundle
from models.risk.engine import RiskEngine
from models.risk.logistic import Logistic
from models.risk.members import Boosted, Member
from models.risk.reasons import place_grid
from tests.unit.risk.cases import known_cases
from training.risk.pipeline import row_keys


@cache
def small_risk(vintage: dt.datetime) -> RiskBundle:
    """Learnt from 250 made-up cases with `age`, `load`, `noise` and `kind`."""
    cases = known_cases(250)
    members: dict[str, Member] = {"stumps": Boosted({"eta": 0.3, "max_depth": 1}, 20), "logistic": Logistic()}
    engine = RiskEngine(members=members).fit(cases.table, cases.harmed)
    assert engine.recipe is not None
    return RiskBundle(
        task=RiskTask.GAS,
        vintage=vintage,
        engine=engine,
        grid=place_grid(engine.recipe.build(cases.table).values),
        keys=row_keys(cases),
        slices={},
        simulated=True,
        source=cases.source,
        most_missing=int(engine.recipe.missing_in(cases.table).max()),
    )
