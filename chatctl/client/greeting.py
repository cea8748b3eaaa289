"""The hello of a client: what is in it, and whether a server could take it. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET

import chatctl
from chatctl.errors import ConnectionFailed, Refused
from chatctl.messages import MAX_PASSWORD, VERSION, Hello
from chatctl.names import check_name, check_room

MAX_KEY = 1_024  # characters: they find their place in a hello


def make_hello(
    name: str,
    rooms: Mapping[str, int | None] | None,
    backlog: int,
    agent: str | None,
    key: str | None,
    password: str | None = None,
) -> Hello:
    """Returns a hello; its arguments are those of `ChatClient.connect`.

    Raises:
        ConnectionFailed: it would only be refused, or could not even be written as JSON.
    """
    try:
        check_name(name)
        for room in rooms or ():
            check_room(room)
    except Refused as refusal:
        raise ConnectionFailed(str(refusal), code=refusal.code, refused=True) from None
    if key is not None and not (key.isprintable() and len(key) <= MAX_KEY):
        text = f"that is no key: it is one line of at most {MAX_KEY} characters"
        raise ConnectionFailed(text, code="auth-failed", refused=True)
    if password is not None and not _can_be_said(password):
        text = f"that is no password: it is one line of at most {MAX_PASSWORD} bytes"
        raise ConnectionFailed(text, code="auth-failed", refused=True)
    return Hello(
        v=VERSION,
        name=name,
        rooms=UNSET if rooms is None else dict(rooms),
        backlog=backlog,
        key=key,
        password=password,
        agent=agent or f"chatctl/{chatctl.__version__}",
    )


def _can_be_said(password: str) -> bool:
    return password.isprintable() and len(password.encode()) <= MAX_PASSWORD
