"""What the options of the client's commands come to, with what the environment and the settings say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from chatctl import cli
from chatctl.client.access import Access
from chatctl.client.display.look import Bell, Look, Notify, Theme, Timestamp
from chatctl.client.own_keys import OwnKey
from chatctl.client.scripts import listing, lookup, sending, tailing, waiting
from chatctl.client.terminal import joining
from chatctl.errors import ChatError
from chatctl.secret import read_secret
from tests.helpers import environment


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the settings are: there is no file yet."""
    monkeypatch.setenv("CHATCTL_CONFIG", str(tmp_path / "config.toml"))
    return tmp_path / "config.toml"


def invoked(*args: str, **env: str) -> tuple[int, str]:
    """Runs a command here; returns its exit code and what it says is wrong."""
    outside = dict.fromkeys(os.environ.keys() - environment().keys() - {"CHATCTL_CONFIG"})
    done = CliRunner().invoke(cli.app, args, env=outside | env | {"COLUMNS": "200", "LOGNAME": "login"})
    return done.exit_code, done.stderr


class Called:
    """Stands in for what a command calls; remembers with what."""

    def __init__(self) -> None:
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> int:
        self.args, self.kwargs = args, kwargs
        return 0


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch, path: Path) -> Called:
    called = Called()
    monkeypatch.setattr(joining, "run", called)
    return called


DEFAULTS = {
    "reconnect": True,
    "backlog": 50,
    "plain": False,
    "look": Look(),
}


def test_defaults_of_join(joined: Called) -> None:
    assert invoked("join") == (0, "")
    assert joined.args == (Access("127.0.0.1", 12345, "login", named=False), "lobby")
    assert joined.kwargs == DEFAULTS


OTHER = {
    "reconnect": False,
    "backlog": 0,
    "plain": True,
    "look": Look(Theme.high_contrast, Timestamp.datetime, Bell.off, Notify.osc9, title=False),
}
LOOK = {"theme": "high-contrast", "timestamp": "datetime", "bell": "off", "notify": "osc9"}


def test_join_by_options(joined: Called) -> None:
    look = [word for name, value in LOOK.items() for word in (f"--{name}", value.upper())]
    args = [*look, "--no-title", "--plain", "--no-reconnect", "--backlog", "0", "--key", "k", "--room", "dev"]
    assert invoked("join", *args) == (0, "")
    assert (joined.args[1], joined.kwargs, joined.args[0].key) == ("dev", OTHER, "k")


def test_join_by_variables(joined: Called) -> None:
    variables = {f"CHATCTL_{name.upper()}": value for name, value in LOOK.items()}
    flags = {"CHATCTL_TITLE": "0", "CHATCTL_PLAIN": "1", "CHATCTL_NO_RECONNECT": "1"}
    others = {"CHATCTL_BACKLOG": "0", "CHATCTL_KEY": "k", "CHATCTL_ROOM": "dev"}
    assert invoked("join", **variables, **flags, **others) == (0, "")
    assert (joined.args[1], joined.kwargs, joined.args[0].key) == ("dev", OTHER, "k")


def settings(path: Path) -> None:
    look = "".join(f'{name} = "{value}"\n' for name, value in LOOK.items())
    flags = "title = false\nplain = true\nreconnect = false\n"
    path.write_text(f'{look}{flags}backlog = 0\nkey = "k"\nroom = "#Dev"\n')
    path.chmod(0o600)


def test_join_by_settings(joined: Called, path: Path) -> None:
    settings(path)
    assert invoked("join") == (0, "")
    assert (joined.args[1], joined.kwargs, joined.args[0].key) == ("dev", OTHER, "k")


def test_flags_that_are_set_can_be_taken_back(joined: Called, path: Path) -> None:
    settings(path)
    assert invoked("join", "--title", "--no-plain", "--reconnect") == (0, "")
    assert joined.kwargs["look"].title
    assert (joined.kwargs["plain"], joined.kwargs["reconnect"]) == (False, True)
    assert invoked("join", CHATCTL_TITLE="1", CHATCTL_PLAIN="0", CHATCTL_NO_RECONNECT="0") == (0, "")
    assert joined.kwargs["look"].title
    assert (joined.kwargs["plain"], joined.kwargs["reconnect"]) == (False, True)


def test_what_is_set_for_joining_does_not_narrow_a_search(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    settings(path)
    called = Called()
    monkeypatch.setattr(lookup, "show_found", called)
    assert invoked("search", "deploy", "failed", CHATCTL_ROOM="ops") == (0, "")
    access = Access("127.0.0.1", 12345, "login", "k", named=False)
    assert called.args == (access, "deploy failed", None, None)


def test_where_several_rooms_can_be_named_the_one_that_is_set_is_one(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    settings(path)
    called = Called()
    monkeypatch.setattr(tailing, "print_all", called)
    assert invoked("tail") == (0, "")
    assert called.args[1] == ["dev"]
    assert invoked("tail", "--room", "a", "--room", "b") == (0, "")
    assert called.args[1] == ["a", "b"]


@pytest.mark.parametrize(
    ("args", "env", "server", "expected"),
    [
        ([], {}, None, ("127.0.0.1", 12345)),
        (["a"], {}, None, ("a", 12345)),
        (["a:1"], {}, None, ("a", 1)),
        (["--server", "a:1"], {}, None, ("a", 1)),
        (["--host", "a", "--port", "1"], {}, None, ("a", 1)),
        # In one source a whole address comes first, and a port fills in where it has none.
        (["a", "--host", "b", "--port", "1"], {}, None, ("a", 1)),
        (["a:2", "--host", "b", "--port", "1"], {}, None, ("a", 2)),
        (["--server", "a:2", "--port", "1"], {}, None, ("a", 2)),
        ([], {"CHATCTL_SERVER": "a:2", "CHATCTL_HOST": "b", "CHATCTL_PORT": "1"}, None, ("a", 2)),
        ([], {"CHATCTL_SERVER": "a", "CHATCTL_PORT": "1"}, None, ("a", 1)),
        # Of several sources the nearer counts.
        (["a"], {"CHATCTL_SERVER": "b:2"}, "c:3", ("a", 12345)),
        (["a"], {"CHATCTL_PORT": "1"}, "c:3", ("a", 1)),
        (["--server", "a:1"], {"CHATCTL_SERVER": "b:2", "CHATCTL_PORT": "4"}, "c:3", ("a", 1)),
        (["--host", "a"], {"CHATCTL_SERVER": "b:2"}, "c:3", ("a", 12345)),
        (["--port", "1"], {"CHATCTL_SERVER": "b:2"}, "c:3", ("b", 1)),
        ([], {"CHATCTL_SERVER": "b:2"}, "c:3", ("b", 2)),
        ([], {"CHATCTL_HOST": "b"}, "c:3", ("b", 12345)),
        ([], {"CHATCTL_PORT": "1"}, "c:3", ("c", 1)),
        ([], {}, "c:3", ("c", 3)),
        ([], {}, "[::1]:3", ("::1", 3)),
        (["--port", "1"], {}, "::1", ("::1", 1)),
    ],
)
def test_where_the_server_is(
    joined: Called,
    path: Path,
    args: list[str],
    env: dict[str, str],
    server: str | None,
    expected: tuple[str, int],
) -> None:
    if server is not None:
        path.write_text(f'server = "{server}"\n')
    assert invoked("join", *args, **env) == (0, "")
    assert (joined.args[0].host, joined.args[0].port) == expected


@pytest.mark.parametrize(
    ("args", "env", "words"),
    [
        (["a", "--server", "b"], {}, "give HOST or --server, not both"),
        (["a:b"], {}, "a:b is not HOST or HOST:PORT"),
        ([], {"CHATCTL_SERVER": "a:0"}, "a:0 is not HOST or HOST:PORT"),
        (["--theme", "dim"], {}, "dim"),
        (["--backlog", "501"], {}, "--backlog"),
    ],
)
def test_wrong_use(joined: Called, args: list[str], env: dict[str, str], words: str) -> None:
    code, said = invoked("join", *args, **env)
    assert code == 2
    assert words in said
    assert not joined.args


@pytest.mark.parametrize(
    ("args", "text", "named"),
    [([], "", False), (["--name", "login"], "", True), ([], 'name = "login"\n', False)],
)
def test_only_a_name_that_was_asked_for_is_insisted_on(
    monkeypatch: pytest.MonkeyPatch, path: Path, args: list[str], text: str, named: bool
) -> None:
    path.write_text(text)
    called = Called()
    monkeypatch.setattr(lookup, "show_history", called)
    assert invoked("history", *args) == (0, "")
    assert called.args[0] == Access("127.0.0.1", 12345, "login", named=named)


# Links

PIN = "p" * 43
LINK = f"chat://a:1/dev?pin={PIN}#k"
ELSEWHERE = "chat://b/ops"


@pytest.mark.parametrize(
    ("args", "env", "text", "expected"),
    [
        ([LINK], {}, "", ("a", 1, "k", PIN, "dev")),
        (["--server", LINK], {}, "", ("a", 1, "k", PIN, "dev")),
        ([], {"CHATCTL_SERVER": LINK}, "", ("a", 1, "k", PIN, "dev")),
        ([], {}, f'server = "{LINK}"', ("a", 1, "k", PIN, "dev")),
        (["chat://[::1]"], {}, "", ("::1", 12345, None, None, "lobby")),
        (["chat://a"], {"CHATCTL_PORT": "7"}, "", ("a", 12345, None, None, "lobby")),
        # What is said as near as the link, or nearer, counts instead.
        ([LINK, "--room", "x", "--key", "y"], {}, "", ("a", 1, "y", PIN, "x")),
        (["--room", "x", "--key", "y"], {"CHATCTL_SERVER": LINK}, "", ("a", 1, "y", PIN, "x")),
        ([], {"CHATCTL_SERVER": LINK, "CHATCTL_KEY": "y", "CHATCTL_ROOM": "x"}, "", ("a", 1, "y", PIN, "x")),
        ([], {}, f'server = "{LINK}"\nkey = "y"\nroom = "x"', ("a", 1, "y", PIN, "x")),
        ([LINK], {"CHATCTL_KEY": "y", "CHATCTL_ROOM": "x"}, "", ("a", 1, "k", PIN, "dev")),
        ([LINK], {}, 'key = "y"\nroom = "x"', ("a", 1, "k", PIN, "dev")),
        ([ELSEWHERE], {"CHATCTL_SERVER": LINK}, 'key = "y"', ("b", 12345, "y", None, "ops")),
        (["--host", "c"], {"CHATCTL_SERVER": LINK}, "", ("c", 12345, None, None, "lobby")),
        (["--port", "2"], {"CHATCTL_SERVER": LINK}, "", ("a", 2, "k", PIN, "dev")),
    ],
)
def test_what_a_link_says(
    joined: Called,
    path: Path,
    args: list[str],
    env: dict[str, str],
    text: str,
    expected: tuple[str, int, str | None, str | None, str],
) -> None:
    path.write_text(text)
    path.chmod(0o600)
    assert invoked("join", *args, **env) == (0, "")
    to, room = joined.args
    assert (to.host, to.port, to.key, to.pin, room) == expected


@pytest.mark.parametrize(
    ("module", "function", "args", "room"),
    [
        (joining, "run", ["join"], "dev"),
        (lookup, "show_history", ["history"], "dev"),
        (lookup, "show_found", ["search", "x"], None),
        (sending, "send_text", ["send", "x"], sending.Goal("dev")),
        (tailing, "print_all", ["tail"], ["dev"]),
        (waiting, "wait", ["wait", "--match", "x"], "dev"),
        (listing, "show_people", ["who"], "dev"),
        (listing, "show_rooms", ["rooms"], None),
    ],
)
def test_every_command_takes_a_link(
    monkeypatch: pytest.MonkeyPatch,
    path: Path,
    module: ModuleType,
    function: str,
    args: list[str],
    room: object,
) -> None:
    called = Called()
    monkeypatch.setattr(module, function, called)
    more = ["--password", "p", "--insecure", "--name", "ann"]
    assert invoked(*args, "--server", LINK, *more) == (0, "")
    to, *rest = called.args
    assert to == Access("a", 1, "ann", "k", password="p", pin=PIN, insecure=True, room="dev")
    assert room is None or rest[0] == room
    if args[0] not in ("search", "send"):
        assert invoked(*args, LINK, CHATCTL_PASSWORD="p", CHATCTL_INSECURE="1", CHATCTL_NAME="ann") == (0, "")
        assert (called.args[0].pin, called.args[0].insecure, called.args[0].password) == (PIN, True, "p")


def test_several_rooms_come_before_that_of_a_link(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    called = Called()
    monkeypatch.setattr(tailing, "print_all", called)
    assert invoked("tail", LINK, "--room", "x", "--room", "y") == (0, "")
    assert called.args[1] == ["x", "y"]


def test_insecure_can_be_set_and_taken_back(joined: Called, path: Path) -> None:
    path.write_text("insecure = true\n")
    for args, insecure in (([], True), (["--no-insecure"], False)):
        assert invoked("join", *args) == (0, "")
        assert joined.args[0].insecure is insecure


def test_where_known_hosts_and_own_keys_are(joined: Called, path: Path) -> None:
    assert invoked("join", XDG_CONFIG_HOME="/c", XDG_STATE_HOME="/s") == (0, "")
    assert str(joined.args[0].known_hosts) == "/c/chatctl/known_hosts"


# Secrets


@pytest.mark.parametrize(
    ("args", "typed", "expected"),
    [
        (["--key", "-"], "k\n", ("k", None)),
        (["--password", "-"], "p q\r\n", (None, "p q")),
        (["--key", "-", "--password", "-"], "k\np\nrest", ("k", "p")),
        (["--key=-"], "k", ("k", None)),
    ],
)
def test_secrets_from_standard_input(
    joined: Called, args: list[str], typed: str, expected: tuple[str | None, str | None]
) -> None:
    with given(typed) as rest:
        assert invoked("join", *args) == (0, "")
        assert (joined.args[0].key, joined.args[0].password) == expected
        assert rest() == typed.partition("p\n")[2] if "rest" in typed else rest() == ""


def test_there_is_no_secret_on_standard_input(joined: Called) -> None:
    for text in ("", "\n"):
        with given(text):
            done = CliRunner().invoke(cli.app, ["join", "--key", "-"])
        assert str(done.exception) == "there is no key on standard input"
    assert not joined.args


def test_what_has_the_number_of_a_closed_standard_input_is_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with given("text") as rest:
        with pytest.raises(ChatError, match="there is no key on standard input"):
            read_secret("key")
        assert rest() == "text"


@contextmanager
def given(text: str) -> Iterator[Callable[[], str]]:
    """Puts `text` on standard input; yields what reads the rest of it."""
    before = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, text.encode())
    os.close(writing)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield lambda: os.read(0, 1000).decode()
    finally:
        os.dup2(before, 0)
        os.close(before)


def test_secrets_are_not_shown() -> None:
    for shown in (repr(Access("a", 1, "b", "s3cret", password="s3cret")), repr(OwnKey("s3cret"))):
        assert "s3cret" not in shown
