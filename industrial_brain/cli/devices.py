"""Commands about devices: what operators say of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from industrial_brain.cli.terminal import brain, err, number, out, plural, table


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Devices: their limits, their rhythm, their class, their gateway.", no_args_is_help=True)
    group.command("import")(import_devices)
    group.command("list")(list_devices)
    app.add_typer(group, name="devices")


def import_devices(
    file: Annotated[Path, typer.Argument(help="CSV with the columns site, device, and those that `--help` names.")],
) -> None:
    """Declare devices and their metrics, from a CSV file; all of its lines or none. A running server follows within seconds.

    Columns: site, device, metric (empty: the device itself), unit, low, high, counter, wraps_at, seconds,
    equipment, parent, watch.

    Example: `brain devices import examples/devices.csv`
    """
    from industrial_brain.storage.device_files import read_declarations

    found = read_declarations(file)
    store = brain().declarations
    store.put(found)
    devices = len({(one.site, one.device) for one in found})
    out.print(f"{plural(len(found), 'declaration')} of {plural(devices, 'device')} taken.")


def list_devices(
    site: Annotated[str | None, typer.Option(help="Of this site alone.")] = None,
    equipment: Annotated[str | None, typer.Option(help="Of this class of equipment alone.")] = None,
    search: Annotated[str | None, typer.Option(help="Part of the id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most devices that are shown.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the declared devices with what was said of them. `GET /v1/devices` has those that were never declared as well.

    Example: `brain devices list --equipment pump`
    """
    store = brain().declarations
    page = store.list_devices(site=site, equipment=equipment, search=search, limit=limit)
    said = [one for device in page.items for one in store.of_device(device)]
    if as_json:
        out.print(json.dumps([asdict(one) for one in said], ensure_ascii=False, indent=2), soft_wrap=True)
        return
    if not said:
        err.print("No device was declared. Declare some with `brain devices import FILE.csv`.")
        return
    listing = table(
        "site", "device", "metric", "unit", "low#", "high#", "counter", "every s#", "watch", "equipment", "parent"
    )
    for one in said:
        numbers = ["" if it is None else number(it) for it in (one.low, one.high)]
        every = "" if one.seconds is None else number(one.seconds)
        wraps = "" if one.wraps_at is None else f"wraps at {number(one.wraps_at)}"
        counter = (wraps or "yes") if one.counter else ""
        watch = "closely" if one.watch else ""
        cells = (*numbers, counter, every, watch, one.equipment or "", one.parent or "")
        listing.add_row(one.site, one.device, one.metric or "", one.unit or "", *cells)
    out.print(listing)
    if page.total > len(page.items):
        err.print(f"{len(page.items):,} of {page.total:,} devices; --limit shows more.")
