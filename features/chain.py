"""Positions in a production chain, from a table of inputs and outputs: `flows[i, j]` is what activity i sells to activity j."""

from __future__ import annotations

import numpy as np

from features.specialisation import Flags
from industrial_brain.domain.errors import InputError
from industrial_brain.domain.panel import Floats


def upstreamness(flows: Floats, output: Floats) -> Floats:
    """Steps to final use, (activities,), 1 for what is sold to final users alone (Antras, Chor, Fally and Hillberry 2012).

    The solution of U = 1 + B U with B[i, j] = flows[i, j] / output[i]. An activity without output is NaN.

    Args:
        flows: (activities, activities), not negative.
        output: (activities,) gross output; at least the sum of what is sold to others.

    Raises:
        InputError: an activity sells more to others than it makes, or some of them sell to each other without end.
    """
    return _steps(_shares(flows, output[:, None]), output)


def downstreamness(flows: Floats, output: Floats) -> Floats:
    """Steps from primary inputs, (activities,), 1 for what uses no product of others (Antras and Chor 2013; Miller and
    Temurshoev 2017). The solution of D = 1 + D A with A[i, j] = flows[i, j] / output[j]. Raises InputError as `upstreamness`
    does."""
    return _steps(_shares(flows, output[None, :]).T, output)


def chain_gaps(supplies: Flags, present: Flags) -> Flags:
    """Activities that a region lacks although it has a supplier and a customer of them: (regions, activities).

    Args:
        supplies: (activities, activities): whether i supplies j.
        present: (regions, activities).
    """
    has_supplier, has_customer = chain_neighbours(supplies.astype(np.float64), present)
    return np.asarray(~present & (has_supplier > 0.0) & (has_customer > 0.0))


def chain_neighbours(weights: Floats, present: Flags) -> tuple[Floats, Floats]:
    """Of each activity's supplies, and of its sales, the part whose partner the region has: (regions, activities) each, 0 to
    1; 0
    for an activity without suppliers, or without customers.

    Args:
        weights: (activities, activities): how much i supplies to j, not negative.
    """
    apart = weights * (1.0 - np.eye(len(weights)))
    there = present.astype(np.float64)
    bought, sold = apart.sum(axis=0), apart.sum(axis=1)
    upstream, downstream = there @ apart, there @ apart.T
    return (
        np.divide(upstream, bought, out=np.zeros_like(upstream), where=bought > 0.0),
        np.divide(downstream, sold, out=np.zeros_like(downstream), where=sold > 0.0),
    )


def _shares(flows: Floats, output: Floats) -> Floats:
    if not (np.isfinite(flows).all() and np.isfinite(output).all() and (flows >= 0.0).all() and (output >= 0.0).all()):
        raise InputError("An input-output table holds a value that is negative or no number.", "Correct the table.")
    return np.divide(flows, output, out=np.zeros_like(flows), where=output > 0.0)


def _steps(shares: Floats, output: Floats) -> Floats:
    """Solve steps = 1 + shares @ steps; shares sum to at most 1 in each row."""
    sums = shares.sum(axis=1)
    if (sums > 1.0 + 1e-9).any():
        raise InputError(
            f"Activity {int(np.argmax(sums))} of the input-output table passes on more than it has.",
            "Its output must be at least the sum of its row (upstreamness) and of its column (downstreamness).",
        )
    system = np.eye(len(shares)) - shares
    if len(shares) and np.linalg.cond(system) > 1e12:
        raise InputError(
            "Some activities of the input-output table sell to each other alone, so that the chain has no end.",
            "Add their sales to final users to the output.",
        )
    return np.asarray(np.where(output > 0.0, np.linalg.solve(system, np.ones(len(shares))), np.nan))
