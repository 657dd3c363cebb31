"""Commands about investment targets: train, rank, show, and the production chain."""

from __future__ import annotations

import datetime as dt
import json
import math
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from industrial_brain.cli.terminal import brain, err, moment, now, number, out, progress_bar, standing, table, waiting
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import InputError, NoModelError

if TYPE_CHECKING:
    from models.targeting.record import WindowRecord
    from serving.schemas_targets import RankIn
    from training.targeting.pipeline import TargetReport


def add_to(app: typer.Typer) -> None:
    app.command()(targets)
    app.command()(target)
    app.command()(chain)


AsOf = Annotated[str | None, typer.Option(help="By the version of then: a date, or an RFC 3339 moment.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, as the API answers.")]
Horizon = Annotated[int | None, typer.Option(min=1, help="Years ahead; default: the longest that the version answers.")]

#: years ahead that are trained, unless asked otherwise
TARGET_YEARS = 3

#: columns of a bar in the chart of a ranking
_BAR = 24


def targets(
    region: Annotated[list[str] | None, typer.Option(help="A district; can be repeated. Default: all.")] = None,
    cluster: Annotated[list[str] | None, typer.Option(help="A cluster; can be repeated. Default: all.")] = None,
    among: Annotated[
        str, typer.Option(help="below (may enter), absent (no value yet), above (may be kept).")
    ] = "below",
    weight: Annotated[
        list[str] | None,
        typer.Option(
            help="OBJECTIVE=WEIGHT: probability, growth, complexity, jobs, risk, energy, land, policy; can be repeated."
        ),
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option(help="A cluster or target that policy wants; can be repeated.")
    ] = None,
    land: Annotated[list[str] | None, typer.Option(help="CLUSTER=NEED, in any unit; can be repeated.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="A cluster that isn't wanted; can be repeated.")] = None,
    least: Annotated[
        list[str] | None, typer.Option(help="FIGURE=BOUND: quotient, probability, jobs; can be repeated.")
    ] = None,
    most: Annotated[
        list[str] | None, typer.Option(help="FIGURE=BOUND: quotient, energy, risk; can be repeated.")
    ] = None,
    horizon: Horizon = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many are told.")] = 10,
    as_of: AsOf = None,
    as_json: Json = False,
    chart: Annotated[
        bool | None, typer.Option("--chart/--no-chart", help="Draw how sure each rank is; default: in a terminal.")
    ] = None,
) -> None:
    """Rank clusters for districts: which may cross the threshold, why, how sure that is, and how such rankings did before.

    Example: `brain targets --region 500112 --weight probability=2 --weight complexity=1 --top 5`
    """
    from serving.schemas_targets import RankIn
    from serving.targeting import Names, ranking_record

    body = {
        "regions": region or [],
        "clusters": cluster or [],
        "among": among,
        "horizon": horizon,
        "policy": policy or [],
        "land": _pairs(land, "--land", "C19=2"),
        "constraints": {
            **{f"least_{name}": bound for name, bound in _pairs(least, "--least", "quotient=0.5").items()},
            **{f"most_{name}": bound for name, bound in _pairs(most, "--most", "risk=0.3").items()},
            "excluded": exclude or [],
        },
        "top": top,
    }
    if weight:
        body["weights"] = _pairs(weight, "--weight", "probability=2")
    asked = _parsed(RankIn, body)
    wired = brain()
    with waiting("Ranking"):
        bundle, version = wired.targets(moment(as_of) if as_of else None)
        record = ranking_record(bundle, version, asked.question(), top, Names.of(wired.catalogue))
    if as_json:
        out.print_json(json.dumps(record, default=_plain))
        return
    print_ranking(record, chart=out.is_terminal if chart is None else chart)


def target(
    target_id: Annotated[str, typer.Argument(metavar="TARGET", help="REGION:CLUSTER, such as 500112:C19.")],
    horizon: Horizon = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Everything about one pair of district and cluster: odds, reasons, like pairs of the past, missing links, enterprises,
    risks.

    Example: `brain target 500112:C19`
    """
    from serving.targeting import Names, target_record

    wired = brain()
    with waiting("Looking at it"):
        bundle, version = wired.targets(moment(as_of) if as_of else None)
        record = target_record(
            bundle,
            version,
            target_id,
            horizon,
            Names.of(wired.catalogue),
            wired.catalogue.enterprises(),
            wired.chain.links(),
        )
    if as_json:
        out.print_json(json.dumps(record, default=_plain))
        return
    print_target(record)


def chain(
    region: Annotated[str | None, typer.Option(help="A district; default: the whole city.")] = None,
    as_json: Json = False,
) -> None:
    """The production chain of a district or the city: what is there, the gaps between, and what hangs on a single thread.

    Example: `brain chain --region 500112`
    """
    from serving.targeting import Names, chain_record

    wired = brain()
    try:
        bundle = wired.targets()[0]
    except NoModelError:
        bundle = None
    record = chain_record(wired.chain.links(), Names.of(wired.catalogue), wired.catalogue.enterprises(), bundle, region)
    if as_json:
        out.print_json(json.dumps(record, default=_plain))
        return
    print_chain(record)


def print_ranking(record: dict[str, Any], *, chart: bool) -> None:
    """The first of a ranking with their reasons, and what it is worth."""
    weights = ", ".join(f"{name} {share:.0%}" for name, share in record["weights"].items())
    out.print(
        f"The first {len(record['targets'])} of {record['candidates']:,} pairs {record['among']} the threshold, "
        f"{record['horizon']} years from {record['year']}, by {weights}",
        style="bold",
        soft_wrap=True,
    )
    if record["simulated"]:
        out.print("Simulated data: these numbers say nothing about a real city.", style="yellow")
    shown = table(
        "id", "district", "cluster", "rank", "quotient#", "probability#", "80%#", "growth#", "for it", "against it"
    )
    for one in record["targets"]:
        shown.add_row(
            one["id"],
            one["region_name"],
            one["cluster_name"],
            one["rank_words"] + (" *" if one["front"] else ""),
            f"{one['quotient']:.2f}",
            _maybe(one["probability"], ".0%"),
            _interval(one),
            _growth(one["growth"]),
            _reason(one["reasons"], 1.0),
            _reason(one["reasons"], -1.0),
        )
    out.print(shown)
    out.print("* on the Pareto front of the weighed objectives", style="dim")
    if chart and any(one["rank_low"] is not None for one in record["targets"]):
        out.print("How sure each rank is (80% of the bootstrap by districts):")
        for one in record["targets"]:
            if one["rank_low"] is not None:
                out.print(_bar(one, record["candidates"]), highlight=False)
    for one in record["sensitivity"]:
        out.print(
            f"Without {one['objective']}, {one['without']:.0%} of the first ten stay; "
            f"with twice its weight, {one['doubled']:.0%}."
        )
    print_backtest(record)
    for note in record["notes"]:
        out.print(f"Note: {note}", style="yellow", soft_wrap=True)


def print_backtest(record: dict[str, Any]) -> None:
    out.print(f"Tried on the past: {record['backtest']['words']}", soft_wrap=True)
    for note in record["backtest"]["notes"]:
        out.print(f"  {note}", soft_wrap=True)
    model = record["model"]
    out.print(f"By version {model['version']} of {model['name']}, on what was known at {model['vintage']:%Y-%m-%d}.")


def print_target(record: dict[str, Any]) -> None:
    """One pair."""
    out.print(f"{record['id']}: {record['region_name']}, {record['cluster_name']}", style="bold", soft_wrap=True)
    if record["simulated"]:
        out.print("Simulated data: these numbers say nothing about a real city.", style="yellow")
    years = table("year", f"{record['indicator']} ({record['unit']})#", "quotient#")
    for one in record["history"]:
        years.add_row(str(one["year"]), number(one["value"]), _maybe(one["quotient"], ".2f"))
    out.print(years)
    ahead = table("years ahead", "stands above#", "80%#", "growth a year#")
    for one in record["by_horizon"]:
        if one["probability"] is not None:
            ahead.add_row(str(one["horizon"]), f"{one['probability']:.0%}", _interval(one), _growth(one["growth"]))
    out.print(ahead)
    why = table("reason", "log odds#")
    for one in record["reasons"]:
        why.add_row(one["words"], f"{one['effect']:+.2f}")
    out.print(why)
    peers = record["peers"]
    if peers["compared"]:
        told = f"Of the {peers['compared']} pairs of the past most like this one, {peers['entered']} entered."
        out.print(told, soft_wrap=True)
    cases = table("id", "district", "cluster", "years", "quotient", "related#", "suppliers there#", "customers there#")
    for one in peers["cases"]:
        had = [_maybe(one["had"][name], ".0%") for name in ("density", "suppliers", "customers")]
        moved = f"{one['quotient_before']:.2f} to {one['quotient_after']:.2f}"
        cases.add_row(one["id"], one["region_name"], one["cluster_name"], f"{one['start']}-{one['end']}", moved, *had)
    if peers["cases"]:
        out.print(cases)
    for one in record["missing_links"]:
        made_up = ", made up" if one["simulated"] else ""
        share = f"{one['share']:.0%} of its {one['side']}s{made_up}"
        out.print(f"Missing {one['side']}: {one['cluster']} {one['cluster_name']} ({share})", soft_wrap=True)
    for one in record["enterprises"][:12]:
        out.print(
            f"Enterprise {one['id']} {one['name']}, {one['employees']:,} employees: {one['why']} ({one['region_name']})",
            soft_wrap=True,
        )
    for one in record["risks"]:
        out.print(f"Risk, {one['risk']}: {one['words']}", soft_wrap=True)
    for note in record["notes"]:
        out.print(f"Note: {note}", style="yellow", soft_wrap=True)
    model = record["model"]
    out.print(f"By version {model['version']} of {model['name']}, on what was known at {model['vintage']:%Y-%m-%d}.")


def print_chain(record: dict[str, Any]) -> None:
    """Clusters with what they lack, then gaps and single threads."""
    out.print(f"The chain of {record['region_name'] or 'the city'}", style="bold")
    if record["simulated"]:
        out.print("Some of it is simulated: it says nothing about a real city.", style="yellow")
    shown = table(
        "cluster", "name", "there", "quotient#", "suppliers there#", "customers there#", "enterprises#", "largest#"
    )
    for one in record["nodes"]:
        shown.add_row(
            one["cluster"],
            one["name"],
            "yes" if one["present"] else "GAP" if one["gap"] else "no",
            _maybe(one["quotient"], ".2f"),
            _maybe(one["suppliers"], ".0%"),
            _maybe(one["customers"], ".0%"),
            f"{one['enterprise_count']:,}",
            _maybe(one["largest"], ".0%"),
        )
    out.print(shown)
    for one in record["gaps"]:
        out.print(
            f"Gap: {one['cluster']} {one['name']} lacks, and a supplier and a customer of it are there.", soft_wrap=True
        )
    for one in record["single_points"]:
        out.print(
            f"Single point of failure: {one['cluster']} is {one['reason']} ({one['holder']}); {', '.join(one['dependents'])} "
            "depend on it.",
            soft_wrap=True,
        )
    if not record["links"]:
        err.print("No chain is known: `brain import chain FILE` brings one.")


def train_targeting(
    horizon: Annotated[int, typer.Option(min=1, max=10, help="Years ahead, at most.")] = TARGET_YEARS,
    output: Annotated[str, typer.Option(help="Indicator whose districts and clusters are ranked.")] = "output",
    as_of: Annotated[
        str | None, typer.Option(help="Train on what was known then: a date, or an RFC 3339 moment. Default: now.")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: BRAIN_RAY_ADDRESS, or this machine.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything that draws.")] = 0,
    anyway: Annotated[bool, typer.Option("--anyway", help="Train though neither data nor code have changed.")] = False,
    promote: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Make the version champion if it passes the gate.")
    ] = True,
) -> None:
    """Learn which clusters districts take up, try that on windows of the past, and register a version.

    Example: `brain train targeting --horizon 3`
    """
    wired = brain()
    vintage = moment(as_of) if as_of else None
    if as_of == f"{now():%Y-%m-%d}":
        vintage = now()  # a date means its end, and today's has not come
    wired.require_database()
    with waiting("Looking for news"):
        champion = wired.target_registry.current()
        news = champion is None or vintage is not None or anyway or wired.has_target_news(champion, horizon, output)
    if champion is not None and not news:
        out.print(f"Version {champion.version} was trained on just this data, by just this code: nothing to train.")
        err.print("Train all the same with --anyway.")
        return
    print_target_training(
        run_target_training(wired, horizon=horizon, output=output, ray=ray, as_of=vintage, seed=seed, promote=promote)
    )


def run_target_training(
    wired: Brain,
    *,
    horizon: int = TARGET_YEARS,
    output: str = "output",
    ray: str | None = None,
    as_of: dt.datetime | None = None,
    seed: int = 0,
    promote: bool = True,
) -> TargetReport:
    """Train with signs of life."""
    with ExitStack() as stack:
        with waiting("Starting Ray"):
            executor = stack.enter_context(wired.executor(ray))
        with progress_bar("Ranking", "fits") as progress:
            return wired.train_targets(
                executor, horizon=horizon, as_of=as_of, output=output, seed=seed, promote=promote, progress=progress
            )


def print_target_training(report: TargetReport) -> None:
    """What a run did: the windows of the past, the gate's verdict, and what to know of it."""
    from models.targeting.record import in_words

    bundle = report.bundle
    out.print(
        f"{len(bundle.cube.regions)} districts x {len(bundle.cube.activities)} clusters, {bundle.cube.years[0]} to "
        f"{bundle.cube.years[-1]}, by '{bundle.indicator}'; up to {bundle.horizon} years ahead.",
        soft_wrap=True,
    )
    print_windows(bundle.windows)
    out.print(in_words(bundle.windows), soft_wrap=True)
    for note in (*bundle.notes, *([bundle.leads] if bundle.leads else [])):
        out.print(f"Note: {note}", soft_wrap=True)
    for check in report.verdict.checks:
        out.print(f"Gate, {check.name}: {'passed' if check.passed else 'REFUSED'}. {check.detail}", soft_wrap=True)
    out.print(f"Version {report.version.version} of {report.version.name} is {standing(report.version)}.")


def print_windows(windows: tuple[WindowRecord, ...]) -> None:
    """Each window of the past with what each ranking found among its first fifty."""
    from models.targeting.record import OURS

    methods = list(dict.fromkeys(name for one in windows for name in one.figures))
    shown = table("window", "pairs#", "entered#", "expected#", "chance#", *(f"{name}#" for name in methods), "AUC#")
    for one in windows:
        cells = [f"{one.precision(name):.0%}" if name in one.figures else "-" for name in methods]
        auc = f"{one.figures[OURS]['roc_auc'].value:.3f}" if OURS in one.figures else "-"
        facts = [f"{one.pairs:,}", f"{one.entered:,}", f"{one.expected:,.1f}", f"{one.chance:.0%}"]
        shown.add_row(f"{one.start} to {one.end}", *facts, *cells, auc)
    out.print(shown)


def _pairs(texts: list[str] | None, option: str, example: str) -> dict[str, float]:
    """NAME=NUMBER, several times; a refusal shows the example."""
    found = {}
    for text in texts or []:
        name, _, value = text.rpartition("=")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = float("nan")
        if not name or found[name] != found[name]:
            raise InputError(f"'{text}' is not NAME=NUMBER.", f"Write for instance {option} {example}.")
    return found


def _parsed(shape: type[RankIn], body: dict[str, Any]) -> RankIn:
    """What the API would read; its refusal in a sentence."""
    from pydantic import ValidationError

    try:
        return shape.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {first['msg']}.", "See `brain targets --help`.") from error


def _reason(reasons: list[dict[str, Any]], sign: float) -> str:
    return next((one["words"] for one in reasons if one["effect"] * sign > 0.0), "")


def _bar(one: dict[str, Any], candidates: int) -> str:
    """`500112:C19    3 |  ===o=====      |`: from the lowest to the highest rank, on a scale of the candidates."""
    last = max(2, candidates)

    def column(rank: int) -> int:
        return round((rank - 1) / (last - 1) * (_BAR - 1))

    cells = [" "] * _BAR
    for at in range(column(one["rank_low"]), column(one["rank_high"]) + 1):
        cells[at] = "="
    cells[column(one["rank"])] = "o"
    return f"{one['id']:<14}{one['rank']:>4} |{''.join(cells)}| {last}"


def _interval(one: dict[str, Any]) -> str:
    low, high = one["probability_low"], one["probability_high"]
    return "-" if low is None or high is None else f"{low:.0%}-{high:.0%}"


def _growth(log_points: float | None) -> str:
    """Log points a year as the per cent that they are.

    >>> _growth(-0.5)
    '-39.3%'
    """
    return "-" if log_points is None else f"{math.expm1(log_points):+.1%}"


def _maybe(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)
