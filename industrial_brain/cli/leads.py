"""Commands about leads: targets that somebody follows up."""

from __future__ import annotations

import getpass
import json
from typing import Annotated, Any

import typer

from industrial_brain.cli.terminal import brain, err, out, table, written
from industrial_brain.domain.targeting import NEXT_STATUS, Lead, LeadStatus, parse_target


def add_to(app: typer.Typer) -> None:
    leads = typer.Typer(
        help="Targets that somebody follows up, from proposed to built or dropped.", no_args_is_help=True
    )
    leads.command("propose")(propose)
    leads.command("advance")(advance)
    leads.command("list")(list_leads)
    leads.command("show")(show)
    app.add_typer(leads, name="leads")


Author = Annotated[str | None, typer.Option(help="In whose name; default: who is logged in.")]
Note = Annotated[str, typer.Option(help="In your own words.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def propose(
    target: Annotated[str, typer.Argument(help="REGION:CLUSTER, such as 500112:C19.")],
    note: Note = "",
    author: Author = None,
) -> None:
    """Follow a target up.

    Example: `brain leads propose 500112:C19 --note "first in the ranking"`
    """
    region, cluster = parse_target(target)
    made = brain().leads.propose(region, cluster, author or getpass.getuser(), note)
    _print(made)


def advance(
    lead: Annotated[str, typer.Argument(help="An id; see `brain leads list`.")],
    status: Annotated[LeadStatus, typer.Argument(help="What it has come to.")],
    note: Note = "",
    author: Author = None,
) -> None:
    """One step further: contacted, signed, built; or dropped. What is built or dropped is closed, and a label for the next
    version.

    Example: `brain leads advance L000001 contacted`
    """
    _print(brain().leads.advance(lead, status, author or getpass.getuser(), note))


def list_leads(
    status: Annotated[LeadStatus | None, typer.Option(help="In this status.")] = None,
    region: Annotated[str | None, typer.Option(help="Of this district.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Of this cluster.")] = None,
    limit: Annotated[int, typer.Option(help="How many are listed.", min=1, max=1000)] = 50,
    as_json: Json = False,
) -> None:
    """List leads, in the order in which they were proposed."""
    page = brain().leads.list_leads(status=status, region=region, cluster=cluster, limit=limit)
    if as_json:
        out.print_json(json.dumps([_plain(one) for one in page.items]))
        return
    if not page.items:
        err.print("No lead. `brain leads propose REGION:CLUSTER` makes one.")
        return
    listing = table("id", "target", "status", "since", "proposed by", "proposed at")
    for one in page.items:
        listing.add_row(one.id, one.target, one.status, written(one.changed_at), one.author, written(one.created_at))
    out.print(listing)
    if page.total > len(page.items):
        err.print(f"{len(page.items)} of {page.total:,}; narrow the search, or raise --limit.")


def show(lead: Annotated[str, typer.Argument(help="An id; see `brain leads list`.")], as_json: Json = False) -> None:
    """One lead with its history."""
    found = brain().leads.get(lead)
    if as_json:
        out.print_json(json.dumps(_plain(found)))
        return
    _print(found)


def _print(lead: Lead) -> None:
    out.print(f"Lead {lead.id} of {lead.target}: {lead.status}", style="bold")
    for event in lead.history:
        out.print(
            f"  {written(event.at)} {event.status} by {event.author}{': ' if event.note else ''}{event.note}",
            soft_wrap=True,
            markup=False,
        )
    following = NEXT_STATUS[lead.status]
    if following:
        err.print(f"Next: {' or '.join(following)}.")


def _plain(lead: Lead) -> dict[str, Any]:
    history = [
        {"status": one.status, "author": one.author, "at": one.at.isoformat(), "note": one.note} for one in lead.history
    ]
    return {"id": lead.id, "target": lead.target, "status": lead.status, "history": history}
