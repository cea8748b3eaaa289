"""Draws ``tests/session.svg``, the README's picture, from a real session: ``python -m tests.picture``."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pyte
import pyte.screens
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tests.helpers import ROOT, RunningServer, environment, running_server
from tests.window import Window, command

PICTURE = ROOT / "tests" / "session.svg"
COLUMNS = 72


def draw(path: Path) -> None:
    """Lets two people and a pipe chat, and writes what one of them sees to `path`, as SVG."""
    with (
        running_server("--rate", "0", "--log-level", "error") as server,
        Window(server, "ann", columns=COLUMNS) as ann,
    ):
        ann.expect("#lobby>")
        with Window(server, "bob", columns=COLUMNS) as bob:
            ann.expect("→ bob joined", "#lobby>")
            bob.expect("#lobby>")
            _talk(server, ann, bob)
            ann.type("see you at fo")
            ann.expect("#lobby> see you at fo")
            _export(ann.screen, path)


def _talk(server: RunningServer, ann: Window, bob: Window) -> None:
    _say(bob, ann, "morning! the new build is on its way")
    _say(ann, bob, "great! does it still run on the old laptop?")
    _pipe(server, "builder", "build 214 passed: 3127 tests, 0 failures")
    ann.expect(
        "→ builder joined",
        "HH:MM  builder: build 214 passed: 3127 tests, 0 failures",
        "← builder left",
        "#lobby>",
    )
    bob.enter("/me dances")
    ann.expect("HH:MM  * bob dances", "#lobby>")
    bob.enter("/topic ship it on Friday")
    ann.expect("— bob set the topic of #lobby: ship it on Friday", "#lobby>")
    bob.enter("/msg ann there is cake in the kitchen \N{SHORTCAKE}")
    ann.expect("HH:MM  bob → you: there is cake in the kitchen \N{SHORTCAKE}", "#lobby>")


def _say(speaker: Window, listener: Window, text: str) -> None:
    speaker.enter(text)
    for window in (speaker, listener):
        window.expect_somewhere(text)


def _pipe(server: RunningServer, name: str, text: str) -> None:
    subprocess.run(
        command(server, name),
        input=f"{text}\n",
        text=True,
        env=environment(),
        stdout=subprocess.DEVNULL,
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
    return Style(color=_colour(cell.fg), bgcolor=_colour(cell.bg), bold=cell.bold, reverse=reverse)


def _colour(name: str) -> str | None:
    """Returns Rich's name for a colour of pyte's."""
    if name == "default":
        return None
    return f"#{name}" if len(name) == 6 and name.isalnum() and not name.isalpha() else name


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
