"""How far something is, on standard error, for a person who waits."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, total: int | None, *, hidden: bool = False) -> Iterator[Callable[[int], None]]:
    """Shows a bar while it lasts, if standard error is a terminal.

    Args:
        what: is done.
        total: when it is complete; None where that is not known.
        hidden: shows nothing all the same.

    Yields:
        What is to be called with how much is done so far.
    """
    if hidden or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    # Standard output is not Rich's: what is written there goes somewhere else.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
