"""Times as people read them: the local time of this machine."""

from __future__ import annotations

import time
from functools import lru_cache

from msgspec import Struct


class Moment(Struct, frozen=True):
    """A minute.

    Attributes:
        day: for a heading, ``Tuesday 24 November 2026``.
        date: ``2026-11-24``.
        clock: ``14:03``.
        iso: with its offset from UTC, ``2026-11-24T14:03+01:00``.
    """

    day: str
    date: str
    clock: str
    iso: str


def moment(at: int) -> Moment:
    """Returns the minute of `at`, milliseconds since the Unix epoch."""
    return _minute(at // 60_000)


@lru_cache(1024)
def _minute(number: int) -> Moment:
    then = time.localtime(number * 60)
    day = f"{time.strftime('%A', then)} {then.tm_mday} {time.strftime('%B', then)} {then.tm_year}"
    date = f"{then.tm_year:04}-{then.tm_mon:02}-{then.tm_mday:02}"
    clock = f"{then.tm_hour:02}:{then.tm_min:02}"
    hours, minutes = divmod(abs(then.tm_gmtoff) // 60, 60)
    sign = "-" if then.tm_gmtoff < 0 else "+"
    return Moment(day, date, clock, f"{date}T{clock}{sign}{hours:02}:{minutes:02}")


def zone() -> str:
    """Returns the names of the zone that `moment` tells times of: ``CET/CEST``."""
    return "/".join(dict.fromkeys(time.tzname)) if time.daylight else time.tzname[0]
