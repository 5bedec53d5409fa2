"""Reads the settings of every part from the environment; no other module reads it.

Each field below is the variable ``IMAGOMORTIS_<FIELD>``. Postgres is named by its conventional variables
(``DATABASE_URL``, or ``PGHOST``, ``PGDATABASE`` and their family). All other modules take values.

Secrets can come as files: each file in the folder IMAGOMORTIS_SECRETS has the name of a variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from imagomortis import inbox_sources, store_urls
from imagomortis.errors import ConfigurationError
from imagomortis.inbox_sources import InboxSource

MIB = 1024 * 1024

POSTGRES: Final = "postgres"
"""The value of IMAGOMORTIS_STORAGE that keeps bytes in the catalog's rows."""


class Access(StrEnum):
    """Who may use a listener: clients with the token, or everybody."""

    TOKEN = "token"
    OPEN = "open"


class Executor(StrEnum):
    """Where Dagster runs the image task: inside the run's process, or as one Kubernetes Job per step."""

    IN_PROCESS = "in_process"
    KUBERNETES = "kubernetes"


def _address(value: str) -> str:
    parts = urlsplit(value)
    if value and not (parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0):
        raise ValueError("it should have a scheme and a host")
    return value


def _check_database(value: str) -> None:
    """Raise ValueError, without quoting the value, if libpq cannot read it; it also reads other forms than URLs."""
    if not re.match(r"postgres(ql)?(\+psycopg2)?://|\s*\w+\s*=", value):
        raise ValueError("it should be a URL that begins with postgresql://")
    if "://" not in value:
        return
    if re.search(r"%(?![0-9a-fA-F]{2})", value):
        raise ValueError("a percent sign that stands for itself is written as %25")
    place = urlsplit(value).netloc.rpartition("@")[2]
    if not re.fullmatch(r"(\[[^]]*\]|[^:]*)(:\d*)?", place) and "," not in place:
        raise ValueError("its port is no number; the signs / : @ # ? in a password are written as %2F %3A %40 %23 %3F")


def _host(value: str) -> str:
    if not re.fullmatch(r"[\w.-]+|\[?[0-9a-fA-F:.]+\]?(%\w+)?", value):
        raise ValueError(f"{value!r} is neither an IP address nor the name of a host")
    return value


def _origin(value: str) -> str:
    if not re.fullmatch(r"https?://([\w.-]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?", value):
        raise ValueError(f"{value!r} is not an origin: a scheme, a host and, if need be, a port")
    return value


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]*", value):
        raise ValueError("it should be the name of a header: letters, digits and hyphens")
    return value


def _storage(value: str) -> str:
    if value != POSTGRES and not re.match(store_urls.STORE, value):
        raise ValueError(f"it should be {POSTGRES}, or a URL that begins with s3://, gs://, az:// or file:///")
    return value


def _spool(value: str) -> str:
    if "://" in value and not re.match(store_urls.STORE, value):
        raise ValueError("it should be a folder, or a URL that begins with s3://, gs://, az:// or file:///")
    return value


def _label(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        raise ValueError("it should be lower-case letters, digits and hyphens")
    return value


def _level(value: str) -> str:
    if value.lower() not in {"debug", "info", "warning", "error"}:
        raise ValueError("it should be debug, info, warning or error")
    return value


Port = Annotated[int, Field(ge=1, le=65_535)]
Seconds = Annotated[float, Field(gt=0)]
Days = Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)]
Address = Annotated[str, AfterValidator(_address)]
Host = Annotated[str, AfterValidator(_host)]
HeaderName = Annotated[str, AfterValidator(_header_name)]
StorageUrl = Annotated[str, AfterValidator(_storage)]
SpoolPlace = Annotated[str, BeforeValidator(str), AfterValidator(_spool)]
Label = Annotated[str, AfterValidator(_label)]
Level = Annotated[str, AfterValidator(_level)]


class Settings(BaseSettings):
    """All settings, with their defaults and units."""

    model_config = SettingsConfigDict(env_prefix="IMAGOMORTIS_", frozen=True, extra="ignore")

    home: Path = Field(Path(".imagomortis"), description="folder of all state on one machine")
    spool: SpoolPlace | None = Field(
        None,
        description="where uploads wait for the pusher: a folder that uploader and pusher share, by default `spool` in "
        "the home folder; or the URL of an object store, as for IMAGOMORTIS_STORAGE, so that they share no disk",
        examples=["/var/lib/imagomortis/spool"],
    )

    storage: StorageUrl = Field(
        POSTGRES,
        description=f"where the bytes of pictures live: `{POSTGRES}`, or the URL of an object store (`s3://`, `gs://`, "
        "`az://`, `file://`); its credentials come from the usual variables, such as AWS_ACCESS_KEY_ID",
        examples=["s3://bucket/prefix"],
    )
    export_targets: str = Field(
        "",
        description="URLs below which recipes may export their outputs, with commas between them; none: no exports",
        examples=["s3://bucket/exports,file:///srv/pictures"],
    )
    inboxes: str = Field(
        "",
        description="places in object stores from which the pusher takes objects in: URLs with commas between them, or "
        "a JSON list with `url`, `recipe` and `take` (`move`, `delete` or `keep`)",
        examples=['[{"url": "s3://bucket/inbox", "recipe": "circles", "take": "move"}]'],
    )
    storage_endpoint: Address = Field(
        "",
        description="address of an S3 service that is not Amazon's",
        examples=["http://seaweedfs:8333"],
    )
    storage_path_style: bool = Field(
        True, description="whether that service expects the bucket's name in the path, not in the host name"
    )
    storage_redirect: bool = Field(
        False,
        description="whether the API answers 302 to a signed URL of the object store, which lasts ten minutes, instead "
        "of sending bytes itself; not on the page's origin, and not for thumbnails",
    )

    secrets: DirectoryPath | None = Field(
        None,
        description="folder of secrets: a file named like a variable, such as `IMAGOMORTIS_TOKEN` or `DATABASE_URL`, "
        "holds its value; the variable itself, if it is set, has precedence",
        examples=["/run/secrets/imagomortis"],
    )

    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL"),
        description="Postgres of the catalog, as a URL; by default the one that PGHOST and its family name",
        examples=["postgresql://imagomortis@localhost/imagomortis"],
    )
    dagster_database_url: SecretStr | None = Field(
        None,
        description="Postgres of Dagster; by default the database `<name>_dagster` on the same server",
        examples=["postgresql://imagomortis@localhost/imagomortis_dagster"],
    )
    database_connections: int = Field(10, ge=2, le=200, description="most connections of one process")
    database_wait_seconds: Seconds = Field(
        15, description="how long a request of the API waits for Postgres, which can be restarting"
    )

    bind: Host = Field("127.0.0.1", description="address that the listeners bind to")
    web_port: Port = Field(30080, description="port of the page, with the API and uploads on the same origin")
    api_port: Port = Field(30081, description="port of the API")
    upload_port: Port = Field(30082, description="port of the uploader")
    dagster_port: Port = Field(3000, description="port of the Dagster webserver")
    code_port: Port = Field(30084, description="port of the code server, on loopback")
    api_metrics_port: Port = Field(30091, description="port of the API's metrics")
    upload_metrics_port: Port = Field(30092, description="port of the uploader's metrics")
    pipeline_metrics_port: Port = Field(30093, description="port of the pipeline's metrics")
    access: Access | None = Field(
        None,
        description="`token` or `open`; open by default on loopback only, where nothing else can reach it",
        examples=["token"],
    )
    token: SecretStr | None = Field(
        None,
        description="the access token, at least 16 characters",
        min_length=16,
        examples=["$(openssl rand -hex 24)"],
    )
    allowed_hosts: str = Field(
        "",
        description="further host names of the listeners, separated by commas",
        examples=["pictures.example.org,pictures"],
    )
    allowed_origins: str = Field(
        "",
        description="origins, separated by commas, whose pages may use the API and the uploader from their scripts",
        examples=["https://gallery.example.org,http://localhost:5173"],
    )
    proxy_header: HeaderName = Field(
        "",
        description="header in which reverse proxies write the client's address; set it only if clients cannot bypass "
        "them, as they can write it too",
        examples=["X-Forwarded-For"],
    )
    proxies: int = Field(
        1, ge=1, le=10, description="number of reverse proxies that a request passes; each one appends to the header"
    )
    session_seconds: Seconds = Field(86_400, description="how long a sign-in on the page lasts")
    url: Address = Field(
        "",
        description="address of the page, for the command line; by default that of the running system",
        examples=["http://127.0.0.1:30080"],
    )
    web_url: Address = Field(
        "", description="address of the page, for links in the Dagster webserver", examples=["http://127.0.0.1:30080"]
    )
    dagster_url: Address = Field(
        "", description="address of the Dagster webserver, for links", examples=["http://127.0.0.1:3000"]
    )
    grafana_url: Address = Field(
        "", description="address of Grafana, for links", examples=["http://grafana.example.org"]
    )

    stop_seconds: int = Field(
        5, ge=1, description="how long current requests can continue when the uploader or the API is stopped"
    )

    max_connections: int = Field(
        1000,
        ge=10,
        description="most connections to one listener; an idle connection is closed to make room for a new one",
    )
    max_event_streams: int = Field(250, ge=1, description="most clients that follow the API's events at the same time")

    max_upload_bytes: int = Field(
        100 * MIB, gt=0, description="largest file, and largest sum of the files of one request, in bytes"
    )
    max_pixels: int = Field(100_000_000, gt=0, description="largest picture, in pixels")
    max_side: int = Field(65_500, gt=0, description="longest side of a picture, in pixels")
    check_seconds: Seconds = Field(15, description="time limit of the uploader's check of one picture")
    disk_reserve_bytes: int = Field(1024 * MIB, ge=0, description="bytes of the spool's disk that uploads leave free")
    upload_idle_seconds: Seconds = Field(
        20,
        description="a client that sends nothing for so long is disconnected; one that sends less than 1 KiB/s is "
        "disconnected after five times as long",
    )
    upload_keep_seconds: Seconds = Field(
        86_400, description="an unfinished resumable upload is removed if it receives nothing for so long"
    )
    max_unfinished_uploads: int = Field(1000, ge=1, description="most unfinished resumable uploads in the spool")
    max_unfinished_bytes: int = Field(
        20_480 * MIB,
        gt=0,
        description="largest sum of the announced sizes of unfinished resumable uploads, in bytes",
    )

    max_workers: int = Field(
        2, ge=1, le=1000, description="most image tasks at the same time; up to two runs that reprocess come on top"
    )
    min_workers: int = Field(
        0,
        ge=0,
        le=1000,
        description="image tasks that stay when the queue is empty, so that a picture never waits for a start",
    )
    duty_seconds: float = Field(
        20,
        ge=0,
        description="how long a tick of the pusher polls for uploads; Dagster ends a tick after a minute; 0: it "
        "polls once, for a Dagster with other sensors",
    )
    drain_seconds: Seconds = Field(
        60,
        description="how long the queue should take; the number of image tasks follows from the times of "
        "recent pictures with the same recipe and size",
    )
    images_per_job: int = Field(
        0, ge=0, description="images after which an image task ends; 0: no limit, 1: a Job for each image"
    )
    lease_batch: int = Field(32, ge=1, le=1000, description="images leased in one statement")
    lease_seconds: Seconds = Field(
        15, description="duration of a lease; it is renewed after a third of it, or after 5 s if that is sooner"
    )
    linger_seconds: float = Field(20, ge=0, description="how long an idle image task waits for more")
    worker_seconds: Seconds = Field(
        1800,
        description="how long an image task goes on while images keep coming; then it reports, and a new one starts",
    )
    sandbox_memory_bytes: int = Field(
        2048 * MIB,
        ge=256 * MIB,
        description="memory limit of decoding and transforming one picture; the limit of an image task's pod is 1 GiB "
        "more",
    )
    sandbox_seconds: Seconds = Field(120, description="time limit of decoding and transforming one picture")
    start_seconds: Seconds = Field(
        120,
        le=600,
        description="how long a run may take to start its image task; a new node takes minutes",
    )
    executor: Executor = Field(
        Executor.IN_PROCESS,
        description="`kubernetes`: each run starts a Kubernetes Job for its image task; `in_process`: the run is the "
        "image task itself, in a cluster with one Job for each worker and a start that is a third shorter",
    )
    in_cluster: bool = Field(
        False,
        description="whether this is a pod of the installation; so it is with `IMAGOMORTIS_EXECUTOR=kubernetes`",
    )
    namespace: Label = Field("imagomortis", description="Kubernetes namespace of the installation")

    undo_seconds: Seconds = Field(60, description="how long a deleted picture can be restored, if there is no trash")
    trash_days: float = Field(
        0,
        ge=0,
        le=36_500,
        allow_inf_nan=False,
        description="days for which a picture that is deleted now stays in the trash, with its bytes; 0: there is no "
        "trash, but pictures that are already in it stay for their days",
        examples=["30"],
    )
    run_retention_days: Days = Field(30, description="days for which Dagster's runs and their logs are kept")
    runs_kept: int = Field(
        1000, ge=1, description="most finished runs that are kept, besides the latest of each hour that has pictures"
    )
    attempt_retention_days: Days = Field(
        90, description="days for which attempts are kept; the last attempt of each picture is always kept"
    )
    picture_retention_days: float = Field(
        0,
        ge=0,
        le=36_500,
        allow_inf_nan=False,
        description="days after which finished pictures are deleted; 0: never",
    )
    picture_retention_bytes: int = Field(
        0,
        ge=0,
        description="largest sum of all pictures in bytes; above it the oldest finished ones are deleted; 0: no limit",
    )
    traces_url: Address = Field(
        "",
        description="address of an OpenTelemetry collector; by default no traces are sent",
        examples=["http://localhost:4318"],
    )
    log_level: Level = Field("info", description="lowest logged level: debug, info, warning or error")

    @field_validator("database_url", "dagster_database_url")
    @classmethod
    def _names_a_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            _check_database(value.get_secret_value())
        return value

    @field_validator("storage")
    @classmethod
    def _is_apart(cls, value: str, info: ValidationInfo) -> str:
        spool = info.data.get("spool") or ""
        if "://" in value and "://" in spool and store_urls.overlap(value, spool):
            raise ValueError(f"it overlaps with IMAGOMORTIS_SPOOL={spool}; give each a prefix of its own")
        return value

    @field_validator("export_targets")
    @classmethod
    def _are_stores(cls, value: str, info: ValidationInfo) -> str:
        for url in _words(value):
            store_urls.check_export_target(url)
            for name in ("storage", "spool"):
                place = info.data.get(name) or ""
                if "://" in place and store_urls.overlap(url, place):
                    raise ValueError(
                        f"{url!r} overlaps with {variable(name)}={place}, so an export could replace an original"
                    )
        return value

    @field_validator("inboxes")
    @classmethod
    def _are_apart(cls, value: str, info: ValidationInfo) -> str:
        """Refuse sources whose objects another part writes, as these would be taken in again and again."""
        storage, sources = info.data.get("storage", POSTGRES), inbox_sources.parsed(value)
        spool = info.data.get("spool") or str(info.data.get("home", Path()) / "spool")
        others = {
            "IMAGOMORTIS_SPOOL": [spool if "://" in spool else f"file://{quote(str(Path(spool).absolute()))}"],
            "IMAGOMORTIS_STORAGE": [] if storage == POSTGRES else [storage],
            "IMAGOMORTIS_EXPORT_TARGETS": _words(info.data.get("export_targets", "")),
        }
        beside = [url for each in sources for url in each.beside]
        for number, source in enumerate(sources):
            store_urls.check_export_target(source.url)
            inbox_sources.check(source)
            further = {"another source": [each.url for each in sources[:number]], "the folder": beside}
            _keep_apart(source.url, {**others, **further})
        for url in beside:
            _keep_apart(url, others)
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_host_names(cls, value: str) -> str:
        for name in _words(value):
            _host(name)
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: str) -> str:
        for origin in _words(value):
            _origin(origin)
        return value

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
        """Read the environment; raise ConfigurationError that names every wrong variable and what it should be."""
        folder = given.get("secrets") or os.environ.get(variable("secrets"))
        try:
            return cls(**given, _secrets_dir=folder if folder and Path(folder).is_dir() else None)
        except ValidationError as error:
            raise ConfigurationError(_explain(error)) from None

    @property
    def spool_folder(self) -> Path:
        """The folder of the spool; with a spool in an object store, that of the uploader's drafts."""
        if self.spool_url:
            return self.home / "drafts"
        return Path(self.spool) if self.spool else self.home / "spool"

    @property
    def spool_url(self) -> str:
        """The URL of a spool in an object store; empty for a folder."""
        return self.spool if self.spool and "://" in self.spool else ""

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
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # some parts need no Postgres

        name = conninfo_to_dict(self.conninfo).get("dbname") or os.environ.get("PGDATABASE") or "imagomortis"
        return make_conninfo(self.conninfo, dbname=f"{name}_dagster")

    @property
    def is_in_cluster(self) -> bool:
        """Whether this process runs in a cluster, where its runs are Kubernetes Jobs."""
        return self.in_cluster or self.executor is Executor.KUBERNETES

    @cached_property
    def is_loopback(self) -> bool:
        """Whether the listeners can be reached from this machine only."""
        return self.bind in {"localhost", "::1"} or self.bind.startswith("127.")

    @cached_property
    def required_token(self) -> str | None:
        """The token that requests need; None if access is open.

        Raises ConfigurationError for a listener that others can reach, if neither a token nor the word ``open`` is
        given.
        """
        access = self.access or (Access.OPEN if self.is_loopback and not self.token else Access.TOKEN)
        if access is Access.OPEN:
            return None
        if self.token is None:
            raise ConfigurationError(
                f"IMAGOMORTIS_BIND={self.bind} can be reached from other machines, so a token is needed: set "
                "IMAGOMORTIS_TOKEN to a secret of at least 16 characters (for example from `openssl rand -hex 24`), "
                "or set IMAGOMORTIS_ACCESS=open if everyone on the network may use it."
            )
        return self.token.get_secret_value()

    @cached_property
    def redirects(self) -> bool:
        """Whether the API answers with signed URLs; raises ConfigurationError for a storage that has none."""
        if self.storage_redirect and self.storage.partition(":")[0] not in {"s3", "gs", "az"}:
            raise ConfigurationError(
                f"IMAGOMORTIS_STORAGE_REDIRECT needs a storage that signs URLs, and IMAGOMORTIS_STORAGE={self.storage} "
                "does not; for example IMAGOMORTIS_STORAGE=s3://bucket/prefix."
            )
        return self.storage_redirect

    @cached_property
    def export_prefixes(self) -> tuple[str, ...]:
        """The URLs below which recipes may export, each with a slash at its end."""
        return tuple(f"{url.rstrip('/')}/" for url in _words(self.export_targets))

    @cached_property
    def inbox_sources(self) -> tuple[InboxSource, ...]:
        """The places in object stores from which objects are taken in."""
        return tuple(inbox_sources.parsed(self.inboxes))

    @cached_property
    def hosts(self) -> frozenset[str]:
        """The host names that a listener without a token accepts."""
        bind = f"[{self.bind}]" if ":" in self.bind else self.bind
        further = {name.lower() for name in _words(self.allowed_hosts)}
        return frozenset({"localhost", "127.0.0.1", "[::1]", "imagomortis.local", bind.lower()} | further)

    @cached_property
    def required_hosts(self) -> frozenset[str]:
        """The host names to check if access is open; empty for a public listener without ``allowed_hosts``."""
        return self.hosts if self.is_loopback or self.allowed_hosts else frozenset()

    @cached_property
    def origins(self) -> frozenset[str]:
        """The origins whose pages may use the API and the uploader."""
        return frozenset(_words(self.allowed_origins))


def _words(value: str) -> list[str]:
    """Return the comma-separated words."""
    return [word.strip() for word in value.split(",") if word.strip()]


def _keep_apart(url: str, others: Mapping[str, Iterable[str]]) -> None:
    for name, urls in others.items():
        for other in urls:
            if store_urls.overlap(url, other):
                raise ValueError(f"{url!r} overlaps with {name} ({other}), so objects could be taken in without end")


def variable(field: str) -> str:
    """Return the name of the variable that sets a field."""
    return "DATABASE_URL" if field == "database_url" else f"IMAGOMORTIS_{field.upper()}"


def secret_variables() -> list[str]:
    """Return the names of the variables that hold secrets."""
    return [variable(name) for name, info in Settings.model_fields.items() if _is_secret(info)]


def _is_secret(info: FieldInfo) -> bool:
    return "SecretStr" in str(info.annotation)


def example(field: str) -> str:
    """Return an example value of a field."""
    info = Settings.model_fields[field]
    found = info.examples[0] if info.examples else info.default
    return found.value if isinstance(found, StrEnum) else str(found)


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        field = str(problem["loc"][0]).lower()
        name, info = variable(field), Settings.model_fields[field]
        given = "" if _is_secret(info) else f"={problem['input']}"
        text = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{name}{given} ({info.description}): {text}; for example {name}={example(field)}.")
    return "\n".join(lines)


def with_database(url: str, name: str) -> str:
    """Return the Postgres ``url`` with another database name."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path="/" + quote(name)))
