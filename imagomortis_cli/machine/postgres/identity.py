"""Chooses the user for the embedded Postgres, which refuses to run as root.

Root runs it in a user namespace, in which root has another number. So it can enter root's folders, and owns its files.
If the system allows no namespaces, another user is chosen that can enter the folder. An existing data folder keeps its
owner.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from imagomortis.errors import ConfigurationError
from imagomortis_cli.machine.processes import launch


def choose(data: Path, postgres: Path) -> launch.Identity | None:
    """Return the identity to run the program ``postgres`` on the folder ``data``; None means the current user.

    Raises ConfigurationError if the data belongs to somebody else, or if root cannot run it in any way.
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
    # initdb looks up the user's name, so the number must be a known one
    namespaced = [launch.Identity(uid, user.pw_gid, namespace=True) for uid, user in list(users.items())[-1:]]
    if owner == 0:
        return namespaced
    owners = dict.fromkeys(folder.stat().st_uid for folder in data.parents)
    nobody = [uid for uid, user in users.items() if user.pw_name == "nobody"]
    return namespaced + [launch.Identity(uid, users[uid].pw_gid) for uid in [*owners, *nobody] if uid in users]


def _may_run(identity: launch.Identity, home: Path, postgres: Path) -> bool:
    """Return whether ``identity`` works: it is tried out, because rights have many sources."""
    probe: list[str | Path] = ["/bin/sh", "-c", 'test -x "$1" && exec "$2" --version', "sh", home, postgres]
    return subprocess.run(launch.command(probe, identity=identity), capture_output=True, check=False).returncode == 0
