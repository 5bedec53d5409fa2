"""Runs the command `imagomortis`."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import typer

from imagomortis.errors import ImagoMortisError
from imagomortis_cli.commands import Commands

app = typer.Typer(
    cls=Commands, no_args_is_help=True, help="A picture-processing pipeline, on one machine or on a cluster."
)


@app.callback()
def _root() -> None:
    """Make ``app`` a group; `Commands` finds its commands."""


def main() -> None:
    """Run the command; print an expected error as its text, and exit with 1."""
    _open_closed()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except ImagoMortisError as error:
        sys.stderr.write(f"Error: {error.detail}\n")
        sys.exit(1)
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EPIPE}:
            raise
        _discard_output()
        if error.errno == errno.ENOSPC:  # the reader of a pipe has left, and knows why
            sys.stderr.write("Error: The disk of the output is full. Free some space, and try again.\n")
        sys.exit(1)


def _open_closed() -> None:
    """Replace closed standard streams by the null device; Python sets them to None, and writing would fail."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _discard_output() -> None:
    """Drop buffered output, which the interpreter would try to write at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    main()
