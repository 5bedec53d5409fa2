"""Implements `imagomortis doctor`: reports what is wrong with the system, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from imagomortis.errors import ConfigurationError
from imagomortis.settings import Settings
from imagomortis_cli.commands.options import AsJson
from imagomortis_cli.doctor.finding import Finding, Level, exit_code
from imagomortis_cli.terminal import Terminal

app = typer.Typer()


@app.command()
def doctor(
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="CHECK", help="Only this check; can be repeated.")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Also check the Jobs of this namespace, with kubectl.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check everything that can be reached from here; report what is wrong, and how to fix it.

    Finds the system that `imagomortis up` runs on this machine; another one by IMAGOMORTIS_URL and DATABASE_URL. For
    probes use /healthz and /readyz. Exit code: 0 all is well, 1 something is wrong, 2 nothing is known to be wrong,
    but some checks were not possible.
    """
    terminal = Terminal(is_json=as_json)
    found = _shown(_findings(only or [], namespace), terminal)
    code = exit_code(found)
    terminal.document({"exit_code": code, "findings": [asdict(finding) for finding in found]})
    raise typer.Exit(code)


def _findings(only: Sequence[str], namespace: str | None) -> Iterator[Finding]:
    from imagomortis_cli.doctor import examination  # with Dagster, half a second
    from imagomortis_cli.doctor.site import Site

    if unknown := set(only) - examination.CHECKS.keys():
        raise typer.BadParameter(
            f"{', '.join(unknown)}: there are {', '.join(examination.CHECKS)}", param_hint="--only"
        )
    try:
        site = Site(Settings.read(), namespace)
    except ConfigurationError as error:
        yield Finding(Level.TROUBLE, error.detail, "correct it; until then nothing starts", "configuration")
        return
    with site:
        yield from examination.examine(site, only)


def _shown(findings: Iterable[Finding], terminal: Terminal) -> list[Finding]:
    """Show each finding as it comes, and at the end the checks that were not possible; return all findings."""
    found = []
    unseen: dict[str, list[str]] = {}
    for finding in findings:
        found.append(finding)
        if finding.level is Level.UNSEEN:
            unseen.setdefault(finding.text, []).append(finding.check)
            continue
        terminal.line(f"{finding.level.value.upper():8} {finding.check:14} {finding.text}")
        if finding.mend:
            terminal.line(f"{'':23} -> {finding.mend}")
    for reason, checks in unseen.items():
        terminal.line(f"NOT CHECKED: {', '.join(checks)}. {reason}")
    return found
