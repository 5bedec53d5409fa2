"""Feeds one reader with bytes that are guided by its coverage.

Usage: ``python -m tests.whole_system.fuzz.guided TARGET SECONDS FOLDER``.
The folder takes what was found to be of interest, and a file for each input that fails or takes more than 5 s.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["imagomortis", "upload_service", "api_service", "python_multipart"]):
    from tests.whole_system.fuzz.targets import TARGETS
    from tests.whole_system.fuzz.test_time import samples

MOST_SECONDS = 5


def main() -> None:
    """Begin with proper input, and end after so many seconds, or with an error at the first input that fails."""
    target, seconds, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    for number, data in enumerate(samples(target)):
        (folder / f"sample-{number}").write_bytes(data)
    options = {"max_total_time": seconds, "timeout": MOST_SECONDS, "max_len": 65_536, "artifact_prefix": f"{folder}/"}
    arguments = [sys.argv[0], *(f"-{name}={value}" for name, value in options.items()), os.fspath(folder)]
    atheris.Setup(arguments, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
