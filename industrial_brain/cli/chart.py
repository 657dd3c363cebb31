"""A forecast as a chart of characters: the last seasons, the mean, and the widest interval."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.forecasts import Forecast
from industrial_brain.domain.nowcasts import Evolution
from industrial_brain.domain.observations import Observation

_HEIGHT = 16
_TICKS = 6


def draw_forecast(history: Sequence[Observation], forecast: Forecast, first: int, width: int) -> str:
    """Lines of braille dots; gaps in the history stay empty.

    Args:
        history: observations, oldest first.
        first: ordinal of the first period forecast.
        width: columns.
    """
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, _HEIGHT)
    ahead = list(range(len(forecast.mean)))
    past = _positions(history, forecast, first)
    for run in _runs(past):
        figure.draw(_line(figure, [x for x, _ in run], [y for _, y in run]))
    outer = (min(forecast.quantiles, key=float), max(forecast.quantiles, key=float))
    for values in (forecast.mean, *(forecast.quantiles[key] for key in outer)):
        figure.draw(_line(figure, ahead, list(values)))
    start = past[0][0] if past else 0
    step = max(1, (len(ahead) - start) // _TICKS)
    ticks = list(range(start, len(ahead), step))
    figure.ruler("x").ticks(ticks, [forecast.freq.label(first + tick)[:7] for tick in ticks])
    return str(plotext.uncolorize(str(figure.build())))


def draw_evolution(points: Sequence[Evolution], width: int) -> str:
    """Lines of braille dots: the number at each moment, and its interval's edges; one step a point."""
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, _HEIGHT)
    steps = list(range(len(points)))
    for values in ([p.low for p in points], [p.mean for p in points], [p.high for p in points]):
        figure.draw(_line(figure, steps, values))
    ticks = steps[:: max(1, len(steps) // _TICKS)]
    figure.ruler("x").ticks(ticks, [f"{points[tick].as_of:%Y-%m-%d}" for tick in ticks])
    return str(plotext.uncolorize(str(figure.build())))


def draw_readings(ts: npt.NDArray[np.int64], values: npt.NDArray[np.float64], start: int, end: int, width: int) -> str:
    """Lines of braille dots: readings by time (UTC), in steps of a column's half; the anomaly lies between the two bars.

    Args:
        ts: microseconds, rising. start, end: of the anomaly.
        width: columns.
    """
    import plotext

    figure = plotext.figure
    figure.clear()
    figure.theme("colorless")
    figure.plot_size(width, _HEIGHT)
    seconds = (ts - ts[0]) / 1e6
    # of each half column its lowest and highest: what stands out must be seen
    column = np.minimum((seconds / max(seconds[-1], 1e-9) * 2 * width).astype(np.int64), 2 * width - 1)
    kept = sorted({row for one in np.unique(column) for row in _extremes(values, np.flatnonzero(column == one))})
    figure.draw(_line(figure, seconds[kept].tolist(), values[kept].tolist()))
    low, high = float(values.min()), float(values.max())
    for edge in (start, end):
        x = (edge - int(ts[0])) / 1e6
        if 0 <= x <= seconds[-1]:
            figure.draw(_line(figure, [x, x], [low, high]))
    ticks = np.linspace(0, seconds[-1], _TICKS).tolist()
    clock = [dt.datetime.fromtimestamp(int(ts[0]) / 1e6 + tick, dt.UTC).strftime("%H:%M:%S") for tick in ticks]
    figure.ruler("x").ticks(ticks, clock)
    return str(plotext.uncolorize(str(figure.build())))


def _extremes(values: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> list[int]:
    return [int(rows[values[rows].argmin()]), int(rows[values[rows].argmax()])]


def _positions(history: Sequence[Observation], forecast: Forecast, first: int) -> list[tuple[int, float]]:
    """Each observation with its distance to the first period forecast: -1 is the last one known."""
    return [(forecast.freq.ordinal_of_label(o.period) - first, o.value) for o in history]


def _runs(points: Sequence[tuple[int, float]]) -> list[list[tuple[int, float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[int, float]]] = []
    for point in points:
        if runs and point[0] == runs[-1][-1][0] + 1:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _line(figure: object, xs: Sequence[float], ys: Sequence[float]) -> object:
    signal = figure.signal(xs, ys, marker="braille")  # type: ignore[attr-defined]  # plotext ships no types
    signal.lines()
    return signal
