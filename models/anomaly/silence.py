"""What silent devices have in common: a gateway, or a whole site. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection

from industrial_brain.domain.anomalies import WHOLE_SITE, Places

#: devices that are one event together, at least
FEWEST_OF_SITE = 5
FEWEST_OF_PARENT = 3

#: a chain of parents that is longer holds a circle
_LONGEST_CHAIN = 8


def common_causes(site: str, silent: Collection[str], down: Collection[str], places: Places) -> dict[str, str]:
    """By device, the one whose silence explains its own, or `WHOLE_SITE`; devices that stand for themselves are left out.

    A silent parent explains its children. A parent that has not fallen silent itself, since it sends nothing or is well but
    for its radio, is found out when half of its children fall silent together. What remains, a gateway with its children
    counted once, is an outage of the site when it is at least five, and more than twice the root of the site's devices (far
    more than chance puts into a minute) or with what is behind it half of them.

    Args:
        silent: devices of the site that fell silent within a minute.
        down: devices that have been silent for longer.
    """
    dumb = {*silent, *down}
    explained: dict[str, str] = {}
    orphans: Counter[str] = Counter()
    for device in silent:
        highest, above = None, places.parent(site, device)
        nearest = above
        for _ in range(_LONGEST_CHAIN):
            if above is None or above == device:
                break
            if above in dumb:
                highest = above
            above = places.parent(site, above)
        if highest is not None:
            explained[device] = highest
        elif nearest is not None and nearest != device:
            orphans[nearest] += 1
    # parents in a circle, which nobody should declare, explain each other: the first by name explains the rest
    explained = {device: above for device, above in explained.items() if above not in explained or device > above}
    inferred = {
        parent for parent, count in orphans.items() if count >= max(FEWEST_OF_PARENT, places.children(site, parent) / 2)
    }
    for device in silent:
        parent = places.parent(site, device)
        if device not in explained and parent in inferred and parent is not None:
            explained[device] = parent
    roots = {explained.get(device, device) for device in silent} - {*down} | {*inferred}
    total = places.devices(site)
    many = len(roots) >= 2 * math.sqrt(total) or 2 * len(silent) >= total
    if len(roots) >= FEWEST_OF_SITE and many:
        return dict.fromkeys(silent, WHOLE_SITE)
    return explained
