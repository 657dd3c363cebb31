"""The recipe: boosters from tasks, and what they are worth on sources that they have not seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xgboost as xgb

from features.descriptors import DESCRIPTORS
from industrial_brain.domain.panel import Floats
from models.catalogue import COSTLY
from training.decide import worthy
from training.meta_learner import COLUMNS, MetaLearner, identities, rows
from training.pretraining.objective import CombinationLoss
from training.pretraining.tasks import Tasks
from training.weighing import STEEPNESS, log_weights

#: tasks of a source that are learnt from, at most: a large set says more than a small one, and not everything
MOST_TASKS = 1500

#: parts that the sources are dealt into for what must be judged unseen
FOLDS = 5

#: trees of each booster
ROUNDS = 250

#: how they grow: with much of the rows and columns left out, and on broad evidence only
GROWTH = {
    "max_depth": 6,
    "eta": 0.3,
    "min_child_weight": 20.0,
    "lambda": 5.0,
    "subsample": 0.6,
    "colsample_bytree": 0.5,
    "tree_method": "hist",
    "max_bin": 64,
    "base_score": 0.0,
    "nthread": 1,
    "disable_default_eval_metric": True,
}

Sources = Mapping[str, Sequence[Tasks]]


@dataclass(frozen=True, slots=True)
class Unseen:
    """Mean error of the combination on one source, by trees that had not seen it, over what the rule alone gives.

    Attributes:
        before: of weights without any evidence, over equal weights.
        after: of weights with it, over those of the rule.
        spared: share of the costly members' fits that need not be made.
        sparing: of weights with the evidence of the others alone, over those of the rule.
        error: of these weights, in units of the MASE scale: what learners of other members can be compared by.
    """

    source: str
    tasks: int
    before: float
    after: float
    spared: float
    sparing: float
    error: float


def pretrain(sources: Sources, always: Sources, seed: int, rounds: int = ROUNDS) -> tuple[MetaLearner, list[Unseen]]:
    """The learner of all sources, and what learners of the other parts were worth on each.

    What `after` is told to expect beforehand comes from a `before` that had not seen the source, as it will be in use.

    Args:
        always: sources that are in every part's training and are not judged, such as synthetic ones.
    """
    known = _known([*sources.values(), *always.values()])
    parts = _folds(sources)
    befores = [_fit("before", _others(sources, part) | dict(always), {}, known, seed, rounds) for part in parts]
    priors = {name: booster for part, booster in zip(parts, befores, strict=True) for name in part}
    everything = dict(sources) | dict(always)
    before = _fit("before", everything, {}, known, seed, rounds)
    priors |= dict.fromkeys(always, befores[0])
    unseen = []
    for part, prior in zip(parts, befores, strict=True):
        after = _fit("after", _others(sources, part) | dict(always), priors, known, seed, rounds)
        unseen += [_judge(name, sources[name], prior, after, known) for name in part]
    return MetaLearner(before, _fit("after", everything, priors, known, seed, rounds), known), unseen


def _known(sources: Sequence[Sequence[Tasks]]) -> tuple[str, ...]:
    """Base names of the members that answered anywhere, the fallback aside."""
    answered = {
        name.partition("@")[0]
        for tasks in sources
        for one in tasks
        for name, rule in zip(one.members, one.rule.T, strict=True)
        if np.isfinite(rule).any()
    }
    return tuple(sorted(answered))


def _folds(sources: Sources) -> list[list[str]]:
    """Names dealt out in turn, so that parts are alike in number."""
    names = sorted(sources)
    return [names[k::FOLDS] for k in range(min(FOLDS, len(names)))]


def _others(sources: Sources, part: Sequence[str]) -> dict[str, Sequence[Tasks]]:
    return {name: tasks for name, tasks in sources.items() if name not in part}


def _fit(
    stage: str,
    sources: Sources,
    priors: Mapping[str, xgb.Booster],
    known: tuple[str, ...],
    seed: int,
    rounds: int,
) -> xgb.Booster:
    tables, starts, errors, importances, firsts, total = [], [], [], [], [], 0
    longest = max(one.error.shape[2] for tasks in sources.values() for one in tasks)
    for name, tasks in sources.items():
        count = sum(len(one) for one in tasks)
        for one in tasks:
            table, start, first, error = _flat(stage, one, priors.get(name), known)
            tables.append(table)
            starts.append(start)
            errors.append(np.pad(error, ((0, 0), (0, longest - error.shape[1]))))
            firsts.append(first + total)
            importances.append(_importance(first, error) / np.sqrt(count))
            total += len(table)
    importance = np.concatenate(importances)
    loss = CombinationLoss(np.concatenate(firsts), np.concatenate(errors), importance / importance.mean())
    columns = [*DESCRIPTORS, *identities(known), *COLUMNS[stage]]
    data = xgb.DMatrix(np.concatenate(tables), base_margin=np.concatenate(starts), feature_names=columns)
    return xgb.train(
        GROWTH | {"seed": seed}, data, rounds, obj=lambda scores, _: loss.derivatives(scores.astype(np.float64))
    )


def _flat(
    stage: str, one: Tasks, prior: xgb.Booster | None, known: tuple[str, ...]
) -> tuple[Floats, Floats, np.typing.NDArray[np.int64], Floats]:
    """Rows of a panel's tasks for one stage, the scores that the trees start from, the tasks' first rows, and the errors."""
    weighed = np.isfinite(one.rule)
    start = _start(stage, one, prior, known)
    table = rows(one.descriptors, one.members, known, *((start, one.evidence) if stage == "after" else ()))
    kept = weighed.reshape(-1)
    first = np.cumsum(weighed.sum(axis=1)) - weighed.sum(axis=1)
    present = np.isfinite(one.error)
    count = np.maximum(present.sum(axis=2, keepdims=True), 1)
    error = np.where(present, one.error, 0.0) / count
    return table[kept], start.reshape(-1)[kept], first, error.reshape(len(kept), -1)[kept]


def _start(stage: str, one: Tasks, prior: xgb.Booster | None, known: tuple[str, ...]) -> Floats:
    if stage == "before" or prior is None:
        return np.asarray(-STEEPNESS * one.rule)
    return log_weights(one.mae, MetaLearner(prior, prior, known).expect(one.descriptors, one.members, one.rule))


def _importance(first: np.typing.NDArray[np.int64], error: Floats) -> Floats:
    """A task counts by half for its own relative error and by half for its share of the source's mean error, as a benchmark
    that averages scaled errors would count it."""
    equal = CombinationLoss(first, error, np.ones(len(first))).losses(np.zeros(len(error)))
    return np.asarray(1.0 / np.sqrt(np.maximum(equal, 1e-3 * equal.mean() + 1e-12) * max(equal.mean(), 1e-12)))


def _judge(
    name: str, tasks: Sequence[Tasks], before: xgb.Booster, after: xgb.Booster, known: tuple[str, ...]
) -> Unseen:
    learner = MetaLearner(before, after, known)
    sums, fits, kept = np.zeros(5), 0, 0
    for one in tasks:
        _, _, first, error = _flat("before", one, None, known)
        loss = CombinationLoss(first, error, np.ones(len(first)))
        weighed = np.isfinite(one.rule)
        expected = learner.expect(one.descriptors, one.members, one.rule)
        worth = worthy(expected, one.members)
        by_errors = log_weights(one.mae, expected)
        corrected = learner.correct(by_errors, one.descriptors, one.evidence, one.members)
        spared = np.where(worth, corrected, -np.inf)
        rules = (-STEEPNESS * one.rule, -STEEPNESS * expected, log_weights(one.mae, one.rule), corrected, spared)
        sums += [loss.losses(scores[weighed]).sum() for scores in rules]
        costly = weighed & np.array([member.partition("@")[0] in COSTLY for member in one.members])
        fits, kept = fits + int(costly.sum()), kept + int((costly & worth).sum())
    equal, before_it, by_rule, after_it, sparing = sums
    count = sum(len(one) for one in tasks)
    return Unseen(
        name,
        count,
        before=before_it / equal,
        after=after_it / by_rule,
        spared=1.0 - kept / max(fits, 1),
        sparing=sparing / by_rule,
        error=sparing / count,
    )


def write_recipe(folder: Path, learner: MetaLearner, unseen: Sequence[Unseen], *, synthetic: int, seed: int) -> None:
    """`recipe.json` beside the boosters: what they were made of, and what they were worth unseen."""
    recipe = {
        "made_by": "brain pretrain forecasting",
        "members": list(learner.known),
        "sets": [asdict(row) for row in unseen],
        "synthetic_series": synthetic,
        "seed": seed,
        "most_tasks_per_source": MOST_TASKS,
        "folds": FOLDS,
        "rounds": ROUNDS,
        "growth": GROWTH,
        "xgboost": xgb.__version__,
    }
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1) + "\n", encoding="utf-8")
