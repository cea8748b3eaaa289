"""Logging for the server: who came, who left and why, never what was said.

Lines are written on a thread of their own, so that a terminal or pipe that takes no more stops nobody.
"""

from __future__ import annotations

import io
import logging
import os
import queue
import threading
import time
from contextlib import suppress
from typing import TextIO, cast

import msgspec

from chatctl.text import one_line

CAPACITY = 10_000  # lines that may wait to be written
CLOSE_SECONDS = 1.0

_STDERR = 2
_EXTRAS = ("client", "address", "reason")


def configure(level: str, *, as_json: bool) -> BackgroundHandler:
    """Sends what is logged to standard error; the caller closes the handler at the end.

    Args:
        level: a level's name, in lower case.
        as_json: one JSON object on each line; otherwise Rich's format on a terminal, else plain lines.
    """
    handler = BackgroundHandler(_target(as_json=as_json))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level.upper())
    return handler


def _target(*, as_json: bool) -> logging.Handler:
    stream = _StandardError()
    if not as_json and stream.isatty():
        from rich.console import Console
        from rich.highlighter import NullHighlighter
        from rich.logging import RichHandler

        console = Console(file=cast("TextIO", stream))
        handler: logging.Handler = RichHandler(
            console=console, show_path=False, markup=False, highlighter=NullHighlighter()
        )
        handler.setFormatter(_Plain("%(message)s"))
        return handler
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if as_json else _Plain("%(asctime)s %(levelname)s %(message)s"))
    return handler


class _StandardError(io.TextIOBase):
    """Standard error without a buffer: `sys.stderr` has one with a lock, which Python waits for at its end.

    What cannot be written, because standard error is closed or broken, is dropped: there is nobody to tell.
    """

    encoding = "utf-8"

    def isatty(self) -> bool:
        return os.isatty(_STDERR)

    def fileno(self) -> int:
        return _STDERR

    def write(self, text: str) -> int:
        data = text.encode(errors="backslashreplace")
        with suppress(OSError):
            while data:
                data = data[os.write(_STDERR, data) :]
        return len(text)


class _Plain(logging.Formatter):
    """One clean line, the time in UTC; tracebacks follow on lines of their own."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, template: str) -> None:
        super().__init__(template)
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        record.message = one_line(record.message)
        return super().formatMessage(record)


class _Json(logging.Formatter):
    """One JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": int(record.created * 1000),
            "level": record.levelname.lower(),
            "text": one_line(record.getMessage()),
        }
        line |= {key: value for key in _EXTRAS if (value := getattr(record, key, None))}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class BackgroundHandler(logging.Handler):
    """Hands records to another handler on a thread of its own; drops them while too many wait.

    Args:
        target: writes the records.
        capacity: records that may wait.
    """

    def __init__(self, target: logging.Handler, capacity: int = CAPACITY) -> None:
        self._target = target
        self._records: queue.Queue[logging.LogRecord | None] = queue.Queue(capacity)
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()
        super().__init__()  # From now on logging closes it.

    def emit(self, record: logging.LogRecord) -> None:
        """Leaves `record` to the thread."""
        try:
            self._records.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def _run(self) -> None:
        while (record := self._records.get()) is not None:
            # Not handle(): its lock would be held while writing waits, and logging takes it when Python ends.
            self._target.emit(record)
            if self._dropped and self._records.empty():
                lost, self._dropped = self._dropped, 0
                self._target.emit(_warning(f"{lost} lines could not be logged in time"))

    def close(self) -> None:
        """Writes what waits, for at most a second, and ends the thread."""
        logging.getLogger().removeHandler(self)
        with suppress(queue.Full):  # Nobody reads standard error: the thread ends with the process.
            self._records.put(None, timeout=CLOSE_SECONDS)
        self._thread.join(CLOSE_SECONDS)
        super().close()


def _warning(text: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
