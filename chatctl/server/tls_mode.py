"""Where a server offers TLS, as it is asked for on the command line. Imports quickly."""

from __future__ import annotations

from enum import StrEnum


class TlsMode(StrEnum):
    """``auto``: to others than this machine; ``required``: to everybody, who must take it; ``off``: never."""

    auto = "auto"
    required = "required"
    off = "off"
