"""Decides as whom the embedded Postgres runs, as it refuses to run as root.

Root runs it in a user namespace, in which root itself has another number: so it enters the folders that root may enter
and owns its files. Where the system allows no namespaces, another user is taken who may enter the folder. The owner of
a data folder that is already there stays its owner.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from imagomortis.errors import ConfigurationError
from imagomortis_cli.machine import launch


def choose(data: Path, postgres: Path) -> launch.Identity | None:
    """Return who runs the program ``postgres`` on the folder ``data``; None stands for the present user.

    Raises ConfigurationError when the data belongs to somebody else, and when root can run it in no way.
    """
    owner = data.stat().st_uid if data.is_dir() else None
    if os.geteuid() == 0:
        return _for_root(owner, data, postgres)
    if owner not in {None, os.geteuid()}:
        raise ConfigurationError(
            f"The data in {data} belongs to another user (number {owner}): run as that user, or set IMAGOMORTIS_HOME "
            "to a folder of your own."
        )
    return None


def _for_root(owner: int | None, data: Path, postgres: Path) -> launch.Identity:
    for identity in _candidates(owner, data):
        if _may_run(identity, data.parent, postgres):
            return identity
    raise ConfigurationError(
        f"Postgres does not run as root; this system allows no user namespaces, and no other user may enter both "
        f"{data.parent} and {postgres.parent}. Run as another user, put the checkout into a folder that others may "
        "enter, allow user namespaces (sysctl user.max_user_namespaces), or set DATABASE_URL to a Postgres of your own."
    )


def _candidates(owner: int | None, data: Path) -> list[launch.Identity]:
    if owner:
        return [launch.Identity(owner, data.stat().st_gid)]
    users = {user.pw_uid: user for user in reversed(pwd.getpwall()) if user.pw_uid != 0}
    # initdb asks for the user's name, so the number must be a known one
    namespaced = [launch.Identity(uid, user.pw_gid, namespace=True) for uid, user in list(users.items())[-1:]]
    if owner == 0:
        return namespaced
    owners = dict.fromkeys(folder.stat().st_uid for folder in data.parents)
    nobody = [uid for uid, user in users.items() if user.pw_name == "nobody"]
    return namespaced + [launch.Identity(uid, users[uid].pw_gid) for uid in [*owners, *nobody] if uid in users]


def _may_run(identity: launch.Identity, home: Path, postgres: Path) -> bool:
    """Whether ``identity`` can be had, enters ``home`` and runs the program; tried out, as rights have many sources."""
    probe: list[str | Path] = ["/bin/sh", "-c", 'test -x "$1" && exec "$2" --version', "sh", home, postgres]
    return subprocess.run(launch.command(probe, identity=identity), capture_output=True, check=False).returncode == 0
