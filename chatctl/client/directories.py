"""Where a client keeps its files, and how their paths are told. Quick to import: every start looks there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chatctl.text import one_line


def configuration_directory() -> Path:
    """Returns where this user's configuration is, but for settings that were put elsewhere."""
    if sys.platform != "linux":
        import platformdirs

        return Path(platformdirs.user_config_dir("chatctl", appauthor=False))
    return _base("XDG_CONFIG_HOME", "~/.config") / "chatctl"


def state_directory() -> Path:
    """Returns where a client keeps what it knows between its runs."""
    if sys.platform != "linux":
        import platformdirs

        return Path(platformdirs.user_state_dir("chatctl", appauthor=False))
    return _base("XDG_STATE_HOME", "~/.local/state") / "chatctl"


def _base(variable: str, usual: str) -> Path:
    """Returns what platformdirs would say, whose import takes several milliseconds of each start."""
    named = os.environ.get(variable, "").strip()
    return Path(named if named.startswith("/") else usual).expanduser()


def shown(path: Path) -> str:
    """Returns a path as it is told to people: in one line, and from their home on."""
    home = os.environ.get("HOME", "")
    text = str(path)
    inside = home.startswith("/") and text.startswith(f"{home.rstrip('/')}/")
    return one_line(f"~{text[len(home.rstrip('/')) :]}" if inside else text)
