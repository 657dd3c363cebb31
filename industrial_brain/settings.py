"""Settings: where things are. Built once, at a door, from `BRAIN_...` environment variables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class UnknownDevices(StrEnum):
    """What becomes of readings of a device that nobody declared."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class Settings(BaseSettings):
    """Frozen; every setting is an environment variable with the prefix `BRAIN_`.

    Attributes:
        home: folder of everything that is kept here; the other places default to names below it.
        database_url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.
        mlflow_uri: MLflow's tracking and registry URI.
        country: ISO 3166-1 alpha-2 code; its public holidays and working days are those of every series.
        ray_address: a Ray cluster; without one, Ray is started on this machine for each training.
        shard: which part of the sites this server takes telemetry of, of how many.
        telemetry_url: database of the telemetry inbox; apart from `database_url`, so that neither waits for the other.
        lake_uri: the telemetry lake, Delta tables: a folder, or `s3://BUCKET/PREFIX`, reached as the `AWS_...` variables say.
        free_megabytes: what stays free of the disk below `home`: readings are refused before it is used up.
        telemetry_channels: most channels (metrics of devices) that may ever be followed.
        telemetry_new_channels: most channels that a site may begin in a minute.
        telemetry_lake_seconds: between two moves of readings from the inbox to the lake.
        telemetry_snapshot_seconds: between two snapshots of the live state.
        alarms_per_day: how many anomalies a day the whole shard may show, over time.
        false_discovery_rate: the share of a day's anomalies that may be false; in the place of the budget.
        unknown_devices: whether a device registers itself by its first reading, or has to be declared first.
        telemetry_days: how long readings are kept, by event time.
    """

    model_config = SettingsConfigDict(env_prefix="BRAIN_", frozen=True)

    home: Path = Field(default=Path(), description="Folder of everything that is kept here; default: this folder.")
    database_url: str | None = Field(default=None, description="Database; default: sqlite:///HOME/brain.db.")
    mlflow_uri: str | None = Field(default=None, description="MLflow; default: sqlite:///HOME/mlruns/mlflow.db.")
    country: str = Field(default="CN", description="Country whose calendar all series keep; default: CN.")
    ray_address: str | None = Field(default=None, description="Ray cluster; default: Ray on this machine.")

    shard: str = Field(default="0/1", description="Shard of the telemetry, NUMBER/COUNT; default: 0/1, all of it.")
    telemetry_url: str | None = Field(
        default=None, description="Telemetry inbox; default: sqlite:///HOME/telemetry.db."
    )
    lake_uri: str | None = Field(
        default=None, description="Telemetry lake, a folder or s3://BUCKET/PREFIX; default: HOME/lake."
    )
    free_megabytes: int = Field(
        default=512, ge=0, description="Disk space that telemetry leaves free; default: 512 MB."
    )
    telemetry_channels: int = Field(default=10_000_000, gt=0, description="Most channels ever; default: 10,000,000.")
    telemetry_new_channels: int = Field(
        default=100_000, gt=0, description="Most channels that a site may begin in a minute; default: 100,000."
    )
    telemetry_lake_seconds: float = Field(default=10.0, gt=0, description="Inbox to lake, every so often; default: 10.")
    telemetry_snapshot_seconds: float = Field(default=300.0, gt=0, description="Between snapshots; default: 300.")
    alarms_per_day: float = Field(
        default=10.0, gt=0, allow_inf_nan=False, description="Alarms a day that people can read; default: 10."
    )
    false_discovery_rate: float | None = Field(
        default=None, gt=0, lt=1, description="Share of false anomalies, in the place of alarms a day; default: none."
    )
    unknown_devices: UnknownDevices = Field(
        default=UnknownDevices.ACCEPT, description="Devices that nobody declared: accept or refuse; default: accept."
    )
    telemetry_days: int = Field(default=366, gt=0, description="Days that readings are kept; default: 366.")

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.home.resolve() / 'brain.db'}"

    @property
    def mlflow(self) -> str:
        return self.mlflow_uri or f"sqlite:///{self.home.resolve() / 'mlruns' / 'mlflow.db'}"

    @property
    def telemetry_database(self) -> str:
        """Of the inbox: a PostgreSQL that keeps the rest keeps it, too; on SQLite it has a file of its own."""
        if self.telemetry_url is None and self.database.startswith("postgres"):
            return self.database
        number, _, count = self.shard.partition("/")
        name = (
            "telemetry.db" if count == "1" else f"telemetry-{number}.db"
        )  # on SQLite writers would wait for each other
        return self.telemetry_url or f"sqlite:///{self.home.resolve() / name}"

    @property
    def lake(self) -> str:
        """The telemetry lake, a table a shard below it: a folder, or `s3://BUCKET/PREFIX`."""
        return self.lake_uri or str(self.home.resolve() / "lake")

    @property
    def snapshots(self) -> Path:
        """Folder of snapshots of the live state."""
        return self.home.resolve() / "snapshots"

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
