"""``chatctl config``, and what counts when the same thing is said in several places, as processes."""

from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests import forked, shell
from tests.helpers import SECONDS, environment

CHATCTL = [sys.executable, "-m", "chatctl"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chatctl" / "config.toml"


def run(path: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    given = environment(CHATCTL_CONFIG=str(path), HOME="/nonexistent", **env)
    return forked.run(args, given, timeout=SECONDS)


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


# What counts


class Silent:
    """A server that only listens: what clients say to it can be looked at."""

    def __enter__(self) -> Silent:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def hello(self) -> Any:
        """Takes the next connection; returns what is said first on it."""
        sock, _ = self._listener.accept()
        with sock, sock.makefile("rb") as file:
            return json.loads(file.readline())


def told_by_join(path: Path, *args: str, **env: str) -> Any:
    """Returns the hello of ``chatctl join``."""
    with Silent() as server:
        given = environment(CHATCTL_CONFIG=str(path), **env)
        with Path(os.devnull).open("r+") as nothing:
            process = forked.start(["join", server.address, *args], given, [nothing.fileno()] * 3)
        try:
            hello = server.hello()
        finally:
            code = process.wait(SECONDS)
    assert code == 1  # The server said nothing.
    return hello


FILE = """
name = "of-file"
room = "of-file"
backlog = 4
key = "of-file"
[profile.work]
name = "of-profile"
room = "of-profile"
backlog = 3
key = "of-profile"
"""
PROFILE = ["--profile", "work"]
VARIABLES = {
    "CHATCTL_NAME": "of-variable",
    "CHATCTL_ROOM": "of-variable",
    "CHATCTL_BACKLOG": "2",
    "CHATCTL_KEY": "of-variable",
}
OPTIONS = ["--name", "of-option", "--room", "of-option", "--backlog", "1", "--key", "of-option"]


@pytest.mark.parametrize(
    ("text", "args", "env", "name", "backlog"),
    [
        (FILE, [*PROFILE, *OPTIONS], VARIABLES, "of-option", 1),
        (FILE, PROFILE, VARIABLES, "of-variable", 2),
        (FILE, PROFILE, {}, "of-profile", 3),
        (FILE, [], {"CHATCTL_PROFILE": "work"}, "of-profile", 3),
        (f'default-profile = "work"\n{FILE}', [], {}, "of-profile", 3),
        (FILE, [], {}, "of-file", 4),
        ("", ["--name", "bob"], {}, None, 50),
    ],
)
def test_the_nearer_counts(
    path: Path, text: str, args: list[str], env: dict[str, str], name: str | None, backlog: int
) -> None:
    write(path, text)
    hello = told_by_join(path, *args, **env)
    assert (hello["name"], hello.get("key"), hello.get("backlog", 50)) == (name or "bob", name, backlog)
    assert hello["rooms"] == {name or "lobby": None}


def test_where_the_server_is_can_be_set(path: Path) -> None:
    with Silent() as server:
        write(path, f'name = "bob"\nserver = "{server.address}"\n')
        process = subprocess.Popen(
            [*CHATCTL, "search", "word"],
            env=environment(CHATCTL_CONFIG=str(path)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert server.hello()["name"] == "bob"
        assert process.wait(SECONDS) == 3


@pytest.mark.parametrize("args", [["join"], ["history"], ["search", "x"], ["config", "show"]])
def test_a_mistake_in_the_file_ends_a_command_in_one_line(path: Path, args: list[str]) -> None:
    write(path, 'name = "bob"\nthemes = "dark"\n')
    done = run(path, *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"chatctl: {path}:2: themes: there is no such setting; did you mean theme?\n"


def test_a_mistake_in_the_file_is_no_matter_to_the_server_and_to_help(path: Path) -> None:
    write(path, "themes = 1\n")
    for args in (["--version"], ["join", "--help"], ["config", "path"], ["export", "--help"]):
        assert run(path, *args).returncode == 0


def test_a_profile_that_is_not_there(path: Path) -> None:
    done = run(path, "join", "--profile", "work")
    assert (done.returncode, done.stderr) == (
        1,
        f'chatctl: there is no profile "work": there is no {path}\n',
    )


def test_a_key_that_others_can_read_is_warned_of(path: Path) -> None:
    write(path, 'key = "s3cret"\n', 0o644)
    done = run(path, "history", "--port", "1", "--name", "bob")
    warning, failure = done.stderr.splitlines()
    assert warning == f"chatctl: {path} holds a key that others can read: chmod 600 makes it yours"
    assert failure.startswith("chatctl: nothing listens")
    assert "s3cret" not in run(path, "history", "--help").stdout
    path.chmod(0o600)
    assert run(path, "history", "--port", "1", "--name", "bob").stderr.count("\n") == 1


# chatctl config


def test_path(path: Path) -> None:
    done = run(path, "config", "path")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}\n", "")


LINK = f"chat://a.example:1/dev?pin={'p' * 43}"


def test_a_link_with_a_key_is_as_secret_as_a_key(path: Path) -> None:
    done = run(path, "config", "set", "server", f"{LINK}#s3cret")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert path.stat().st_mode & 0o777 == 0o600
    done = run(path, "config", "show")
    assert f'server = "{LINK}#********"  # {path}:1' in done.stdout.splitlines()
    assert "s3cret" not in done.stdout
    path.chmod(0o644)
    done = run(path, "history", "--port", "1", "--host", "127.0.0.1", "--name", "bob")
    assert "holds a key that others can read" in done.stderr
    write(path, f'server = "{LINK}"\n', 0o644)
    assert "chmod" not in run(path, "history", "--host", "127.0.0.1", "--port", "1").stderr


@pytest.mark.parametrize(
    "link",
    ["chat://#s3cret", "chat:/a#s3cret", "chat//a:x#s3cret", "chat://a/b c#s3cret", "chat://a?pin=x#s3cret"],
)
def test_a_broken_link_is_told_without_its_key(path: Path, link: str) -> None:
    for args in (["config", "set", "server", link], ["history", link], ["who", "--server", link]):
        done = run(path, *args)
        assert done.returncode
        assert "s3cret" not in done.stderr + done.stdout
        assert link.partition("#")[0] in done.stderr


def test_show_as_toml(path: Path) -> None:
    write(path, 'key = "s3cret"\n\ntitle = false\n[profile.work]\nroom = "ops"\n')
    done = run(path, "config", "show", "--profile", "work", CHATCTL_BELL="all", CHATCTL_NO_RECONNECT="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        'server = "127.0.0.1:12345"  # default',
        "# name is not set",
        f'room = "ops"  # profile work, {path}:5',
        f'key = "********"  # {path}:1',
        "insecure = false  # default",
        'theme = "auto"  # default',
        "# timestamp is not set",
        'bell = "all"  # CHATCTL_BELL',
        'notify = "off"  # default',
        f"title = false  # {path}:3",
        "plain = false  # default",
        "backlog = 50  # default",
        "reconnect = false  # CHATCTL_NO_RECONNECT",
    ]
    tomllib.loads(done.stdout)


def test_show_without_a_file_and_with_nonsense_in_a_variable(path: Path) -> None:
    done = run(path, "config", "show", CHATCTL_BACKLOG="many\x1b[2J", CHATCTL_KEY="s3cret")
    assert done.returncode == 0
    assert 'backlog = "many\\\\x1b[2J"  # CHATCTL_BACKLOG' in done.stdout.splitlines()
    assert 'key = "********"  # CHATCTL_KEY' in done.stdout.splitlines()
    tomllib.loads(done.stdout)


def test_show_on_a_terminal(path: Path) -> None:
    write(path, 'name = "bob"\nkey = "s3cret"\n')
    output, terminal = pty.openpty()
    env = environment(CHATCTL_CONFIG=str(path), COLUMNS="300", NO_COLOR="1", TERM="xterm")
    with subprocess.Popen([*CHATCTL, "config", "show"], env=env, stdout=terminal, stdin=terminal) as process:
        assert process.wait(SECONDS) == 0
    os.close(terminal)
    shown = os.read(output, 1 << 16).decode()
    os.close(output)
    rows = [" ".join(line.split()) for line in shown.splitlines()]
    assert f"name bob {path}:1" in rows
    assert f"key ******** {path}:2" in rows
    assert "theme auto default" in rows


def test_set_and_unset(path: Path) -> None:
    assert run(path, "config", "set", "room", "#Dev").returncode == 0
    assert run(path, "config", "set", "room", "ops", "--profile", "work").returncode == 0
    assert run(path, "config", "set", "default-profile", "work").returncode == 0
    assert tomllib.loads(path.read_text()) == {
        "room": "dev",
        "default-profile": "work",
        "profile": {"work": {"room": "ops"}},
    }
    assert run(path, "config", "set", "room", "--unset").returncode == 0
    assert run(path, "config", "set", "default-profile").returncode == 0
    assert tomllib.loads(path.read_text()) == {"profile": {"work": {"room": "ops"}}}
    done = run(path, "config", "set", "room")
    assert (done.returncode, done.stderr) == (1, "chatctl: room is not set\n")
    done = run(path, "config", "set", "theme", "dim")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert run(path, "config", "set", "theme", "dark", "--unset").returncode == 2


def editor(tmp_path: Path, does: str) -> str:
    script = tmp_path / "my editor"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    return f"'{script}' --wait"


def test_edit_begins_with_all_settings_and_checks_what_became_of_them(path: Path, tmp_path: Path) -> None:
    given = editor(tmp_path, """[ "$1" = --wait ] && sed -i 's/^#theme = .*/theme = "dim"/' "$2" """)
    done = run(path, "config", "edit", EDITOR=given)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"chatctl: {path}:19: theme: must be auto, dark,")
    assert path.stat().st_mode & 0o777 == 0o600
    done = run(path, "config", "edit", VISUAL="sed -i s/dim/dark/", EDITOR="false")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tomllib.loads(path.read_text()) == {"theme": "dark"}


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"EDITOR": "nonesuch"}, "cannot run nonesuch: No such file or directory"),
        ({"EDITOR": "sh -c 'exit 3'"}, "sh failed: it ended with 3"),
        ({"VISUAL": "vi 'x"}, "VISUAL is no command: No closing quotation"),
        (
            {"VISUAL": " ", "EDITOR": "", "PATH": "/nonexistent"},
            "there is no editor: set EDITOR to one, or edit",
        ),
    ],
)
def test_without_an_editor_that_is_told(path: Path, env: dict[str, str], words: str) -> None:
    done = run(path, "config", "edit", **({"VISUAL": "", "EDITOR": ""} | env))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith(f"chatctl: {words}")


def test_the_usual_editor_is_found(path: Path, tmp_path: Path) -> None:
    vi = tmp_path / "bin" / "vi"
    vi.parent.mkdir()
    vi.write_text("#!/bin/sh\n: > \"$1\"\n")  # fmt: skip
    vi.chmod(0o755)
    assert run(path, "config", "edit", VISUAL="", EDITOR="", PATH=f"{vi.parent}:/bin").returncode == 0
    assert path.read_text() == ""


def test_several_at_once(path: Path) -> None:
    write(path, "# mine\n")
    wanted = {"theme": "dark", "bell": "all", "room": "dev", "name": "bob", "notify": "osc9"}
    env = environment(CHATCTL_CONFIG=str(path))
    with Path(os.devnull).open("r+") as nothing:
        streams = [nothing.fileno()] * 3
        setters = [forked.start(["config", "set", *pair], env, streams) for pair in wanted.items()]
        assert [setter.wait(SECONDS) for setter in setters] == [0] * len(wanted)
    assert tomllib.loads(path.read_text()) == wanted


@pytest.mark.parametrize("what", ["--version", "--help", "config path", "config show"])
def test_an_output_that_takes_nothing(path: Path, what: str) -> None:
    def ended(where: str) -> tuple[int, str]:
        done = shell.run("127.0.0.1:1", f"chatctl {what} {where}", CHATCTL_CONFIG=str(path))
        return done.returncode, done.stderr

    assert ended("> /dev/full") == (1, "chatctl: cannot write: No space left on device\n")
    assert ended(">&-") == (0, "")
