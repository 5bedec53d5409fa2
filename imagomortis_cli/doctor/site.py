"""Opens the parts of the checked system that can be reached from here, when a check first needs them."""

from __future__ import annotations

import os
import shlex
import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg

from imagomortis.catalog import Catalog
from imagomortis.errors import ImagoMortisError
from imagomortis.settings import Settings
from imagomortis_cli import advice
from imagomortis_cli.doctor.finding import CannotLook
from imagomortis_cli.machine import home, running, shipped, stack
from imagomortis_cli.machine.postgres import databases
from imagomortis_cli.remote.client import Client
from imagomortis_cli.remote.documents import StatsDocument

if TYPE_CHECKING:
    from dagster import DagsterInstance


class Site:
    """A system, with the settings of this shell, or those of a running `imagomortis up`."""

    def __init__(self, given: Settings, namespace: str | None = None) -> None:
        """Take the settings, and the namespace of a cluster whose Jobs are checked."""
        self.given = given
        self.settings = running.settings_of(given)
        self.is_in_cluster = self.settings.is_in_cluster
        self.namespace = namespace or advice.namespace_of(self.settings)
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def is_here(self) -> bool:
        """Whether this machine has the system's folder; a pod's home does not count."""
        return self.settings.home.is_dir() and not self.is_in_cluster

    @cached_property
    def is_up(self) -> bool:
        """Whether `imagomortis up` runs in the home."""
        return home.is_held(self.settings.home)

    @property
    def spool_folder(self) -> Path:
        """The folder of the spool, even if it does not exist."""
        return self.settings.spool_folder

    def start(self, part: str) -> str:
        """Return the command that starts or restarts a part."""
        if self.namespace:
            kind = "statefulset" if part == "postgres" else "deployment"
            return f"kubectl -n {self.namespace} rollout restart {kind}/{part}"
        return "end `imagomortis up` with Ctrl-C and start it again" if self.is_up else f"{self._here()}imagomortis up"

    def doctor(self, check: str) -> str:
        """Return the command that runs one check alone, which says more about it."""
        return advice.to_databases(f"doctor --only {check}", self.namespace)

    def dagster_command(self, words: str) -> str:
        """Return a command of Dagster's own that reaches the pipeline, ready to type here."""
        if self.namespace:
            return (
                f"kubectl -n {self.namespace} exec deployment/dagster-webserver -- "
                f"dagster {words} -w /etc/imagomortis/dagster/workspace.yaml"
            )
        files = (
            self.settings.home.resolve() / stack.VARIABLES,
            Path(sys.executable).with_name("dagster"),
            shipped.file("workspace.yaml"),
        )
        variables, program, workspace = (shlex.quote(str(path)) for path in files)
        return f"(. {variables} && {program} {words} -w {workspace})"

    def _here(self) -> str:
        folder = self.settings.home
        return "" if folder == Settings.model_fields["home"].default else f"IMAGOMORTIS_HOME={folder} "

    @cached_property
    def databases(self) -> stack.Databases | None:
        """The addresses of the databases; None if nothing names them. Starts no server."""
        if self.settings.conninfo is not None:
            return stack.choose_databases(self.settings)
        return None

    @cached_property
    def database_problem(self) -> str | None:
        """Why the catalog's database cannot be used; None if it can."""
        if self.databases is None:
            if (self.settings.home / "postgres").is_dir():
                return f"The embedded Postgres in {self.settings.home.resolve()} does not run."
            return "No database is named here: set DATABASE_URL or IMAGOMORTIS_HOME."
        return _problem(self.databases.catalog)

    @cached_property
    def catalog(self) -> Catalog:
        """The catalog; raises CannotLook."""
        if self.database_problem or self.databases is None:
            raise CannotLook(self.database_problem)
        return self._opened.enter_context(Catalog(self.databases.catalog))

    @cached_property
    def dagster(self) -> DagsterInstance:
        """Dagster's instance; raises CannotLook. Imports Dagster, which takes seconds."""
        if self.databases is None:
            raise CannotLook(self.database_problem)
        if problem := _problem(self.databases.dagster, "alembic_version"):
            raise CannotLook(f"Dagster's database: {problem}")
        from imagomortis_cli.upkeep import dagster_instance

        return self._opened.enter_context(dagster_instance.opened(self.settings, self.databases.dagster))

    @cached_property
    def client(self) -> Client:
        """The client for the page's address."""
        # the address comes from this shell or from the running system's note, the token from the system
        token = self.settings.token or self.given.token
        found = Client.of(self.given.model_copy(update={"token": token}))
        return self._opened.enter_context(found)

    def stats(self) -> StatsDocument:
        """Return the API's figures of the system; raises CannotLook."""
        try:
            return self.client.stats()
        except ImagoMortisError as error:
            raise CannotLook(error.detail) from error


def _problem(url: str, table: str | None = None) -> str | None:
    """Return why a database cannot be used, or that it lacks a table; None if it can be used."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone() if table else (True,)
    except psycopg.OperationalError as error:
        return f"{databases.catalog_name(url)} cannot be reached ({' '.join(str(error).split())})."
    return None if row and row[0] else f"{databases.catalog_name(url)} has no tables: Dagster has not run on it."


def environment() -> dict[str, str]:
    """Return the variables of this shell that are meant for ImagoMortis."""
    return {name: value for name, value in os.environ.items() if name.startswith("IMAGOMORTIS_")}
