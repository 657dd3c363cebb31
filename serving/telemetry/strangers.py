"""Devices that nobody declared, where the operator does not want them: refused, row by row, before the intake sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from industrial_brain.domain.devices import DeclarationStore, DeviceId
from industrial_brain.domain.telemetry import MOST_ERRORS, Coded, ItemError, Submission
from serving.telemetry.draft import take

_UNKNOWN = "Nobody declared this device, and this service takes declared ones alone: ask its operator."


class Known(Protocol):
    """The devices that have sent something."""

    def device_number(self, site: str, device: str) -> int: ...


def without_strangers(submission: Submission, known: Known, declarations: DeclarationStore) -> Submission:
    """The rows of devices that have sent before, or were declared; the others are errors, `unknown-device`.

    Only devices that never sent anything are looked up in the store.
    """
    names = [submission.device[row] for row in range(len(submission))]
    new = sorted({name for name in names if known.device_number(submission.site, name) < 0})
    said = declarations.of_devices([DeviceId(submission.site, name) for name in new])
    strangers = set(new) - {device.device for device in said}
    if not strangers:
        return submission
    wrong = np.array([name in strangers for name in names], np.bool_)
    kept = np.flatnonzero(~wrong)
    found = [ItemError(int(index), "unknown-device", _UNKNOWN) for index in submission.index[wrong].tolist()]
    errors = sorted((*submission.errors, *found), key=lambda error: error.index)
    return replace(
        submission,
        device=take(submission.device, kept),
        metric=Coded(submission.metric.codes[kept], submission.metric.names),
        ts=submission.ts[kept],
        value=submission.value[kept],
        unit=Coded(submission.unit.codes[kept], submission.unit.names),
        quality=submission.quality[kept],
        index=submission.index[kept],
        errors=tuple(errors[:MOST_ERRORS]),
        unnamed=submission.unnamed + max(0, len(errors) - MOST_ERRORS),
    )
