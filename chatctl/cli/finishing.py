"""How a command ends that a script may have started: by its own exit code, or what ends it from outside."""

from __future__ import annotations

from collections.abc import Callable

import typer


def finish(job: Callable[[], int]) -> None:
    """Does it, and exits."""
    from chatctl.client.signals import BROKEN_PIPE, Interrupted, interruptible

    try:
        with interruptible():
            code = job()
    except Interrupted as interruption:
        code = interruption.exit_code
    except BrokenPipeError:
        code = BROKEN_PIPE
    raise typer.Exit(code)
