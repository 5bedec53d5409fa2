"""A limit of processor time ends what takes too much, and nothing else."""

from __future__ import annotations

import re
import signal
import time
from itertools import repeat

import pytest

from imagomortis.sandbox.processor_time import processor_limit


class TooMuch(Exception):
    pass


def test_a_loop_without_end_is_ended() -> None:
    with pytest.raises(TooMuch), processor_limit(0.05, TooMuch()):
        sum(1 for _ in repeat(None))


def test_an_expression_that_would_take_for_ever_is_ended() -> None:
    with pytest.raises(TooMuch), processor_limit(0.05, TooMuch()):
        re.match(r"(a|aa)*b", "a" * 60)


def test_waiting_does_not_count() -> None:
    with processor_limit(0.05, TooMuch()):
        time.sleep(0.2)


def test_afterwards_there_is_no_limit() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with processor_limit(0.05, TooMuch()):
        pass
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF)[0] == 0
