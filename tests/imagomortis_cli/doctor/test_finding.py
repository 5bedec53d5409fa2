"""What a script learns from the exit code."""

from __future__ import annotations

import pytest

from imagomortis_cli.doctor.finding import Finding, Level, exit_code


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ([Level.FINE, Level.NOTICE, Level.SKIPPED], 0),
        ([Level.FINE, Level.UNSEEN], 2),
        ([Level.UNSEEN, Level.TROUBLE], 1),
    ],
)
def test_the_exit_code_tells_a_script(levels: list[Level], code: int) -> None:
    assert exit_code(Finding(level, "") for level in levels) == code
