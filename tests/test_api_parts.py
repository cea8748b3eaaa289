"""What is read out of a request, without a network: whatever it holds, it is understood or refused."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.errors import ChatError, Refused
from chatctl.messages import MAX_ID, MAX_NONCE, MAX_PAGE
from chatctl.server.api import followers, query
from chatctl.server.api.caller import Caller, _credentials
from chatctl.server.api.followers import BEAT_SECONDS, Follower, Followers
from chatctl.server.api.posting import Said, _nonce, _said
from chatctl.server.api.streams import EVENTS, LINES, Form
from chatctl.server.web.request import Problem, Request

HEADERS = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=80)


def asked(text: str = "", body: bytes = b"", **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/", query=text, headers=named, body=body)


def basic(said: bytes) -> Request:
    return asked(authorization=f"Basic {base64.b64encode(said).decode()}")


# Who asks


@pytest.mark.parametrize(
    ("said", "credentials"),
    [
        ("bot:", ("bot", None)),
        ("bot:key", ("bot", "key")),
        ("bot:a:b: c", ("bot", "a:b: c")),
        ("Zoë:schlüssel", ("Zoë", "schlüssel")),
    ],
)
def test_who_asks(said: str, credentials: tuple[str, str | None]) -> None:
    assert _credentials(basic(said.encode())) == credentials


def test_who_does_not_say_who_they_are() -> None:
    assert _credentials(asked()) == ("", None)


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ", "Bearer Ym90Og==", "Basic Ym90", "Basic *", "Basic /w=="]
)
def test_what_does_not_say_who_asks(header: str) -> None:
    with pytest.raises(Refused) as refused:
        _credentials(asked(authorization=header))
    assert refused.value.code == "auth-failed"


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode(errors="ignore")))
def test_any_credentials(said: bytes) -> None:
    try:
        name, secret = _credentials(basic(said))
    except Refused as refusal:
        assert refusal.code in ("auth-failed", "bad-name")
    else:
        assert name
        assert secret is None or said.decode().endswith(f":{secret}")


# What is asked


@given(st.text(st.sampled_from("abc=&%+1é\x00"), max_size=30) | st.text(max_size=30))
def test_any_query(text: str) -> None:
    try:
        found = query.fields(asked(text), ("a", "b"))
    except Problem as problem:
        assert problem.status == 400
    else:
        assert found.keys() <= {"a", "b"}


def test_what_is_asked_for_comes_decoded() -> None:
    assert query.fields(asked("a=1%202+3&b=%C3%A9"), ("a", "b")) == {"a": "1 2 3", "b": "é"}
    assert query.fields(asked("a="), ("a",)) == {"a": ""}


@given(st.text(max_size=20) | st.integers(-10, 2**60).map(str))
def test_any_number(text: str) -> None:
    try:
        number = query.id_of(text, "before")
    except Problem as problem:
        assert problem.status == 400
    else:
        assert number == int(text)
        assert 0 <= number <= MAX_ID


@given(st.text(max_size=5) | st.integers(-10, 2 * MAX_PAGE).map(str))
def test_any_limit(text: str) -> None:
    try:
        limit = query.limit_of(text)
    except Problem as problem:
        assert problem.status == 400
    else:
        assert limit == int(text)
        assert 1 <= limit <= MAX_PAGE


@given(
    st.text(max_size=30)
    | st.from_regex(r"[0-9]{1,20}[smhdw]?|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]*Z?)?", fullmatch=True)
)
def test_any_moment(text: str) -> None:
    try:
        since = query.since_of(text)
    except Problem as problem:
        assert problem.status == 400
    else:
        assert (since.at is None) != (since.after is None)
        assert (since.at or 0) >= 0


@given(HEADERS)
def test_any_idempotency_key(value: str) -> None:
    try:
        nonce = _nonce(asked(idempotency_key=value))
    except Problem:
        return
    assert nonce == value
    assert 0 < len(nonce.encode()) <= MAX_NONCE


@given(
    st.none()
    | st.sampled_from(["text/plain", "application/json", "application/x-www-form-urlencoded"])
    | HEADERS,
    st.binary(max_size=60)
    | st.text(st.sampled_from('{}[]":,textkind\\u0d8 \r\n'), max_size=60).map(str.encode)
    | st.text(max_size=40).map(lambda text: text.encode(errors="ignore")),
)
def test_any_body(kind: str | None, body: bytes) -> None:
    request = asked(body=body) if kind is None else asked(body=body, content_type=kind)
    try:
        said = _said(request)
    except ChatError as error:
        assert error.code in ("bad-text", "bad-request", "unsupported-type")
    else:
        assert said.kind in ("text", "action")
        assert isinstance(said, Said)
        said.text.encode()


# Showing that the server is there


class Line:
    """A session that notes what it is to send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.send: Callable[[bytes], None] = self.sent.append


@pytest.mark.parametrize("form", [LINES, EVENTS])
def test_a_beat_now_and_then(form: Form) -> None:
    line = Line()
    caller = Caller(None, "", "192.0.2.1", None)  # type: ignore[arg-type]  # nothing is looked up
    follower = Follower(caller, line, form)  # type: ignore[arg-type]  # what is used of a session
    all_of_them = Followers()
    all_of_them.add(follower)
    now = time.monotonic()
    for seconds in (0.0, BEAT_SECONDS - 1, BEAT_SECONDS + 1, BEAT_SECONDS + 2, 2 * BEAT_SECONDS + 2):
        all_of_them.beat(now + seconds)
    assert line.sent == [form.beat] * 2
    assert not form.beat.decode().strip(": \n")
    all_of_them.remove(follower)
    all_of_them.remove(follower)
    all_of_them.beat(now + 1000)
    assert len(line.sent) == 2
    assert 15 <= followers.BEAT_SECONDS <= 30
