"""Links as pictures that a telephone reads."""

from __future__ import annotations


def qr_code(link: str) -> str:
    """Returns a link as a QR code, in lines of half blocks, for a terminal with light text on dark."""
    import io

    import segno

    drawn = io.StringIO()
    segno.make(link, error="l", micro=False).terminal(drawn, compact=True)
    return drawn.getvalue()
