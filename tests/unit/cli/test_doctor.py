"""What the doctor finds of telemetry."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from industrial_brain.cli.doctor import TELEMETRY, Finding, examine
from industrial_brain.composition import Brain
from industrial_brain.domain.errors import BundleError
from industrial_brain.domain.forecasts import ModelVersion
from industrial_brain.settings import Settings

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class Registry:
    """One that has this champion, whose files can't be read."""

    def __init__(self, champion: ModelVersion | None = None) -> None:
        self._champion = champion

    def current(self, alias: str = "champion") -> ModelVersion | None:
        return self._champion

    def load(self, version: int) -> Path:
        raise BundleError(f"Version {version} can't be read.", "Train it again.")


def found(
    home: Path, settings: dict[str, object] | None = None, registry: Registry | None = None
) -> dict[str, Finding]:
    wired = Brain(Settings(home=home, **(settings or {})), lambda: NOW)  # type: ignore[arg-type]
    vars(wired)["anomaly_registry"] = registry or Registry()
    return {finding.subject: finding for finding in examine(wired, TELEMETRY)}


def test_a_new_home_has_telemetry_with_nothing_in_it_yet(tmp_path: Path) -> None:
    findings = found(tmp_path)
    assert {finding.state for finding in findings.values()} == {"ok"}
    assert "nothing yet" in findings["Telemetry inbox"].detail
    assert "nothing yet" in findings["Telemetry lake"].detail
    assert "brain train anomaly" in findings["Anomaly champion"].detail


def test_it_tells_how_far_a_stream_is_beside_its_server(tmp_path: Path) -> None:
    wired = Brain(Settings(home=tmp_path), lambda: NOW)
    wired.telemetry.stores.inbox.open()
    wired.telemetry.stores.lake.open()
    findings = found(tmp_path)
    wired.telemetry.stores.inbox.close()
    assert findings["Telemetry inbox"].detail.endswith("taken until batch 0")
    assert findings["Telemetry lake"].detail.endswith("moved until batch 0")


@pytest.mark.parametrize(
    ("subject", "settings"),
    [
        ("Room for telemetry", {"free_megabytes": 10**12}),
        ("Telemetry inbox", {"telemetry_url": "sqlite:////nowhere/telemetry.db"}),
    ],
)
def test_what_is_broken_fails_with_a_next_step_and_the_rest_is_looked_at(
    tmp_path: Path, subject: str, settings: dict[str, object]
) -> None:
    findings = found(tmp_path, settings)
    assert [name for name, finding in findings.items() if finding.state != "ok"] == [subject]
    assert findings[subject].next_step
    assert len(findings) == 4


def test_a_champion_that_can_not_be_read_is_found(tmp_path: Path) -> None:
    champion = ModelVersion("ib-anomaly", 3, NOW, NOW, "served", ("champion",))
    finding = found(tmp_path, registry=Registry(champion))["Anomaly champion"]
    assert (finding.state, finding.next_step) == ("fail", "Train it again.")
