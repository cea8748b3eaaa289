"""What ``--help`` shows, and that its examples are right."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup

from chatctl.cli.commands import PANELS, Commands
from tests import forked
from tests.helpers import SECONDS, environment

NAMES = [name for commands in PANELS.values() for name in commands]
WIDEST = 78  # columns of what a shell shows of a command or an option: Typer would break longer ones


def built(name: str) -> TyperCommand | TyperGroup:
    command = Commands().get_command(None, name)
    assert command is not None
    return command


def all_commands() -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    """Yields every command and what is below it, with what is typed to get there."""
    for name in NAMES:
        command = built(name)
        yield name, command
        if isinstance(command, TyperGroup):
            for inner, below in command.commands.items():
                assert isinstance(below, TyperCommand)
                yield f"{name} {inner}", below


COMMANDS = dict(all_commands())


def examples(command: TyperCommand | TyperGroup) -> list[str]:
    lines = [line.strip() for line in (command.help or "").partition("Examples:\n")[2].splitlines()]
    return [line for line in lines if line]


def shown(*args: str, **env: str) -> str:
    """Returns what is printed into a pipe."""
    done = forked.run([*args, "--help"], environment(**env), timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"COLUMNS": "120"}, {"FORCE_COLOR": "1"}])
def test_the_help_groups_the_commands_and_shows_an_example_of_each(env: dict[str, str]) -> None:
    text = re.sub(r"\x1b\[[\d;]*m", "", shown(**env))
    headings = re.findall(r"^╭─ (\w+) ─", text, re.MULTILINE)
    assert headings == ["Options", *PANELS]
    rows = [line.strip("│ ") for line in text.splitlines() if line.startswith("│ ")]
    for name in NAMES:
        place = next(number for number, row in enumerate(rows) if row.split()[0] == name)
        assert examples(built(name))[0] in rows[place + 1 : place + 3]


def test_the_help_in_a_narrow_window() -> None:
    lines = shown(COLUMNS="60").splitlines()
    assert max(map(len, lines)) == 60
    assert "chatctl search deploy failed" in "\n".join(lines)
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_its_examples_line_by_line(name: str) -> None:
    lines = [line.strip() for line in shown(*name.split()).splitlines()]
    given = examples(COMMANDS[name])
    assert given
    place = lines.index("Examples:")
    assert lines[place + 1 : place + 1 + len(given)] == given


@pytest.mark.parametrize(
    ("name", "example"), [(name, example) for name in COMMANDS for example in examples(COMMANDS[name])]
)
def test_examples_can_be_typed(
    name: str, example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[profile.work]\n")
    monkeypatch.setenv("CHATCTL_CONFIG", str(config))
    words = shlex.split(example)
    start = words.index("chatctl") + 1
    end = next(
        (place for place, word in enumerate(words) if place > start and word in ("|", "<")), len(words)
    )
    context = Commands().make_context("chatctl", words[start:end])
    command, args = built(words[start]), words[start + 1 : end]
    with context, command.make_context(words[start], [*args], parent=context) as inner:
        if isinstance(command, TyperGroup) and not args[0].startswith("-"):
            below = command.commands[args[0]]
            below.make_context(args[0], args[1:], parent=inner)
    assert " ".join(words[start:end]).startswith(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_shell_has_room_for_what_is_said_of_commands_and_options(name: str) -> None:
    command = COMMANDS[name]
    texts = [command.get_short_help_str(), *(getattr(param, "help", "") for param in command.params)]
    assert not [text for text in texts if len(text or "") > WIDEST or "\n" in (text or "") or "[dim]" in text]
    for param in command.params:
        assert getattr(param, "help", None), param.name


def test_what_was_meant_is_suggested() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "chatctl", "jion"], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Did you mean 'join'?" in done.stderr
