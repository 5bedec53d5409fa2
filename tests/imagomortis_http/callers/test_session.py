"""Sessions: signed, random, and over at some time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagomortis_http.callers.session import Session

TOKEN = "a-token-of-some-length"


def test_a_session_is_read_as_it_was_signed() -> None:
    session = Session.begin(60)
    assert Session.read(session.signed(TOKEN), TOKEN) == session


def test_sessions_differ_and_do_not_show_the_token() -> None:
    cookies = {Session.begin(60).signed(TOKEN) for _ in range(100)}
    assert len(cookies) == 100
    assert not any(TOKEN in cookie for cookie in cookies)


def test_a_session_ends() -> None:
    assert Session.read(Session.begin(-1).signed(TOKEN), TOKEN) is None


def test_a_new_token_ends_every_session() -> None:
    assert Session.read(Session.begin(60).signed(TOKEN), "another-token-of-some-length") is None


def test_nobody_can_make_it_last_longer() -> None:
    session = Session.begin(60)
    signature = session.signed(TOKEN).rpartition(".")[2]
    assert Session.read(f"{session.id}.{session.ends + 1}.{signature}", TOKEN) is None
    assert Session.read(replace(session, ends=session.ends + 1).signed("guessed-token-of-some-length"), TOKEN) is None


@pytest.mark.parametrize("cookie", ["", ".", "..", "a.9999999999.", "a.\u0663.b", f"a.{'9' * 5000}.b", TOKEN])
def test_anything_else_is_no_session(cookie: str) -> None:
    assert Session.read(cookie, TOKEN) is None


@given(st.text())
def test_no_text_breaks_it(cookie: str) -> None:
    assert Session.read(cookie, TOKEN) is None
