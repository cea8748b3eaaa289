"""Where the file is. Quick to import: most people have none, and every start looks for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FILE = "config.toml"
KNOWN_HOSTS = "known_hosts"


def settings_path() -> Path:
    """Returns where this user's settings are, whether or not there is a file."""
    named = os.environ.get("CHATCTL_CONFIG")
    return Path(named) if named else directory() / FILE


def directory() -> Path:
    """Returns where this user's configuration is, but for settings that were put elsewhere."""
    if sys.platform != "linux":
        import platformdirs

        return Path(platformdirs.user_config_dir("chatctl", appauthor=False))
    # What platformdirs would say: to import it takes longer than all else that is done here.
    named = os.environ.get("XDG_CONFIG_HOME", "").strip()
    return Path(named if named.startswith("/") else "~/.config").expanduser() / "chatctl"


def is_missing(path: Path) -> bool:
    """Whether there is no such file; what cannot be looked at may be there."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def shown(path: Path) -> str:
    """Returns a path as it is told to people: in one line, and from their home on."""
    from chatctl.text import one_line

    home = os.environ.get("HOME", "")
    text = str(path)
    inside = home.startswith("/") and text.startswith(f"{home.rstrip('/')}/")
    return one_line(f"~{text[len(home.rstrip('/')) :]}" if inside else text)
