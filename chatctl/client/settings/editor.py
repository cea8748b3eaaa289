"""Lets people edit the file of settings."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from chatctl.client.directories import shown
from chatctl.client.settings.changes import template, write
from chatctl.client.settings.place import is_missing
from chatctl.errors import SettingsError
from chatctl.text import one_line

USUAL = ("vi", "nano")


def edit(path: Path) -> None:
    """Runs an editor on the file, which is made if there is none, until that ends.

    Raises:
        SettingsError: there is no editor, it cannot be run, or it failed.
    """
    editor = find_editor(path)
    if is_missing(path):
        write(path, template())
    try:
        process = subprocess.Popen([*editor, os.fspath(path)])  # noqa: S603 - it is theirs
    except OSError as error:
        raise SettingsError(f"cannot run {one_line(editor[0])}: {error.strerror}") from None
    code = _wait(process)
    if code:
        raise SettingsError(f"{one_line(editor[0])} failed: it ended with {code}")


def find_editor(path: Path) -> list[str]:
    """Returns what to run, as words.

    Args:
        path: what is to be edited, for the error.

    Raises:
        SettingsError: there is none.
    """
    for variable in ("VISUAL", "EDITOR"):
        try:
            if words := shlex.split(os.environ.get(variable, "")):
                return words
        except ValueError as error:
            raise SettingsError(f"{variable} is no command: {error}") from None
    for name in USUAL:
        if shutil.which(name):
            return [name]
    raise SettingsError(f"there is no editor: set EDITOR to one, or edit {shown(path)} by other means")


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Waits for the editor to end. Ctrl-C is for it alone."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
