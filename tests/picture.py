"""Draws ``tests/session.svg``, the README's picture, from a real session: ``python -m tests.picture``."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pyte
import pyte.screens
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tests.helpers import ROOT, RunningServer, environment, running_server
from tests.window import Window, address

PICTURE = ROOT / "tests" / "session.svg"
COLUMNS = 72


def draw(path: Path) -> None:
    """Lets two people and a script chat, and writes what one of them sees to `path`, as SVG."""
    with (
        tempfile.TemporaryDirectory() as home,
        running_server("--rate", "0", "--log-level", "error") as server,
    ):
        env = {"XDG_STATE_HOME": home, "XDG_CONFIG_HOME": home}
        with Window(server, "ann", columns=COLUMNS, env=env) as ann:
            ann.expect("#lobby>")
            with Window(server, "bob", columns=COLUMNS, env=env) as bob:
                ann.expect("→ bob joined", "#lobby>")
                bob.expect("#lobby>")
                _talk(server, ann, bob)
                ann.type("on my way")
                ann.expect("#dev [1:lobby 2 @1]> on my way")
                _export(ann.screen, path)


def _talk(server: RunningServer, ann: Window, bob: Window) -> None:
    _say(bob, ann, "morning! the *new* build is on its way, see https://example.org/b/214")
    _say(ann, bob, "great! does it still run on the old laptop? :sweat_smile:", "on the old laptop?")
    _send(server, "builder", "build 214 **passed**: `3127 tests, 0 failures`")
    ann.expect_somewhere("3127 tests, 0 failures")
    bob.enter("/me dances")
    ann.expect_somewhere("* bob dances")
    bob.enter("/msg ann there is cake in the kitchen :shortcake:")
    ann.expect_somewhere("there is cake in the kitchen \N{SHORTCAKE}")
    ann.enter("/join dev")
    ann.expect("— in #dev, nobody else is here", "#dev>")
    _say(bob, ann, "ann: the laptop is *fine*", "the laptop is fine")
    _say(bob, ann, "shipping it then")


def _say(speaker: Window, listener: Window, text: str, shown: str = "") -> None:
    speaker.enter(text)
    for window in (speaker, listener):
        window.expect_somewhere(shown or text.replace("*", "")[:40])


def _send(server: RunningServer, name: str, text: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "chatctl", "send", f"--server={address(server)}", "--name", name, text],
        env=environment(),
        check=True,
    )


def _export(screen: pyte.Screen, path: Path) -> None:
    lines = [_line(screen, number) for number in range(screen.lines)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    console = Console(
        record=True, width=screen.columns, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for line in lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    path.write_text(
        console.export_svg(title="chatctl join --name ann", theme=DIMMED_MONOKAI, unique_id="chatctl"),
        "utf-8",
    )


def _line(screen: pyte.Screen, number: int) -> Text:
    """Returns a line of the screen, with the cursor where it stands."""
    line = Text()
    row = screen.buffer[number]
    for column in range(screen.columns):
        cell = row[column]
        cursor = (screen.cursor.y, screen.cursor.x) == (number, column)
        line.append(cell.data, _style(cell, reverse=cell.reverse != cursor))
    line.rstrip()
    return line


def _style(cell: pyte.screens.Char, *, reverse: bool) -> Style:
    return Style(
        color=_colour(cell.fg),
        bgcolor=_colour(cell.bg),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=reverse,
    )


def _colour(name: str) -> str | None:
    """Returns Rich's name for a colour of pyte's."""
    if name == "default":
        return None
    return f"#{name}" if len(name) == 6 and name.isalnum() and not name.isalpha() else name


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
