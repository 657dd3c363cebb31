"""Which judgements are alarms: a budget of alarms a day, or a share of them that may be false.

A p-value says how rare a reading is; how many alarms a day people can read is another question, and the operator's to
answer. Both answers are a *level*, a p-value under which a judgement is an alarm, that moves with time. The unit is the
episode: after an alarm, further ones of its channel within `hold` are the same event, and are counted once.

*Budget.* The level starts at budget / judgements a day, and follows what happened: its logarithm moves by a step times
(episodes wanted - episodes seen), so that over time the rate is the one that was set, whatever the fleet does (Gibbs and
Candes 2021). It can't answer a flood by more than the flood: a day with a hundred real failures shows them, and the next
days' level pays for it within the bounds of `REACH`.

*FDR.* LORD++ (Ramdas et al. 2017) with a known horizon, the day. On an infinite stream its levels die out, as each test
without a discovery takes its part of the wealth (alpha death). Here each day (UTC) has its own wealth, spread evenly over
the judgements that a day is expected to bring, and each episode of the day adds as much, spread over the rest of the day. The
day's false episodes over its episodes are then `fdr` at most, in the mean over days. Judgements of neighbours in time
depend on each other, so a discovery raises the level only after `lag` (Zrnic, Ramdas and Jordan 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from industrial_brain.domain.errors import BundleError, InputError
from industrial_brain.domain.telemetry import MICROS_PER_SECOND, Cause, Decided, Flags, Keys, Micros, Scored

DAY = 86_400 * MICROS_PER_SECOND

#: how far the level of a budget may move from budget / judgements a day, either way
REACH = 30.0

#: judgements a day that a fleet is taken to make at least
FEWEST_A_DAY = 1_440.0

#: days over which the judgements that a day brings are counted
MEMORY = 0.25

#: what judges where nothing else is named
FLEET = "fleet 1"


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator set: exactly one of `alarms_a_day` (episodes a day, over the fleet) and `fdr` (share false, 0 to 1).

    Attributes:
        hold: seconds; alarms of a channel that follow each other within this time are one episode.
        lag: seconds after which a discovery counts for others' levels.
    """

    alarms_a_day: float | None = 10.0
    fdr: float | None = None
    hold: float = 3_600.0
    lag: float = 600.0

    def __post_init__(self) -> None:
        if (self.alarms_a_day is None) == (self.fdr is None):
            raise InputError(
                "exactly one of a budget and a false-discovery rate can be kept", "Set one, and leave the other out."
            )
        if self.alarms_a_day is not None and not 0.0 < self.alarms_a_day < math.inf:
            raise InputError(f"a budget of {self.alarms_a_day:g} alarms a day is none", "Give a number above 0.")
        if self.fdr is not None and not 0.0 < self.fdr < 1.0:
            raise InputError(
                f"a false-discovery rate of {self.fdr:g} is none", "Give a share between 0 and 1, such as 0.1."
            )


class LiveDecider:
    """Turns judgements into alarms. Implements `Decider`.

    Its state is small: how many judgements a day brings, and the channels that are in alarm now.
    """

    def __init__(self, policy: Policy | None = None) -> None:
        self.policy = policy or Policy()
        self._clock = -1  # newest receive time
        self._count = 0.0  # judgements of late, and ...
        self._span = 0.0  # ... the days that they took
        self._lean = 0.0  # logarithm of level / (budget / judgements a day)
        self._day = -1
        self._wealth = 0.0  # FDR: level of this day
        self._pending: Micros = np.zeros(0, np.int64)  # moments of discoveries that don't count yet
        self._channel: Keys = np.zeros(0, np.int32)  # in alarm, sorted
        self._last: Micros = np.zeros(0, np.int64)

    @property
    def judgements_a_day(self) -> float:
        """How many judgements a day brings, as of late."""
        return max(FEWEST_A_DAY, self._count / max(self._span, 1.0 / 1_440.0))

    @property
    def level(self) -> float:
        """The p-value under which a judgement is an alarm now."""
        if self.policy.alarms_a_day is None:
            return self._wealth
        return min(0.05, self.policy.alarms_a_day / self.judgements_a_day * math.exp(self._lean))

    def decide(
        self, scored: Scored, at: int, detector: str = FLEET, share: npt.NDArray[np.float32] | None = None
    ) -> Decided:
        """The decision on each row, in order of seq. `at` is the receive time of the batch, or the moment of the look."""
        is_judged = scored.cause != Cause.NONE
        self._pass_time(at, int(np.count_nonzero(is_judged)))
        level = self.level
        alarm = (scored.p <= level) & is_judged
        rows = np.flatnonzero(alarm)
        if len(rows):
            self._count_episodes(scored, rows, at)
        return Decided(scored, alarm, level, detector, share)

    def _count_episodes(self, scored: Scored, rows: npt.NDArray[np.intp], at: int) -> None:
        """Pay for the episodes that these alarms begin. The rows of one judgement of a device are one."""
        first = rows[self._first(scored.channel[rows], scored.ts[rows], at)]
        joint = scored.cause[first] == Cause.PATTERN
        opened = int(np.count_nonzero(~joint))
        opened += len(np.unique(np.stack([scored.ts[first][joint], scored.p[first][joint].view(np.int32)]), axis=1).T)
        if self.policy.alarms_a_day is not None:
            self._lean = max(self._lean - _step(self.policy.alarms_a_day) * opened, -math.log(REACH))
        else:
            self._pending = np.append(self._pending, np.full(opened, at, np.int64))

    def _pass_time(self, at: int, judged: int) -> None:
        """What passes with time: the day, the judgements that it brings, the wealth of discoveries that have aged."""
        passed = max(0, at - self._clock) / DAY if self._clock >= 0 else 0.0
        self._clock = max(self._clock, at)
        fade = math.exp(-passed / MEMORY)
        self._count, self._span = self._count * fade + judged, self._span * fade + min(passed, MEMORY)
        if self.policy.alarms_a_day is not None:
            if judged:
                earned = _step(self.policy.alarms_a_day) * self.policy.alarms_a_day * min(passed, MEMORY)
                self._lean = min(self._lean + earned, math.log(REACH))
            return
        assert self.policy.fdr is not None
        if at // DAY != self._day:
            self._day = at // DAY
            self._pending = self._pending[:0]
            self._wealth = 0.0
        if self._wealth == 0.0 and self._span > 0.0:
            self._wealth = self.policy.fdr / self.judgements_a_day
        aged = self._pending <= at - int(self.policy.lag * MICROS_PER_SECOND)
        if aged.any():
            left = max(1.0 - at % DAY / DAY, 1.0 / 24.0) * self.judgements_a_day
            self._wealth += self.policy.fdr * int(np.count_nonzero(aged)) / left
            self._pending = self._pending[~aged]

    def _first(self, channel: Keys, ts: Micros, at: int) -> Flags:
        """Which alarms start an episode of their channel."""
        hold = int(self.policy.hold * MICROS_PER_SECOND)
        kept = self._last >= at - 2 * hold
        old = int(np.count_nonzero(kept))
        # the alarms of one channel in a row, before them its last one, if it had any of late
        channels = np.concatenate([self._channel[kept], channel])
        order = np.argsort(channels, kind="stable")
        channels = channels[order]
        moments = np.concatenate([self._last[kept], ts])[order]
        is_other = channels[1:] != channels[:-1]
        starts = np.append(True, is_other | (moments[1:] - moments[:-1] > hold))
        ends = np.append(is_other, True)
        self._channel, self._last = channels[ends], moments[ends]
        first = np.zeros(len(order), bool)
        first[order] = starts
        return first[old:]

    def save(self) -> dict[str, npt.NDArray[np.generic]]:
        """The whole state as arrays, by name. The policy is not part of it: it is the operator's."""
        return {
            "numbers": np.array([self._count, self._span, self._lean, self._wealth]),
            "clock": np.array([self._clock, self._day], np.int64),
            "pending": self._pending.copy(),
            "channel": self._channel.copy(),
            "last": self._last.copy(),
        }

    def load(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Become a saved state. Raises BundleError."""
        try:
            self._count, self._span, self._lean, self._wealth = (float(x) for x in arrays["numbers"].astype(np.float64))
            self._clock, self._day = (int(x) for x in arrays["clock"].astype(np.int64))
            self._pending, self._last = arrays["pending"].astype(np.int64), arrays["last"].astype(np.int64)
            self._channel = arrays["channel"].astype(np.int32)
        except (LookupError, ValueError) as error:
            raise BundleError(
                "this is not a saved state of decisions", "Start without it: it is learnt again in a day."
            ) from error


def _step(alarms_a_day: float) -> float:
    """How far one episode moves the level's logarithm. Chance then moves the level by a fifth at most, and a wrong level is
    mended in about a day (in longer under a budget of less than ten a day)."""
    return 0.1 / max(1.0, alarms_a_day / 10.0)
