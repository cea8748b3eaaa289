"""From where on messages are wanted, as people say it. No I/O."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from msgspec import Struct

from chatctl.text import one_line, parse_duration

_ID = re.compile(r"\d{1,15}", re.ASCII)
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)


class Since(Struct, frozen=True):
    """From where on: behind an id, or from a time on (milliseconds since the epoch)."""

    after: int | None = None
    at: int | None = None


def parse_since(text: str, now: float) -> Since:
    """Returns what ``2h``, ``22:30``, ``yesterday``, ``2026-11-24T14:03`` or ``1234``, an id, mean.

    Args:
        text: a date or time is local, unless it says otherwise; one of the day is the last there was.
        now: seconds since the Unix epoch.

    Raises:
        ValueError: it is none of these.
    """
    if _ID.fullmatch(text):
        return Since(after=int(text))
    try:
        return Since(at=max(0, int(_time(text, now) * 1000)))
    except (ValueError, OverflowError, OSError):
        hint = "2h, 22:30, yesterday or 2026-11-24T14:03"
        raise ValueError(f"{one_line(text)} is no time like {hint}, and no id") from None


def _time(text: str, now: float) -> float:
    """Returns seconds since the Unix epoch."""
    today = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("today", "yesterday"):
        return (today - timedelta(days=text == "yesterday")).timestamp()
    if found := _CLOCK.fullmatch(text):
        then = today.replace(hour=int(found[1]), minute=int(found[2]))
        return (then - timedelta(days=then.timestamp() > now)).timestamp()
    try:
        return now - parse_duration(text)
    except ValueError:
        return datetime.fromisoformat(text).timestamp()
