"""A production chain in a file: who supplies whom, an edge a line."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

from industrial_brain.domain.targeting import ChainLink
from industrial_brain.storage.files.profile_tables import Columns, Row, read_rows

_CHAIN = Columns("supplier", ("customer",), ("weight", "source", "simulated"))


def read_chain(path: Path, clusters: Collection[str], *, source: str, simulated: bool) -> list[ChainLink]:
    """The links of a CSV file with the columns `supplier,customer` and, where wanted, `weight` (1 unless given), `source`,
    `simulated`. A missing file is an empty one.

    Args:
        clusters: codes that links may name.
        source, simulated: what holds where a line doesn't say.

    Raises:
        ProfileError: by line: an unknown cluster, one that supplies itself, a weight that is not positive, a link given twice.
    """
    found: dict[tuple[str, str], ChainLink] = {}
    for row in read_rows(path, _CHAIN):
        link = ChainLink(
            row.text("supplier"),
            row.text("customer"),
            _weight(row),
            row.maybe("source") or source,
            row.flag("simulated", simulated),
        )
        row.refer("supplier", link.supplier, dict.fromkeys(clusters))
        row.refer("customer", link.customer, dict.fromkeys(clusters))
        if link.supplier == link.customer:
            row.refuse(f"'{link.supplier}' can't supply itself")
        if (link.supplier, link.customer) in found:
            row.refuse(f"the link from '{link.supplier}' to '{link.customer}' stands in an earlier line already")
        found[link.supplier, link.customer] = link
    return list(found.values())


def _weight(row: Row) -> float:
    text = row.text("weight") or "1"
    try:
        weight = float(text)
    except ValueError:
        weight = math.nan
    if not (math.isfinite(weight) and weight > 0.0):
        row.refuse(f"weight '{text}' is not a positive number")
    return weight
