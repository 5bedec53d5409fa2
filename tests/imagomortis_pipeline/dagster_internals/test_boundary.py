"""Private names of Dagster are in one folder, so that an update of Dagster is looked at in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from imagomortis_pipeline import dagster_internals

ROOT = Path(__file__).parents[3]
PACKAGES = [path.parent for path in ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
INSIDE = Path(dagster_internals.__file__).parent


def private_names(path: Path) -> Iterator[str]:
    """The private modules and names of Dagster that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.startswith("dagster") and "._" in name)


def test_only_one_folder_imports_private_names_of_dagster() -> None:
    files = [path for package in PACKAGES for path in package.rglob("*.py")]
    found = {path: list(private_names(path)) for path in files}
    assert any(found[path] for path in files if INSIDE in path.parents), "the test sees such imports"
    assert {str(path): names for path, names in found.items() if names and INSIDE not in path.parents} == {}
