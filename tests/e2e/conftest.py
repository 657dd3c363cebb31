"""A small city, loaded and trained by the command line, as a new user would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent.parent

PATIENCE = 60.0  # seconds after which a test gives up; none of them measures time


@dataclass(frozen=True)
class Installation:
    """The `brain` command with a home of its own.

    Attributes:
        ray: address of the session's Ray, so that not every training starts one.
    """

    home: Path
    ray: str

    def environment(self) -> dict[str, str]:
        """A user's: nothing of BRAIN_ but the home and the cluster."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BRAIN_")}
        return {**kept, "BRAIN_HOME": str(self.home), "BRAIN_RAY_ADDRESS": self.ray}

    def command(self, *words: str) -> list[str]:
        return [str(Path(sys.executable).parent / "brain"), *words]

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command in the repository's folder; its exit code must be `code`."""
        done = subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done


@contextmanager
def serving(installation: Installation, folder: Path) -> Iterator[httpx.Client]:
    """`brain serve` in a process of its own, its log in `folder`, asked with a planner's key."""
    key = installation.run("keys", "create", "planning office", "--role", "planner").stdout.strip()
    log = folder / "serve.log"
    with log.open("w") as written:
        process = subprocess.Popen(
            installation.command("serve", "--port", "0"),
            cwd=ROOT,
            env=installation.environment(),
            stderr=written,
            stdout=written,
        )
    try:
        address = None
        while address is None:
            assert process.poll() is None, log.read_text()
            address = re.search(r"Serving at (http://\S+)", log.read_text())
        with httpx.Client(base_url=address[1], headers={"Authorization": f"Bearer {key}"}, timeout=PATIENCE) as client:
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Installation:
    """Nothing done yet."""
    return Installation(tmp_path_factory.mktemp("new"), ray_address)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Installation:
    """The example city and the real panel, with a champion."""
    installation = Installation(tmp_path_factory.mktemp("trained"), ray_address)
    installation.run("init", "--profile", "examples/small-city", "--profile", "industrial_brain/data/us_employment")
    installation.run("train", "forecasting", "--as-of", "2025-06-30")
    installation.run("train", "forecasting")
    return installation
