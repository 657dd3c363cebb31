"""The demo's telemetry: a simulated day comes in, faults are found in it, and a class of equipment gets detectors."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from industrial_brain.cli.equipment import print_anomaly_report
from industrial_brain.cli.feeding import Pace, submission_of
from industrial_brain.cli.terminal import out, progress_bar, waiting
from industrial_brain.domain.anomalies import EpisodeFilter
from industrial_brain.domain.episode_words import tell
from industrial_brain.simulation.faults import Kind
from industrial_brain.simulation.labels import Label, truth_of
from industrial_brain.simulation.plant import Plant
from industrial_brain.simulation.sensors import Equipment
from industrial_brain.simulation.telemetry import blocks

if TYPE_CHECKING:
    from industrial_brain.composition import Brain
    from industrial_brain.domain.anomalies import Episode

_DEVICES, _MINUTES, _SEED = 24, 1440, 20260101

#: faults that show within a day of history; silence shows in real time alone
_FAULTS = (Kind.LEAK, Kind.STUCK, Kind.UNIT_CHANGE)

#: the class that is trained
_CLASS = Equipment.PUMP

#: anomalies that are listed
_SHOWN = 5


def show_telemetry(wired: Brain) -> None:
    """Take in a simulated day, unless an earlier demo has; tell what was found, and train detectors of the pumps."""
    if not wired.equipment.machines(_CLASS):
        _take_in(wired)
    _train_if_needed(wired)


def _take_in(wired: Brain) -> None:
    """A day of readings through the same intake as any server's, in this process, and what was found in it."""
    now = int(wired.clock().timestamp()) * 1_000_000
    plant = Plant.of(
        seed=_SEED,
        devices=_DEVICES,
        sites=2,
        start=Pace(now).start(_MINUTES),
        minutes=_MINUTES,
        faults=len(_FAULTS),
        kinds=_FAULTS,
    )
    stream = wired.telemetry
    with waiting("Starting the stream of readings"):
        stream.start()
    try:
        stream.declare(list(plant.declarations()))
        accepted = asyncio.run(_submit(wired, plant))
        while (progress := stream.progress()).scored < progress.durable:
            time.sleep(0.05)
    finally:
        stream.stop()
    out.print(
        f"Simulated telemetry: {accepted:,} readings of {len(plant.devices)} devices at {' and '.join(plant.sites)}, one day, "
        f"on the disk and scored. Planted in it: "
        + ", ".join(f"{label.kind} at {label.device}" for label in truth_of(plant).labels)
        + ".",
        soft_wrap=True,
    )
    _print_found(wired, plant)


async def _submit(wired: Brain, plant: Plant) -> int:
    accepted, sent = 0, 0
    with progress_bar("Taking in simulated telemetry", "readings") as progress:
        for block in blocks(plant):
            for readings in block:
                receipt = await wired.telemetry.submit(submission_of(plant, readings))
                accepted, sent = accepted + receipt.accepted, sent + len(readings)
            progress(sent, round(plant.channels * plant.steps * 0.95))
    return accepted


def _print_found(wired: Brain, plant: Plant) -> None:
    """The planted fault that was found first, with its reason."""
    found = [
        episode
        for site in plant.sites
        for episode in wired.episodes.list_episodes(EpisodeFilter(site=site), limit=1000).items
    ]
    labels = truth_of(plant).labels
    right = [episode for episode in found if any(_shows(episode, label) for label in labels)]
    if not right:
        out.print(f"None of them was found; {len(found)} other anomalies were. `brain anomalies list` has them.")
        return
    first = min(right, key=lambda episode: episode.start)
    out.print(f"Found: {first.device} at {first.site}: {tell(first)}.", soft_wrap=True)
    out.print(
        f"  {len(found)} anomalies in all, {len(right)} of them where something was planted; "
        f"`brain anomalies list`, `brain anomalies show {first.id}`.",
        soft_wrap=True,
    )


def _shows(episode: Episode, label: Label) -> bool:
    return (
        (episode.site, episode.device) == (label.site, label.device)
        and episode.start <= label.end
        and episode.end >= label.start
    )


def _train_if_needed(wired: Brain) -> None:
    """Detectors of the pumps, on Ray, unless they have seen just these readings."""
    champion = wired.anomaly_registry.current()
    with waiting("Looking for news"):
        news = champion is None or wired.has_anomaly_news(champion, _CLASS)
    if champion is not None and not news:
        out.print(f"Version {champion.version} of {champion.name} has seen just these readings: nothing to train.")
        return
    with waiting("Starting Ray"), wired.executor() as executor, progress_bar("Fitting", "machines") as progress:
        report = wired.train_anomalies(executor, equipment=_CLASS, progress=progress)
    print_anomaly_report(report)
