"""The training run of a risk, its bundle and its gate."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from typer.testing import CliRunner

from industrial_brain.cli.app import app
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import BundleError, InputError, LevelError, NothingToTrainError
from industrial_brain.domain.risks import Grade, Outlook, RiskCases, RiskTable, RiskTask
from models.risk.bundle import RiskBundle
from models.risk.conformal import outlooks
from models.risk.members import Boosted
from models.risk.reasons import contributions
from tests.fakes.registry import FakeRegistry
from tests.unit.risk.cases import known_cases, made_cases
from training.executors import InProcess
from training.pipeline import Provenance
from training.risk.gate import holm, judge_risk, p_worse
from training.risk.pipeline import RiskReport, row_keys, train_risk

NOW = dt.datetime(2026, 1, 10, tzinfo=dt.UTC)


def train(registry: FakeRegistry, cases: RiskCases, *, vintage: dt.datetime = NOW, seed: int = 0) -> RiskReport:
    return train_risk(
        task=RiskTask.GAS,
        cases=cases,
        vintage=vintage,
        provenance=Provenance(seed, "code", "sha", "lock"),
        executor=InProcess(),
        registry=registry,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeRegistry, RiskReport]:
    registry = FakeRegistry(tmp_path_factory.mktemp("registry"), lambda: NOW, "ib-risk-gas")
    return registry, train(registry, known_cases())


def test_a_first_version_that_ranks_and_is_calibrated_becomes_champion(
    trained: tuple[FakeRegistry, RiskReport],
) -> None:
    _, report = trained
    assert report.verdict.passed and "champion" in report.version.aliases
    assert report.version.tags["simulated"] == "500"
    assert 0.7 < report.metrics["roc_auc"] < 1.0 and "roc_auc.kind.valve" in report.metrics
    assert all(weight >= 0.0 for weight in report.weights.values())


def test_a_bundle_answers_the_same_after_it_was_written_and_holds_no_pickle(
    trained: tuple[FakeRegistry, RiskReport],
) -> None:
    registry, report = trained
    folder = registry.load(report.version.version)
    table, _, _ = made_cases(40, seed=5)
    assert RiskBundle.read(folder).answer(table) == report.bundle.answer(table)
    assert {file.suffix for file in folder.iterdir()} <= {".json", ".npz", ".ubj"}
    (folder / "risk.npz").rename(folder / "away")
    with pytest.raises(BundleError, match="damaged"):
        RiskBundle.read(folder)
    (folder / "away").rename(folder / "risk.npz")


def test_reasons_add_up_to_the_log_odds_and_name_what_raises_the_risk(
    trained: tuple[FakeRegistry, RiskReport],
) -> None:
    bundle = trained[1].bundle
    table, _, _ = made_cases(30, seed=6)
    assert bundle.engine.recipe is not None
    features = bundle.engine.recipe.build(table)
    added = contributions(bundle.engine, features.values)
    np.testing.assert_allclose(added.sum(axis=1), bundle.engine.log_odds(features.values), atol=1e-3)
    old = RiskTable({**table.columns, "age": np.full(30, 29.0), "load": np.full(30, 2.5)})
    first = bundle.answer(old)[0]
    assert first.grade in (Grade.RED, Grade.ORANGE)
    assert {"age", "load"} <= {name for reason in first.reasons for name in reason.sources}
    assert any("raises the odds" in reason.words for reason in first.reasons)


def test_known_cases_are_told_by_fits_that_had_not_seen_them(trained: tuple[FakeRegistry, RiskReport]) -> None:
    bundle, cases = trained[1].bundle, known_cases()
    prob = bundle.held_out_of(row_keys(cases))
    assert prob is not None
    np.testing.assert_array_equal(prob, bundle.engine.held_out)
    worst = bundle.worst(cases.table, 5, prob=prob)
    assert [row for row, _ in worst.worst] == np.argsort(-prob, kind="stable")[:5].tolist()
    assert sum(worst.counts.values()) == 500
    strangers = replace(cases, names=tuple(f"other {row}" for row in range(500)))
    assert bundle.held_out_of(row_keys(strangers)) is None


def test_a_challenger_that_is_worse_in_one_part_alone_is_refused(trained: tuple[FakeRegistry, RiskReport]) -> None:
    champion = trained[1].bundle
    part = champion.slices["kind"]
    hose = part.code == part.levels.index("hose")
    odds = np.log(champion.engine.held_out / (1.0 - champion.engine.held_out))
    better = np.where(champion.engine.harmed, odds + 1.0, odds - 1.0)
    ruined = np.where(hose, -odds, better)
    worse = replace(champion, engine=replace(champion.engine, held_out=expit(ruined)))
    verdict = judge_risk(worse, champion)
    failed = [check for check in verdict.checks if not check.passed]
    assert any("kind hose" in check.detail and "kind valve" not in check.detail for check in failed)
    assert judge_risk(champion, champion).passed


def test_a_challenger_of_an_older_vintage_is_kept_for_the_past(trained: tuple[FakeRegistry, RiskReport]) -> None:
    registry, report = trained
    older = train(registry, known_cases(), vintage=NOW - dt.timedelta(days=30), seed=1)
    assert older.version.status == "historical" and registry.current() is not None
    assert registry.current().version == report.version.version  # type: ignore[union-attr]


def test_columns_that_know_the_answer_are_left_out_and_named(tmp_path: Path) -> None:
    cases = known_cases(300)
    code = np.where(cases.harmed, "A", "B").astype(object)
    leaky = replace(cases, table=RiskTable({**cases.table.columns, "code": code}))
    report = train(FakeRegistry(tmp_path, lambda: NOW), leaky)
    assert report.bundle.notes and "code" in report.bundle.notes[0]
    assert report.bundle.engine.recipe is not None and "code" not in report.bundle.engine.recipe.levels


def test_cases_that_teach_nothing_change_nothing(tmp_path: Path) -> None:
    registry = FakeRegistry(tmp_path, lambda: NOW)
    with pytest.raises(NothingToTrainError, match="Only 0 cases came to harm"):
        train(registry, replace(known_cases(), harmed=np.zeros(500, dtype=np.bool_)))
    assert registry.history() == []


def test_holm_gives_up_at_the_first_that_stands() -> None:
    assert holm(np.array([0.001, 0.03, 0.04, 0.9])).tolist() == [True, False, False, False]
    assert holm(np.array([0.04])).tolist() == [True]


def test_outlooks_hold_the_truth_of_each_kind_as_often_as_asked() -> None:
    held = {True: 0, False: 0}
    seen = {True: 0, False: 0}
    _, harmed, prob = made_cases(3000)
    _, came, fresh = made_cases(3000, seed=1)
    told = outlooks(prob, harmed, fresh, 90.0)
    for outlook, hit in zip(told, came.tolist(), strict=True):
        truth = Outlook.HARM if hit else Outlook.NO_HARM
        held[hit] += outlook in (truth, Outlook.UNKNOWN)
        seen[hit] += 1
    assert all(0.86 < held[kind] / seen[kind] < 0.95 for kind in (True, False))
    assert Outlook.UNKNOWN in told and Outlook.NO_HARM in told
    with pytest.raises(LevelError):
        outlooks(prob, harmed, fresh, 100.0)


def test_a_member_is_rebuilt_with_its_settings(trained: tuple[FakeRegistry, RiskReport]) -> None:
    registry, report = trained
    read = RiskBundle.read(registry.load(report.version.version))
    for name, fits in report.bundle.engine.fits.items():
        first, again = fits[0], read.engine.fits[name][0]
        if isinstance(first, Boosted):
            assert isinstance(again, Boosted) and dict(again.settings) == dict(first.settings)


@pytest.mark.parametrize("rate", [0.02, 0.25, 0.6])
def test_grades_rise_step_by_step_at_any_rate_of_harm(trained: tuple[FakeRegistry, RiskReport], rate: float) -> None:
    bundle = trained[1].bundle
    harmed = np.arange(500) < rate * 500
    graded = replace(bundle, engine=replace(bundle.engine, harmed=harmed))
    unit = min(rate, 0.05)
    steps = [(10.0, Grade.RED), (5.0, Grade.ORANGE), (2.0, Grade.YELLOW), (1.0, Grade.BLUE)]
    assert [graded.grade(1.01 * times * unit) for times, _ in steps] == [grade for _, grade in steps]


def test_an_equal_challenger_is_refused_as_seldom_as_said_where_cases_share_their_luck() -> None:
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(60), 100)
    refused = 0
    for _ in range(400):
        lost = rng.normal(size=60)[group] + rng.normal(size=6000)
        refused += p_worse(lost, group) < 0.05
    assert refused / 400 < 0.08  # 5%, and three standard errors
    assert p_worse(lost + 2.0, group) < 0.001
    assert p_worse(np.ones(10), np.zeros(10, dtype=np.int64)) == 1.0  # a single group tells nothing


def test_a_gate_counts_groups_and_a_bundle_keeps_them(trained: tuple[FakeRegistry, RiskReport], tmp_path: Path) -> None:
    bundle = trained[1].bundle
    assert bundle.group is None
    group = np.arange(500) % 4
    lucky = np.isin(group, (0, 1))
    harmed = lucky & (np.arange(500) % 3 > 0)
    prob = np.where(group == 0, 0.9, np.where(group == 3, 0.1, 0.5))
    engine = replace(bundle.engine, harmed=harmed, held_out=prob)
    alone, grouped = (replace(bundle, engine=engine, slices={}, group=one) for one in (None, group))
    ranks = [next(c for c in judge_risk(b, None).checks if c.name == "ranks") for b in (alone, grouped)]
    assert ranks[0].passed and not ranks[1].passed  # a draw of the middle two, one in twenty, ranks nothing
    grouped.write(tmp_path)
    read = RiskBundle.read(tmp_path)
    np.testing.assert_array_equal(read.group, group)
    assert read.most_missing == bundle.most_missing == 1


def test_a_version_that_needs_a_past_which_nobody_can_send_is_refused(
    trained: tuple[FakeRegistry, RiskReport],
) -> None:
    bundle = trained[1].bundle
    assert bundle.engine.recipe is not None
    past = replace(bundle, engine=replace(bundle.engine, recipe=replace(bundle.engine.recipe, sequence=True)))
    verdict = judge_risk(past, None)
    assert not verdict.passed and "group and order" in verdict.reason


def test_cases_of_a_folder_are_told_of_by_the_command_line(
    trained: tuple[FakeRegistry, RiskReport], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = known_cases()
    frame = pd.DataFrame({**known.table.columns, "name": known.names, "harmed": known.harmed.astype(int)})
    frame.to_parquet(tmp_path / "data.parquet")
    (tmp_path / "info.json").write_text(json.dumps({"target": "harmed", "name": "name"}))
    monkeypatch.setattr(Brain, "risk_registry", lambda self, task: trained[0])
    asked = ["risks", "--task", "cluster", "--data", str(tmp_path)]
    told = CliRunner().invoke(app, [*asked, "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["total"] == 500
    both = CliRunner().invoke(app, [*asked, "--csv", str(tmp_path / "data.parquet")])
    assert isinstance(both.exception, InputError)
