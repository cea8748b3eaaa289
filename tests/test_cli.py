"""The command line as a process: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap

import pytest

import chatctl
from chatctl.address import split_address
from tests import forked
from tests.helpers import SECONDS, environment, running_server, wait_for


def chatctl_command(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return forked.run(args, environment(**env), timeout=SECONDS)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_version() -> None:
    command = [sys.executable, "-m", "chatctl", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=SECONDS)
    assert (done.stdout, done.stderr, done.returncode) == (f"chatctl {chatctl.__version__}\n", "", 0)


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["serve", "--port", "0", "--host", "256.1.1.1"], 1, "no such host"),
        (["history", "--port", "1", "--name", "ann"], 3, "nothing listens"),
        (["join", "--port", "1", "--name", "ann"], 1, "nothing listens"),
        (["config", "set", "theme", "dim"], 1, "theme"),
        (["export", "--data", "/nonexistent"], 1, "/nonexistent"),
        (["dance"], 2, "dance"),
    ],
)
def test_commands_that_are_started_and_not_forked(args: list[str], code: int, words: str) -> None:
    command = [sys.executable, "-m", "chatctl", *args]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=SECONDS)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("args", "words"), [(["--help"], ["serve", "join"]), (["serve", "-h"], ["--port"])])
def test_help_goes_to_standard_output(args: list[str], words: list[str]) -> None:
    done = chatctl_command(*args)
    assert done.returncode == 0
    assert all(word in done.stdout for word in words)


def test_every_option_has_help_and_a_variable() -> None:
    done = chatctl_command("serve", "--help", COLUMNS="200")
    options = ["host", "port", "data", "ephemeral", "rate", "burst", "max-clients", "max-per-ip", "motd"]
    for option in [*options, "max-new-per-ip", "log-level", "log-json"]:
        assert f"--{option} " in done.stdout
        assert f"CHATCTL_{option.upper().replace('-', '_')}]" in done.stdout


@pytest.mark.parametrize("command", [[], ["join"], ["send", "hi"], ["history", "--since", "2h"]])
def test_heavy_imports_wait_until_they_are_needed(command: list[str]) -> None:
    """What reads settings too, where there are none."""
    code = f"""
        import sys
        from chatctl.cli.commands import Commands
        if command := {command!r}:
            built = Commands().get_command(None, command[0])
            built.make_context(command[0], command[1:])
        heavy = "msgspec prompt_toolkit logging tomllib tomlkit platformdirs rich chatctl.names"
        print([name for name in heavy.split() if name in sys.modules])
    """
    code = textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    "args",
    [
        ["serve", "--port", "65536"],
        ["serve", "--port", "http"],
        ["serve", "--rate", "-1"],
        ["serve", "--rate", "nan"],
        ["serve", "--rate", "inf"],
        ["serve", "--burst", "0"],
        ["serve", "--max-clients", "-5"],
        ["serve", "--log-level", "loud"],
        ["serve", "surplus"],
        ["join", "--port", "0"],
        ["join", "host:port"],
        ["dance"],
    ],
)
def test_wrong_use_is_explained_without_a_traceback(args: list[str]) -> None:
    done = chatctl_command(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "Error" in done.stderr


@pytest.mark.parametrize(
    ("host", "words"),
    [("256.1.1.1", "no such host"), ("192.0.2.1", "does not have that address"), ("a" * 300, "no such host")],
)
def test_serving_on_a_bad_address(host: str, words: str) -> None:
    done = chatctl_command("serve", "--host", host, "--port", "0", "--log-level", "error")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("chatctl: cannot listen on ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_options_come_from_the_environment_too() -> None:
    with (
        running_server(
            env={"CHATCTL_MOTD": "from afar", "CHATCTL_RATE": "0", "CHATCTL_BURST": "7"}, fork=False
        ) as server,
        server.raw() as client,
    ):
        welcome = client.hello("x")
    assert welcome["motd"] == "from afar"
    assert (welcome["limits"]["rate"], welcome["limits"]["burst"]) == (0, 7)


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6() -> None:
    with running_server("--host", "::1") as server, server.client("six") as client:
        assert server.host == "::1"
        assert client.settle()[0]["t"] == "room"


def test_log_lines_tell_who_came_and_left_and_never_what_was_said() -> None:
    with running_server() as server:
        with server.client("ann", agent="test\x1b[2J\nFAKE") as client:
            client.say("the secret word")
            client.send("tell", to="ann", text="another secret")
            client.send("topic", room="lobby", text="secret topic")
            client.settle()
            client.send("bye")
            client.all_until_end()
        wait_for(lambda: "said bye" in server.log, "the leaving is logged")
        log = server.log
    assert "ann came from 127.0.0.1" in log
    assert "secret" not in log
    assert "\x1b" not in log
    assert "\nFAKE" not in log


def test_log_as_json() -> None:
    with running_server("--log-json") as server:
        with server.client("ann") as client:
            client.settle()
        wait_for(lambda: '"reason"' in server.log, "the leaving is logged")
        lines = [json.loads(line) for line in server.log.splitlines()]
    came = next(line for line in lines if "came" in line["text"])
    left = next(line for line in lines if "left" in line["text"])
    assert (came["client"], came["address"], came["level"]) == ("ann", "127.0.0.1", "info")
    assert left["reason"] == "closed the connection"
    assert came["at"] <= left["at"]


def test_log_level() -> None:
    with running_server("--log-level", "ERROR") as server:
        with server.client("ann"):
            pass
        assert server.stop() == 0
        assert server.log == ""


def test_listening_beyond_this_machine_for_anyone_is_warned_of() -> None:
    with running_server("--host", "0.0.0.0", "--open", "--log-level", "warning") as server:
        wait_for(lambda: "no key is asked for" in server.log, "the warning")


@pytest.mark.parametrize(
    ("address", "split"),
    [
        ("example.org", ("example.org", 1)),
        ("example.org:99", ("example.org", 99)),
        ("10.0.0.1:65535", ("10.0.0.1", 65535)),
        ("::1", ("::1", 1)),
        ("[::1]", ("::1", 1)),
        ("[fe80::1%eth0]:7", ("fe80::1%eth0", 7)),
    ],
)
def test_addresses(address: str, split: tuple[str, int]) -> None:
    assert split_address(address, 1) == split


@pytest.mark.parametrize(
    "address", ["", ":80", "host:", "host:0", "host:65536", "host:x", "[::1", "a@b:1", "a/b", "host:\u0661"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ValueError, match="is not HOST"):
        split_address(address, 1)
