"""Checks that the disk has room for uploads, and that the spool is emptied."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

from imagomortis.errors import BytesDamaged, ConfigurationError, ImagoMortisError, Unavailable
from imagomortis.spool.spool import META, Spool
from imagomortis.storage import opened_at
from imagomortis_cli.doctor.checks import pipeline, storage
from imagomortis_cli.doctor.finding import CannotLook, Finding, fine, notice, trouble
from imagomortis_cli.doctor.site import Site
from imagomortis_cli.terminal import count, duration, size

WAITING_SECONDS: Final = 60.0
"""The pusher takes a picture within a second. It has missed one that waits for this long."""

MANY: Final = 10_000
"""Largest number of entries to check."""

FEW_INODES: Final = 0.01


def check_spool(site: Site) -> Iterator[Finding]:
    """Write into the spool, and check how long pictures have waited in it."""
    if site.settings.spool_url:
        yield from _check_store(site)
        return
    spool = Spool(site.spool_folder, site.settings.disk_reserve_bytes)
    if not spool.ready.is_dir():
        if not site.is_here:
            raise CannotLook(f"There is no spool in {spool.folder.resolve()}: IMAGOMORTIS_SPOOL names it.")
        yield trouble(f"The spool {spool.folder.resolve()} is not there.", site.start("uploader"))
        return
    try:
        spool.check_writable()
    except ImagoMortisError as error:
        yield trouble(error.detail, _writable(site, spool, error.__cause__))
    waiting = [age for age in map(_age, spool.scan(MANY)) if age is not None]
    if waiting and max(waiting) > WAITING_SECONDS:
        yield _waiting(site, waiting)
    elif rejected := sum(1 for each in spool.rejected.iterdir() if each.name.endswith(".reason.txt")):
        yield notice(f"{count(rejected, 'file')} in {spool.rejected.resolve()}, each beside its reason.")
    else:
        yield fine(f"{spool.folder.resolve()} can be written; {count(len(waiting), 'picture')} waiting.")


def _check_store(site: Site) -> Iterator[Finding]:
    url = site.settings.spool_url
    try:
        store = opened_at(site.settings, url)
        storage.try_out(store, "incoming/doctor")
        entries = islice(store.listed(folder="ready"), 2 * MANY)
        waiting = [time.time() - each.put_at.timestamp() for each in entries if each.name.endswith(META)]
        rejected = sum(1 for each in store.listed(folder="rejected") if each.name.endswith("reason.txt"))
    except (ConfigurationError, Unavailable, BytesDamaged) as error:
        yield trouble(f"{url}: {error.detail}", storage.mend(error.detail, "IMAGOMORTIS_SPOOL"))
        return
    if waiting and max(waiting) > WAITING_SECONDS:
        yield _waiting(site, waiting)
    elif rejected:
        yield notice(f"{count(rejected, 'upload')} in {url}/rejected, each beside its reason.")
    else:
        yield fine(f"{url} can be written; {count(len(waiting), 'picture')} waiting.")


def _waiting(site: Site, ages: list[float]) -> Finding:
    reason, mend = _unemptied(site)
    return trouble(
        f"{count(len(ages), 'picture')} not taken into the catalog, the oldest for {duration(max(ages))}: {reason}.",
        mend,
    )


def _writable(site: Site, spool: Spool, cause: BaseException | None) -> str:
    """Return what makes the spool writable again, by the system's error."""
    number = cause.errno if isinstance(cause, OSError) else None
    folder = spool.folder.resolve()
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return site.doctor("disk")
    if number == errno.EROFS:
        return f"findmnt -T {folder} names its disk; `dmesg` says why it is read-only, then mount -o remount,rw"
    if number in {errno.ENOENT, errno.ENOTDIR}:
        return f"mv {spool.incoming} {spool.incoming}.old, if that is there, and {site.start('uploader')}"
    return f"chown -R $(whoami) {folder}, by the user who runs the uploader"


def _unemptied(site: Site) -> tuple[str, str]:
    """Return why the spool is not emptied, and what fixes that."""
    if site.database_problem:
        return "the database is away", site.doctor("database")
    with suppress(CannotLook):  # the check `sensors` reports that it cannot look
        if pipeline.are_stopped(site, pipeline.PUSHERS):
            return "its sensors were stopped by hand", site.doctor("sensors")
    return "the pusher is away", site.start("pusher")


def _age(entry: Path) -> float | None:
    try:
        return time.time() - entry.stat().st_mtime
    except FileNotFoundError:  # the pusher has just taken it
        return None


def check(site: Site) -> Iterator[Finding]:
    """Check the free space of the system's disks."""
    known = [site.settings.home, site.spool_folder] if site.is_here else [site.spool_folder]
    folders = [folder for folder in known if folder.is_dir()]
    if not folders:
        raise CannotLook("The system's disk is not on this machine.")
    disks = {folder.stat().st_dev: folder.resolve() for folder in folders}
    reserve = site.settings.disk_reserve_bytes
    for folder in disks.values():
        left = shutil.disk_usage(folder).free
        inodes = os.statvfs(folder)
        if left < reserve:
            yield trouble(
                f"The disk of {folder} has {size(left)} left, less than the {size(reserve)} that uploads leave free: "
                "they are refused.",
                "free some space on it, or let the oldest pictures go: IMAGOMORTIS_PICTURE_RETENTION_BYTES",
            )
        elif inodes.f_files and inodes.f_favail < inodes.f_files * FEW_INODES:
            yield trouble(
                f"The disk of {folder} has no room for more files.",
                f"find {site.spool_folder.resolve()}/rejected -mindepth 1 -delete, if nobody needs what was refused; "
                f"du --inodes -x {folder} | sort -n | tail shows where the others are",
            )
        elif left < 2 * reserve:
            yield notice(f"The disk of {folder} has {size(left)} left; below {size(reserve)} uploads are refused.")
        else:
            yield fine(f"The disk of {folder} has {size(left)} left.")
