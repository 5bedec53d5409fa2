"""Defines the states of an image, and the allowed moves between them.

::

    spool entry --ingest--> QUEUED --lease--> PROCESSING --save--> DONE
                              ^  ^                |                  |
                              |  |                |                  |
                              |  +--- give back --+                  |
                              |       attempt failed or lost         |
                              |                   |                  |
                              |                   | third attempt    |
                              |                   v                  |
                              +---- retry ----- FAILED               |
                              +---- retry, new recipe, backfill -----+

    QUEUED --cancel--> DONE if the processed picture was made by the same recipe, else FAILED

    any state --delete--> hidden --60 s--> purged
                            |
                            +--restore--> the state it had

Deletion is a mark beside the state, not a state: a restored image continues in the state that it had.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """The state of an image. The word is the same in SQL, JSON, logs and the page."""

    QUEUED = "queued"
    PROCESSING = "processing"
    DONE = "done"
    FAILED = "failed"


class Outcome(StrEnum):
    """How an attempt at an image ended."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


MAX_ATTEMPTS: Final = 3
"""Failed or lost attempts after which an image is ``failed``."""
