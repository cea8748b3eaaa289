"""What `serve` prints for others to come in by, and where its key comes from."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.invite import Invitation, parse_link
from tests import forked
from tests.helpers import SECONDS, RunningServer, environment, running_server


def printed(server: RunningServer) -> list[str]:
    """Returns what a server has printed behind the address it listens on, once it has stopped."""
    server.proc.terminate()
    return server.stdout.read().splitlines()


def invitations(lines: list[str]) -> list[Invitation]:
    """Returns what the lines that can be typed invite to."""
    words = [shlex.split(line) for line in lines if line.startswith("chatctl join ")]
    return [parse_link(link) for _, _, link in words]


def is_good(directory: Path, key: str) -> bool:
    with AccessBook(directory) as book:
        try:
            book.keys.check(key, "ann")
        except Refused:
            return False
    return True


def test_for_this_machine_nothing_is_asked_and_nothing_else_printed() -> None:
    with running_server() as server:
        with server.client("ann"):
            pass
        assert printed(server) == [f"in a browser: http://127.0.0.1:{server.port}/"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_for_others_a_key_is_made_once_and_the_line_printed(tmp_path: Path, host: str) -> None:
    arguments = ("--data", str(tmp_path), "--host", host)
    with running_server(*arguments) as server:
        first = invitations(printed(server))
        assert {(link.port, link.room, link.key) for link in first} == {(server.port, "lobby", first[0].key)}
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", link.pin) for link in first)
        assert first[0].key not in server.log
    assert len(first[0].key) == 22
    assert is_good(tmp_path, first[0].key)
    with running_server(*arguments) as server:
        line, browser = printed(server)
        assert re.fullmatch(rf"in a browser: https://[^/]+:{server.port}/", browser)
    assert "chatctl invite" in line
    assert "--new-key" in line
    with running_server(*arguments, "--new-key") as server:
        second = invitations(printed(server))
    assert is_good(tmp_path, second[0].key)
    assert not is_good(tmp_path, first[0].key)


def test_open_to_anyone() -> None:
    with running_server("--host", "0.0.0.0", "--open") as server:
        found = invitations(printed(server))
    assert found
    assert {link.key for link in found} == {""}


@pytest.mark.parametrize("how", ["variable", "argument", "input"])
def test_a_key_is_given(tmp_path: Path, how: str) -> None:
    key = "of-my-own/#%?"
    arguments = {"variable": [], "argument": ["--key", key], "input": ["--key", "-"]}[how]
    command = [sys.executable, "-m", "chatctl", "serve", "--port", "0", "--data", str(tmp_path), *arguments]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**({"CHATCTL_KEY": key} if how == "variable" else {})),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        if how == "input":
            process.stdin.write(f"{key}\n")
            process.stdin.flush()
        assert process.stdout.readline().startswith("listening on 127.0.0.1:")
        process.terminate()
        lines = process.stdout.read()
        assert process.stderr is not None
        log = process.stderr.read()
    (link,) = invitations(lines.splitlines())
    assert lines.splitlines()[-1] == f"in a browser: http://127.0.0.1:{link.port}/#of-my-own%2F%23%25%3F"
    assert (link.host, link.key) == ("127.0.0.1", key)
    assert key not in log
    assert is_good(tmp_path, key)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--key", "sh0rt"], "8 to 128 characters"),
        (["--key", "x" * 129], "8 to 128 characters"),
        (["--key", "with a space"], "neither spaces"),
        (["--key", "-"], "there is no key"),
        (["--open", "--key", "good-enough"], "--open"),
        (["--open", "--new-key"], "--open"),
    ],
)
def test_keys_that_cannot_be(arguments: list[str], words: str) -> None:
    done = forked.run(["serve", "--port", "0", "--ephemeral", *arguments], environment(), timeout=SECONDS)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert arguments[-1] not in done.stderr.replace("--", "") or arguments[-1].startswith("-")


def test_help_shows_no_key() -> None:
    done = forked.run(["serve", "--help"], environment(CHATCTL_KEY="a-secret-key"), timeout=SECONDS)
    assert "--key" in done.stdout
    assert "a-secret-key" not in done.stdout
