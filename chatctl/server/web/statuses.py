"""The statuses of HTTP that say what codes of the protocol say."""

from __future__ import annotations

from chatctl.errors import Refused, TryLater
from chatctl.messages import Bye, Error
from chatctl.server.web.request import Problem

_STATUSES = {
    **dict.fromkeys(["bad-frame", "bad-name", "bad-room", "bad-text", "unknown-type"], 400),
    **dict.fromkeys(["auth-required", "auth-failed"], 401),
    **dict.fromkeys(["banned", "muted", "forbidden", "not-in-room", "kicked"], 403),
    **dict.fromkeys(["no-such-user", "no-such-message"], 404),
    "timeout": 408,
    "name-taken": 409,
    "too-long": 413,
    "tls-required": 426,
    "rate-limited": 429,
    "too-many-connections": 429,
    **dict.fromkeys(["server-full", "storage", "shutting-down"], 503),
}
# What has to be sent with a status (RFC 9110 sections 11.6.1, 15.5.22 and 10.2.3).
_HEADERS = {
    401: {"WWW-Authenticate": 'Basic realm="chatctl", charset="UTF-8"'},
    426: {"Upgrade": "TLS/1.2, HTTP/1.1"},
    429: {"Retry-After": "1"},
    503: {"Retry-After": "1"},
}


def problem_of(refusal: Refused | Error | Bye) -> Problem:
    """Returns what a refusal is over HTTP."""
    text = str(refusal) if isinstance(refusal, Refused) else refusal.text
    status = _STATUSES.get(refusal.code, 500)
    headers = _HEADERS.get(status)
    if isinstance(refusal, TryLater):
        headers = {"Retry-After": str(refusal.seconds)}
    return Problem(status, text, headers, code=refusal.code)
