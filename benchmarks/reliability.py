"""Reliability diagrams: of cases that were told p, how many came to harm?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats
from industrial_brain.domain.risks import Flags
from training.risk.scores import BINS


def draw_reliability(path: Path, name: str, harmed: Flags, probs: Mapping[str, Floats]) -> None:
    """A PNG with a panel a method: the bins of the expected calibration error, each with the central 95% of its frequency if
    the probabilities were true.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "Pictures need matplotlib, which is not installed.", "Install it, or leave out --pictures."
        ) from error
    figure = Figure(figsize=(3.2 * len(probs), 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    rng = np.random.default_rng(0)
    for axes, (method, prob) in zip(np.atleast_1d(figure.subplots(1, len(probs))), probs.items(), strict=True):
        bins = np.array_split(np.argsort(prob, kind="stable"), min(BINS, len(prob)))
        told = np.array([prob[rows].mean() for rows in bins])
        came = np.array([harmed[rows].mean() for rows in bins])
        expected = [(rng.random((500, len(rows))) < prob[rows]).mean(axis=1) for rows in bins]
        low, high = np.quantile(np.array(expected), [0.025, 0.975], axis=1)
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axes.vlines(told, low, high, color="0.8", linewidth=5)
        axes.plot(told, came, "o", markersize=4, color="C0" if method == "brain" else "C1")
        top = 1.08 * max(told.max(), came.max(), high.max())
        axes.set(xlim=(-0.02 * top, top), ylim=(-0.02 * top, top), title=method, xlabel="told", aspect="equal")
    figure.suptitle(f"{name}: share that came to harm, by what was told")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
