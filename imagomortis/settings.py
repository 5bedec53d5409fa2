"""The settings of every part: the only reader of the environment.

Each field below is the variable ``IMAGOMORTIS_<FIELD>``; Postgres is named by its conventional variables
(``DATABASE_URL``, or ``PGHOST``, ``PGDATABASE`` and their family). Everything else takes values.
"""

from __future__ import annotations

import os
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from imagomortis.errors import ConfigurationError

MIB = 1024 * 1024


class Access(StrEnum):
    """Who may use a listener: those with the token, or everybody."""

    TOKEN = "token"
    OPEN = "open"


class Executor(StrEnum):
    """Where Dagster runs the image task: inside the run's process, or as a Kubernetes Job a step."""

    IN_PROCESS = "in_process"
    KUBERNETES = "kubernetes"


Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Everything that can be set, with its default and its unit."""

    model_config = SettingsConfigDict(env_prefix="IMAGOMORTIS_", frozen=True, extra="ignore")

    home: Path = Field(Path(".imagomortis"), description="folder of all state on one machine")
    spool: Path | None = Field(None, description="the uploader's folder; `spool` in the home folder unless given")

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="Postgres of the catalog, as a URL; without it PGHOST and its family count",
    )
    dagster_database_url: SecretStr | None = Field(
        None, description="Postgres of Dagster; the database `<name>_dagster` on the same server unless given"
    )
    database_connections: int = Field(10, ge=2, le=200, description="connections that one process may hold")
    database_wait_seconds: Seconds = Field(
        15, description="how long a request of the API waits for Postgres, which may just be restarting"
    )

    bind: str = Field("127.0.0.1", description="address that the listeners bind to")
    web_port: Port = Field(30080, description="port of the page, with the API and uploads on the same origin")
    api_port: Port = Field(30081, description="port of the API")
    upload_port: Port = Field(30082, description="port of the uploader")
    dagster_port: Port = Field(3000, description="port of the Dagster webserver")
    code_port: Port = Field(30084, description="port of the code server, on loopback")
    api_metrics_port: Port = Field(30091, description="port of the API's metrics")
    upload_metrics_port: Port = Field(30092, description="port of the uploader's metrics")
    pipeline_metrics_port: Port = Field(30093, description="port of the pipeline's metrics")
    access: Access | None = Field(
        None, description="`token` or `open`; open by default on loopback only, where nothing else can reach it"
    )
    token: SecretStr | None = Field(None, description="the access token, at least 16 characters", min_length=16)
    allowed_hosts: str = Field(
        "", description="further host names, separated by commas, by which the listeners may be called"
    )
    url: str = Field("", description="address of the page, for the command line; the running system's unless given")
    web_url: str = Field("", description="address of the page, for links in the Dagster webserver")
    dagster_url: str = Field("", description="address of the Dagster webserver, for links")
    grafana_url: str = Field("", description="address of Grafana, for links")

    max_upload_bytes: int = Field(100 * MIB, gt=0, description="largest file that is taken, in bytes")
    max_pixels: int = Field(100_000_000, gt=0, description="largest picture that is taken, in pixels")
    max_side: int = Field(65_500, gt=0, description="longest side that is taken, in pixels")
    disk_reserve_bytes: int = Field(1024 * MIB, ge=0, description="bytes that uploads leave free on the spool's disk")
    upload_idle_seconds: Seconds = Field(20, description="a client that sends nothing for so long is cut off")

    max_workers: int = Field(2, ge=1, le=1000, description="most image tasks that run at once")
    images_per_job: int = Field(
        0, ge=0, description="images after which an image task leaves; 0: no limit, 1: a Job for each image"
    )
    lease_batch: int = Field(32, ge=1, le=1000, description="images leased in one statement")
    lease_seconds: Seconds = Field(15, description="life of a lease; it is renewed at a third of it")
    linger_seconds: float = Field(20, ge=0, description="how long an idle image task waits for more")
    sandbox_memory_bytes: int = Field(
        2048 * MIB, ge=256 * MIB, description="memory that decoding and transforming one picture may take"
    )
    sandbox_seconds: Seconds = Field(120, description="time that decoding and transforming one picture may take")
    executor: Executor = Field(Executor.IN_PROCESS, description="`in_process` or `kubernetes`")
    namespace: str = Field("imagomortis", description="Kubernetes namespace of the installation")

    undo_seconds: Seconds = Field(60, description="how long a deleted picture can be restored")
    run_retention_days: float = Field(30, gt=0, description="days for which Dagster's runs and their logs are kept")
    traces_url: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="address of an OpenTelemetry collector, such as `http://localhost:4318`; no traces unless given",
    )
    log_level: str = Field("info", pattern="^(?i:debug|info|warning|error)$", description="least level that is logged")

    @field_validator("token")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not all("!" <= letter <= "~" and letter not in ',;"\\' for letter in value.get_secret_value()):
            raise ValueError(
                "it may hold letters, digits and signs of ASCII only, but no spaces, commas, semicolons or quotes"
            )
        return value

    @classmethod
    def read(cls, **given: Any) -> Settings:
        """Read the environment; raise ConfigurationError with every variable at fault and what it should be."""
        try:
            return cls(**given)
        except ValidationError as error:
            raise ConfigurationError(_explain(error)) from None

    @property
    def spool_folder(self) -> Path:
        """The folder of the spool."""
        return self.spool or self.home / "spool"

    @cached_property
    def conninfo(self) -> str | None:
        """The catalog's database for libpq; None if the environment names none."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return "" if any(os.environ.get(name) for name in ("PGHOST", "PGSERVICE", "PGHOSTADDR")) else None

    @cached_property
    def dagster_conninfo(self) -> str | None:
        """Dagster's database for libpq; None if the environment names no server."""
        if self.dagster_database_url:
            return self.dagster_database_url.get_secret_value().replace("postgresql+psycopg2://", "postgresql://", 1)
        if self.conninfo is None:
            return None
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # not every part has to do with Postgres

        name = conninfo_to_dict(self.conninfo).get("dbname") or os.environ.get("PGDATABASE") or "imagomortis"
        return make_conninfo(self.conninfo, dbname=f"{name}_dagster")

    @cached_property
    def is_loopback(self) -> bool:
        """Whether the listeners can be reached from this machine only."""
        return self.bind in {"localhost", "::1"} or self.bind.startswith("127.")

    @cached_property
    def required_token(self) -> str | None:
        """The token that a request must bring, or None where access is open.

        Raises ConfigurationError for a listener that others can reach without a token or the word ``open``.
        """
        access = self.access or (Access.OPEN if self.is_loopback and not self.token else Access.TOKEN)
        if access is Access.OPEN:
            return None
        if self.token is None:
            raise ConfigurationError(
                f"IMAGOMORTIS_BIND={self.bind} can be reached from other machines, so a token is needed: set "
                "IMAGOMORTIS_TOKEN to a secret of at least 16 characters (for example from `openssl rand -hex 24`), "
                "or say IMAGOMORTIS_ACCESS=open if everyone on the network may use it."
            )
        return self.token.get_secret_value()

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The host names by which an open listener on loopback may be called."""
        further = {name.strip().lower() for name in self.allowed_hosts.split(",") if name.strip()}
        return frozenset({"localhost", "127.0.0.1", "[::1]", "imagomortis.local"} | further)


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        field = str(problem["loc"][0])
        variable = "DATABASE_URL" if field in {"database_url", "DATABASE_URL"} else f"IMAGOMORTIS_{field.upper()}"
        info = Settings.model_fields.get(field.lower())
        example = f"; for example {variable}={_example(info.default)}" if info and info.default is not None else ""
        about = f" ({info.description})" if info else ""
        lines.append(f"{variable}{about}: {problem['msg']}{example}.")
    return " ".join(lines)


def _example(default: Any) -> str:
    return default.value if isinstance(default, StrEnum) else str(default)


def with_database(url: str, name: str) -> str:
    """Return the Postgres ``url`` with another database name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path="/" + quote(name)))
