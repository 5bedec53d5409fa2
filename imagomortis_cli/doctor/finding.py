"""Defines what a check finds: a state that is fine, worth a look or wrong, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """The kind of a finding; ``unseen`` could not be checked, ``skipped`` does not exist in this system."""

    FINE = "fine"
    NOTICE = "notice"
    TROUBLE = "trouble"
    UNSEEN = "unseen"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One fact about the system; ``mend`` is the command or action that fixes it."""

    level: Level
    text: str
    mend: str = ""
    check: str = ""


class CannotLook(Exception):
    """A part that a check needs cannot be reached; the text says which, and how it could be."""


def fine(text: str) -> Finding:
    """Return a finding that something is fine."""
    return Finding(Level.FINE, text)


def notice(text: str, mend: str = "") -> Finding:
    """Return a finding that is not a problem, but worth knowing."""
    return Finding(Level.NOTICE, text, mend)


def trouble(text: str, mend: str) -> Finding:
    """Return a finding that something is wrong, and how to fix it."""
    return Finding(Level.TROUBLE, text, mend)


def skipped(text: str) -> Finding:
    """Return a finding that there is nothing to check, and why."""
    return Finding(Level.SKIPPED, text)


FINE: Final = 0
TROUBLE: Final = 1
UNSEEN: Final = 2
"""Exit codes: all is fine; something is wrong; nothing is known to be wrong, but something could not be checked."""


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the exit code for the findings."""
    levels = {finding.level for finding in findings}
    if Level.TROUBLE in levels:
        return TROUBLE
    return UNSEEN if Level.UNSEEN in levels else FINE
