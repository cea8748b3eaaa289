"""Where what is exported goes: to standard output, or into a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chatctl.durable import synchronize
from chatctl.errors import DataError
from chatctl.text import one_line

FORCE = "choose another name, or --force"


@contextmanager
def output(path: Path | None, *, force: bool) -> Iterator[Callable[[bytes], None]]:
    """Gives what writes to `path`, or to standard output.

    Args:
        path: of a file, a pipe or a device.
        force: replaces a file that is there.

    Raises:
        DataError: in one line, why that cannot be written.
        BrokenPipeError: nobody reads it any more.
    """
    with _told("to standard output" if path is None else one_line(str(path))):
        if path is None or (path.exists() and not path.is_file() and not path.is_dir()):
            with _stream(path) as write:
                yield write
            return
        with whole_file(path, replace=force, advice=FORCE) as part, part.open("wb") as file:

            def write_file(data: bytes) -> None:
                file.write(data)

            yield write_file


@contextmanager
def _stream(path: Path | None) -> Iterator[Callable[[bytes], None]]:
    """Gives what writes to standard output, a pipe or a device, with nothing kept back."""
    if path is None and sys.stdout is None:
        raise DataError("cannot write to standard output: it is closed")
    descriptor = os.dup(1) if path is None else os.open(path, os.O_WRONLY)
    try:

        def write(data: bytes) -> None:
            while data:
                data = data[os.write(descriptor, data) :]

        yield write
    finally:
        os.close(descriptor)


@contextmanager
def whole_file(path: Path, *, replace: bool, advice: str = "choose another name") -> Iterator[Path]:
    """Gives the path of an empty file, which becomes `path` when all went well, and is gone if not.

    Only this user may read it. What else is made in the directory in which it is goes away too.

    Args:
        path: of the file.
        replace: it may be there already.
        advice: what to do if it is and may not.

    Raises:
        DataError: in one line, why it cannot be written; `path` is there, and not to be replaced.
    """
    path = Path(os.path.realpath(path))
    where = one_line(str(path))
    with _told(where):
        _refuse(path, replace, advice)
        with tempfile.TemporaryDirectory(prefix=".chatctl-", dir=path.parent) as made:
            part = Path(made, "part")
            part.touch(0o600)
            yield part
            synchronize(part)
            _refuse(path, replace, advice)
            part.replace(path)
            synchronize(path.parent)


def _refuse(path: Path, replace: bool, advice: str) -> None:
    if path.exists() and not path.is_file():
        raise DataError(f"cannot write {one_line(str(path))}: that is no file")
    if path.exists() and not replace:
        raise DataError(f"{one_line(str(path))} is there already: {advice}")


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DataError(f"cannot write {where}: {error.strerror}") from None
