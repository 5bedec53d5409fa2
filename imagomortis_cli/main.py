"""The command `imagomortis`, to which each module of commands adds its own."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from imagomortis.errors import ImagoMortisError
from imagomortis_cli import commands

app = typer.Typer(no_args_is_help=True, help="A picture-processing pipeline, on one machine or on a cluster.")


@app.callback()
def _root() -> None:
    """Keep `up` a command of its own as long as it is the only one."""


@app.command()
def up(
    raw: Annotated[bool, typer.Option("--json", help="Show the logs as the JSON lines that the parts write.")] = False,
) -> None:
    """Start the whole system on this machine and keep it running until Ctrl-C."""
    from imagomortis_cli import up

    up.run(raw=raw)


commands.add_to(app)


def main() -> None:
    """Run the command; an error that a person can mend is printed as its text, with exit code 1."""
    try:
        app()
    except ImagoMortisError as error:
        sys.stderr.write(f"Error: {error.detail}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
