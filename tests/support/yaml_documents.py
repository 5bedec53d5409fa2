"""Parses YAML by the library in C, as the parser in Python takes ten times as long for the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml


def parsed(text: str) -> Any:
    """Return the only document of a text."""
    return yaml.load(text, yaml.CSafeLoader)


def all_parsed(text: str) -> Iterator[Any]:
    """Yield the documents of a text."""
    return yaml.load_all(text, yaml.CSafeLoader)
