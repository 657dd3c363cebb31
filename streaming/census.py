"""Which devices there are: the whole fleet looked through at once, as columns."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from industrial_brain.domain.telemetry import Micros
from streaming.channels import ChannelIndex


def matching(
    index: ChannelIndex,
    last: Micros,
    *,
    sites: Collection[str] | None = None,
    search: str | None = None,
    silent_since: int | None = None,
) -> npt.NDArray[np.int64]:
    """Numbers of devices, in order of first sight.

    Args:
        last: when each device was heard last, by event time; may be of a moment ago, and so be short of the newest devices.
        sites: of these alone.
        search: part of the id; letters match in either case.
        silent_since: only those without a newer reading, microseconds.
    """
    count = len(last)
    kept = np.ones(count, np.bool_)
    if sites is not None:
        words = index.sites()
        wanted = np.array([word in sites for word in words], np.bool_)
        kept &= wanted[index.device_sites(count)] if count else False
    if silent_since is not None:
        kept &= last <= silent_since
    if search is not None:
        names = index.device_texts(count)
        texts = pa.LargeStringArray.from_buffers(count, pa.py_buffer(names.offsets), pa.py_buffer(names.data))
        kept &= np.asarray(pc.match_substring(texts, search, ignore_case=True), np.bool_)
    return np.flatnonzero(kept)
