"""What Fluent Bit, Loki and Grafana take in their configuration, as far as deploy/logging uses it.

None of the three can be run here, so a name that is misspelt must be found by these: keys and values that are allowed,
after the manuals of the versions in deploy/k8s.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Size = Annotated[str, StringConstraints(pattern=r"^\d+[kKmMgG]$")]
Duration = Annotated[str, StringConstraints(pattern=r"^\d+[smh]$")]


class Strict(BaseModel):
    """A section that takes these keys and no others."""

    model_config = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("__", "."))


# --- Fluent Bit, by its manual of 5.1 ---------------------------------------------------------------------------------


class Service(Strict):
    """The section `service`."""

    flush: int
    grace: int
    log_level: Literal["off", "error", "warn", "info", "debug", "trace"]
    http_server: bool
    http_listen: str
    http_port: int
    health_check: bool
    scheduler__base: int = Field(alias="scheduler.base")
    scheduler__cap: int = Field(alias="scheduler.cap")
    storage__path: str
    storage__sync: Literal["normal", "full"]
    storage__backlog__mem_limit: Size = Field(alias="storage.backlog.mem_limit")
    storage__max_chunks_up: int = Field(alias="storage.max_chunks_up")


class Tail(Strict):
    """The input `tail`."""

    name: Literal["tail"]
    tag: str
    path: str
    multiline__parser: str
    db: str
    db__sync: Literal["extra", "full", "normal", "off"]
    read_from_head: bool
    refresh_interval: int
    rotate_wait: int
    skip_long_lines: bool
    buffer_max_size: Size
    mem_buf_limit: Size
    storage__type: Literal["memory", "filesystem"]


class Multiline(Strict):
    """The filter `multiline`; python is one of its built-in parsers."""

    name: Literal["multiline"]
    match: str
    multiline__key_content: str
    multiline__parser: Literal["cri", "docker", "go", "java", "python", "ruby"]
    mode: Literal["parser", "partial_message"]
    buffer: bool = True
    emitter_storage__type: Literal["memory", "filesystem"] = Field("memory", alias="emitter_storage.type")
    emitter_mem_buf_limit: Size = "10M"


class Kubernetes(Strict):
    """The filter `kubernetes`."""

    name: Literal["kubernetes"]
    match: str
    kube_tag_prefix: str
    merge_log: bool
    annotations: bool
    labels: bool
    buffer_size: Size | Literal[0]
    k8s_logging_parser: bool = Field(alias="k8s-logging.parser")
    k8s_logging_exclude: bool = Field(alias="k8s-logging.exclude")


class Modify(Strict):
    """The filter `modify`."""

    name: Literal["modify"]
    match: str
    remove_regex: str


class Parser(Strict):
    """The filter `parser`."""

    name: Literal["parser"]
    match: str
    key_name: str
    parser: str
    reserve_data: bool
    preserve_key: bool


class Lua(Strict):
    """The filter `lua`."""

    name: Literal["lua"]
    match: str
    script: str
    call: str
    time_as_table: bool


class LokiOutput(Strict):
    """The output `loki`."""

    name: Literal["loki"]
    match: str
    host: str
    port: int
    uri: str
    labels: str
    structured_metadata: str
    line_format: Literal["json", "key_value"]
    compress: Literal["gzip"]
    retry_limit: int | Literal["no_limits", "no_retries"]
    storage__total_limit_size: Size = Field(alias="storage.total_limit_size")


class Pipeline(Strict):
    """The section `pipeline`."""

    inputs: list[Tail]
    filters: list[Annotated[Multiline | Kubernetes | Modify | Parser | Lua, Field(discriminator="name")]]
    outputs: list[LokiOutput]


class NamedParser(Strict):
    """A parser of one's own."""

    name: str
    format: Literal["json", "regex", "ltsv", "logfmt"]


class FluentBit(Strict):
    """The whole file."""

    service: Service
    pipeline: Pipeline
    parsers: list[NamedParser]


# --- Loki, by its manual of 3.7 ---------------------------------------------------------------------------------------


class LokiServer(Strict):
    """`server`."""

    http_listen_port: int
    grpc_listen_address: str
    log_level: Literal["debug", "info", "warn", "error"]
    log_format: Literal["logfmt", "json"]


class Kvstore(Strict):
    """`common.ring.kvstore`."""

    store: Literal["consul", "etcd", "inmemory", "memberlist", "multi"]


class Ring(Strict):
    """`common.ring`."""

    instance_addr: str
    kvstore: Kvstore


class Filesystem(Strict):
    """`common.storage.filesystem`."""

    chunks_directory: str
    rules_directory: str


class Storage(Strict):
    """`common.storage`."""

    filesystem: Filesystem


class Common(Strict):
    """`common`."""

    path_prefix: str
    replication_factor: int
    ring: Ring
    storage: Storage


class Index(Strict):
    """`schema_config.configs[].index`; Loki's compactor needs a period of a day."""

    prefix: str
    period: Literal["24h"]


class Period(Strict):
    """`schema_config.configs[]`; structured metadata and retention need these stores and this schema."""

    since: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$")] = Field(alias="from")
    store: Literal["tsdb"]
    object_store: Literal["filesystem"]
    schema_: Literal["v13"] = Field(alias="schema")
    index: Index


class SchemaConfig(Strict):
    """`schema_config`."""

    configs: list[Period]


class StreamSharding(Strict):
    """`limits_config.shard_streams`."""

    enabled: bool
    time_sharding_enabled: bool


class Limits(Strict):
    """`limits_config`."""

    retention_period: Duration
    allow_structured_metadata: Literal[True]
    max_label_names_per_series: int
    max_line_size: Annotated[str, StringConstraints(pattern=r"^\d+KB$")]
    max_line_size_truncate: bool
    reject_old_samples: bool
    reject_old_samples_max_age: Duration
    shard_streams: StreamSharding
    discover_service_name: list[str]
    discover_log_levels: bool


class Compactor(Strict):
    """`compactor`; retention happens only where it is enabled, and then needs a store for requests to delete."""

    working_directory: str
    retention_enabled: Literal[True]
    delete_request_store: Literal["filesystem"]
    compaction_interval: Duration
    retention_delete_delay: Duration


class Analytics(Strict):
    """`analytics`."""

    reporting_enabled: bool


class LokiConfig(Strict):
    """The whole file."""

    auth_enabled: bool
    server: LokiServer
    common: Common
    schema_config: SchemaConfig
    limits_config: Limits
    compactor: Compactor
    analytics: Analytics


# --- Grafana's provisioning -------------------------------------------------------------------------------------------


class DataSource(Strict):
    """A data source; `uid` is what the dashboards name."""

    name: str
    uid: str
    type: Literal["loki", "prometheus"]
    access: Literal["proxy"]
    url: str
    isDefault: bool = False  # noqa: N815 (Grafana's name)
    editable: bool
    jsonData: dict[Literal["maxLines", "httpMethod", "timeInterval"], Any]  # noqa: N815


class DataSources(Strict):
    """The file of data sources."""

    apiVersion: Literal[1]  # noqa: N815
    datasources: list[DataSource]


class FolderOptions(Strict):
    """Where a provider finds dashboards."""

    path: str


class Provider(Strict):
    """A provider of dashboards."""

    name: str
    folder: str
    type: Literal["file"]
    disableDeletion: bool  # noqa: N815
    allowUiUpdates: bool  # noqa: N815
    updateIntervalSeconds: int  # noqa: N815
    options: FolderOptions


class Providers(Strict):
    """The file of providers."""

    apiVersion: Literal[1]  # noqa: N815
    providers: list[Provider]
