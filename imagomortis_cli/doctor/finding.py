"""What a check finds: that something is well, worth a look or wrong, and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Level(StrEnum):
    """How a finding stands; ``unseen`` is what could not be looked at, ``skipped`` what this system does not have."""

    FINE = "fine"
    NOTICE = "notice"
    TROUBLE = "trouble"
    UNSEEN = "unseen"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One fact about the system; ``mend`` is what to type, or to do, about it."""

    level: Level
    text: str
    mend: str = ""
    check: str = ""


class CannotLook(Exception):
    """Something that a check needs and that cannot be reached; says what, and how it could be."""


def fine(text: str) -> Finding:
    """Return that something is well."""
    return Finding(Level.FINE, text)


def notice(text: str, mend: str = "") -> Finding:
    """Return something that is no trouble, but that one should know."""
    return Finding(Level.NOTICE, text, mend)


def trouble(text: str, mend: str) -> Finding:
    """Return something that is wrong, and what mends it."""
    return Finding(Level.TROUBLE, text, mend)


def skipped(text: str) -> Finding:
    """Return why there is nothing to look at."""
    return Finding(Level.SKIPPED, text)


FINE: Final = 0
TROUBLE: Final = 1
UNSEEN: Final = 2
"""Exit codes: all is well, something is wrong, nothing is known to be wrong but not everything could be looked at."""


def exit_code(findings: Iterable[Finding]) -> int:
    """Return the exit code for what was found."""
    levels = {finding.level for finding in findings}
    if Level.TROUBLE in levels:
        return TROUBLE
    return UNSEEN if Level.UNSEEN in levels else FINE
