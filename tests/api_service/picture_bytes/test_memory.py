"""The memory that a picture's bytes leave is there for the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

ANSWERS = """
import resource, sys
from api_service.picture_bytes.memory import keep_freed
if sys.argv[1] == "kept":
    assert keep_freed()
for number in range(110):
    if number == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pictures = [b"x" * 1_500_000 for _ in range(4)]
    del pictures
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="not for this platform: another C library has no such setting"
)
def test_pages_are_not_fetched_anew_for_each_picture() -> None:
    kept, given_back = (page_faults(how) for how in ("kept", "given back"))
    assert kept * 10 < given_back


def page_faults(how: str) -> int:
    """Return how often the kernel had to give a page while 100 answers of four pictures were held in memory."""
    command = [sys.executable, "-c", ANSWERS, how]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
