"""What stands behind the question mark, taken at its word: what is not known there is refused."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NoReturn
from urllib.parse import parse_qsl

from chatctl.messages import DEFAULT_PAGE, MAX_ID, MAX_PAGE
from chatctl.server.web.request import Problem, Request
from chatctl.since import Since, parse_since

_FIELDS = 8
_DIGITS = len(str(MAX_ID))


def fields(request: Request, known: Collection[str]) -> dict[str, str]:
    """Returns what was asked for, by name.

    Raises:
        Problem: it cannot be read, or has what is not `known`, or something twice.
    """
    if not request.query:
        return {}
    try:
        pairs = parse_qsl(
            request.query,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError:
        _refuse("the query cannot be read: NAME=VALUE&NAME=VALUE, in UTF-8")
    found = dict(pairs)
    if len(found) < len(pairs):
        _refuse("something is asked for twice")
    if not found.keys() <= set(known):
        _refuse(f"what can be asked for here is {', '.join(known)}" if known else "there is no query here")
    return found


def id_of(text: str | None, what: str) -> int | None:
    """Returns the id that `text` is; None for None.

    Raises:
        Problem: it is none.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) <= MAX_ID):
        _refuse(f"{what} is the id of a message, a whole number")
    return int(text)


def limit_of(text: str | None) -> int:
    """Returns how many messages are wanted.

    Raises:
        Problem: it is no number, or too many.
    """
    if text is None:
        return DEFAULT_PAGE
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGE))
    if not (is_number and 1 <= int(text) <= MAX_PAGE):
        _refuse(f"limit is a number from 1 to {MAX_PAGE}")
    return int(text)


def since_of(text: str | None) -> Since:
    """Returns from where on messages are wanted.

    Raises:
        Problem: it is neither an id nor a time.
    """
    if text is None:
        return Since()
    try:
        return parse_since(text, time.time())
    except ValueError as error:
        _refuse(str(error))


def _refuse(text: str) -> NoReturn:
    raise Problem(400, text)
