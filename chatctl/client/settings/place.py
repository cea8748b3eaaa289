"""Where the file is. Quick to import: most people have none, and every start looks for it."""

from __future__ import annotations

import os
from pathlib import Path

from chatctl.client.directories import configuration_directory

FILE = "config.toml"


def settings_path() -> Path:
    """Returns where this user's settings are, whether or not there is a file."""
    named = os.environ.get("CHATCTL_CONFIG")
    return Path(named) if named else configuration_directory() / FILE


def is_missing(path: Path) -> bool:
    """Whether there is no such file; what cannot be looked at may be there."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
