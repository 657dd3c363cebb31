"""Settings: where things are. Built once, at a door, from `BRAIN_...` environment variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen; every setting is an environment variable with the prefix `BRAIN_`.

    Attributes:
        home: folder of everything that is kept here; the other places default to names below it.
        database_url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.
        mlflow_uri: MLflow's tracking and registry URI.
        country: ISO 3166-1 alpha-2 code; its public holidays and working days are those of every series.
        ray_address: a Ray cluster; without one, Ray is started on this machine for each training.
    """

    model_config = SettingsConfigDict(env_prefix="BRAIN_", frozen=True)

    home: Path = Field(default=Path(), description="Folder of everything that is kept here; default: this folder.")
    database_url: str | None = Field(default=None, description="Database; default: sqlite:///HOME/brain.db.")
    mlflow_uri: str | None = Field(default=None, description="MLflow; default: sqlite:///HOME/mlruns/mlflow.db.")
    country: str = Field(default="CN", description="Country whose calendar all series keep; default: CN.")
    ray_address: str | None = Field(default=None, description="Ray cluster; default: Ray on this machine.")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home.resolve() / 'brain.db'}"

    @property
    def mlflow(self) -> str:
        return self.mlflow_uri or f"sqlite:///{self.home.resolve() / 'mlruns' / 'mlflow.db'}"

    @property
    def artifacts(self) -> Path | None:
        """Folder of the versions' files where MLflow is a database; None where a server keeps them."""
        return None if self.mlflow.startswith(("http://", "https://")) else self.home.resolve() / "mlruns" / "artifacts"

    @property
    def downloads(self) -> Path:
        """Folder of versions that were fetched from an MLflow server."""
        return self.home.resolve() / "downloads"

    @property
    def checkpoints(self) -> Path:
        """Folder of finished partitions of runs that have not ended yet."""
        return self.home.resolve() / "checkpoints"

    @property
    def jobs(self) -> Path:
        """Folder of jobs' requests and results."""
        return self.home.resolve() / "jobs"

    @property
    def demo(self) -> Path:
        """Folder that `brain demo` writes its simulated city to."""
        return self.home.resolve() / "demo"
