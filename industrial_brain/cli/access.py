"""Commands about API keys."""

from __future__ import annotations

from typing import Annotated

import typer

from industrial_brain.cli.terminal import brain, err, out, table, written
from industrial_brain.domain.access import Role
from industrial_brain.domain.errors import InputError


def add_to(app: typer.Typer) -> None:
    keys = typer.Typer(help="API keys: who may ask the server what.", no_args_is_help=True)
    keys.command("create")(create)
    keys.command("list")(list_keys)
    keys.command("revoke")(revoke)
    app.add_typer(keys, name="keys")


def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, for the list.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    site: Annotated[
        list[str] | None, typer.Option(help="A site that a factory key speaks for; can be repeated.")
    ] = None,
) -> None:
    """Create a key and print its secret, once: only a hash of it is kept.

    Example: `brain keys create "planning office" --role planner`
    """
    if role is Role.FACTORY and not site:
        raise InputError("A factory key needs the sites that it speaks for.", "Add --site ID, once for each.")
    if role is not Role.FACTORY and site:
        raise InputError(f"A {role} key speaks for no site.", "Leave --site out.")
    key, secret = brain().keys.create(name, role, site or [])
    err.print(f"Key {key.id} for {name}, role {role}. This is shown once; keep it safe:")
    out.print(secret, soft_wrap=True)


def list_keys() -> None:
    """List the keys; never their secrets."""
    keys = brain().keys.list_keys()
    if not keys:
        err.print("No key yet. Create one with `brain keys create NAME --role planner`.")
        return
    listing = table("id", "name", "role", "sites", "created", "revoked")
    for key in keys:
        sites = ", ".join(key.sites) or "-"
        listing.add_row(key.id, key.name, key.role, sites, written(key.created_at), written(key.revoked_at))
    out.print(listing)


def revoke(key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, from `brain keys list`.")]) -> None:
    """End a key. Servers refuse it within seconds."""
    key = brain().keys.revoke(key_id)
    out.print(f"Key {key.id} ({key.name}) is revoked since {written(key.revoked_at)}.")
