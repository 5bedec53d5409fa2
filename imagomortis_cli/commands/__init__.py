"""The commands of `imagomortis` but `up`: what they take, and how their results look."""

from __future__ import annotations

import typer

from imagomortis_cli.commands import archives, demo, doctor, download, images, processing, retention, upload, verify


def add_to(app: typer.Typer) -> None:
    """Add every command to ``app``."""
    for module in (upload, images, download, processing, doctor, verify, retention, archives, demo):
        module.add_to(app)
