"""Commands that make what ships with the product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from industrial_brain.cli.terminal import err, out


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="Learn, from many sets, how members are weighed.", no_args_is_help=True)
    group.callback()(_group)
    group.command("forecasting")(forecasting)
    app.add_typer(group, name="pretrain")


def _group() -> None:
    """Learn, from many sets, how members are weighed. For data scientists: the product ships with the result."""


def forecasting(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Sets in the benchmark's format, at least two.")
    ],
    into: Annotated[Path, typer.Option("--out", help="Folder for before.ubj, after.ubj and recipe.json.")],
    synthetic: Annotated[int, typer.Option(help="Synthetic series that are learnt from, too.")] = 900,
    seed: Annotated[int, typer.Option(help="For the synthetic series and the trees.")] = 0,
) -> None:
    """Train the meta-learner on the train rows of forecasting sets and on synthetic series; test rows are never read.

    Prints what it is worth on sets that were left out of its training: mean error of the combination, over equal weights
    before a backtest, and over the weights by errors alone after one; and the same where costly members of whom little
    is expected are not fitted.

    Example: `brain pretrain forecasting data/forecasting/* --out learnt`
    """
    from benchmarks.forecasting_sets import read_forecasting_set
    from industrial_brain.domain.errors import InputError
    from training.pretraining.generator import synthetic_panels
    from training.pretraining.recipe import MOST_TASKS, pretrain, write_recipe
    from training.pretraining.tasks import sample, tasks_of

    if len(folders) < 2:
        raise InputError("One set can't be left out of itself.", "Name at least two folders.")
    sources = {}
    for folder in folders:
        one = read_forecasting_set(folder)
        tasks = [t for group in one.groups for t in tasks_of(group.train, group.horizon, seed)]
        sources[one.name] = sample(tasks, MOST_TASKS, seed)
        err.print(f"{one.name}: {sum(map(len, sources[one.name]))} of {sum(map(len, tasks))} tasks")
    drawn = [t for panel, horizon in synthetic_panels(synthetic, seed) for t in tasks_of(panel, horizon, seed)]
    always = {"synthetic": sample(drawn, MOST_TASKS, seed)} if drawn else {}
    learner, unseen = pretrain(sources, always, seed)
    learner.write(into)
    write_recipe(into, learner, unseen, synthetic=synthetic, seed=seed)
    table = Table(
        "set left out", "tasks", "before / equal", "after / errors alone", "fits spared", "sparing / errors alone"
    )
    for row in unseen:
        figures = (f"{row.before:.4f}", f"{row.after:.4f}", f"{row.spared:.0%}", f"{row.sparing:.4f}")
        table.add_row(row.source, str(row.tasks), *figures)
    out.print(table)
