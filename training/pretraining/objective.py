"""What the trees minimise: the error of the combination that their scores, through a softmax, would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from industrial_brain.domain.panel import Floats
from industrial_brain.domain.periods import Ordinals


@dataclass(frozen=True, slots=True)
class CombinationLoss:
    """The mean absolute error of softmax-weighted combinations, one a task, its gradient and a bound of its curvature.

    Unlike FFORMA's weighted average of the members' errors, errors that cancel are rewarded: the combination is scored as it
    will be used.

    Attributes:
        first: int64 (tasks,), row at which each task's members start; they stand side by side.
        error: float64 (rows, horizon), members' errors in units of the task, divided by the number of its actuals; zero where
            there is none.
        importance: float64 (tasks,).
    """

    first: Ordinals
    error: Floats
    importance: Floats

    @property
    def task(self) -> Ordinals:
        """Each row's task: int64 (rows,)."""
        return np.repeat(np.arange(len(self.first)), np.diff(self.first, append=len(self.error)))

    def weights(self, scores: Floats) -> Floats:
        """Softmax within each task: float64 (rows,)."""
        raw = np.exp(scores - np.maximum.reduceat(scores, self.first)[self.task])
        shares: Floats = raw / np.add.reduceat(raw, self.first)[self.task]
        return shares

    def losses(self, scores: Floats) -> Floats:
        """Mean absolute errors of the combinations: float64 (tasks,)."""
        combined = np.add.reduceat(self.weights(scores)[:, None] * self.error, self.first, axis=0)
        total: Floats = np.abs(combined).sum(axis=1)
        return total

    def derivatives(self, scores: Floats) -> tuple[Floats, Floats]:
        """Gradient, and a positive stand-in for the curvature, of the weighed sum of losses: float64 (rows,) each.

        The loss is piecewise linear in the weights and has no curvature of its own there; what is left is the softmax's, in
        units of the members' typical error.
        """
        w, task = self.weights(scores), self.task
        combined = np.add.reduceat(w[:, None] * self.error, self.first, axis=0)
        slope = (self.error * np.sign(combined)[task]).sum(axis=1)
        mean = np.add.reduceat(w * slope, self.first)
        typical = np.add.reduceat(np.abs(self.error).sum(axis=1), self.first) / np.diff(self.first, append=len(task))
        gradient = w * (slope - mean[task])
        curvature = np.maximum(w * (1.0 - w), 1e-3) * typical[task]
        return gradient * self.importance[task], curvature * self.importance[task]
