"""Writes the Secrets of an installation: ``python -m imagomortis_cli.upkeep.installation.secrets``.

    postgres ──> database, dagster-database      access      grafana
    passwords    the URLs made of them           the token   the administrator's password

An existing Secret is never changed, whether a person or an earlier start made it. The URLs are built from the Secrets
in the cluster. So if a start is interrupted between two Secrets, the next one completes them.
"""

from __future__ import annotations

import secrets
from argparse import ArgumentParser
from base64 import b64decode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from imagomortis import logs
from imagomortis.errors import ConfigurationError
from imagomortis.logs import Log
from imagomortis.settings import Settings
from imagomortis_cli.machine.postgres import databases

PART: Final = "bootstrap"

log = Log(__name__)

PASSWORD_BYTES: Final = 24

HOST: Final = "postgres"
"""The service of the installation's own Postgres."""


class Secrets:
    """The Secrets of one namespace."""

    def __init__(self, api: Any, namespace: str) -> None:
        """Take the core API of the Kubernetes client, and the namespace."""
        self._api = api
        self._namespace = namespace

    def ensure(self, name: str, values: Mapping[str, str]) -> dict[str, str]:
        """Create the Secret unless it exists; return its values in the cluster."""
        from kubernetes.client import ApiException, V1ObjectMeta, V1Secret

        labels = {"app.kubernetes.io/name": "imagomortis"}
        secret = V1Secret(metadata=V1ObjectMeta(name=name, labels=labels), string_data=dict(values))
        try:
            self._api.create_namespaced_secret(self._namespace, secret)
        except ApiException as error:
            if error.status != HTTPStatus.CONFLICT:
                raise
            log.info("kept", secret=name)
            return self._read(name)
        log.info("created", secret=name)
        return dict(values)

    def _read(self, name: str) -> dict[str, str]:
        found = self._api.read_namespaced_secret(name, self._namespace)
        return {key: b64decode(value).decode() for key, value in (found.data or {}).items()}


def bootstrap(cluster: Secrets, *, own_postgres: bool) -> None:
    """Create the missing Secrets; those of Postgres only for the installation's own."""
    if own_postgres:
        _bootstrap_postgres(cluster)
    cluster.ensure("access", {"token": secrets.token_hex(PASSWORD_BYTES)})
    cluster.ensure("grafana", {"admin-password": secrets.token_urlsafe(PASSWORD_BYTES)})


def _bootstrap_postgres(cluster: Secrets) -> None:
    names = ("postgres-password", "catalog-password", "dagster-password")
    passwords = cluster.ensure("postgres", {name: secrets.token_urlsafe(PASSWORD_BYTES) for name in names})
    catalog = f"postgresql://imagomortis:{passwords['catalog-password']}@{HOST}/imagomortis"
    dagster = f"postgresql://dagster:{passwords['dagster-password']}@{HOST}/imagomortis_dagster"
    cluster.ensure("database", {"DATABASE_URL": catalog})
    cluster.ensure("dagster-database", {"IMAGOMORTIS_DAGSTER_DATABASE_URL": databases.for_dagster(dagster)})


def main() -> None:
    """Create the Secrets in the namespace of this pod."""
    parser = ArgumentParser(description="Create the Secrets of an installation that are not there.")
    parser.add_argument("--other-postgres", action="store_true", help="Postgres is elsewhere, its Secrets made by hand")
    given = parser.parse_args()
    settings = Settings.read()
    logs.configure(PART, settings.log_level)
    from kubernetes.client import CoreV1Api
    from kubernetes.config import ConfigException, load_incluster_config

    try:
        load_incluster_config()
    except ConfigException as error:
        raise ConfigurationError(
            f"This runs in a pod of the installation, by deploy/k8s/04-bootstrap.yaml, and not here ({error})."
        ) from error
    bootstrap(Secrets(CoreV1Api(), settings.namespace), own_postgres=not given.other_postgres)


if __name__ == "__main__":
    try:
        main()
    except ConfigurationError as error:
        logs.give_up(PART, error.detail)
