"""The licences of what is shipped: one that is not on the list fails, also that of a library inside a wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*words: str, path: Path | None = None) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": str(path)} if path else None
    command = [sys.executable, str(ROOT / "requirements" / "licences.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, env=variables, check=False)


def install(place: Path, stated: str, library: str | None = None) -> Path:
    """Install a package with a licence and a library in its wheel; return pins that name it."""
    folder = place / "borrowed-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: borrowed\nVersion: 1.0\n{stated}\n")
    (folder / "RECORD").write_text(f"borrowed.libs/{library},,\n" if library else "")
    if library:
        (place / "borrowed.libs").mkdir()
        (place / "borrowed.libs" / library).touch()
    pins = place / "pins.txt"
    pins.write_text("borrowed==1.0 \\\n    --hash=sha256:0\n")
    return pins


def test_everything_that_is_shipped_has_a_licence_on_the_list() -> None:
    done = run("check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("stated", "library", "named"),
    [
        ("License-Expression: GPL-2.0-only", None, "GPL-2.0-only"),
        ("License-Expression: MIT AND AGPL-3.0-only", None, "AGPL-3.0-only"),
        ("License: All rights reserved", None, "All rights reserved"),
        ("Summary: nothing is said", None, "not stated"),
        ("License-Expression: MIT", "libx265-4883ecb5.so.217", "libx265"),
    ],
)
def test_another_licence_is_refused(tmp_path: Path, stated: str, library: str | None, named: str) -> None:
    done = run("check", f"--pins={install(tmp_path, stated, library)}", path=tmp_path)
    assert done.returncode == 1
    assert named in done.stderr


@pytest.mark.parametrize("stated", ["License-Expression: MIT OR GPL-2.0-only", "License: Apache 2.0"])
def test_a_licence_on_the_list_is_let_through(tmp_path: Path, stated: str) -> None:
    pins = install(tmp_path, stated, "libheif-7a3e919c.so.1.23.0")
    assert run("check", f"--pins={pins}", path=tmp_path).returncode == 0


def test_the_bill_of_materials_names_packages_libraries_and_the_pages() -> None:
    document = json.loads(run("sbom").stdout)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    names = {one["name"] for one in document["components"]}
    assert {"dagster-k8s", "pillow", "libheif", "svelte"} <= names
    assert len({one["bom-ref"] for one in document["components"]}) == len(document["components"])


def test_the_notice_says_where_a_library_comes_from() -> None:
    found = run("notice").stdout
    assert "(in pi_heif): LGPL-3.0-or-later" in found
    assert "DejaVu Sans Mono 2.30 (in the watermark): Bitstream-Vera" in found
    assert "DejaVu Serif 2.37 (in the text transform): Bitstream-Vera" in found
