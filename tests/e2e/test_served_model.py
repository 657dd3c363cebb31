"""`mlflow models serve` on the champion, where our packages are not installed, answers with our API's numbers."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sysconfig
import time
import venv
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from serving.run import listen
from tests.e2e.conftest import Installation

SERIES = ["CEU0500000001:US", "output:990000"]


def _free_port() -> int:
    with listen("127.0.0.1", 0) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def _running(command: list[str], environment: dict[str, str], folder: Path, health: str) -> Iterator[None]:
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(240):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(health, timeout=5).status_code == 200:
                    break
            assert process.poll() is None, (folder / "log.txt").read_text()
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def foreign_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the libraries and without us: it sees our environment's packages, but not what is installed
    there by a `.pth` file, which is how an editable install works."""
    folder = tmp_path_factory.mktemp("foreign") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    python = folder / "bin" / "python"
    uvicorn = folder / "bin" / "uvicorn"  # what MLflow starts; ours would run our interpreter
    uvicorn.write_text(f"#!{python}\nfrom uvicorn.main import main\nmain()\n")
    uvicorn.chmod(0o755)
    check = subprocess.run(
        [python, "-c", "import mlflow, numpy, numba, pandas\nimport industrial_brain"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "No module named 'industrial_brain'" in check.stderr, check.stderr
    return python


def test_mlflow_serves_the_same_numbers_as_our_api(trained: Installation, foreign_python: Path, tmp_path: Path) -> None:
    """Also: as the command line, which reads the bundle in a third process."""
    secret = trained.run("keys", "create", "scientist", "--role", "scientist").stdout.strip()
    ours, theirs = _free_port(), _free_port()
    server = trained.command("serve", "--port", str(ours), "--log-level", "warning")
    (tmp_path / "ours").mkdir()
    (tmp_path / "theirs").mkdir()
    with _running(server, trained.environment(), tmp_path / "ours", f"http://127.0.0.1:{ours}/health/ready"):
        answer = httpx.post(
            f"http://127.0.0.1:{ours}/v1/forecasts",
            headers={"Authorization": f"Bearer {secret}"},
            json={"series": SERIES, "horizon": 7, "levels": [80, 95]},
            timeout=60,
        )
    assert answer.status_code == 200, answer.text
    mlflow = [str(foreign_python), "-m", "mlflow", "models", "serve", "-m", "models:/ib-forecasting@champion"]
    environment = {
        "PATH": f"{foreign_python.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "MLFLOW_TRACKING_URI": f"sqlite:///{trained.home}/mlruns/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    served = [*mlflow, "--env-manager", "local", "--port", str(theirs), "--host", "127.0.0.1"]
    with _running(served, environment, tmp_path / "theirs", f"http://127.0.0.1:{theirs}/health"):
        rows = {"columns": ["series", "horizon"], "data": [[name, 7] for name in SERIES]}
        scored = httpx.post(
            f"http://127.0.0.1:{theirs}/invocations",
            json={"dataframe_split": rows, "params": {"levels": [80.0, 95.0]}},
            timeout=60,
        )
    assert scored.status_code == 200, scored.text
    predictions = scored.json()["predictions"]
    for forecast in answer.json()["forecasts"]:
        steps = [row for row in predictions if row["series"] == forecast["series"]]
        assert [row["step"] for row in steps] == list(range(1, 8))
        np.testing.assert_array_equal([row["mean"] for row in steps], forecast["mean"])
        for key, values in forecast["quantiles"].items():
            np.testing.assert_array_equal([row[f"q{key}"] for row in steps], values)
        assert {row["start"] for row in steps} == {forecast["start"]}
        assert {row["method"] for row in steps} == {forecast["method"]}


def test_the_logged_model_is_code_and_plain_files(trained: Installation) -> None:
    files = [p for p in trained.home.glob("mlruns/artifacts/**/*") if p.is_file()]
    logged = [p for p in files if "__pycache__" not in p.parts]  # which a server of it leaves behind
    assert {p.suffix for p in logged} <= {".py", ".npz", ".json", ".txt", ".yaml", ".yml", ".csv", ""}
    assert not [p for p in logged if p.suffix in {".pkl", ".pickle", ".joblib"}]
