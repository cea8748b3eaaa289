"""The shell's completion, asked for as shells do, and by a real one."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chatctl.cli.commands import Commands
from chatctl.client.settings.known import SETTINGS
from tests import forked, scripted
from tests.helpers import SECONDS, RunningServer, environment, running_server, wait_for

CHATCTL = [sys.executable, "-m", "chatctl"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A server on which are #dev and #desk."""
    with running_server() as running, running.client("ann", rooms={"dev": None, "desk": None}) as ann:
        ann.settle()
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def completed(path: Path, line: str, **env: str) -> list[str]:
    """Returns what bash would offer for the end of `line`."""
    words = re.findall(r"[:=]+|[^:= ]+|(?<= )$", line)  # as bash takes them apart
    given = environment(
        CHATCTL_CONFIG=str(path),
        COMP_WORDS="\n".join(words),
        COMP_CWORD=str(len(words) - 1),
        _CHATCTL_COMPLETE="complete_bash",
        **env,
    )
    done = forked.run([], given, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_commands_and_options(path: Path) -> None:
    assert completed(path, "chatctl ") == Commands().list_commands(None)
    assert completed(path, "chatctl hi") == ["history"]
    assert completed(path, "chatctl config ") == ["path", "show", "edit", "set"]
    assert completed(path, "chatctl join --pro") == ["--profile"]
    assert completed(path, "chatctl join --theme m") == ["mono"]


def test_rooms(path: Path, server: RunningServer) -> None:
    where = f"{server.host}:{server.port}"
    path.write_text(f'[profile.work]\nserver = "{where}"\n')
    for line in (
        f"join {where}",
        f"history --port {server.port}",
        f"search --server {where}",
        "join --profile work",
    ):
        offer(path, f"chatctl {line} --room de", ["desk", "dev"])
        offer(path, f"chatctl {line} --room=de", ["desk", "dev"])
        offer(path, f"chatctl {line} --room=", ["desk", "dev", "lobby"])
    offer(path, "chatctl join --room des", ["desk"], CHATCTL_SERVER=where)


def offer(path: Path, line: str, wanted: list[str], **env: str) -> None:
    """Tries until the rooms are there: on a busy machine the server may take longer than it is given."""
    wait_for(lambda: sorted(completed(path, line, **env)) == wanted, f"{wanted} behind {line!r}")


def test_rooms_where_there_is_no_server(path: Path) -> None:
    assert completed(path, "chatctl join --port 1 --room ") == []
    assert completed(path, "chatctl join --server :: --name a/b --room ") == []
    assert completed(path, "chatctl join --port many --room ", CHATCTL_HOST="host.invalid") == []
    path.write_text("themes = 1\n")
    assert completed(path, "chatctl join --port 1 --room ") == []


def test_rooms_of_a_server_that_does_not_answer(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert completed(path, f"chatctl join --port {silent.getsockname()[1]} --room ") == []


def test_nothing_that_acts_on_a_shell_is_offered(path: Path) -> None:
    """A server may say anything, and zsh evaluates what it is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)
        given = environment(
            CHATCTL_CONFIG=str(path),
            _TYPER_COMPLETE_ARGS=f"chatctl join --port {listener.getsockname()[1]} --room ",
            _CHATCTL_COMPLETE="complete_zsh",
        )

        def answered() -> str:
            process = subprocess.Popen(CHATCTL, env=given, stdout=subprocess.PIPE, text=True)
            sock, _ = listener.accept()
            with sock:
                answer_badly(sock)
                return process.communicate(timeout=SECONDS)[0]

        stdout = wait_for(lambda: "good" in (said := answered()) and said, "an answer in time")
    assert stdout == "_arguments '*: :((\"good\"))'\n"


def answer_badly(sock: socket.socket) -> None:
    names = ["good", "$(touch x)", "`touch x`", "a\nb", "'; touch x", 'x"', "x y", "x\\"]
    rooms = [{"room": name, "count": 1, "topic": "", "last": 0} for name in names]
    with sock.makefile("rwb") as file, suppress(OSError):
        file.readline()
        file.write(scripted.welcome("x"))
        file.flush()
        file.readline()
        file.write(scripted.line("rooms", rooms=rooms))


def test_profiles(path: Path) -> None:
    assert completed(path, "chatctl join --profile ") == []
    path.write_text('[profile.work]\n[profile.home]\n[profile."$(x) y"]\n')
    for line in ("join --profile ", "config show --profile ", "config set --profile "):
        assert completed(path, f"chatctl {line}") == ["work", "home"]
    assert completed(path, "chatctl config set default-profile w") == ["work"]
    path.write_text("profile = 1\n")
    assert completed(path, "chatctl join --profile ") == []


def test_settings_and_what_they_can_be(path: Path) -> None:
    assert completed(path, "chatctl config set ") == [*SETTINGS, "default-profile"]
    assert completed(path, "chatctl config set ti") == ["timestamp", "title"]
    assert completed(path, "chatctl config set bell ") == ["off", "mentions", "all"]
    assert completed(path, "chatctl config set title ") == ["true", "false"]
    assert completed(path, "chatctl config set name ") == []
    assert completed(path, "chatctl config set nonsense ") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_in_bash(path: Path, tmp_path: Path) -> None:
    """The script that Typer installs is loaded, and does what Tab does."""
    program = tmp_path / "chatctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m chatctl "$@"\n')
    program.chmod(0o755)
    script = """
        eval "$(_CHATCTL_COMPLETE=source_bash chatctl)"
        COMP_WORDS=(chatctl config set the) COMP_CWORD=3
        _chatctl_completion chatctl
        echo "${COMPREPLY[@]}"
        complete -p chatctl
    """
    env = environment(CHATCTL_CONFIG=str(path), PATH=f"{tmp_path}:/usr/bin:/bin")
    done = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["theme", "complete -o default -F _chatctl_completion chatctl"]
