"""Secrets leave the environment of the process that has read them."""

from __future__ import annotations

import os
import subprocess
import sys

FORGETS = """
import os, subprocess
from pathlib import Path
from imagomortis import privacy
privacy.forget(["IMAGOMORTIS_TOKEN", "DATABASE_URL"])
print(sorted(name for name in os.environ if name.startswith("IMAGOMORTIS_")))
shown = Path("/proc/self/environ").read_bytes()
print(b"hush" in shown, b"IMAGOMORTIS_HOME=/home" in shown)
print(b"hush" in subprocess.run(["env"], capture_output=True, check=True).stdout)
"""


def test_a_forgotten_variable_is_in_no_environment() -> None:
    given = {"PATH": os.environ["PATH"], "IMAGOMORTIS_TOKEN": "hush" * 8, "IMAGOMORTIS_HOME": "/home"}
    done = subprocess.run([sys.executable, "-c", FORGETS], env=given, capture_output=True, text=True, check=False)
    assert (done.stdout.splitlines(), done.stderr) == (["['IMAGOMORTIS_HOME']", "False True", "False"], "")
