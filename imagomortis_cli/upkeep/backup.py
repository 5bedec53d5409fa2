"""Backs up every accepted picture while the system works, and restores it.

The spool is copied first, then the databases. If the pusher moves an entry in between, the databases have it. If both
have an entry, it is the same picture twice, which the pusher notices. A restore writes the catalog in one transaction.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psycopg
from psycopg.rows import dict_row

from imagomortis.catalog import Connection, migrate
from imagomortis.catalog.upkeep.transfer import BULK, Bulk, Transfer
from imagomortis.errors import ConfigurationError, Conflict
from imagomortis.settings import Settings
from imagomortis.spool.any_spool import AnySpool
from imagomortis.spool.drafts import ORIGINAL
from imagomortis.spool.opening import opened
from imagomortis.spool.spool import META, Entry, Spool
from imagomortis.spool.upload import Upload
from imagomortis_cli.remote.files import written
from imagomortis_cli.upkeep import dumps
from imagomortis_cli.upkeep.archive import Advance, DamagedBackup, Manifest, Reader, Writer

CATALOG: Final = "catalog.dump"
DAGSTER: Final = "dagster.dump"
SPOOL: Final = "spool"

MOST_UPLOADS: Final = 10_000_000
"""Uploads of the spool that a backup contains."""

LEAVE_SECONDS: Final = 3.0
"""Time after which the connections of parts that have just ended are gone."""

Begin = Callable[[str, int | None], Advance]
"""Called for each step that begins, with its bytes if they are known; returns the callback for handled bytes."""


def write(
    path: Path, catalog: str, dagster: str | None, spool: AnySpool | None, begin: Begin, *, overwrite: bool = False
) -> Manifest:
    """Write a backup to ``path``, completely or not at all; return its manifest.

    ``catalog`` and ``dagster`` are libpq's connection strings. Raises Conflict if there is no catalog or the path is
    taken, NotWritten, DumpFailed, and ConfigurationError if a program is missing.
    """
    with connected(catalog) as connection, written(path, overwrite=overwrite, lasting=True) as file:
        transfer = Transfer(connection)
        if not transfer.exists():
            raise Conflict(f"The database {connection.info.dbname} has no catalog, so there is nothing to back up.")
        postgres = connection.info.server_version // 10_000
        tool = dumps.program("pg_dump", postgres)
        archive = Writer(file)
        uploads = _copy_spool(archive, spool, begin) if spool else 0
        with transfer.snapshot() as snapshot:
            contents = transfer.contents()
            archive.add(CATALOG, dumps.dump(tool, catalog, _options(snapshot)), begin("catalog", None))
            advance = begin("pictures", contents.original_bytes + contents.rendition_bytes)
            for table in BULK:
                archive.add(_bulk(table), transfer.read(table), advance)
        if dagster:
            archive.add(DAGSTER, dumps.dump(tool, dagster), begin("runs", None))
        manifest = Manifest(
            format=Manifest.FORMAT,
            created_at=datetime.now(UTC),
            version=version("imagomortis"),
            dagster_version=version("dagster"),
            postgres=postgres,
            tools=tool.major,
            images=contents.images,
            originals=contents.originals,
            renditions=contents.renditions,
            elsewhere=contents.elsewhere,
            uploads=uploads,
            members=tuple(archive.members),
        )
        archive.close(manifest)
    return manifest


def spool_of(settings: Settings) -> AnySpool:
    """Return the spool that belongs to a backup; raises ConfigurationError if there is none."""
    spool = opened(settings)
    if isinstance(spool, Spool) and not spool.ready.is_dir():
        raise ConfigurationError(
            f"There is no spool in {spool.folder.resolve()}, so uploads that are not yet in the catalog would be "
            "missing. Set IMAGOMORTIS_SPOOL to the uploader's folder, or say --no-spool."
        )
    return spool


def restore(
    path: Path, catalog: str, dagster: str, spool: AnySpool, begin: Begin, *, replace: bool = False
) -> Manifest:
    """Restore a backup into databases and a spool, migrated to this version; return its manifest.

    Raises DamagedBackup before anything is changed. Raises Conflict while the system uses the database, or if the
    database holds pictures and ``replace`` is not set. After a failure, the restore can be repeated.
    """
    with Reader(path) as reader, connected(catalog) as connection:
        manifest = reader.manifest
        transfer = Transfer(connection)
        if not replace and not transfer.is_empty():
            raise Conflict(
                f"The database {connection.info.dbname} holds pictures, recipes or assets. Restore into an empty one, "
                "or say --replace to lose what it holds now."
            )
        _check_quiet(transfer)
        reader.verify(begin("check", manifest.size))
        _check_quiet(transfer)  # reading it all can have taken an hour
        tool = dumps.program("pg_restore", manifest.tools)
        if DAGSTER in manifest.names():
            _restore_dagster(reader, tool, dagster, begin)
        _restore_catalog(reader, tool, connection, begin)
        migrate(catalog)
        transfer.settle()
        _restore_spool(reader, spool, begin)
    return manifest


def connected(conninfo: str) -> Connection:
    """Return a connection in autocommit mode; the caller closes it."""
    return psycopg.connect(
        conninfo, autocommit=True, row_factory=dict_row, application_name="imagomortis backup", connect_timeout=10
    )


def _copy_spool(archive: Writer, spool: AnySpool, begin: Begin) -> int:
    found = _entries(spool)
    if not found:
        return 0
    advance = begin("uploads", sum(entry.upload.size for entry in found))
    return sum(_copy_entry(archive, spool, entry, advance) for entry in found)


def _entries(spool: AnySpool) -> list[Entry]:
    # others are in the catalog by now, or were never accepted
    return [entry for _, entry in spool.read_all(spool.scan(MOST_UPLOADS)) if isinstance(entry, Entry)]


def _copy_entry(archive: Writer, spool: AnySpool, entry: Entry, advance: Advance) -> bool:
    for _, data in spool.contents([entry]):
        if isinstance(data, bytes):
            folder = f"{SPOOL}/{entry.upload.id}"
            archive.add(f"{folder}/{META}", [entry.upload.model_dump_json().encode()])
            archive.add(f"{folder}/{ORIGINAL}", [data], advance)
            return True
    return False


def _options(snapshot: str) -> list[str]:
    return [f"--snapshot={snapshot}", *(f"--exclude-table-data={table}" for table in BULK)]


def _bulk(table: Bulk) -> str:
    return f"{table}.copy"


def _check_quiet(transfer: Transfer) -> None:
    """Raise Conflict if any part stays connected to the database."""
    until = time.monotonic() + LEAVE_SECONDS
    while users := transfer.users():
        if time.monotonic() < until:
            time.sleep(0.1)
            continue
        raise Conflict(
            f"The system works on this database ({', '.join(users)}). Stop it first: Ctrl-C where `imagomortis up` "
            "runs; in a cluster, scale its Deployments to 0."
        )


def _restore_dagster(reader: Reader, tool: dumps.PostgresTool, conninfo: str, begin: Begin) -> None:
    advance = begin("runs", _size(reader, DAGSTER))
    with connected(conninfo) as connection, connection.transaction():
        # only the backup's own tables are replaced, because others can share the database
        script = dumps.script(tool, reader.read(DAGSTER, advance), ["--clean", "--if-exists"])
        dumps.run(connection, script)


def _restore_catalog(reader: Reader, tool: dumps.PostgresTool, connection: Connection, begin: Begin) -> None:
    """Replace the catalog in one transaction, which commits only if every row of the backup has arrived."""
    transfer, manifest = Transfer(connection), reader.manifest
    with connection.transaction():
        transfer.drop()
        dumps.run(connection, dumps.script(tool, reader.read(CATALOG, begin("catalog", _size(reader, CATALOG)))))
        connection.execute("RESET search_path")  # the script empties it
        advance = begin("pictures", sum(_size(reader, _bulk(table)) for table in BULK))
        for table in BULK:
            transfer.write(table, reader.read(_bulk(table), advance))
        found = transfer.contents()
        if (found.images, found.originals, found.renditions) != _rows(manifest):
            raise DamagedBackup(f"It was to hold {manifest.images} images and has {found.images}; nothing was changed.")
    connection.execute("RESET ALL")


def _rows(manifest: Manifest) -> tuple[int, int, int]:
    return manifest.images, manifest.originals, manifest.renditions


def _restore_spool(reader: Reader, spool: AnySpool, begin: Begin) -> None:
    spool.prepare()
    names = [name for name in sorted(reader.manifest.names()) if name.startswith(f"{SPOOL}/") and name.endswith(META)]
    if not names:
        return
    advance = begin("uploads", sum(_size(reader, name.replace(META, ORIGINAL)) for name in names))
    for name in names:
        upload = Upload.model_validate_json(b"".join(reader.read(name)))
        draft = dataclasses.replace(spool.plan(), id=upload.id)
        try:
            spool.begin(draft, upload.size)
            with draft.original.open("wb") as file:
                file.writelines(reader.read(f"{SPOOL}/{upload.id}/{ORIGINAL}", advance))
            spool.store(draft, upload)
        finally:
            spool.discard(draft)


def _size(reader: Reader, name: str) -> int:
    return next(member.size for member in reader.manifest.members if member.name == name)
