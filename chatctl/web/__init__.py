"""The page of the chat in a browser: what a server has to send for it. Knows no sockets.

The page speaks the protocol of PROTOCOL.md, one frame in each text message of a WebSocket at ``/ws``, without
the line end.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files as resources

from msgspec.json import encode

from chatctl.commands import LONGEST
from chatctl.messages import FINAL
from chatctl.text import UNITS, UNSHOWN
from chatctl.web.colours import names_css
from chatctl.web.table import ESCAPED, commands
from chatctl.web.words import WORDS

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}
# To be sent with each of them.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """Returns what there is to be had, by path: its content type, and its bytes."""
    found = {"/tables.js": (TYPES["js"], _tables())}
    for file in resources(__name__).iterdir():
        suffix = file.name.rpartition(".")[2]
        if suffix in TYPES:
            path = "/" if suffix == "html" else f"/{file.name}"
            body = file.read_bytes() + (names_css().encode() if suffix == "css" else b"")
            found[path] = TYPES[suffix], body
    return found


def links() -> str:
    """Returns a Link header for the page (RFC 8288): else a browser learns of modules one after the other."""
    return ", ".join(f"<{path}>; rel=modulepreload" for path in files() if path.endswith(".js"))


def _tables() -> bytes:
    tables = {
        "table": [*commands(), ESCAPED],
        "words": WORDS,
        "final": sorted(FINAL),
        "units": UNITS,
        "longest": LONGEST,
        "unshown": "".join(map(_escaped, UNSHOWN.pattern)),
    }
    return b"".join(b"export const %b = %b;\n" % (name.encode(), encode(tables[name])) for name in tables)


def _escaped(character: str) -> str:
    """Returns a character of a pattern as JavaScript has it, where it is none of ASCII that can be seen."""
    return character if "!" <= character <= "~" else f"\\u{{{ord(character):x}}}"
