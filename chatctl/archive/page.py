"""HTML for people: one page that needs nothing else, runs nothing, and fetches nothing.

It is pleasant on a phone and on a desktop, by day and by night; every message has an address
(``#lobby-17``). Everything that was said is escaped, and what could reorder the page is shown as an escape.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from html import escape
from urllib.parse import quote

from chatctl.archive.links import split_links
from chatctl.archive.moments import Moment, moment, zone
from chatctl.archive.source import R, Room, Source
from chatctl.messages import Msg
from chatctl.names import fold
from chatctl.text import REMOVED, one_line, visible

# Colours of names, each to be read with ease on --paper (WCAG 2, AA).
BY_DAY = (
    *("#af2c2c", "#b34c0f", "#705b1c", "#647109", "#41681a", "#187d0a", "#1b6a2e", "#0a7b50"),
    *("#1a6868", "#0e71ac", "#3055c2", "#432bee", "#7e32ca", "#b811d0", "#a32985", "#d4115a"),
)
BY_NIGHT = (
    *("#e69b9b", "#ef7f3b", "#cfaa3d", "#bcd411", "#79c230", "#2ad411", "#32c857", "#11d48b"),
    *("#30c2c2", "#2ba5ee", "#9baee6", "#9d90f6", "#c4a1e8", "#e26df3", "#e495d1", "#f471a2"),
)

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root{color-scheme:light dark;--paper:#ffffff;--ink:#1d2026;--faint:#5f6672;--link:#0b57a4;--line:#d9dce2}
@media(prefers-color-scheme:dark){
:root{--paper:#16181d;--ink:#e4e6ea;--faint:#9aa1ad;--link:#7db8ff;--line:#383c45}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:60rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.5rem}
h2{font-size:1.25rem;margin:3rem 0 0;border-bottom:2px solid var(--line);overflow-wrap:anywhere}
h3{font-size:1rem;color:var(--faint);margin:1.5rem 0 .5rem}
a{color:var(--link)}
.note{color:var(--faint);overflow-wrap:anywhere}
.day{content-visibility:auto;contain-intrinsic-size:auto 40rem}
.m{display:grid;grid-template-columns:3.5rem 9rem minmax(0,1fr);column-gap:.75rem;margin:0;padding:.1rem 0}
.m:target{outline:2px solid var(--link);outline-offset:2px}
.m>a{color:var(--faint);text-decoration:none;font-variant-numeric:tabular-nums}
.m>a:hover{text-decoration:underline}
.m>b{text-align:right;overflow-wrap:anywhere}
.m>span{white-space:pre-wrap;overflow-wrap:anywhere;unicode-bidi:isolate}
.act>span{font-style:italic}
@media(max-width:40rem){
.m{grid-template-columns:3.5rem minmax(0,1fr);padding:.25rem 0}
.m>b{text-align:left}
.m>span{grid-column:1/-1;padding-left:.75rem;border-left:2px solid var(--line)}}
"""


def write(history: Source[R]) -> Iterator[bytes]:
    """Yields the file, piece by piece."""
    yield _top(history.rooms).encode()
    for room in history.rooms:
        yield _head(room).encode()
        day = ""
        for messages in history.messages(room):
            parts = []
            for message in messages:
                when = moment(message.at)
                if when.day != day:
                    parts.append(_new_day(when, first=not day))
                    day = when.day
                parts.append(_message(message, when))
            yield "".join(parts).encode()
        yield b"</div>\n</section>\n" if day else b"</section>\n"
    yield b"</body>\n</html>\n"


# The page


def _top(rooms: Sequence[Room]) -> str:
    title = _label(rooms[0]) if len(rooms) == 1 else "Chat history"
    contents = _contents(rooms) if len(rooms) > 1 else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_STYLE}{_colours(BY_DAY)}
@media(prefers-color-scheme:dark){{{_colours(BY_NIGHT)}}}
</style>
</head>
<body>
<h1>{title}</h1>
<p class="note">Times are in {escape(one_line(zone()))}.</p>
{contents}"""


def _colours(colours: tuple[str, ...]) -> str:
    return "".join(f".c{number}{{color:{colour}}}" for number, colour in enumerate(colours))


def _contents(rooms: Sequence[Room]) -> str:
    lines = (
        f'<li><a href="#{quote(_anchor(room))}"><bdi>{_label(room)}</bdi></a>'
        f' <span class="note">{room.count}</span></li>\n'
        for room in rooms
    )
    return f"<nav>\n<ul>\n{''.join(lines)}</ul>\n</nav>\n"


def _anchor(room: Room) -> str:
    # No name has a colon: this is no message's address.
    return f"room:{room.name}"


def _label(room: Room) -> str:
    return escape(f"#{one_line(room.name)}")


def _head(room: Room) -> str:
    head = f'<section>\n<h2 id="{escape(_anchor(room))}"><bdi>{_label(room)}</bdi></h2>\n'
    if room.topic is not None and room.topic.text:
        head += f'<p class="note" dir="auto">{_linked(one_line(room.topic.text))}</p>\n'
    if room.oldest > 1:
        head += f'<p class="note">Messages 1\u2013{room.oldest - 1} are no longer kept.</p>\n'
    return head


def _new_day(when: Moment, *, first: bool) -> str:
    end = "" if first else "</div>\n"
    return f'{end}<div class="day">\n<h3>{escape(when.day)}</h3>\n'


# A message


def _message(message: Msg, when: Moment) -> str:
    id_ = f"{message.room}-{message.id}"
    style = "m act" if message.kind == "action" else "m"
    text = _linked(visible(message.text)) if message.text else f'<i class="note">{REMOVED}</i>'
    return (
        f'<p class="{style}" id="{escape(id_)}"><a href="#{quote(id_)}">'
        f'<time datetime="{when.iso}">{when.clock}</time></a> '
        f'<b class="c{_colour(message.name)}"><bdi>{escape(one_line(message.name))}</bdi></b> '
        f'<span dir="auto">{text}</span></p>\n'
    )


def _colour(name: str) -> int:
    """Returns the number of a name's colour: the same one always, in any spelling."""
    return zlib.crc32(fold(name).encode("utf-8", "replace")) % len(BY_DAY)


def _linked(text: str) -> str:
    return "".join(_link(part) if is_link else escape(part) for part, is_link in split_links(text))


def _link(address: str) -> str:
    address = escape(address)
    return f'<a href="{address}" rel="noreferrer noopener">{address}</a>'
