"""The README tells the truth: its commands run, and its tables are complete."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from chatctl.cli.commands import Commands
from chatctl.client.settings.known import SETTINGS
from chatctl.client.settings.reading import USED, load
from chatctl.commands import COMMANDS
from tests.helpers import ROOT, SECONDS, environment, running_server

README = (ROOT / "README.md").read_text("utf-8")
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()]
TESTS = "pip install '.[test]' && pytest"
BENCHMARK = "python -m tests.benchmarks"  # run by test_benchmarks.py


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which ``pip install`` installs into a directory of its own, and finds what is there."""
    prefix = tmp_path_factory.mktemp("installed")
    shims = tmp_path_factory.mktemp("shims")
    pip = shims / "pip"
    options = (
        "--quiet --no-index --no-deps --no-build-isolation --no-compile --ignore-installed "
        f"--prefix '{prefix}'"
    )
    pip.write_text(f'#!/bin/sh\nshift\nexec "{sys.executable}" -m pip install {options} "$@"\n')
    pip.chmod(0o755)
    return f"{prefix / 'bin'}:{shims}:{os.environ['PATH']}"


def installed_at(path: str) -> dict[str, str]:
    """Returns an environment in which the installed package is found, and not this checkout."""
    prefix = Path(path.partition(":")[0]).parent
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment(
        PATH=path, PYTHONPATH=str(prefix / "lib" / version / "site-packages"), PYTHONWARNINGS=""
    )


@contextmanager
def shell(command: str, env: dict[str, str], cwd: Path = ROOT) -> Iterator[subprocess.Popen[str]]:
    """Runs a command line; ends all that it started."""
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=cwd,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=SECONDS)


def test_the_two_set_up_commands_are_there() -> None:
    assert SHELL[0] == "pip install . && chatctl serve --port 12345"
    assert TESTS in SHELL
    assert BENCHMARK in SHELL
    assert TESTS in (ROOT / ".ci" / "run").read_text().splitlines()


def test_commands_run_as_written(path: str, tmp_path: Path) -> None:
    """Each serves on, or joins at, a free port of this machine instead of the README's."""
    env = installed_at(path)
    commands = [line for line in SHELL if line not in (TESTS, BENCHMARK)]
    servers = [line for line in commands if " serve " in line]
    clients = [line for line in commands if " serve " not in line]
    assert (len(servers), len(clients)) == (2, 12)
    for server in servers:
        command = server.replace("12345", "0").replace("0.0.0.0", "127.0.0.1")
        with shell(f"exec 2>&1; {command}", env) as process:
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            assert any(line.startswith("listening on 127.0.0.1:") for line in lines)
    data = tmp_path / "data"
    with running_server("--data", str(data)) as running:
        given = env | {"CHATCTL_PORT": str(running.port), "CHATCTL_DATA": str(data)}
        for client in clients:
            there = client.replace("12345", str(running.port)).replace("192.168.1.5", "127.0.0.1")
            with shell(there, given, tmp_path) as process:
                assert process.wait(SECONDS) == 0, client
    assert "the build is done" in (tmp_path / "lobby.html").read_text()
    assert (tmp_path / "chat-copy.db").is_file()


def test_the_installed_package_has_all_its_files(path: str) -> None:
    env = installed_at(path)
    if not Path(path.partition(":")[0], "chatctl").exists():
        subprocess.run(["sh", "-c", "pip install ."], cwd=ROOT, env=env, check=True)
    code = (
        "from importlib.resources import files; import chatctl; from chatctl.names import skeleton;"
        "assert files('chatctl').joinpath('PROTOCOL.md').is_file();"
        "assert files('chatctl').joinpath('py.typed').is_file();"
        "assert files('chatctl.web').joinpath('index.html').is_file();"
        "assert skeleton('\\u0430') == skeleton('a'); print(chatctl.__file__)"
    )
    found = subprocess.run([sys.executable, "-Pc", code], env=env, check=True, capture_output=True, text=True)
    assert not found.stdout.startswith(str(ROOT))


@pytest.mark.parametrize("command", ["serve", "join"])
def test_every_option_is_in_the_table(command: str) -> None:
    built = Commands().get_command(None, command)
    assert built is not None
    options = {param.opts[0]: param.envvar for param in built.params if param.opts[0].startswith("--")}
    section = README.partition(f"## chatctl {command}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(--[a-z-]+)` \| (?:`(CHATCTL_[A-Z_]+)` )?\|", section, re.MULTILINE)
    assert {option: variable or None for option, variable in rows} == options


def test_every_slash_command_is_in_the_table() -> None:
    table = dict(re.findall(r"^\| `(/[^/`].*?)` \| (.*?) \|$", README, re.MULTILINE))
    assert list(table) == [command.usage for command in COMMANDS]


def test_the_settings_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "config.toml"
    path.write_text(text)
    monkeypatch.setenv("CHATCTL_CONFIG", str(path))
    settings = load()
    assert settings is not None
    assert (settings.profile, settings.found["room"].value) == ("work", "ops")


def test_every_setting_is_in_the_table() -> None:
    section = README.partition("\n## Settings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[a-z].*?) \|", section, re.MULTILINE)
    assert [name for row in rows for name in re.findall("`(.*?)`", row)] == [*SETTINGS, USED]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).is_file(), target
