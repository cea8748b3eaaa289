"""What is told to the one who started a program, beside what it prints. Quick to import."""

from __future__ import annotations

import sys

from chatctl.text import one_line


def complain(text: str) -> None:
    """Tells in one line, on standard error, what was not done, or what happened meanwhile."""
    if sys.stderr is not None:  # `print` would take standard output for it.
        print(f"chatctl: {one_line(text)}", file=sys.stderr, flush=True)  # noqa: T201 - for people, not a log
