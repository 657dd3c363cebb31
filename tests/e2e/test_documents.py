"""The README and the tutorial do what they say, and name what there is."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from industrial_brain.cli.app import app
from industrial_brain.settings import Settings
from tests.e2e.conftest import ROOT, Installation

DOCUMENTS = sorted([ROOT / "README.md", ROOT / "benchmarks" / "README.md", *(ROOT / "docs").rglob("*.md")])


def _commands(document: Path) -> list[list[str]]:
    """The `brain ...` lines of a document's shell blocks, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("brain ")]


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md"])
def test_the_commands_of_the_document_work_in_their_order(name: str, tmp_path: Path, ray_address: str) -> None:
    home = Installation(tmp_path, ray_address)
    commands = _commands(ROOT / name)
    assert len(commands) >= 8
    for words in commands:
        home.run(*words)


def _paths(command: Any, above: tuple[str, ...] = ()) -> list[str]:
    """The commands below a group, as they are typed. (Typer's click is a copy of its own, without public types.)"""
    if not hasattr(command, "commands"):
        return [" ".join(above)]
    return [path for name, sub in command.commands.items() for path in _paths(sub, (*above, name))]


def test_every_command_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    paths = _paths(typer.main.get_command(app))
    assert "keys revoke" in paths
    assert [path for path in paths if f"`brain {path}" not in text] == []


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`BRAIN_{name.upper()}`" not in text] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
