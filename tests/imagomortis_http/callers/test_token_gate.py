"""Guessing the token: the first tries are free, then it takes ever longer."""

from __future__ import annotations

import logging

import pytest

from imagomortis.errors import TooManyAttempts, Unauthorized
from imagomortis.logs import FIELDS
from imagomortis_http.callers.token_gate import FORGET_SECONDS, FREE, LONGEST_SECONDS, MOST_ADDRESSES, TokenGate

TOKEN = "a-token-of-some-length"
HERE, THERE = "192.0.2.7", "192.0.2.8"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> TokenGate:
    return TokenGate(TOKEN, clock)


def guess(gate: TokenGate, times: int = 1, address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(Unauthorized):
            gate.check("wrong", address)


def wait_of(gate: TokenGate, given: str = TOKEN, address: str = HERE) -> int:
    with pytest.raises(TooManyAttempts) as error:
        gate.check(given, address)
    seconds = error.value.members["retry_after"]
    assert isinstance(seconds, int)
    return seconds


def test_after_the_free_tries_not_even_the_right_token_is_looked_at(gate: TokenGate, clock: Clock) -> None:
    guess(gate, FREE)
    assert wait_of(gate, "wrong") == wait_of(gate) == 1
    clock.now += 1
    gate.check(TOKEN, HERE)


def test_the_wait_doubles_up_to_a_minute(gate: TokenGate, clock: Clock) -> None:
    guess(gate, FREE)
    waits = []
    for _ in range(2000):
        waits.append(wait_of(gate))
        clock.now += waits[-1]
        guess(gate)
    assert waits[:8] == [1, 2, 4, 8, 16, 32, LONGEST_SECONDS, LONGEST_SECONDS]
    assert waits[-1] == LONGEST_SECONDS


def test_others_do_not_wait(gate: TokenGate) -> None:
    guess(gate, FREE)
    gate.check(TOKEN, THERE)


def test_an_address_that_had_the_token_is_not_locked_out_by_its_neighbours(gate: TokenGate) -> None:
    gate.check(TOKEN, HERE)
    guess(gate, FREE)
    assert wait_of(gate, "wrong") == 1
    gate.check(TOKEN, HERE)
    guess(gate, FREE)


def test_old_attempts_are_forgotten(gate: TokenGate, clock: Clock) -> None:
    guess(gate, FREE)
    clock.now += FORGET_SECONDS + 2
    guess(gate, FREE)


def test_an_ipv6_client_gains_nothing_by_its_many_addresses(gate: TokenGate) -> None:
    for number in range(FREE):
        guess(gate, address=f"2001:db8:1:2::{number}")
    assert wait_of(gate, address="2001:db8:1:2:3:4:5:6") == 1
    gate.check(TOKEN, "2001:db8:1:3::1")
    guess(gate, FREE, "::ffff:192.0.2.9")
    assert wait_of(gate, address="192.0.2.9") == 1


def test_memory_is_bounded(gate: TokenGate) -> None:
    for number in range(MOST_ADDRESSES + 10):
        guess(gate, address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(gate._records) == MOST_ADDRESSES


def test_a_wrong_token_is_logged_with_its_sender_and_without_itself(
    gate: TokenGate, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        guess(gate, FREE)
    facts = [getattr(record, FIELDS) for record in caplog.records]
    assert [(fact["client"], fact["failures"], fact["wait_seconds"]) for fact in facts] == [
        (HERE, 1, 0.0), (HERE, 2, 0.0), (HERE, 3, 1.0),
    ]  # fmt: skip
    assert "wrong" not in str(facts)


def test_an_address_that_is_none_stands_for_itself(gate: TokenGate) -> None:
    guess(gate, FREE, address="a:b")
    assert wait_of(gate, address="a:b") == 1
