"""The child of a sandbox on a kernel without Landlock."""

from __future__ import annotations

from imagomortis.sandbox import confinement
from tests.imagomortis.sandbox import hostile

if __name__ == "__main__":
    confinement._LANDLOCK_CREATE_RULESET = 9999
    hostile.main()
