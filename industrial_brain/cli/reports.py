"""What an import and a profile brought, in words and a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from industrial_brain.cli.terminal import err, out, plural, table

if TYPE_CHECKING:
    from industrial_brain.storage.files.report import ImportReport
    from industrial_brain.storage.profile import ProfileReport

#: rejected rows that are printed; the rejects file holds all
_SHOWN = 10


def print_import(report: ImportReport) -> None:
    """Counts first, then what a reader should know, then the rejected rows with their reasons."""
    out.print(
        f"{report.path.name}: {report.accepted:,} accepted, {report.duplicate:,} duplicate, {report.revised:,} revised, "
        f"{report.rejected:,} rejected; {plural(report.series, 'series', 'series')}, {report.layout} layout, "
        f"{report.encoding}.",
        markup=False,
    )
    told = (
        (report.new_series, "New", ""),
        (report.free_series, "Not the city's", "; their ids name no indicator of it"),
        (report.with_gaps, "With gaps in this file", "; gaps stay gaps"),
    )
    for count, what, why in told:
        if count:
            out.print(f"{what}: {plural(count, 'series', 'series')}{why}.")
    if report.empty_cells:
        out.print(f"{report.empty_cells:,} cells are empty.")
    if report.ignored_columns:
        out.print(f"Columns that mean nothing here: {', '.join(report.ignored_columns)}.")
    print_rejections(report, "--rejects FILE keeps them all, ready to mend and import.")


def print_rejections(report: ImportReport, next_step: str) -> None:
    """The rows that an import refused, with their reasons; `next_step` is for a reader who needs those not shown."""
    if not report.rejected:
        return
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.reasons.items())
    err.print(f"Rejected: {reasons}.", style="yellow")
    listing = table("line#", "reason", "series", "ds", "y", "detail")
    for one in report.rejections[:_SHOWN]:
        listing.add_row(str(one.line), one.reason, one.unique_id or one.row[:40], one.ds, one.y, one.detail)
    err.print(listing)
    if report.rejected > _SHOWN:
        err.print(f"The first {_SHOWN} of {report.rejected:,}; {next_step}")


def without_missing(report: ImportReport) -> ImportReport:
    """The report without the rows that only lack a value."""
    from industrial_brain.storage.files.report import Reason

    reasons = dict(report.reasons)
    reasons.pop(Reason.MISSING_VALUE, None)
    kept = tuple(one for one in report.rejections if one.reason is not Reason.MISSING_VALUE)
    return replace(report, rejected=sum(reasons.values()), reasons=reasons, rejections=kept)


def print_profile(report: ProfileReport) -> None:
    """What the profile is, what it holds, and its imports."""
    made_up = " Its values are simulated." if report.source.simulated else ""
    out.print(f"{report.name}: {report.source.name}, licence {report.source.licence}.{made_up}")
    out.print("It describes " + ", ".join(f"{count:,} {kind}" for kind, count in report.records.items()) + ".")
    for imported in report.imports:
        print_import(imported)
