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
    """Make ``app`` a group; its commands are found by `Commands`."""


def main() -> None:
    """Run the command; an error that a person can mend is printed as its text, with exit code 1."""
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
        if error.errno == errno.ENOSPC:  # whoever read from a pipe and went knows why
            sys.stderr.write("Error: There is no room left where the output goes. Make room, and try again.\n")
        sys.exit(1)


def _open_closed() -> None:
    """Let a standard stream that the shell closed lead nowhere; Python has None for it, which nothing can write to."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _discard_output() -> None:
    """Let what is still buffered go nowhere: the interpreter would try to write it as it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


if __name__ == "__main__":
    main()
