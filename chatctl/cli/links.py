"""What commands print for others to come in by."""

from __future__ import annotations

import sys

import typer


def print_links(links: list[str], *, tls: bool, qr: bool) -> None:
    """Prints what to type, and where a browser goes: on standard output alone, for with a key it is a secret.

    Args:
        links: that lead to the server, the likeliest first.
        tls: it offers TLS.
        qr: draws the first one too, where somebody sees it.
    """
    from chatctl.invite import join_line
    from chatctl.reached import browser_line

    for link in links:
        typer.echo(join_line(link, tls=tls))
    typer.echo(browser_line(links[0], tls=tls))
    if qr and sys.stdout and sys.stdout.isatty():
        from chatctl.qr import qr_code

        typer.echo(f"\n{qr_code(links[0])}", nl=False)
