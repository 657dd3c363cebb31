"""What a set's members and ensembles answer, and what each of them costs: measured in one process, one after the other."""

from __future__ import annotations

import cProfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import CodeType

import numpy as np
import numpy.typing as npt

from benchmarks.isolation import Task, warm_ups
from benchmarks.methods import PROBABILITIES
from benchmarks.origins import Origin
from benchmarks.table import OURS
from features.descriptors import describe
from features.outliers import without_absurd
from industrial_brain.domain.panel import Floats
from models.catalogue import forecaster, members_for
from models.forecasting.bundle import ForecastBundle
from training.assemble import assemble
from training.backtest import run_backtest
from training.decide import WORTH, Decision, Learner, Moment
from training.executors import InProcess
from training.fit import fit_members, fit_partition
from training.meta_learner import shipped_learner
from training.pipeline import fit_panels
from training.plan import Partition, plan_training

Flags = npt.NDArray[np.bool_]

#: the ensembles beside ours
ALL_FITTED, BY_ERRORS = "all members fitted", "by past errors alone"

#: functions among which a run's time is shared out; none calls another
PHASES: Mapping[str, tuple[Callable[..., object], ...]] = {
    "plan": (plan_training,),
    "features": (describe,),
    "decide": (Moment.worth_fitting, Moment.weights),
    "backtest fits": (run_backtest,),
    "final fits": (fit_members,),
    "calibrate": (assemble,),
    "predict": (ForecastBundle.predict,),
}
REST = "rest"


class ErrorsAlone:
    """A learner that has learnt nothing: the rule stays as it is."""

    def expect(self, descriptors: Floats, members: Sequence[str], rule: Floats) -> Floats:
        return rule

    def correct(self, logarithms: Floats, descriptors: Floats, evidence: Floats, members: Sequence[str]) -> Floats:
        return logarithms


@dataclass(slots=True)
class Tried:
    """One member or ensemble on one set.

    Attributes:
        mean: float64 (series of the set, longest horizon), its forecasts; NaN where it has none.
        cpu_seconds: of all its fits and forecasts.
        series: how many were fitted within these seconds.
        chosen: bool, which series the decision before fitting gives it to. weight: what it weighs there in the end.
    """

    mean: Floats
    chosen: Flags
    weight: Floats
    cpu_seconds: float = 0.0
    series: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was tried on one set, by name; and by phase, the CPU seconds of our ensemble under a profiler."""

    ensembles: dict[str, Tried] = field(default_factory=dict)
    members: dict[str, Tried] = field(default_factory=dict)
    phases: dict[str, float] = field(default_factory=dict)


def measure_members(origin: Origin, profile: bool) -> Measured:
    """Run our ensemble, the same with every member fitted, the same weighed by past errors alone, and each member by itself."""
    learners: dict[str, tuple[Learner, float]] = {
        OURS: (shipped_learner(), WORTH),
        ALL_FITTED: (shipped_learner(), 0.0),
        BY_ERRORS: (ErrorsAlone(), 0.0),
    }
    for task in warm_ups([piece.task for piece in origin.pieces]):  # so that nothing is compiled on the clock
        _fit_and_predict(task, *learners[OURS])
        for partition in _partitions(task):
            for name in members_for(partition.panel.freq, partition.panel.season):
                _backtest_and_fit(partition, name)
    found = Measured()
    for piece in origin.pieces:
        ahead = piece.leads - 1
        for name, (learner, worth) in learners.items():
            start = time.process_time()
            mean, weights = _fit_and_predict(piece.task, learner, worth)
            tried = found.ensembles.setdefault(name, _nothing(origin))
            tried.cpu_seconds += time.process_time() - start
            tried.series += len(piece.rows)
            tried.mean[piece.rows, : ahead.shape[1]] = np.take_along_axis(mean, ahead, axis=1)
            if name == OURS:
                for member, weight in weights.items():
                    found.members.setdefault(member, _nothing(origin)).weight[piece.rows] = weight
        first = 0
        for partition in _partitions(piece.task):
            here = slice(first, first + len(partition.panel))
            first += len(partition.panel)
            for name, chosen in _chosen(partition).items():
                tried = found.members[name]
                start = time.process_time()
                mean = _backtest_and_fit(partition, name)
                tried.cpu_seconds += time.process_time() - start
                tried.series += len(partition.panel)
                tried.mean[piece.rows[here], : ahead.shape[1]] = np.take_along_axis(mean, ahead[here], axis=1)
                tried.chosen[piece.rows[here]] = chosen
        if profile:
            for phase, seconds in profiled(partial(_fit_and_predict, piece.task, *learners[OURS])).items():
                found.phases[phase] = found.phases.get(phase, 0.0) + seconds
    return found


def profiled(run: Callable[[], object]) -> dict[str, float]:
    """CPU seconds of a run by `PHASES`, and the `REST`. The profiler makes Python's part slower than it is, and no other."""
    profiler = cProfile.Profile(time.process_time)
    start = time.process_time()
    profiler.runcall(run)
    total = time.process_time() - start
    entries = profiler.getstats()
    seconds = {entry.code: entry.totaltime for entry in entries if isinstance(entry.code, CodeType)}
    spent = {name: sum(seconds.get(f.__code__, 0.0) for f in functions) for name, functions in PHASES.items()}
    return spent | {REST: total - sum(spent.values())}


def _nothing(origin: Origin) -> Tried:
    n = len(origin.actual)
    return Tried(np.full(origin.actual.shape, np.nan), np.zeros(n, dtype=np.bool_), np.zeros(n))


def _fit_and_predict(task: Task, learner: Learner, worth: float) -> tuple[Floats, dict[str, Floats]]:
    """Means (series, horizon), and each member's weights (series,)."""
    fit = partial(fit_partition, learner=learner, worth=worth)
    bundle = fit_panels([task.panel], horizons={task.panel.freq: task.horizon}, executor=InProcess(fit))
    mean, _ = bundle.predict(task.panel.ids, task.horizon, PROBABILITIES)
    model = bundle.panels[task.panel.freq].model
    return mean, dict(zip(model.members, np.nan_to_num(model.weights).T, strict=True))


def _partitions(task: Task) -> list[Partition]:
    return plan_training([task.panel], seed=0, code="", horizons={task.panel.freq: task.horizon})


def _chosen(partition: Partition) -> dict[str, Flags]:
    """To which series the shipped decision gives each member."""
    panel, spec = partition.panel, partition.spec
    names = members_for(panel.freq, panel.season)
    known = panel.without_last(spec.horizon * spec.origins)
    moment = Decision(shipped_learner(), names, spec.horizon).at(known)
    return dict(zip(names, moment.worth_fitting().T, strict=True))


def _backtest_and_fit(partition: Partition, name: str) -> Floats:
    """What one member does for an ensemble: fits at every origin and on everything, and its forecast."""
    spec, member = partition.spec, forecaster(name)
    panel, _ = without_absurd(partition.panel)
    run_backtest(panel, {name: member}, horizon=spec.horizon, origins=spec.origins, seed=spec.seed)
    return member.fit(panel, None, spec.seed).forecast(spec.horizon).mean
