"""The versions that answer: the champion, followed while the server runs, and older ones for questions `as_of`.

What answers has seen the newest observations too, up to the moment asked about: see `LiveModels`.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import structlog

from industrial_brain.domain.errors import BundleError, NoModelError, UnavailableError
from industrial_brain.domain.explanations import Explanation
from industrial_brain.domain.forecasts import Failed, Forecast, ModelVersion
from industrial_brain.domain.overrides import Override
from industrial_brain.domain.panel import Panel
from industrial_brain.domain.periods import Frequency
from industrial_brain.domain.protocols import ObservationStore, Registry
from industrial_brain.domain.scenarios import Scenario
from industrial_brain.domain.versions import version_as_of

log = structlog.get_logger(__name__)


class Model(Protocol):
    """A version's bundle, read. Immutable, and safe to call from several threads."""

    @property
    def vintage(self) -> dt.datetime:
        """The moment up to which it has seen data."""
        ...

    def updated(self, panels: Iterable[Panel], vintage: dt.datetime) -> Self:
        """The model after it has seen these histories, as known at `vintage`, with nothing estimated anew."""
        ...


class ForecastModel(Model, Protocol):
    """A version of the forecasting task."""

    def forecast(
        self, series: Sequence[str], horizon: int | None, levels: Sequence[float], scenario: Scenario | None = None
    ) -> list[Forecast | Failed]:
        """One outcome a series, in the order asked. Raises HorizonError, LevelError, and InputError for a scenario."""
        ...

    def judged(self, answers: Sequence[Forecast | Failed], overrides: Sequence[Override]) -> list[Forecast | Failed]:
        """Answers of this model as overrides move them."""
        ...

    def with_paths(self, answers: Sequence[Forecast | Failed], count: int, seed: int) -> list[Forecast | Failed]:
        """Answers of this model with sample paths. Raises PathsError."""
        ...

    def totals(
        self,
        answers: Sequence[Forecast | Failed],
        freq: Frequency,
        levels: Sequence[float],
        paths: int | None,
        seed: int,
    ) -> list[Forecast | Failed]:
        """Answers of this model as sums over longer periods. Raises LevelError and PathsError."""
        ...

    def contradicted(self, override: Override, others: Sequence[Override]) -> tuple[Override, ...] | None:
        """The others that an override can't stand beside; None if it can."""
        ...

    def explain(
        self, series: str, horizon: int | None, peers: Sequence[str] | None, overrides: Sequence[Override]
    ) -> Explanation | Failed:
        """Why one series' forecast is what it is. Raises HorizonError."""
        ...


M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[M]):
    """A version and its model. A request takes one of these once and uses nothing else."""

    version: ModelVersion
    model: M


class LiveModels(Generic[M]):
    """Follows a registry's champion from a thread of its own, and keeps a few older versions at hand.

    A new champion is loaded beside the old one, then one reference changes: requests under way finish with the version
    that they began with. A champion that can't be loaded changes nothing; `failure` says so until one can. A registry
    without a champion leaves the last one in place.

    The store is followed in the same way. A champion that is loaded is updated at once with all that is known; when values come
    in, what was loaded is updated with the series that have changed since, and takes the place of what answers. So what
    answers depends on the version and on the store alone, never on the way that the server came there. A question `as_of`
    a moment gets its version updated with what was known then, and nothing later.

    Args:
        load: reads a version's folder.
        observations: the store that is followed; None for models that read it themselves at each question.
        poll_seconds: pause between two looks at the registry.
        kept: how many older versions stay loaded.
        training: the command that trains a version, for messages.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[Path], M],
        observations: ObservationStore | None,
        clock: Callable[[], dt.datetime],
        *,
        poll_seconds: float,
        kept: int = 2,
        training: str = "brain train forecasting",
    ) -> None:
        self._training = training
        self._registry = registry
        self._load = load
        self._observations = observations
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._kept = kept
        self._champion: Loaded[M] | None = None
        self._trained: Loaded[M] | None = None  # the champion as it was trained
        self._first: tuple[Loaded[M], int] | None = (
            None  # after all that was known when it was loaded, and the store's revision
        )
        self._revision: int | None = None  # of the store, when the champion was updated last
        self._updates = 0
        self._asked: OrderedDict[tuple[int, dt.datetime], tuple[int, Loaded[M]]] = OrderedDict()
        self._failure: str | None = None
        self._stale: str | None = None
        self._swaps = 0
        self._older: OrderedDict[int, Loaded[M]] = OrderedDict()
        self._older_lock = threading.Lock()
        self._poll_lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def champion(self) -> Loaded[M] | None:
        return self._champion

    @property
    def failure(self) -> str | None:
        """One sentence on why the registry's champion is not the one that answers, or None. Safe to show anyone."""
        return self._failure

    @property
    def swaps(self) -> int:
        return self._swaps

    @property
    def updates(self) -> int:
        """How often the champion was updated with newer observations."""
        return self._updates

    def start(self) -> None:
        """Look once, then follow in the background: whoever asks first finds the champion, if there is one."""
        self.poll()
        self._stop.clear()
        self._thread = threading.Thread(target=self._follow, name="champion-follower", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop following, once a load under way is done. What is loaded stays loaded."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def poll(self) -> None:
        """Look at the registry and at the store once, and swap if there is news. Never raises: see `failure`."""
        with self._poll_lock:
            self._look()

    def current(self) -> Loaded[M]:
        """The champion.

        Raises:
            NoModelError: none has been loaded yet.
        """
        champion = self._champion
        if champion is None:
            raise NoModelError(
                "No version has been promoted yet, or it is still being loaded.",
                f"Train one with `{self._training}`; a running service picks it up within seconds.",
            )
        return champion

    def as_of(self, moment: dt.datetime) -> Loaded[M]:
        """The newest version, by vintage, that saw nothing after `moment`, updated with what was known then.

        Loading and updating one takes a moment itself.

        Raises:
            NoModelError: every version that may answer is younger, or there is none.
            UnavailableError: the version's files can't be read.
        """
        loaded = self._loaded(version_as_of(self._registry.history(), moment, self._training))
        if self._observations is None:
            return loaded
        key, revision = (loaded.version.version, moment), self._observations.revision()
        with self._older_lock:
            then, found = self._asked.get(key, (None, loaded))
            if then != revision:  # values of that time may have been filed since
                found = _updated(loaded, self._observations, moment)
                self._asked[key] = revision, found
                if len(self._asked) > self._kept:
                    self._asked.popitem(last=False)
            self._asked.move_to_end(key)
        return found

    def _look(self) -> None:
        version: ModelVersion | None = None
        try:
            version = self._registry.current("champion")
            if version is not None and not self._answers(version):
                self._trained = Loaded(version, self._load(self._registry.load(version.version)))
                self._first = self._revision = None
                self._champion = self._updated_champion() or self._trained
                self._swaps += 1
                log.info("champion_loaded", model=version.name, version=version.version)
            else:
                self._champion = self._updated_champion() or self._champion
            self._failure = self._stale
        except Exception:  # whatever breaks a load must neither end the follower nor the service
            failure = (
                "The model registry does not answer."
                if version is None
                else f"Version {version.version} could not be loaded."
            )
            if failure != self._failure:  # told once, not at every look
                log.exception("champion_not_loaded", reason=failure)
            self._failure = failure

    def _updated_champion(self) -> Loaded[M] | None:
        """The champion with what the store has got since it was looked at last; None if that is nothing."""
        if self._trained is None or self._observations is None:
            return None
        self._stale = None
        try:
            revision = self._observations.revision()
            if revision == self._revision:
                return None
            if self._first is None:
                found = _updated(self._trained, self._observations, self._clock())
                self._first = found, revision
            else:
                found, since = self._first
                found = _updated(found, self._observations, self._clock(), self._observations.changed_since(since))
        except Exception:  # newer observations are worth nothing if they stop the answers
            self._stale = "Newer observations could not be taken in; forecasts begin where the last ones did."
            if self._failure != self._stale:
                log.exception("champion_not_updated")
            return None
        self._revision = revision
        if found.model is not self._trained.model:
            self._updates += 1
            log.info("champion_updated", version=found.version.version, updates=self._updates)
        return found

    def _answers(self, version: ModelVersion) -> bool:
        return self._champion is not None and self._champion.version.version == version.version

    def _loaded(self, version: ModelVersion) -> Loaded[M]:
        champion = self._trained
        if champion is not None and champion.version.version == version.version:
            return champion
        with self._older_lock:  # held while loading: two questions for the same version load it once
            found = self._older.get(version.version)
            if found is None:
                found = Loaded(version, self._read(version))
                self._older[version.version] = found
                if len(self._older) > self._kept:
                    self._older.popitem(last=False)
            self._older.move_to_end(version.version)
        return found

    def _read(self, version: ModelVersion) -> M:
        try:
            return self._load(self._registry.load(version.version))
        except (BundleError, OSError) as error:  # our files, so not the caller's mistake
            raise UnavailableError(
                f"Version {version.version} could not be loaded.", "Ask without `as_of`, or for another moment."
            ) from error

    def _follow(self) -> None:
        while not self._stop.wait(self._poll_seconds):
            self.poll()


def _updated(
    loaded: Loaded[M], observations: ObservationStore, moment: dt.datetime, series: Sequence[str] | None = None
) -> Loaded[M]:
    """The version after all that was known at `moment` of these series, or of all; itself, if that is nothing new."""
    moment = max(moment, loaded.model.vintage)
    model = loaded.model.updated(observations.read_panels(moment, series), moment)
    return loaded if model is loaded.model else Loaded(loaded.version, model)
